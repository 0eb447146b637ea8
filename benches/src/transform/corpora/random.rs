//! Random numbers for the corpora that only the benchmark has.

use std::io::Write;

/// SplitMix64 (Steele, Lea and Flood, 2014).
pub(super) struct Random(u64);

impl Random {
    /// The numbers of one record of a seed.
    pub(super) fn new(seed: u64, index: u64) -> Random {
        let mut random =
            Random(seed.wrapping_mul(0xA24B_AED4_963E_E407) ^ index.wrapping_mul(0x9FB2_1C65_1E98_DF25));
        // One step, so that neighbours have nothing in common.
        random.0 = random.next();
        random
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A place in a list of this length.
    pub(super) fn index(&mut self, length: usize) -> usize {
        // The remainder is below a length, which is a usize.
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }

    /// One of the texts.
    pub(super) fn pick<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        texts[self.index(texts.len())]
    }

    /// The list in another order (Fisher and Yates).
    pub(super) fn shuffle<T>(&mut self, list: &mut [T]) {
        for end in (1..list.len()).rev() {
            list.swap(end, self.index(end + 1));
        }
    }
}

/// Appends a text. Writing into a vector cannot fail.
pub(super) fn text(record: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    let _ = record.write_fmt(text);
}
