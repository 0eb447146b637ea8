//! Which sample showed something first.

/// A sample: its number among those that were added, and what the caller calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) index: u64,
    pub(super) origin: u64,
}

/// The later of two.
pub(super) fn later(a: Option<Mark>, b: Option<Mark>) -> Option<Mark> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b.index > a.index { b } else { a }),
        (a, b) => a.or(b),
    }
}

/// The earlier of two.
pub(super) fn earlier(a: Option<Mark>, b: Option<Mark>) -> Option<Mark> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b.index < a.index { b } else { a }),
        (a, b) => a.or(b),
    }
}

/// How often something was seen, and where first.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    pub(super) count: u64,
    pub(super) first: Option<Mark>,
}

impl Seen {
    pub(super) fn note(&mut self, mark: Mark) {
        self.count += 1;
        self.first.get_or_insert(mark);
    }

    pub(super) fn merge(&mut self, other: &Seen) {
        self.count += other.count;
        self.first = earlier(self.first, other.first);
    }
}
