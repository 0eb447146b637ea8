//! Numbers that were seen: how large, how small, how exact.

use super::distinct::Distinct;
use super::mark::{Mark, Seen, earlier, later};
use super::trial::Trial;
use crate::encode::Cursor;
use crate::plan::Op;

/// Whole numbers, written without point and exponent.
#[derive(Debug, Clone, Default)]
pub(super) struct Integers {
    pub(super) seen: Seen,
    pub(super) distinct: Distinct,
    /// The first with a minus, `-0` too: no unsigned column takes that.
    pub(super) minus: Option<Mark>,
    /// The range, of those that 128 bits hold.
    pub(super) low: i128,
    pub(super) high: i128,
    /// What is beyond the range of narrower integers, and where that was seen first.
    pub(super) beyond: Beyond,
    /// The last that took a wider type.
    pub(super) widened: Option<Mark>,
}

/// The first numbers that some integers do not hold.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Beyond {
    pub(super) int128: Option<Mark>,
    pub(super) uint128: Option<Mark>,
    pub(super) int256: Option<Mark>,
    pub(super) uint256: Option<Mark>,
}

impl Integers {
    /// Notes the number at the cursor, which is `text`.
    pub(super) fn note(
        &mut self,
        text: &[u8],
        c: &Cursor<'_>,
        trial: &mut Trial,
        mark: Mark,
        distinct_max: usize,
    ) {
        self.seen.note(mark);
        self.distinct.note(text, distinct_max);
        if self.seen.count == 1 {
            self.widened = Some(mark);
        }
        let has_minus = text.first() == Some(&b'-');
        if has_minus && self.minus.is_none() {
            self.minus = Some(mark);
            self.widened = Some(mark);
        }
        let value: Option<i128> = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
        let Some(value) = value else { return self.note_wide(has_minus, c, trial, mark) };
        if self.seen.count == 1 {
            (self.low, self.high) = (value, value);
            return;
        }
        let (fits_signed, fits_unsigned) = (self.fits_int64(), self.fits_uint64());
        (self.low, self.high) = (self.low.min(value), self.high.max(value));
        if (fits_signed, fits_unsigned) != (self.fits_int64(), self.fits_uint64()) {
            self.widened = Some(mark);
        }
    }

    /// Notes a number that the largest signed integer of 128 bits does not hold.
    fn note_wide(&mut self, has_minus: bool, c: &Cursor<'_>, trial: &mut Trial, mark: Mark) {
        let before = self.beyond;
        let Beyond { int128, uint128, int256, uint256 } = &mut self.beyond;
        int128.get_or_insert(mark);
        if has_minus || !trial.fits(&Op::Int(crate::plan::IntKind { bytes: 16, signed: false }), c) {
            uint128.get_or_insert(mark);
        }
        if !trial.fits(&Op::WideInt { signed: true }, c) {
            int256.get_or_insert(mark);
        }
        if has_minus || !trial.fits(&Op::WideInt { signed: false }, c) {
            uint256.get_or_insert(mark);
        }
        if before.parts() != self.beyond.parts() {
            self.widened = Some(mark);
        }
    }

    pub(super) fn fits_int64(&self) -> bool {
        let range = i128::from(i64::MIN)..=i128::from(i64::MAX);
        self.beyond.int128.is_none() && range.contains(&self.low) && range.contains(&self.high)
    }

    pub(super) fn fits_uint64(&self) -> bool {
        self.is_within(0, i128::from(u64::MAX))
    }

    /// Whether all lie in the range, bounds included, and none has a minus where it begins at 0.
    pub(super) fn is_within(&self, low: i128, high: i128) -> bool {
        self.beyond.int128.is_none()
            && self.low >= low
            && self.high <= high
            && (low < 0 || self.minus.is_none())
    }

    pub(super) fn merge(&mut self, other: &Integers, distinct_max: usize) {
        let is_first = self.seen.count == 0;
        self.low = if is_first { other.low } else { self.low.min(other.low) };
        self.high = if is_first { other.high } else { self.high.max(other.high) };
        self.seen.merge(&other.seen);
        self.distinct.merge(&other.distinct, distinct_max);
        self.minus = earlier(self.minus, other.minus);
        self.widened = later(self.widened, other.widened);
        let (mine, theirs) = (&mut self.beyond, &other.beyond);
        mine.int128 = earlier(mine.int128, theirs.int128);
        mine.uint128 = earlier(mine.uint128, theirs.uint128);
        mine.int256 = earlier(mine.int256, theirs.int256);
        mine.uint256 = earlier(mine.uint256, theirs.uint256);
    }
}

impl Beyond {
    fn parts(&self) -> [bool; 4] {
        [self.int128, self.uint128, self.int256, self.uint256].map(|mark| mark.is_some())
    }
}

/// Numbers with a point or an exponent.
#[derive(Debug, Clone, Default)]
pub(super) struct Floats {
    pub(super) seen: Seen,
    pub(super) low: f64,
    pub(super) high: f64,
    /// The most digits that stood behind a point.
    pub(super) digits_max: usize,
    /// The first with an exponent.
    pub(super) exponent: Option<Mark>,
    /// The first that no Float64 holds: it would become infinite.
    pub(super) infinite: Option<Mark>,
}

impl Floats {
    /// Notes a number; whether a Float64 holds it.
    pub(super) fn note(&mut self, text: &[u8], mark: Mark) -> bool {
        self.seen.note(mark);
        let value: f64 = fast_float2::parse(text).unwrap_or(f64::INFINITY);
        let is_first = self.seen.count == 1;
        self.low = if is_first { value } else { self.low.min(value) };
        self.high = if is_first { value } else { self.high.max(value) };
        if text.iter().any(|byte| matches!(byte, b'e' | b'E')) {
            self.exponent.get_or_insert(mark);
        }
        let point = text.iter().position(|byte| *byte == b'.');
        self.digits_max = self.digits_max.max(point.map_or(0, |at| text.len() - at - 1));
        if !value.is_finite() {
            self.infinite.get_or_insert(mark);
        }
        value.is_finite()
    }

    pub(super) fn merge(&mut self, other: &Floats) {
        let is_first = self.seen.count == 0;
        self.low = if is_first { other.low } else { self.low.min(other.low) };
        self.high = if is_first { other.high } else { self.high.max(other.high) };
        self.seen.merge(&other.seen);
        self.digits_max = self.digits_max.max(other.digits_max);
        self.exponent = earlier(self.exponent, other.exponent);
        self.infinite = earlier(self.infinite, other.infinite);
    }
}
