//! Texts that were seen: whether all of them are UUIDs, addresses, dates or moments.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::distinct::Distinct;
use super::mark::{Mark, Seen, earlier, later};
use super::trial::{Trial, UTC};
use crate::encode::{Cursor, Raw};
use crate::plan::Op;

/// What a text can be beside a text, one bit each. An IPv4 address is an IPv6 address too, and a date a moment: the
/// wider type takes it.
pub(super) const UUID: u8 = 1;
pub(super) const IPV4: u8 = 2;
pub(super) const IPV6: u8 = 4;
pub(super) const DATE: u8 = 8;
pub(super) const MOMENT: u8 = 16;

/// Texts at a path.
#[derive(Debug, Clone, Default)]
pub(super) struct Texts {
    pub(super) seen: Seen,
    pub(super) distinct: Distinct,
    /// What every one of them can be.
    pub(super) classes: u8,
    /// The last that took a wider type.
    pub(super) widened: Option<Mark>,
    /// How many were empty.
    pub(super) empty: u64,
    /// Of moments and dates: the earliest and the latest, in seconds since 1970.
    pub(super) low: i64,
    pub(super) high: i64,
    /// Of moments: the most digits of a second.
    pub(super) digits_max: usize,
    /// The first moment whose text does not say in which zone it is.
    pub(super) zoneless: Option<Mark>,
}

/// Moments that ClickHouse prints as they were: 1900 to 2299, in seconds since 1970.
const SECONDS: std::ops::RangeInclusive<i64> = -2_208_988_800..=10_413_791_999;

impl Texts {
    /// Notes the text whose opening quote the cursor stands at.
    pub(super) fn note(
        &mut self,
        raw: &Raw<'_>,
        c: &Cursor<'_>,
        trial: &mut Trial,
        mark: Mark,
        distinct_max: usize,
    ) {
        self.seen.note(mark);
        self.distinct.note(raw.bytes, distinct_max);
        self.empty += u64::from(raw.bytes.is_empty());
        let is_first = self.seen.count == 1;
        if is_first {
            self.widened = Some(mark);
            self.classes = u8::MAX;
        } else if self.classes == 0 {
            return;
        }
        // The encoder reads such texts as they stand, escapes and all.
        let (classes, time) = if raw.escaped { (0, None) } else { classify(raw.bytes, c, trial) };
        let left = self.classes & classes;
        if left != self.classes && !is_first {
            self.widened = Some(mark);
        }
        self.classes = left;
        let Some(time) = time else { return };
        self.low = if is_first { time.seconds } else { self.low.min(time.seconds) };
        self.high = if is_first { time.seconds } else { self.high.max(time.seconds) };
        if time.digits > self.digits_max {
            self.digits_max = time.digits;
            self.widened = Some(mark);
        }
        if !time.has_zone {
            self.zoneless.get_or_insert(mark);
        }
    }

    pub(super) fn merge(&mut self, other: &Texts, distinct_max: usize) {
        let is_first = self.seen.count == 0;
        self.classes = if is_first { other.classes } else { self.classes & other.classes };
        self.low = if is_first { other.low } else { self.low.min(other.low) };
        self.high = if is_first { other.high } else { self.high.max(other.high) };
        self.seen.merge(&other.seen);
        self.distinct.merge(&other.distinct, distinct_max);
        self.widened = later(self.widened, other.widened);
        self.empty += other.empty;
        self.digits_max = self.digits_max.max(other.digits_max);
        self.zoneless = earlier(self.zoneless, other.zoneless);
    }
}

/// A date, with time or without.
#[derive(Debug, Clone, Copy)]
struct Time {
    seconds: i64,
    digits: usize,
    has_zone: bool,
}

/// What the text can be. The notation has to be one that means one thing only, and the encoder has to take it.
fn classify(text: &[u8], c: &Cursor<'_>, trial: &mut Trial) -> (u8, Option<Time>) {
    if is_uuid(text) && trial.fits(&Op::Uuid, c) {
        return (UUID, None);
    }
    if let Some(time) = time(text) {
        let op = Op::DateTime64 { zone: UTC, precision: 6 };
        let micros = trial.encoded(&op, c).and_then(<[u8]>::first_chunk::<8>).copied();
        let Some(micros) = micros else { return (0, None) };
        let seconds = i64::from_le_bytes(micros).div_euclid(1_000_000);
        let is_date = text.len() == DATE_BYTES && trial.fits(&Op::Date, c);
        let classes = if is_date { DATE | MOMENT } else { MOMENT };
        let time = Time { seconds, ..time };
        return if SECONDS.contains(&seconds) { (classes, Some(time)) } else { (0, None) };
    }
    match std::str::from_utf8(text) {
        Ok(text) if text.parse::<Ipv4Addr>().is_ok() && trial.fits(&Op::Ipv4, c) => {
            (if trial.fits(&Op::Ipv6, c) { IPV4 | IPV6 } else { IPV4 }, None)
        }
        Ok(text) if text.contains(':') && text.parse::<Ipv6Addr>().is_ok() && trial.fits(&Op::Ipv6, c) => {
            (IPV6, None)
        }
        _ => (0, None),
    }
}

/// With hyphens: without them any hash of 128 bits would look like one.
fn is_uuid(text: &[u8]) -> bool {
    let is_part = |(at, byte): (usize, &u8)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.len() == 36 && text.iter().enumerate().all(is_part)
}

const DATE_BYTES: usize = "YYYY-MM-DD".len();

/// Whether the text is `YYYY-MM-DD`, or with slashes, and behind it perhaps a time of day: `hh:mm`, perhaps seconds,
/// perhaps a fraction of up to nine digits, perhaps a zone: `Z`, `UTC`, `GMT` or an offset, with a blank before it or not.
/// The seconds are not yet known.
fn time(text: &[u8]) -> Option<Time> {
    let digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
    let two = |at: usize, max: u8| -> bool {
        digit(at) && digit(at + 1) && (text[at] - b'0') * 10 + (text[at + 1] - b'0') <= max
    };
    let separator = *text.get(4)?;
    let is_date = two(0, 99)
        && two(2, 99)
        && matches!(separator, b'-' | b'/')
        && two(5, 12)
        && text.get(7) == Some(&separator)
        && two(8, 31);
    if !is_date {
        return None;
    }
    if text.len() == DATE_BYTES {
        return Some(Time { seconds: 0, digits: 0, has_zone: true });
    }
    if !matches!(text[10], b'T' | b' ') || !two(11, 23) || text.get(13) != Some(&b':') || !two(14, 59) {
        return None;
    }
    let mut at = 16;
    let mut digits = 0;
    if text.get(at) == Some(&b':') {
        if !two(at + 1, 59) {
            return None;
        }
        at += 3;
        if text.get(at) == Some(&b'.') {
            digits = text[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 || digits > 9 {
                return None;
            }
            at += 1 + digits;
        }
    }
    let is_apart = matches!(text.get(at..)?, [b' ', _, ..]);
    at += usize::from(is_apart);
    let has_zone = match text.get(at..)? {
        [] => false,
        [b'Z'] | b"UTC" | b"GMT" => true,
        [b'+' | b'-', offset @ ..] => {
            let start = at + 1;
            let is_offset = match offset.len() {
                2 => two(start, 14),
                4 => two(start, 14) && two(start + 2, 59),
                5 => two(start, 14) && text[start + 2] == b':' && two(start + 3, 59),
                _ => false,
            };
            if !is_offset {
                return None;
            }
            true
        }
        _ => return None,
    };
    Some(Time { seconds: 0, digits, has_zone })
}
