//! All chance of a run: one generator, one seed.

use oorandom::Rand64;

/// Spreads seeds that are neighbours over the generator's states.
const SPREAD: u128 = 0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835;

/// Numbers that depend on the seed and on how many came before, and on nothing else.
#[derive(Debug)]
pub(crate) struct Random(Rand64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(Rand64::new(u128::from(seed).wrapping_add(1).wrapping_mul(SPREAD)))
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0.rand_u64()
    }

    /// A number below `end`, or 0 where there is none.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0.rand_range(0..end.max(1))
    }

    /// A number in `[first, last]`.
    pub(crate) fn between(&mut self, first: u64, last: u64) -> u64 {
        first + self.below((last + 1).saturating_sub(first))
    }

    /// An index into something of this length.
    pub(crate) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }

    /// True so often of a thousand times.
    pub(crate) fn permille(&mut self, often: u64) -> bool {
        self.below(1_000) < often
    }

    /// A fraction in `[0, 1)`.
    pub(crate) fn fraction(&mut self) -> f64 {
        self.0.rand_float()
    }

    /// A time that is mostly about `usual` milliseconds, and now and then much longer.
    pub(crate) fn trip_ms(&mut self, usual: u64) -> u64 {
        match self.below(100) {
            0 => self.between(usual, usual * 200),
            1..=9 => self.between(usual, usual * 20),
            _ => self.between(1, usual),
        }
    }
}
