//! Simulated time: what is to happen, in the order in which it does.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Seconds since 1970 at which every run begins.
pub(crate) const BEGIN_UNIX_S: u64 = 1_764_000_000;

/// The present, and the events to come. Two of the same millisecond happen in the order in which they were planned.
#[derive(Debug)]
pub(crate) struct Clock<E> {
    now_ms: u64,
    planned: u64,
    queue: BinaryHeap<Reverse<Due<E>>>,
}

#[derive(Debug)]
struct Due<E> {
    at_ms: u64,
    number: u64,
    event: E,
}

impl<E> PartialEq for Due<E> {
    fn eq(&self, other: &Self) -> bool {
        (self.at_ms, self.number) == (other.at_ms, other.number)
    }
}

impl<E> Eq for Due<E> {}

impl<E> PartialOrd for Due<E> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Due<E> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at_ms, self.number).cmp(&(other.at_ms, other.number))
    }
}

impl<E> Clock<E> {
    pub(crate) fn new() -> Clock<E> {
        Clock { now_ms: 0, planned: 0, queue: BinaryHeap::new() }
    }

    /// Milliseconds since the run began.
    pub(crate) fn now_ms(&self) -> u64 {
        self.now_ms
    }

    pub(crate) fn at(&mut self, at_ms: u64, event: E) {
        self.planned += 1;
        let at_ms = at_ms.max(self.now_ms);
        self.queue.push(Reverse(Due { at_ms, number: self.planned, event }));
    }

    pub(crate) fn after(&mut self, delay_ms: u64, event: E) {
        self.at(self.now_ms + delay_ms, event);
    }

    /// Goes to the next event.
    pub(crate) fn next(&mut self) -> Option<E> {
        let Reverse(due) = self.queue.pop()?;
        self.now_ms = due.at_ms;
        Some(due.event)
    }
}

/// Whole seconds since 1970, as a server tells them.
pub(crate) fn unix_s(at_ms: u64) -> u64 {
    BEGIN_UNIX_S + at_ms / 1_000
}
