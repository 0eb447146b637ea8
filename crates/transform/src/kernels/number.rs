//! Integers, floats and Bool, bare as JSON has them.

use super::lane::{Bounds, Lane};
use super::simd::Simd;
use crate::fast::{nearest_f32, nearest_f64};
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
    // SAFETY: the same contract.
    unsafe {
        match (kind.bytes, kind.signed) {
            (1, true) => integer_of::<S, 1, true>(lane, bounds),
            (2, true) => integer_of::<S, 2, true>(lane, bounds),
            (4, true) => integer_of::<S, 4, true>(lane, bounds),
            (8, true) => integer_of::<S, 8, true>(lane, bounds),
            (1, false) => integer_of::<S, 1, false>(lane, bounds),
            (2, false) => integer_of::<S, 2, false>(lane, bounds),
            (4, false) => integer_of::<S, 4, false>(lane, bounds),
            (8, false) => integer_of::<S, 8, false>(lane, bounds),
            _ => None,
        }
    }
}

/// An integer of `BYTES` bytes that fits its type.
///
/// # Safety
/// The lane is live.
#[inline(always)]
pub(super) unsafe fn integer_of<S: Simd, const BYTES: usize, const SIGNED: bool>(
    lane: Lane,
    bounds: &Bounds<'_>,
) -> Option<Lane> {
    if !bounds.has_room(lane) {
        return None;
    }
    // SAFETY: a minus and digits are not zero; there is room for a value.
    unsafe {
        let negative = SIGNED && lane.peek() == b'-';
        let first = if negative { lane.skip(1) } else { lane };
        let (magnitude, count) = digits::<S>(first)?;
        let bits = 8 * BYTES as u32 - u32::from(SIGNED);
        // The negative side has one more.
        if bits < 64 && magnitude.wrapping_sub(u64::from(negative)) >> bits != 0 && magnitude != 0 {
            return None;
        }
        let value = if negative { magnitude.wrapping_neg() } else { magnitude };
        let lane = first.skip(count);
        let le = value.to_le_bytes();
        Some(match BYTES {
            1 => lane.push([le[0]]),
            2 => lane.push([le[0], le[1]]),
            4 => lane.push([le[0], le[1], le[2], le[3]]),
            _ => lane.push(le),
        })
    }
}

/// The powers of ten that 64 bits hold.
static WHOLE_POWERS: [u64; 20] = {
    let mut powers = [1; 20];
    let mut at = 1;
    while at < 20 {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// A number of JSON: `mantissa * 10^exponent`.
struct Decimal {
    negative: bool,
    mantissa: u64,
    exponent: i32,
    /// The lane behind it.
    lane: Lane,
}

/// Reads a number of at most 19 digits.
#[inline(always)]
unsafe fn decimal<S: Simd>(lane: Lane) -> Option<Decimal> {
    // SAFETY: sign, digits, point and exponent are not zero; 32 bytes behind the sign may be read.
    unsafe {
        let negative = lane.peek() == b'-';
        let first = if negative { lane.skip(1) } else { lane };
        let marks = S::not_digits_32(first.at.as_ptr());
        let whole = marks.trailing_zeros() as usize;
        if whole == 0 || whole > MANTISSA_DIGITS_MAX || (whole > 1 && first.peek() == b'0') {
            return None;
        }
        let mut mantissa = value::<S>(first, whole)?;
        let (mut exponent, mut end) = (0, whole);
        if first.byte(whole) == b'.' {
            // The point is a mark itself; the next one ends the digits behind it.
            let behind_point = (marks & (marks - 1)).trailing_zeros() as usize - whole - 1;
            if behind_point == 0 || whole + behind_point > MANTISSA_DIGITS_MAX {
                return None;
            }
            let low = value::<S>(first.skip(whole + 1), behind_point)?;
            // 19 digits fit 64 bits.
            mantissa = mantissa * WHOLE_POWERS[behind_point] + low;
            exponent = -(behind_point as i32);
            end += 1 + behind_point;
        }
        let mut lane = first.skip(end);
        if lane.peek() | 0x20 == b'e' {
            let (written, behind) = written_exponent(lane.skip(1))?;
            exponent += written;
            lane = behind;
        }
        Some(Decimal { negative, mantissa, exponent, lane })
    }
}

/// Digits of a mantissa that always fit 64 bits.
const MANTISSA_DIGITS_MAX: usize = 19;

/// An exponent of one to three digits.
#[inline(always)]
unsafe fn written_exponent(lane: Lane) -> Option<(i32, Lane)> {
    // SAFETY: sign and digits are not zero.
    unsafe {
        let sign = lane.peek();
        let mut lane = if matches!(sign, b'+' | b'-') { lane.skip(1) } else { lane };
        let (mut value, mut count) = (0, 0);
        while lane.peek().is_ascii_digit() {
            value = value * 10 + i32::from(lane.peek() - b'0');
            count += 1;
            if count > 3 {
                return None;
            }
            lane = lane.skip(1);
        }
        (count > 0).then_some((if sign == b'-' { -value } else { value }, lane))
    }
}

/// A Float64; what is simpler left to the exact path is left to it.
///
/// # Safety
/// The lane is live.
#[inline(always)]
pub(super) unsafe fn float_64<S: Simd>(lane: Lane, bounds: &Bounds<'_>) -> Option<Lane> {
    if !bounds.has_room(lane) {
        return None;
    }
    // SAFETY: the lane is live, and there is room for a value.
    unsafe {
        let decimal = decimal::<S>(lane)?;
        let magnitude = nearest_f64(decimal.mantissa, decimal.exponent)?;
        let value = if decimal.negative { -magnitude } else { magnitude };
        Some(decimal.lane.push(value.to_le_bytes()))
    }
}

/// A Float32; what is simpler left to the exact path is left to it.
///
/// # Safety
/// The lane is live.
#[inline(always)]
pub(super) unsafe fn float_32<S: Simd>(lane: Lane, bounds: &Bounds<'_>) -> Option<Lane> {
    if !bounds.has_room(lane) {
        return None;
    }
    // SAFETY: the lane is live, and there is room for a value.
    unsafe {
        let decimal = decimal::<S>(lane)?;
        let magnitude = nearest_f32(decimal.mantissa, decimal.exponent)?;
        let value = if decimal.negative { -magnitude } else { magnitude };
        Some(decimal.lane.push(value.to_le_bytes()))
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

/// Moves the lane behind a number of JSON of at most 19 digits.
///
/// # Safety
/// The lane is live.
#[inline(always)]
pub(super) unsafe fn skip<S: Simd>(lane: Lane) -> Option<Lane> {
    // SAFETY: the lane is live.
    unsafe { decimal::<S>(lane).map(|decimal| decimal.lane) }
}
