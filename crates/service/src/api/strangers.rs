//! Calls with tokens that nobody has, told to the log.

use super::now_and_then::NowAndThen;
use crate::server::Peer;

/// Counts them.
#[derive(Debug, Default)]
pub(super) struct Strangers(NowAndThen);

impl Strangers {
    /// One called with a token that is not known.
    pub(super) fn came(&self, from: Option<&Peer>) {
        if let Some(calls) = self.0.again() {
            let last = from.map(|peer| peer.0.ip().to_string());
            tracing::warn!(calls, last, "calls with tokens that are not known were refused");
        }
    }
}
