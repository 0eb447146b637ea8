//! Giving a client its token.
//!
//! rust-rdkafka gives one only in answer to an event, and without extensions; librdkafka's own function takes one from anybody
//! and at any time (`rd_kafka_oauthbearer_set_token`, rdkafka.h of 2.12.1).

use std::ffi::{CStr, CString, c_char};

use rdkafka::admin::AdminClient;
use rdkafka::bindings as rd;
use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};
use secrecy::ExposeSecret;

use super::commit::NO_ERROR;
use crate::token::Token;

/// Room for librdkafka's reason of a refusal, in bytes.
const REASON_BYTES_MAX: usize = 512;

/// A client that can be given a token.
pub(crate) trait TakesToken {
    /// From now on connections are opened with `token`, and open ones renew their session with it. The error is librdkafka's reason,
    /// which shows nothing of the token.
    fn take_token(&self, token: &Token) -> Result<(), String>;
}

impl<C: ConsumerContext> TakesToken for BaseConsumer<C> {
    fn take_token(&self, token: &Token) -> Result<(), String> {
        set(self.client().native_ptr(), token)
    }
}

impl<C: ProducerContext> TakesToken for BaseProducer<C> {
    fn take_token(&self, token: &Token) -> Result<(), String> {
        set(self.client().native_ptr(), token)
    }
}

impl<C: ClientContext> TakesToken for AdminClient<C> {
    fn take_token(&self, token: &Token) -> Result<(), String> {
        set(self.inner().native_ptr(), token)
    }
}

/// `client` is one that a reference above keeps alive.
fn set(client: *mut rd::rd_kafka_t, token: &Token) -> Result<(), String> {
    let text = |text: &str| CString::new(text).map_err(|_| "it holds a zero byte".to_owned());
    let (value, principal) = (text(token.value.expose_secret())?, text(&token.principal)?);
    let pairs: Vec<CString> = token
        .extensions
        .iter()
        .flat_map(|(name, value)| [text(name), text(value)])
        .collect::<Result<_, _>>()?;
    let mut extensions: Vec<*const c_char> = pairs.iter().map(|part| part.as_ptr()).collect();
    let mut reason = [0 as c_char; REASON_BYTES_MAX];
    // SAFETY: the client is alive during the call. All texts end in a zero and live until it returns, which copies them; the
    // number of extensions is that of their pointers, and the room for the reason is as long as is said.
    let code = unsafe {
        rd::rd_kafka_oauthbearer_set_token(
            client,
            value.as_ptr(),
            token.expires_ms,
            principal.as_ptr(),
            extensions.as_mut_ptr(),
            extensions.len(),
            reason.as_mut_ptr(),
            reason.len(),
        )
    };
    if code == NO_ERROR {
        return Ok(());
    }
    // SAFETY: librdkafka ends its reason in a zero within the room, which was all zeros before.
    let reason = unsafe { CStr::from_ptr(reason.as_ptr()) };
    Err(reason.to_string_lossy().into_owned())
}
