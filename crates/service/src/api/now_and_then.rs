//! What may happen often, told to the log now and then: whoever calls would fill it otherwise.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Pause between two lines of the log, in seconds.
const PAUSE_S: u64 = 10;

/// How often it has happened.
#[derive(Debug)]
pub(super) struct NowAndThen {
    seen: Mutex<Seen>,
}

#[derive(Debug)]
struct Seen {
    /// Those that were not told of yet.
    times: u64,
    told: Option<Instant>,
}

impl NowAndThen {
    pub(super) const fn new() -> NowAndThen {
        NowAndThen { seen: Mutex::new(Seen { times: 0, told: None }) }
    }

    /// It has happened again. Where it is to be told now: how often since it was told last, this time included.
    pub(super) fn again(&self) -> Option<u64> {
        // Each change is of numbers, and whole.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.times += 1;
        if seen.told.is_some_and(|told| told.elapsed() < Duration::from_secs(PAUSE_S)) {
            return None;
        }
        seen.told = Some(Instant::now());
        Some(std::mem::take(&mut seen.times))
    }
}

impl Default for NowAndThen {
    fn default() -> NowAndThen {
        NowAndThen::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_left_out_is_counted() {
        let often = NowAndThen::new();
        assert_eq!((0..4).map(|_| often.again()).collect::<Vec<_>>(), [Some(1), None, None, None]);
        tokio::time::advance(Duration::from_secs(PAUSE_S)).await;
        assert_eq!((often.again(), often.again()), (Some(4), None));
    }
}
