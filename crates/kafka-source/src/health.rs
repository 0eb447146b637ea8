//! Whether the brokers answer, since when not, and what they said last.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How the connection to the brokers stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceHealth {
    unreachable_since: Option<Instant>,
    last_error: String,
}

impl SourceHealth {
    /// Whether at least one broker is connected.
    pub fn is_reachable(&self) -> bool {
        self.unreachable_since.is_none()
    }

    /// How long no broker has been connected; `None` while one is.
    pub fn unreachable_for(&self) -> Option<Duration> {
        self.unreachable_since.map(|since| since.elapsed())
    }

    /// The last error that a broker or librdkafka told, in its words; empty before the first.
    pub fn last_error(&self) -> &str {
        &self.last_error
    }
}

/// Keeps [`SourceHealth`] up to date from librdkafka's events.
#[derive(Debug, Default)]
pub(crate) struct HealthTracker(Mutex<(Option<Instant>, String)>);

impl HealthTracker {
    pub(crate) fn failed(&self, reason: &str) {
        reason.clone_into(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).1);
    }

    /// Returns whether this is news.
    pub(crate) fn set_reachable(&self, reachable: bool) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let news = state.0.is_none() != reachable;
        if news {
            state.0 = (!reachable).then(Instant::now);
        }
        news
    }

    pub(crate) fn get(&self) -> SourceHealth {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        SourceHealth { unreachable_since: state.0, last_error: state.1.clone() }
    }
}
