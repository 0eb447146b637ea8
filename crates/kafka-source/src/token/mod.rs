//! Tokens of OAUTHBEARER: where they come from, and that each client has one that holds.
//!
//! # Why librdkafka's own refresh is not used
//! librdkafka asks for a new token by an event on the client's main queue, and until somebody polls that, the client does not
//! connect. A probe is polled only while it waits, and the clients of administrative calls and producers never poll that queue.
//! Besides, the event's handler in rust-rdkafka cannot give extensions, without which Confluent Cloud finds neither cluster nor
//! identity pool, and a request to an issuer would hold up the thread that polls. So a client is given its token before it is
//! used, and a thread of its own gives it the next ones in time; the events are left alone, which librdkafka allows.
//! Its own OIDC client needs libcurl, a second HTTP and TLS stack.

mod answer;
mod http;
mod keeper;
mod msk_iam;
mod oidc;
mod sigv4;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use secrecy::SecretString;

pub(crate) use keeper::{TokenKeeper, passing_refusal};
pub use msk_iam::MskIam;
pub use oidc::OidcClient;

use crate::SourceError;

/// Time in which a passing trouble of an issuer is tried again, in milliseconds, before it is told.
const PATIENCE_MS: u64 = 1_500;

/// The first pause between two requests to an issuer, in milliseconds; doubled each time.
const PAUSE_MS: u64 = 200;

/// A token is renewed when this share of its time is left, as librdkafka has it.
const RENEW_AT_DIVISOR: i64 = 5;

/// A token, and what the broker sees with it.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) value: SecretString,
    /// Whose it is.
    pub(crate) principal: String,
    /// Names and values.
    pub(crate) extensions: Vec<(String, String)>,
    /// When it was made, in milliseconds since 1970-01-01 UTC.
    pub(crate) made_ms: i64,
    /// When it ends, likewise.
    pub(crate) expires_ms: i64,
}

impl Token {
    /// When it is to be renewed, in milliseconds since 1970-01-01 UTC.
    fn renew_ms(&self) -> i64 {
        self.expires_ms.saturating_sub(self.expires_ms.saturating_sub(self.made_ms) / RENEW_AT_DIVISOR)
    }
}

/// Where tokens come from. Clones share the last token, so that the clients of one configuration ask for one together.
#[derive(Clone)]
pub struct TokenSource(Arc<Inner>);

struct Inner {
    kind: Kind,
    /// Held during a request: who wants a token meanwhile gets the same one.
    last: Mutex<Last>,
}

#[derive(PartialEq)]
enum Kind {
    Oidc(OidcClient),
    MskIam(MskIam),
}

#[derive(Default)]
struct Last {
    token: Option<Token>,
    failure: Option<(Instant, SourceError)>,
}

/// Two that give the same tokens to the same client are equal, also where they do not share the last one.
impl PartialEq for TokenSource {
    fn eq(&self, other: &TokenSource) -> bool {
        self.0.kind == other.0.kind
    }
}

impl TokenSource {
    /// Tokens of an issuer, for `client`. No request is made yet.
    ///
    /// # Errors
    /// [`SourceError::Config`] where a part of it cannot be used; it never shows the secret.
    pub fn oidc(client: OidcClient) -> Result<TokenSource, SourceError> {
        client.check()?;
        Ok(TokenSource::new(Kind::Oidc(client)))
    }

    /// Tokens that `identity` signs.
    pub fn msk_iam(identity: MskIam) -> TokenSource {
        TokenSource::new(Kind::MskIam(identity))
    }

    fn new(kind: Kind) -> TokenSource {
        TokenSource(Arc::new(Inner { kind, last: Mutex::default() }))
    }

    /// Whether tokens are those of AWS MSK, and not an issuer's.
    pub fn is_msk_iam(&self) -> bool {
        matches!(self.0.kind, Kind::MskIam(_))
    }

    /// A token with a good part of its time left: the last one, or a new one. Where no new one can be had for a passing reason, one
    /// with little time left is better than nothing.
    pub(crate) fn token(&self) -> Result<Token, SourceError> {
        let renewed = self.renewed();
        match &renewed {
            Err(error) if error.retryable() => {
                let held = self.lock().token.clone().filter(|token| now_ms() < token.expires_ms);
                held.map_or(renewed, Ok)
            }
            _ => renewed,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Last> {
        self.0.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A token with a good part of its time left. A passing trouble is tried again for a moment.
    fn renewed(&self) -> Result<Token, SourceError> {
        let asked = Instant::now();
        let mut last = self.lock();
        if let Some(token) = last.token.as_ref().filter(|token| now_ms() < token.renew_ms()) {
            return Ok(token.clone());
        }
        // Who waited for somebody else's request has its outcome.
        if let Some((_, error)) = last.failure.as_ref().filter(|(at, _)| *at >= asked) {
            return Err(error.clone());
        }
        match self.new_token(asked) {
            Ok(token) => {
                *last = Last { token: Some(token.clone()), failure: None };
                Ok(token)
            }
            Err(error) => {
                last.failure = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    /// Forgets the last token, which a broker refused; not while another one is being asked for, which is not waited for either.
    pub(crate) fn forget(&self) {
        if let Ok(mut last) = self.0.last.try_lock() {
            last.token = None;
        }
    }

    fn new_token(&self, asked: Instant) -> Result<Token, SourceError> {
        let client = match &self.0.kind {
            Kind::MskIam(identity) => return Ok(identity.token(now_ms() / 1_000)),
            Kind::Oidc(client) => client,
        };
        let mut pause = Duration::from_millis(PAUSE_MS);
        loop {
            match client.ask() {
                Err(error)
                    if error.retryable() && asked.elapsed() + pause < Duration::from_millis(PATIENCE_MS) =>
                {
                    #[expect(clippy::disallowed_methods, reason = "an issuer that is busy has its pause")]
                    std::thread::sleep(pause);
                    pause *= 2;
                }
                outcome => return outcome,
            }
        }
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.kind {
            Kind::Oidc(client) => f.debug_tuple("Oidc").field(client).finish(),
            Kind::MskIam(identity) => f.debug_struct("MskIam").field("region", &identity.region()).finish(),
        }
    }
}

/// Milliseconds since 1970-01-01 UTC.
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
