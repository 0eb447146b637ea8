//! Keeps a client in tokens: a thread gives it the next one before the last one ends.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use super::{Token, TokenSource, now_ms};
use crate::client::CONNECT_MS_MAX;
use crate::queue::TakesToken;
use crate::reason::{forget_token, is_refusal_of_token};
use crate::{Security, SourceConfig, SourceError};

/// Longest sleep before the clock is looked at again, in milliseconds: clocks are set, and machines sleep.
const SLEEP_MS_MAX: i64 = 60_000;

/// Shortest time between two tokens, in milliseconds, so that an issuer of very short ones is not flooded.
const SLEEP_MS_MIN: i64 = 1_000;

/// The first pause after a failure, in milliseconds; doubled each time.
const RETRY_MS: i64 = 1_000;

/// Longest pause after a failure, in milliseconds.
const RETRY_MS_MAX: i64 = 30_000;

/// Time behind a renewal in which a refusal may still be of the token before, in milliseconds: a login that began with that one may
/// take as long as the set-up of a connection. Of tokens that hold for less than twice as long it is half of their time, or none would
/// ever be refused for good.
const FORMER_MS_MAX: u64 = CONNECT_MS_MAX as u64;

/// Renews the token of one client until it is dropped.
pub(crate) struct TokenKeeper(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    is_over: bool,
    /// Whether the token was found to be due before the clock was looked at again.
    is_wanted: bool,
    /// Why the last renewal failed; none once one has worked.
    trouble: Option<SourceError>,
    /// When the token that the client has is due to be renewed, in milliseconds since 1970-01-01 UTC.
    renew_ms: i64,
    /// When the client was given it.
    given: Option<Instant>,
    /// Time since then in which a refusal may be of the token before; none for the first token.
    former: Duration,
}

impl State {
    /// The client has its first token.
    fn first(token: &Token) -> State {
        State { renew_ms: token.renew_ms(), given: Some(Instant::now()), ..State::default() }
    }

    /// The client has `token` in place of another one.
    fn renewed(&mut self, token: &Token, now: Instant) {
        let half_ms = u64::try_from(token.expires_ms.saturating_sub(token.made_ms) / 2).unwrap_or(0);
        self.renew_ms = token.renew_ms();
        self.given = Some(now);
        self.former = Duration::from_millis(half_ms.min(FORMER_MS_MAX));
        self.is_wanted = false;
    }

    /// Why a refusal says nothing of the next token, where it does not.
    fn excuse(&self, now: Instant, now_ms: i64) -> Option<&'static str> {
        if self.renew_ms <= now_ms {
            return Some("the token has ended or is about to, and the next one has not come yet");
        }
        let age = now.saturating_duration_since(self.given?);
        (age < self.former)
            .then_some("the refusal may be of the token before, which was renewed a moment ago")
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds until the client's token is due to be renewed; 0 or less where it is.
    fn until_due_ms(&self) -> i64 {
        self.lock().renew_ms.saturating_sub(now_ms())
    }

    /// The first sleep behind a token, in milliseconds.
    fn pause_ms(&self) -> i64 {
        self.until_due_ms().clamp(SLEEP_MS_MIN, SLEEP_MS_MAX)
    }

    /// Sleeps, until somebody wants another token at the latest; whether there is still somebody to renew for.
    fn sleep(&self, ms: i64) -> bool {
        let duration = Duration::from_millis(u64::try_from(ms).unwrap_or(0));
        let state = self.lock();
        let (mut state, _) = self
            .changed
            .wait_timeout_while(state, duration, |state| !state.is_over && !state.is_wanted)
            .unwrap_or_else(PoisonError::into_inner);
        state.is_wanted = false;
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
        let shared = Arc::new(Shared { state: Mutex::new(State::first(&token)), changed: Condvar::new() });
        let (of_thread, client, source) = (Arc::clone(&shared), Arc::downgrade(client), source.clone());
        let pause_ms = shared.pause_ms();
        let renewal = move || renew(&of_thread, &client, &source, token.expires_ms, pause_ms);
        thread::Builder::new()
            .name("kafka-token".to_owned())
            .spawn(renewal)
            .map_err(|error| SourceError::Internal { reason: format!("no thread for tokens ({error})") })?;
        Ok(Some(TokenKeeper(shared)))
    }

    /// Why a broker refuses the client's token, where that may pass: no newer one has come, or the refusal may be of the one before.
    /// A process that was frozen, or is starved, logs in with a token that has ended meanwhile.
    pub(crate) fn trouble(&self, brokers: &str) -> Option<SourceError> {
        let mut state = self.0.lock();
        if state.trouble.is_some() {
            return state.trouble.clone();
        }
        let now = Instant::now();
        let reason = state.excuse(now, now_ms())?.to_owned();
        // The thread may sleep on for long behind a machine that slept.
        let pause = Duration::from_millis(SLEEP_MS_MIN.unsigned_abs());
        if state.given.is_none_or(|given| now.saturating_duration_since(given) >= pause) {
            state.is_wanted = true;
            self.0.changed.notify_all();
        }
        Some(SourceError::Request { brokers: brokers.to_owned(), request: "a login", reason })
    }
}

