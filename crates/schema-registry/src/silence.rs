//! For how long a host has given no answer.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Time without a question after which nothing is known of a host's silence any more, in milliseconds: it may have been back and
/// gone again. Hosts behind the first one are seldom asked.
const UNASKED_MS: u64 = 3_600_000;

/// The questions that one host has not answered since its last answer. Nothing is known of a host that nobody has asked.
#[derive(Debug, Default)]
pub(crate) struct Silence(Mutex<Option<Unanswered>>);

#[derive(Debug, Clone, Copy)]
struct Unanswered {
    first: Instant,
    last: Instant,
}

impl Silence {
    /// The host has answered.
    pub(crate) fn end(&self) {
        *self.lock() = None;
    }

    /// The host has not answered one more question, at `now`; for how long that has been so.
    pub(crate) fn goes_on(&self, now: Instant) -> Duration {
        let mut unanswered = self.lock();
        let first = match *unanswered {
            Some(Unanswered { first, last })
                if now.saturating_duration_since(last) < Duration::from_millis(UNASKED_MS) =>
            {
                first
            }
            _ => now,
        };
        *unanswered = Some(Unanswered { first, last: now });
        now.saturating_duration_since(first)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Unanswered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_is_as_long_as_questions_have_shown() {
        let began = Instant::now();
        let (silence, seconds) = (Silence::default(), Duration::from_secs);
        let at = |s| silence.goes_on(began + seconds(s));
        assert_eq!([at(0), at(1), at(100)], [seconds(0), seconds(1), seconds(100)]);
        silence.end();
        assert_eq!([at(200), at(500)], [seconds(0), seconds(300)], "an answer ends it");
        // Of the time between, nobody knows.
        let later = 500 + UNASKED_MS / 1_000;
        assert_eq!([at(later - 1), at(later)], [seconds(later - 201), seconds(later - 200)]);
        assert_eq!([at(3 * later), at(3 * later + 5)], [seconds(0), seconds(5)]);
        assert_eq!(at(3 * later + 4), seconds(4), "threads may come in another order");
    }
}
