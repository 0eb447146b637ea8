//! Dates and dates with time in the notation that nearly all producers use.
//!
//! `YYYY-MM-DD`, and behind it `T` or a blank, `hh:mm:ss`, a fraction of up to nine digits, `Z`. The calendar is asked
//! once a day: neighbours in a topic share their date.

use super::lane::{Bounds, Lane};
use super::simd::Simd;
use crate::encode::{DateMemo, ZoneMemo};

/// Compared with a text, its punctuation tells the notation.
static TEMPLATE: [u8; 32] = *b"0000-00-00 00:00:00             ";
const DATE_PUNCTUATION: u32 = 1 << 4 | 1 << 7;
const TIME_PUNCTUATION: u32 = 1 << 13 | 1 << 16;
/// Of the first 19 bytes, those that are no digits.
const NO_DIGITS: u32 = DATE_PUNCTUATION | 1 << 10 | TIME_PUNCTUATION;

/// A moment: seconds since 1970, and `fraction / 10^digits` seconds.
struct Moment {
    seconds: i64,
    fraction: u64,
    digits: usize,
}

/// Reads a moment and the quote behind it.
#[inline(always)]
unsafe fn moment<S: Simd>(lane: Lane, memo: &mut DateMemo, zone: &mut ZoneMemo) -> Option<(Moment, Lane)> {
    // SAFETY: 32 bytes may be read; all that is skipped was compared with digits and punctuation.
    unsafe {
        let marks = S::not_digits_32(lane.at.as_ptr());
        let differs = S::differs_32(lane.at.as_ptr(), TEMPLATE.as_ptr());
        if marks & 0x7_FFFF != NO_DIGITS || differs & (DATE_PUNCTUATION | TIME_PUNCTUATION) != 0 {
            return None;
        }
        if !matches!(lane.byte(10), b'T' | b' ') {
            return None;
        }
        let (mut end, mut fraction, mut digits) = (19, 0, 0);
        if lane.byte(19) == b'.' {
            digits = (marks >> 20).trailing_zeros() as usize;
            if digits == 0 || digits > 9 {
                return None;
            }
            fraction = S::digits_16(lane.at.as_ptr().add(20 + digits), digits);
            end = 20 + digits;
        }
        let is_utc = lane.byte(end) == b'Z';
        end += usize::from(is_utc);
        if lane.byte(end) != b'"' {
            return None;
        }
        let (date, tail) = (lane.word(0), lane.word(8) & 0xFFFF);
        if !memo.holds(date, tail) {
            memo.look_up(date, tail, Some(zone))?;
        }
        // Tens and ones of `hh:mm:ss`, each pair in the byte of its tens.
        let time = lane.word(11) & 0x0F0F_0F0F_0F0F_0F0F;
        let pairs = time.wrapping_mul(10).wrapping_add(time >> 8);
        let (hour, minute, second) = (pairs & 0xFF, pairs >> 24 & 0xFF, pairs >> 48 & 0xFF);
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        // At most 86,399.
        let second_of_day = (hour * 3600 + minute * 60 + second) as i64;
        let begin = if is_utc { memo.begin_utc() } else { memo.begin()? };
        Some((Moment { seconds: begin + second_of_day, fraction, digits }, lane.skip(end + 1)))
    }
}

/// A DateTime64, behind its opening quote.
///
/// # Safety
/// The lane is live.
#[inline(always)]
pub(super) unsafe fn date_time_64<S: Simd>(
    precision: u8,
    lane: Lane,
    bounds: &Bounds<'_>,
    memo: &mut DateMemo,
    zone: &mut ZoneMemo,
) -> Option<Lane> {
    if !bounds.has_room(lane) {
        return None;
    }
    // SAFETY: the lane is live, and there is room for a value.
    unsafe {
        let (moment, lane) = moment::<S>(lane, memo, zone)?;
        let precision = usize::from(precision);
        let fraction = if moment.digits > precision {
            moment.fraction / POWERS[moment.digits - precision]
        } else {
            moment.fraction * POWERS[precision - moment.digits]
        };
        // Below 10^9 each.
        let ticks = moment.seconds.checked_mul(POWERS[precision] as i64)?.checked_add(fraction as i64)?;
        Some(lane.push(ticks.to_le_bytes()))
    }
}

static POWERS: [u64; 10] =
    [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];

/// A DateTime, behind its opening quote.
///
/// # Safety
/// The lane is live.
#[inline(always)]
pub(super) unsafe fn date_time<S: Simd>(
    lane: Lane,
    bounds: &Bounds<'_>,
    memo: &mut DateMemo,
    zone: &mut ZoneMemo,
) -> Option<Lane> {
    if !bounds.has_room(lane) {
        return None;
    }
    // SAFETY: the lane is live, and there is room for a value.
    unsafe {
        let (moment, lane) = moment::<S>(lane, memo, zone)?;
        // Clamped, it fits.
        let seconds = moment.seconds.clamp(0, i64::from(u32::MAX)) as u32;
        Some(lane.push(seconds.to_le_bytes()))
    }
}

/// A Date or a Date32, behind its opening quote.
///
/// # Safety
/// The lane is live.
#[inline(always)]
pub(super) unsafe fn date<S: Simd>(
    is_wide: bool,
    lane: Lane,
    bounds: &Bounds<'_>,
    memo: &mut DateMemo,
) -> Option<Lane> {
    if !bounds.has_room(lane) {
        return None;
    }
    // SAFETY: 32 bytes may be read; what is skipped was compared with digits, hyphens and a quote.
    unsafe {
        let marks = S::not_digits_32(lane.at.as_ptr());
        if marks & 0x7FF != DATE_PUNCTUATION | 1 << 10 {
            return None;
        }
        if lane.byte(4) != b'-' || lane.byte(7) != b'-' || lane.byte(10) != b'"' {
            return None;
        }
        let (date, tail) = (lane.word(0), lane.word(8) & 0xFFFF);
        if !memo.holds(date, tail) {
            memo.look_up(date, tail, None)?;
        }
        let days = memo.days();
        let lane = lane.skip(11);
        if is_wide {
            // ClickHouse's dates end with the year 2299; the exact path knows what it does beyond.
            return (-25_567..=120_529).contains(&days).then(|| lane.push((days as i32).to_le_bytes()));
        }
        Some(lane.push((days.clamp(0, 65_535) as u16).to_le_bytes()))
    }
}