/// What stands behind `error` where it is the refusal of a token and may pass. A token that is refused for good is forgotten, so that
/// another one is asked for.
pub(crate) fn passing_refusal(
    keeper: Option<&TokenKeeper>,
    config: &SourceConfig,
    error: &SourceError,
) -> Option<SourceError> {
    if !is_refusal_of_token(error) {
        return None;
    }
    let trouble = keeper.and_then(|keeper| keeper.trouble(&config.brokers));
    if trouble.is_none() {
        forget_token(config);
    }
    trouble
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

/// Renews the client's token, which ends at `expires_ms`; for the first time behind `wait_ms`.
fn renew<C: TakesToken>(
    shared: &Shared,
    client: &Weak<C>,
    source: &TokenSource,
    mut expires_ms: i64,
    mut wait_ms: i64,
) {
    let mut retry_ms = RETRY_MS;
    while shared.sleep(wait_ms) {
        let left_ms = shared.until_due_ms();
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
                state.renewed(&next, Instant::now());
                if state.trouble.take().is_some() {
                    tracing::info!("kafka's token is renewed again");
                }
                drop(state);
                (expires_ms, retry_ms) = (next.expires_ms, RETRY_MS);
                wait_ms = shared.pause_ms();
            }
            Err(error) => {
                let left_s = expires_ms.saturating_sub(now_ms()) / 1_000;
                tracing::warn!(error = %error, left_s, "kafka's token could not be renewed; it is tried again");
                let mut state = shared.lock();
                (state.trouble, state.is_wanted) = (Some(error), false);
                drop(state);
                wait_ms = retry_ms;
                retry_ms = (retry_ms * 2).min(RETRY_MS_MAX);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use housepipe_local_stack::{ISSUER_CLIENT, Issuer};
    use secrecy::ExposeSecret;

    use super::*;
    use crate::OidcClient;

    /// How long a condition may take to come true; a machine under load is slow.
    const PATIENCE: Duration = Duration::from_secs(30);

    /// A client that keeps the tokens that it is given.
    #[derive(Default)]
    struct Given(Mutex<Vec<Token>>);

    impl TakesToken for Given {
        fn take_token(&self, token: &Token) -> Result<(), String> {
            self.0.lock().unwrap().push(token.clone());
            Ok(())
        }
    }

    impl Given {
        fn count(&self) -> usize {
            self.0.lock().unwrap().len()
        }
    }

    fn wait_until(what: &str, condition: impl Fn() -> bool) {
        let started = Instant::now();
        while !condition() {
            assert!(started.elapsed() < PATIENCE, "{what}");
            std::thread::yield_now();
        }
    }

    fn token(made_ms: i64, expires_ms: i64) -> Token {
        Token {
            value: "a.b.c".into(),
            principal: "p".to_owned(),
            extensions: Vec::new(),
            made_ms,
            expires_ms,
        }
    }

    fn keeper(issuer: &Issuer) -> (TokenKeeper, Arc<Given>) {
        let client = OidcClient::new(issuer.token_url(), ISSUER_CLIENT.name, ISSUER_CLIENT.password);
        let mut config = SourceConfig::new("localhost:9093", "clicks", "g");
        config.security = Security::Token { source: TokenSource::oidc(client).unwrap(), tls: None };
        let given = Arc::new(Given::default());
        (TokenKeeper::begin(&config, &given).unwrap().unwrap(), given)
    }

    #[test]
    fn a_refusal_is_excused_while_it_may_be_of_a_token_that_has_ended() {
        let at = Instant::now();
        let after = |ms| at + Duration::from_millis(ms);
        let mut state = State::first(&token(0, 100_000));
        assert_eq!(state.excuse(at, 0), None, "the first one is refused for what it is");
        assert_eq!(state.excuse(after(79_999), 79_999), None);
        assert!(state.excuse(after(80_000), 80_000).is_some(), "due");
        assert!(state.excuse(at, 1_000_000).is_some(), "ended");

        state.renewed(&token(80_000, 180_000), at);
        assert!(state.excuse(at, 80_000).is_some());
        assert!(state.excuse(after(FORMER_MS_MAX - 1), 88_000).is_some());
        assert_eq!(state.excuse(after(FORMER_MS_MAX), 88_000), None, "the newer one is refused");
        // Of short tokens too there is a time in which they are.
        state.renewed(&token(0, 8_000), at);
        assert!(state.excuse(after(3_999), 3_999).is_some());
        assert_eq!(state.excuse(after(4_000), 4_000), None);
        assert!(state.excuse(after(6_400), 6_400).is_some());
    }

    #[test]
    fn a_token_that_takes_the_place_of_another_is_remembered_as_one() {
        let issuer = Issuer::start().unwrap();
        issuer.set_lifetime(Duration::from_secs(3));
        let (keeper, given) = keeper(&issuer);
        assert_eq!(keeper.0.lock().former, Duration::ZERO);
        issuer.set_lifetime(Duration::from_secs(300));
        wait_until("the next token", || keeper.0.lock().former > Duration::ZERO);
        let tokens = given.0.lock().unwrap();
        assert_eq!(tokens.len(), 2);
        assert_ne!(tokens[0].value.expose_secret(), tokens[1].value.expose_secret());
        assert_eq!(keeper.0.lock().renew_ms, tokens[1].renew_ms());
    }

    #[test]
    fn a_refusal_of_a_token_that_has_ended_wakes_who_renews_it() {
        let issuer = Issuer::start().unwrap();
        let (keeper, given) = keeper(&issuer);
        assert_eq!(keeper.trouble("b"), None, "it is in order");
        // As if the machine had slept: by the clock it has ended, and the thread has not looked.
        keeper.0.lock().renew_ms = 0;
        let trouble = keeper.trouble("b").unwrap();
        assert!(trouble.retryable() && trouble.to_string().contains("has ended"), "{trouble:?}");
        wait_until("another token", || {
            keeper.trouble("b");
            given.count() == 2
        });
    }
}
