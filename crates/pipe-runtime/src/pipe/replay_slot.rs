//! How many ranges are read again at once. Each is as large as it was, whatever the budget of memory is now, so that a process
//! that takes over many at once must not hold all of them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use super::shared::Shared;

/// The slots of a pipe.
#[derive(Debug)]
pub(super) struct ReplaySlots {
    taken: AtomicUsize,
    max: usize,
}

impl ReplaySlots {
    /// `max` of them, one at the least.
    pub(super) fn new(max: usize) -> ReplaySlots {
        ReplaySlots { taken: AtomicUsize::new(0), max: max.max(1) }
    }

    fn take(&self) -> bool {
        let more = |taken| (taken < self.max).then_some(taken + 1);
        self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).is_ok()
    }

    fn give_back(&self) {
        self.taken.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The right to hold a range that is read again, until it is stored or dropped.
pub(super) struct ReplaySlot {
    /// Weak, since a range may be held by what it belongs to.
    shared: Weak<Shared>,
}

impl ReplaySlot {
    /// A slot, if one is free; else the worker is woken when one is.
    pub(super) fn take(shared: &Arc<Shared>) -> Option<ReplaySlot> {
        shared.replay_slots.take().then(|| ReplaySlot { shared: Arc::downgrade(shared) })
    }
}

impl std::fmt::Debug for ReplaySlot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ReplaySlot")
    }
}

impl Drop for ReplaySlot {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.replay_slots.give_back();
            shared.wake_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_have_an_end_and_come_back() {
        let slots = ReplaySlots::new(2);
        assert_eq!([slots.take(), slots.take(), slots.take()], [true, true, false]);
        slots.give_back();
        assert_eq!([slots.take(), slots.take()], [true, false]);
        assert!(ReplaySlots::new(0).take(), "without one nothing could be read again");
    }
}
