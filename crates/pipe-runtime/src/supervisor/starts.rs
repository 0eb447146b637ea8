//! Which pipes may start now: so many at once, and of those that were refused before only half as many.

use std::collections::HashSet;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::pipe_file::PipeFile;

/// The longest turn, in milliseconds. A start that takes longer waits for an end that does not answer, which costs the others nothing: it goes on, and
/// the next one begins. How many go on is bounded by the places for looks ([`LookPlace`](crate::pipe::LookPlace)).
pub(super) const TURN_MS_MAX: u64 = 1_000;

/// Ends that are known as silent, at most. Beyond it all are forgotten, and found out again.
const SILENT_MAX: usize = 1_000;

/// Turns to start.
///
/// A start of a pipe whose cluster is away takes as long as its timeouts, and is tried again and again. So many of them would leave no turn to
/// a pipe that somebody has just asked for, and at the start of a process none to those whose cluster is there. So at most half of the turns are
/// for pipes that were tried before, and for those with ends at which another one's start was too long.
#[derive(Debug)]
pub(super) struct Starts {
    all: Semaphore,
    /// Of those that are likely to wait in vain, beside the above.
    doubtful: Semaphore,
    silent: Mutex<HashSet<Ends>>,
}

/// What a start waits for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Ends {
    brokers: String,
    clickhouse: String,
}

impl Ends {
    pub(super) fn of(file: &PipeFile) -> Ends {
        Ends { brokers: file.source.brokers.clone(), clickhouse: file.destination.url.clone() }
    }
}

/// A turn, for as long as it is held.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    starts: &'a Starts,
    ends: Ends,
    permits: (Option<SemaphorePermit<'a>>, Option<SemaphorePermit<'a>>),
}

impl Starts {
    /// Turns for `at_once_max` pipes at once, one at least.
    pub(super) fn new(at_once_max: usize) -> Starts {
        let all = at_once_max.max(1);
        Starts {
            all: Semaphore::new(all),
            doubtful: Semaphore::new((all / 2).max(1)),
            silent: Mutex::default(),
        }
    }

    /// Waits for a turn of a pipe with these ends, in the order of those who ask. Of those that are tried again, or whose ends are silent, at most
    /// half of the turns are held or waited for.
    pub(super) async fn turn(&self, ends: Ends, is_again: bool) -> Turn<'_> {
        loop {
            // The semaphores are never closed.
            let doubted =
                if is_again || self.are_silent(&ends) { self.doubtful.acquire().await.ok() } else { None };
            let one = self.all.acquire().await.ok();
            // Found out while this one waited.
            if doubted.is_none() && self.are_silent(&ends) {
                continue;
            }
            return Turn { starts: self, ends, permits: (doubted, one) };
        }
    }

    fn are_silent(&self, ends: &Ends) -> bool {
        self.silent().contains(ends)
    }

    fn found_silent(&self, ends: Ends) {
        let mut silent = self.silent();
        if silent.len() >= SILENT_MAX {
            silent.clear();
        }
        silent.insert(ends);
    }

    /// Locks. Whoever panicked meanwhile has left a whole set behind.
    fn silent(&self) -> MutexGuard<'_, HashSet<Ends>> {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn<'_> {
    /// Does what it is the turn for, with or without it to the end.
    pub(super) async fn of<T, E>(self, start: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let Turn { starts, ends, permits } = self;
        let mut start = pin!(start);
        if let Ok(done) = tokio::time::timeout(Duration::from_millis(TURN_MS_MAX), &mut start).await {
            // Whatever has come of it, the ends have answered.
            starts.silent().remove(&ends);
            return done;
        }
        starts.found_silent(ends.clone());
        drop(permits);
        let done = start.await;
        if done.is_ok() {
            starts.silent().remove(&ends);
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn ends(brokers: &str) -> Ends {
        Ends { brokers: brokers.to_owned(), clickhouse: "http://localhost:8123".to_owned() }
    }

    /// A turn that is free.
    fn free<'a>(starts: &'a Starts, brokers: &str, is_again: bool) -> Option<Turn<'a>> {
        match pin!(starts.turn(ends(brokers), is_again)).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(turn) => Some(turn),
            Poll::Pending => None,
        }
    }

    fn all_free<'a>(starts: &'a Starts, brokers: &str, is_again: bool) -> Vec<Turn<'a>> {
        std::iter::from_fn(|| free(starts, brokers, is_again)).collect()
    }

    #[test]
    fn those_that_are_tried_again_leave_turns_to_the_others() {
        let starts = Starts::new(8);
        let again = all_free(&starts, "a", true);
        assert_eq!(again.len(), 4);
        let new = all_free(&starts, "a", false);
        assert_eq!(new.len(), 4);
        drop(again);
        let new = all_free(&starts, "a", false);
        assert_eq!(new.len(), 4, "and they take all, where nobody else is there");
        drop(new);
        let one = Starts::new(0);
        let turn = free(&one, "a", true);
        assert!(turn.is_some() && free(&one, "a", false).is_none(), "there is always one");
    }

    fn is_ready(turn: &mut (impl Future + Unpin)) -> bool {
        std::pin::Pin::new(turn).poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn those_whose_ends_are_silent_leave_turns_to_the_others() {
        let starts = Starts::new(2);
        let mut held = all_free(&starts, "there", false);
        let mut of_away = Box::pin(starts.turn(ends("away"), false));
        let mut of_there = Box::pin(starts.turn(ends("there"), false));
        assert!(!is_ready(&mut of_away) && !is_ready(&mut of_there));
        starts.found_silent(ends("away"));
        held.pop();
        assert!(!is_ready(&mut of_away), "it came first, and gives its turn away");
        assert!(is_ready(&mut of_there));
        drop(of_there);
        assert!(is_ready(&mut of_away));
    }

    #[tokio::test]
    async fn a_start_that_is_too_long_finds_its_ends_silent_until_they_answer() {
        let starts = Starts::new(1);
        let take = || starts.turn(ends("a"), false);
        let long = async {
            tokio::time::sleep(Duration::from_millis(TURN_MS_MAX + 100)).await;
            Err::<(), _>("nobody answers")
        };
        let (failed, next) =
            tokio::join!(take().await.of(long), async { take().await.of(async { Ok::<_, ()>(()) }).await });
        assert!(
            failed.is_err() && next.is_ok() && !starts.are_silent(&ends("a")),
            "the one behind it has had an answer"
        );
        starts.found_silent(ends("a"));
        let refused = take().await.of(async { Err::<(), _>("refused at once") }).await;
        assert!(refused.is_err() && !starts.are_silent(&ends("a")));
    }
}
