//! Keeps a client in tokens: a thread gives it the next one before the last one ends.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use super::{Token, TokenSource, now_ms};
use crate::queue::TakesToken;
use crate::{Security, SourceConfig, SourceError};

/// Longest sleep before the clock is looked at again, in milliseconds: clocks are set, and machines sleep.
const SLEEP_MS_MAX: i64 = 60_000;

/// Shortest time between two tokens, in milliseconds, so that an issuer of very short ones is not flooded.
const SLEEP_MS_MIN: i64 = 1_000;

/// The first pause after a failure, in milliseconds; doubled each time.
const RETRY_MS: i64 = 1_000;

/// Longest pause after a failure, in milliseconds.
const RETRY_MS_MAX: i64 = 30_000;

/// Renews the token of one client until it is dropped.
pub(crate) struct TokenKeeper(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    is_over: bool,
    /// Why the last renewal failed; none once one has worked.
    trouble: Option<SourceError>,
    /// When the token ends that the client has, in milliseconds since 1970-01-01 UTC.
    expires_ms: i64,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps; whether there is still somebody to renew for.
    fn sleep(&self, ms: i64) -> bool {
        let duration = Duration::from_millis(u64::try_from(ms).unwrap_or(0));
        let state = self.lock();
        let (state, _) = self
            .changed
            .wait_timeout_while(state, duration, |state| !state.is_over)
            .unwrap_or_else(PoisonError::into_inner);
        !state.is_over
    }
}

impl TokenKeeper {
    /// Gives `client` its first token, and sees to the others; none where the configuration has no tokens.
    ///
    /// # Errors
    /// What keeps the first token away.
    pub(crate) fn begin<C: TakesToken + Send + Sync + 'static>(
        config: &SourceConfig,
        client: &Arc<C>,
    ) -> Result<Option<TokenKeeper>, SourceError> {
        let Security::Token { source, .. } = &config.security else { return Ok(None) };
        let token = source.token()?;
        give(client.as_ref(), &token)?;
        let state = State { expires_ms: token.expires_ms, ..State::default() };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let (of_thread, client, source) = (Arc::clone(&shared), Arc::downgrade(client), source.clone());
        let renewal = move || renew(&of_thread, &client, &source, token);
        thread::Builder::new()
            .name("kafka-token".to_owned())
            .spawn(renewal)
            .map_err(|error| SourceError::Internal { reason: format!("no thread for tokens ({error})") })?;
        Ok(Some(TokenKeeper(shared)))
    }

    /// Why a broker refuses the client's token, where that is because no newer one has come.
    pub(crate) fn trouble(&self, brokers: &str) -> Option<SourceError> {
        let state = self.0.lock();
        if state.trouble.is_none() && state.expires_ms <= now_ms() {
            // The next one is being asked for at this moment.
            return Some(SourceError::Request {
                brokers: brokers.to_owned(),
                request: "a login",
                reason: "the token has ended, and the next one has not come yet".to_owned(),
            });
        }
        state.trouble.clone()
    }
}

impl Drop for TokenKeeper {
    fn drop(&mut self) {
        self.0.lock().is_over = true;
        self.0.changed.notify_all();
    }
}

fn give(client: &impl TakesToken, token: &Token) -> Result<(), SourceError> {
    client
        .take_token(token)
        .map_err(|reason| SourceError::Internal { reason: format!("a token was not taken over ({reason})") })
}

fn renew<C: TakesToken>(shared: &Shared, client: &Weak<C>, source: &TokenSource, mut token: Token) {
    let mut retry_ms = RETRY_MS;
    let mut wait_ms = SLEEP_MS_MIN;
    while shared.sleep(wait_ms) {
        let left_ms = token.renew_ms().saturating_sub(now_ms());
        if left_ms > 0 {
            wait_ms = left_ms.min(SLEEP_MS_MAX);
            continue;
        }
        // In its own time, without the lock: an issuer may be slow.
        let outcome = source.renewed().and_then(|next| match client.upgrade() {
            Some(client) => give(client.as_ref(), &next).map(|()| next),
            None => Ok(next),
        });
        match outcome {
            Ok(next) => {
                let mut state = shared.lock();
                state.expires_ms = next.expires_ms;
                if state.trouble.take().is_some() {
                    tracing::info!("kafka's token is renewed again");
                }
                drop(state);
                (token, retry_ms, wait_ms) = (next, RETRY_MS, SLEEP_MS_MIN);
            }
            Err(error) => {
                let left_s = token.expires_ms.saturating_sub(now_ms()) / 1_000;
                tracing::warn!(error = %error, left_s, "kafka's token could not be renewed; it is tried again");
                shared.lock().trouble = Some(error);
                wait_ms = retry_ms;
                retry_ms = (retry_ms * 2).min(RETRY_MS_MAX);
            }
        }
    }
}
