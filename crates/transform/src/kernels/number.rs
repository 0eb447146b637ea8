//! Integers, floats and Bool, bare as JSON has them.

use super::lane::{Bounds, Lane};
use super::simd::Simd;
use crate::plan::IntKind;

/// Digits that the fast path reads; a number with more takes the exact path.
const DIGITS_MAX: usize = 20;

/// The value of `count` digits, 1 to 20, at the lane; none where they pass 64 bits.
#[inline(always)]
unsafe fn value<S: Simd>(lane: Lane, count: usize) -> Option<u64> {
    // SAFETY: the digits belong to the record, before which 64 bytes may be read.
    unsafe {
        let end = lane.at.as_ptr().add(count).cast_const();
        if count <= 16 {
            return Some(S::digits_16(end, count));
        }
        let high = S::digits_16(end.sub(16), count - 16);
        high.checked_mul(10_000_000_000_000_000)?.checked_add(S::digits_16(end, 16))
    }
}

/// The digits at the lane and how many they are; none for a leading zero, or where there are none or too many.
#[inline(always)]
unsafe fn digits<S: Simd>(lane: Lane) -> Option<(u64, usize)> {
    // SAFETY: 32 bytes may be read.
    unsafe {
        let count = S::not_digits_32(lane.at.as_ptr()).trailing_zeros() as usize;
        if count == 0 || count > DIGITS_MAX || (count > 1 && lane.peek() == b'0') {
            return None;
        }
        Some((value::<S>(lane, count)?, count))
    }
}

/// An integer of at most 64 bits that fits its type.
///
/// # Safety
/// The lane is live.
#[inline(always)]
pub(super) unsafe fn integer<S: Simd>(kind: IntKind, lane: Lane, bounds: &Bounds<'_>) -> Option<Lane> {
    if !bounds.has_room(lane) {
        return None;
    }
    // SAFETY: a minus and digits are not zero; there is room for a value.
    unsafe {
        let negative = kind.signed && lane.peek() == b'-';
        let first = if negative { lane.skip(1) } else { lane };
        let (magnitude, count) = digits::<S>(first)?;
        let bits = 8 * kind.bytes as u32 - u32::from(kind.signed);
        // The negative side has one more.
        if bits < 64 && magnitude.wrapping_sub(u64::from(negative)) >> bits != 0 && magnitude != 0 {
            return None;
        }
        let value = if negative { magnitude.wrapping_neg() } else { magnitude };
        let lane = first.skip(count);
        let le = value.to_le_bytes();
        Some(match kind.bytes {
            1 => lane.push([le[0]]),
            2 => lane.push([le[0], le[1]]),
            4 => lane.push([le[0], le[1], le[2], le[3]]),
            _ => lane.push(le),
        })
    }
}

/// Powers of ten that a double holds exactly.
static POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// Powers of ten for the digits behind the point.
static WHOLE_POWERS: [u64; 17] = {
    let mut powers = [1; 17];
    let mut at = 1;
    while at < 17 {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// The largest mantissa that a double holds exactly, plus one.
const EXACT_MAX: u64 = 1 << 53;

/// A Float64 whose digits and power of ten a double holds exactly, so that one division rounds it right (William D.
/// Clinger, "How to read floating point numbers accurately", 1990); others are read by `fast_float2`.
///
/// # Safety
/// The lane is live.
#[inline(always)]
pub(super) unsafe fn float<S: Simd>(lane: Lane, bounds: &Bounds<'_>) -> Option<Lane> {
    if !bounds.has_room(lane) {
        return None;
    }
    // SAFETY: sign, digits and point are not zero; there is room for a value.
    unsafe {
        let negative = lane.peek() == b'-';
        let first = if negative { lane.skip(1) } else { lane };
        let marks = S::not_digits_32(first.at.as_ptr());
        let whole = marks.trailing_zeros() as usize;
        if whole == 0 || whole > 16 || (whole > 1 && first.peek() == b'0') {
            return None;
        }
        let (mantissa, behind_point, end) = if first.byte(whole) == b'.' {
            // The point is a mark itself; the next one ends the digits behind it.
            let behind_point = (marks & (marks - 1)).trailing_zeros() as usize - whole - 1;
            if behind_point == 0 || behind_point > 15 {
                return None;
            }
            let high = value::<S>(first, whole)?;
            let low = value::<S>(first.skip(whole + 1), behind_point)?;
            let mantissa = high.checked_mul(WHOLE_POWERS[behind_point])?.checked_add(low)?;
            (mantissa, behind_point, whole + 1 + behind_point)
        } else {
            (value::<S>(first, whole)?, 0, whole)
        };
        if mantissa >= EXACT_MAX || first.byte(end) | 0x20 == b'e' {
            return None;
        }
        // A mantissa below 2^53 becomes a double without loss.
        let magnitude = mantissa as f64 / POWERS[behind_point];
        let value = if negative { -magnitude } else { magnitude };
        Some(first.skip(end).push(value.to_le_bytes()))
    }
}

/// `true` or `false`.
///
/// # Safety
/// The lane is live.
#[inline(always)]
pub(super) unsafe fn boolean(lane: Lane, bounds: &Bounds<'_>) -> Option<Lane> {
    if !bounds.has_room(lane) {
        return None;
    }
    // SAFETY: the words are not zero; there is room for a byte.
    unsafe {
        let word = lane.word(0) as u32;
        let is_true = word == u32::from_le_bytes(*b"true");
        let is_false = word == u32::from_le_bytes(*b"fals") && lane.byte(4) == b'e';
        if !is_true && !is_false {
            return None;
        }
        Some(lane.skip(5 - usize::from(is_true)).push([u8::from(is_true)]))
    }
}

/// Moves the lane behind a number of JSON without an exponent.
///
/// # Safety
/// The lane is live.
#[inline(always)]
pub(super) unsafe fn skip<S: Simd>(lane: Lane) -> Option<Lane> {
    // SAFETY: sign, digits and point are not zero.
    unsafe {
        let first = if lane.peek() == b'-' { lane.skip(1) } else { lane };
        let marks = S::not_digits_32(first.at.as_ptr());
        let whole = marks.trailing_zeros() as usize;
        if whole == 0 || whole > 16 || (whole > 1 && first.peek() == b'0') {
            return None;
        }
        let mut end = whole;
        if first.byte(whole) == b'.' {
            let behind_point = (marks & (marks - 1)).trailing_zeros() as usize - whole - 1;
            if behind_point == 0 || behind_point > 15 {
                return None;
            }
            end += 1 + behind_point;
        }
        (first.byte(end) | 0x20 != b'e').then(|| first.skip(end))
    }
}
