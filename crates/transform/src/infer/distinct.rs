//! How many different values a path has, and how often they repeat.

use std::hash::{Hash as _, Hasher as _};

/// Values that were told apart, by their hashes. Two values of one hash would count as one: with 64 bits and this few of
/// them that is not to be expected, and would cost no more than an unlucky judgement.
#[derive(Debug, Clone, Default)]
pub(super) struct Distinct {
    /// Sorted. The lowest bit says whether the value was seen again.
    hashes: Vec<u64>,
    /// Values looked at so far.
    total: u64,
    /// There were more than are told apart, and no more are looked at.
    is_full: bool,
}

impl Distinct {
    pub(super) fn note(&mut self, value: &[u8], max: usize) {
        if self.is_full {
            return;
        }
        let mut hasher = std::hash::DefaultHasher::new();
        value.hash(&mut hasher);
        self.note_hash(hasher.finish() & !1, max);
        self.total += 1;
    }

    /// Notes a hash, whose lowest bit says whether its value was seen more than once already.
    fn note_hash(&mut self, hash: u64, max: usize) {
        match self.hashes.binary_search_by_key(&(hash & !1), |known| known & !1) {
            Ok(at) => self.hashes[at] |= 1,
            Err(_) if self.hashes.len() >= max => self.is_full = true,
            Err(at) => self.hashes.insert(at, hash),
        }
    }

    pub(super) fn merge(&mut self, other: &Distinct, max: usize) {
        self.is_full |= other.is_full;
        self.total += other.total;
        for hash in &other.hashes {
            if !self.is_full {
                self.note_hash(*hash, max);
            }
        }
    }

    /// How many different values there are; none where there are more than are told apart.
    pub(super) fn count(&self) -> Option<usize> {
        (!self.is_full).then_some(self.hashes.len())
    }

    /// How many of them stood once alone.
    pub(super) fn singles(&self) -> usize {
        self.hashes.iter().filter(|hash| *hash & 1 == 0).count()
    }

    /// Whether no value was seen twice, among those that were looked at.
    pub(super) fn is_unique(&self) -> bool {
        self.total > 1 && self.singles() == self.hashes.len()
    }

    /// Whether the values repeat so much that a dictionary pays: there are at least 20, each stands four times on
    /// average, and at most one in ten stands alone.
    ///
    /// The last is the estimate of Good and Turing: the share of values that were seen once is the chance that the next
    /// one is new. With a chance above a tenth the samples have not shown the whole of the list.
    pub(super) fn repeats(&self) -> bool {
        let count = self.hashes.len() as u64;
        !self.is_full
            && self.total >= TOTAL_MIN
            && self.total >= 4 * count
            && self.total >= 10 * self.singles() as u64
    }

    /// The same for values whose name says that each is another one: an id has to repeat ten times on average.
    pub(super) fn repeats_much(&self) -> bool {
        self.repeats() && self.total >= 10 * self.hashes.len() as u64 && self.singles() == 0
    }
}

/// Values below which nothing is said about how they repeat.
const TOTAL_MIN: u64 = 20;
