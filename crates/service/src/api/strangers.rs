//! Calls with tokens that nobody has, told to the log now and then: whoever tries many would fill it otherwise.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use crate::server::Peer;

/// Pause between two lines of the log, in seconds.
const PAUSE_S: u64 = 10;

/// Counts them.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// Those that were not told of yet.
    calls: u64,
    told: Option<Instant>,
}

impl Strangers {
    /// One called with a token that is not known.
    pub(super) fn came(&self, from: Option<&Peer>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.calls += 1;
        if seen.told.is_some_and(|told| told.elapsed() < Duration::from_secs(PAUSE_S)) {
            return;
        }
        let last = from.map(|peer| peer.0.ip().to_string());
        tracing::warn!(calls = seen.calls, last, "calls with tokens that are not known were refused");
        *seen = Seen { calls: 0, told: Some(Instant::now()) };
    }
}
