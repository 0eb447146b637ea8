//! Random values for the corpus, and their way into a record.

use std::io::Write;

/// SplitMix64 (Steele, Lea and Flood, 2014): one addition and a mix for each number, any start is a good one.
pub(super) struct Random(u64);

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Random {
    /// The numbers of one record. Both are mixed, so that neighbours have nothing in common.
    pub(super) const fn new(seed: u64, index: u64) -> Self {
        Self(mix(mix(seed.wrapping_add(GOLDEN)) ^ index.wrapping_mul(GOLDEN)))
    }

    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// A number below `end`.
    pub(super) const fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// One of the texts.
    pub(super) fn pick(&mut self, texts: &[&'static str]) -> &'static str {
        // The remainder is below a length, which is a usize.
        texts[usize::try_from(self.below(texts.len() as u64)).unwrap_or(0)]
    }

    /// A random UUID.
    pub(super) fn uuid(&mut self, record: &mut Vec<u8>) {
        let (a, b) = (self.next(), self.next());
        text(
            record,
            format_args!(
                "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
                a >> 32,
                (a >> 16) & 0xffff,
                a & 0xffff,
                b >> 48,
                b & 0xffff_ffff_ffff
            ),
        );
    }

    /// A time within the hour that begins `start_s` seconds after the midnight of 16 February 2026, to the
    /// microsecond.
    pub(super) fn time(&mut self, record: &mut Vec<u8>, start_s: u64) {
        let second = start_s + self.below(3600);
        let micros = self.below(1_000_000);
        text(
            record,
            format_args!(
                "2026-02-16T{:02}:{:02}:{:02}.{micros:06}Z",
                second / 3600 % 24,
                second / 60 % 60,
                second % 60
            ),
        );
    }
}

/// Appends a text. Writing into a vector cannot fail.
pub(super) fn text(record: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    let _ = record.write_fmt(text);
}

/// Appends a number.
pub(super) fn number(record: &mut Vec<u8>, number: u64) {
    text(record, format_args!("{number}"));
}
