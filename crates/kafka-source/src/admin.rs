//! Requests of an administrator's client: deleting a group.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::FromClientConfig;
use rdkafka::error::RDKafkaErrorCode as Code;

use crate::reason::{of_call, of_code};
use crate::token::TokenKeeper;
use crate::{SourceConfig, SourceError, client};

/// Time for the answer, in milliseconds.
const ANSWER_MS_MAX: u64 = 10_000;

/// What is asked for, in words.
const REQUEST: &str = "the deletion of a group";

/// What became of a group that was to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupEnd {
    /// It is gone with its offsets, or was not there.
    Gone,
    /// Somebody is in it, so it stays.
    HasMembers,
}

/// Deletes the configured group with all of its offsets, of whatever topics they are. Blocks for up to 10 s.
///
/// ```no_run
/// use housepipe_kafka_source::{GroupEnd, SourceConfig, delete_group};
///
/// # fn main() -> Result<(), housepipe_kafka_source::SourceError> {
/// let config = SourceConfig::new("localhost:9092", "orders", "orders-loader");
/// if delete_group(&config)? == GroupEnd::HasMembers {
///     println!("stop its members first");
/// }
/// # Ok(()) }
/// ```
///
/// # Errors
/// [`SourceError::GroupDenied`] where the user may not, [`SourceError::Request`] where the coordinator does not answer.
pub fn delete_group(config: &SourceConfig) -> Result<GroupEnd, SourceError> {
    let (admin, _tokens) = admin(config)?;
    // An operation's time is none of this request's: librdkafka would refuse it.
    let options = AdminOptions::new().request_timeout(Some(Duration::from_millis(ANSWER_MS_MAX)));
    let answers = block_on(admin.delete_groups(&[config.group.as_str()], &options))
        .map_err(|error| of_call(config, &error, REQUEST))?;
    match answers.into_iter().find_map(Result::err) {
        None | Some((_, Code::GroupIdNotFound)) => Ok(GroupEnd::Gone),
        Some((_, Code::NonEmptyGroup)) => Ok(GroupEnd::HasMembers),
        Some((_, code)) => Err(of_code(config, code, REQUEST)),
    }
}

/// A client for requests, and what keeps it in tokens meanwhile.
pub(crate) fn admin(
    config: &SourceConfig,
) -> Result<(Arc<AdminClient<DefaultClientContext>>, Option<TokenKeeper>), SourceError> {
    let admin = AdminClient::from_config(&client::base(config)?)
        .map_err(|error| of_call(config, &error, "the set-up of a client"))?;
    let admin = Arc::new(admin);
    let tokens = TokenKeeper::begin(config, &admin)?;
    Ok((admin, tokens))
}

/// Runs one future on this thread. The administrative calls are the only ones, so no runtime is needed.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
