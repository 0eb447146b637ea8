//! Which pipes may start now: so many at once, and of those that were refused before only half as many.

use std::pin::pin;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

/// The longest turn, in milliseconds. A start that takes longer waits for an end that does not answer, which costs the others nothing: it goes on, and
/// the next one begins. How many go on is bounded by the memory that each of them holds.
pub(super) const TURN_MS_MAX: u64 = 1_000;

/// Turns to start.
///
/// A start of a pipe whose cluster is away takes as long as its timeouts, and is tried again and again. So many of them would leave no turn to
/// a pipe that somebody has just asked for.
#[derive(Debug)]
pub(super) struct Starts {
    all: Semaphore,
    /// Of those that are tried again, beside the above.
    again: Semaphore,
}

/// A turn, for as long as it is held.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    _one: Option<SemaphorePermit<'a>>,
    _again: Option<SemaphorePermit<'a>>,
}

impl Starts {
    /// Turns for `at_once_max` pipes at once, one at least.
    pub(super) fn new(at_once_max: usize) -> Starts {
        let all = at_once_max.max(1);
        Starts { all: Semaphore::new(all), again: Semaphore::new((all / 2).max(1)) }
    }

    /// Waits for a turn, in the order of those who ask. Of those that are tried again at most half of the turns are held or waited for.
    pub(super) async fn turn(&self, is_again: bool) -> Turn<'_> {
        // The semaphores are never closed.
        let again = if is_again { self.again.acquire().await.ok() } else { None };
        Turn { _again: again, _one: self.all.acquire().await.ok() }
    }
}

impl Turn<'_> {
    /// Does what it is the turn for, with or without it to the end.
    pub(super) async fn of<T>(self, start: impl Future<Output = T>) -> T {
        let mut start = pin!(start);
        let in_turn = tokio::time::timeout(Duration::from_millis(TURN_MS_MAX), &mut start).await;
        drop(self);
        match in_turn {
            Ok(done) => done,
            Err(_) => start.await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;

    /// A turn that is free.
    fn free(starts: &Starts, is_again: bool) -> Option<Turn<'_>> {
        match pin!(starts.turn(is_again)).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(turn) => Some(turn),
            Poll::Pending => None,
        }
    }

    #[test]
    fn those_that_are_tried_again_leave_turns_to_the_others() {
        let starts = Starts::new(8);
        let again: Vec<Turn<'_>> = std::iter::from_fn(|| free(&starts, true)).collect();
        assert_eq!(again.len(), 4);
        let new: Vec<Turn<'_>> = std::iter::from_fn(|| free(&starts, false)).collect();
        assert_eq!(new.len(), 4);
        drop(again);
        let new: Vec<Turn<'_>> = std::iter::from_fn(|| free(&starts, false)).collect();
        assert_eq!(new.len(), 4, "and they take all, where nobody else is there");
        drop(new);
        let one = Starts::new(0);
        let turn = free(&one, true);
        assert!(turn.is_some() && free(&one, false).is_none(), "there is always one");
    }
}
