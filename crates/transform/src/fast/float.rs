//! From a decimal number to the nearest double.

/// Powers of ten whose power of five is a factor of the table.
const POWERS: std::ops::RangeInclusive<i32> = -27..=27;

/// The powers of five as 128 bits with the highest one set: cut off where they are whole, rounded up where they are parts.
static FIVES: [u128; 55] = {
    let mut fives = [0; 55];
    let mut power = 0;
    let mut five = 1u128;
    while power <= 27 {
        fives[27 + power] = five << five.leading_zeros();
        if power > 0 {
            fives[27 - power] = reciprocal(five);
        }
        five *= 5;
        power += 1;
    }
    fives
};

/// `2^(z + 127) / five + 1`, where `2^z` is the first power of two that is not below `five`.
const fn reciprocal(five: u128) -> u128 {
    let z = 128 - (five - 1).leading_zeros();
    let (mut quotient, mut rest) = (0u128, 1u128);
    let mut bit = 0;
    // Long division: the dividend is a one and zeros behind it.
    while bit < z + 127 {
        rest *= 2;
        quotient *= 2;
        if rest >= five {
            rest -= five;
            quotient += 1;
        }
        bit += 1;
    }
    quotient + 1
}

/// Powers of ten that a double holds exactly.
static EXACT_64: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// Powers of ten that a float of 32 bits holds exactly.
static EXACT_32: [f32; 11] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10];

/// The double nearest to `mantissa * 10^exponent`, ties to even; none where this way does not know it.
///
/// Small mantissas and powers are held exactly, so that one division or product rounds right (William D. Clinger, "How to
/// read floating point numbers accurately", 1990); others take one or two products of 64 bits (Daniel Lemire, "Number
/// parsing at a gigabyte per second", 2021).
#[inline(always)]
pub(crate) fn nearest_f64(mantissa: u64, exponent: i32) -> Option<f64> {
    let power = EXACT_64.get(exponent.unsigned_abs() as usize);
    if let Some(power) = power
        && mantissa < 1 << 53
    {
        // Below 2^53, a whole number is a double.
        let whole = mantissa as f64;
        return Some(if exponent < 0 { whole / power } else { whole * power });
    }
    by_product(mantissa, exponent)
}

/// As [`nearest_f64`], for 32 bits.
#[inline(always)]
pub(crate) fn nearest_f32(mantissa: u64, exponent: i32) -> Option<f32> {
    let power = EXACT_32.get(exponent.unsigned_abs() as usize)?;
    if mantissa >= 1 << 24 {
        return None;
    }
    // Below 2^24, a whole number is a float of 32 bits.
    let whole = mantissa as f32;
    Some(if exponent < 0 { whole / power } else { whole * power })
}

/// The product of the mantissa with a power of five, rounded to 53 bits.
#[inline]
fn by_product(mantissa: u64, exponent: i32) -> Option<f64> {
    if mantissa == 0 {
        return Some(0.0);
    }
    if !POWERS.contains(&exponent) {
        return None;
    }
    // The range was checked: the index is not negative.
    let five = FIVES[(exponent - POWERS.start()) as usize];
    let zeros = mantissa.leading_zeros();
    let shifted = mantissa << zeros;
    let first = u128::from(shifted) * u128::from((five >> 64) as u64);
    let (mut high, mut low) = ((first >> 64) as u64, first as u64);
    if high & 0x1FF == 0x1FF {
        // The bits behind the 55 that count are all ones: the lower half of the power may carry into them.
        let second = u128::from(shifted) * u128::from(five as u64);
        let (sum, carried) = low.overflowing_add((second >> 64) as u64);
        low = sum;
        high += u64::from(carried);
    }
    let upper = high >> 63;
    let shift = upper as u32 + 9;
    let mut bits = high >> shift;
    // Half way between two doubles, exactly: to the even one.
    if low <= 1 && (-4..=23).contains(&exponent) && bits & 3 == 1 && bits << shift == high {
        bits &= !1;
    }
    bits = (bits + (bits & 1)) >> 1;
    // The power of two: that of the power of ten, with the mantissa's shift; far from where doubles end.
    let mut power = ((217_706 * exponent) >> 16) + 63 + upper as i32 - zeros as i32 + 1023;
    if bits >= 2 << 52 {
        bits = 1 << 52;
        power += 1;
    }
    Some(f64::from_bits((bits & !(1 << 52)) | (power as u64) << 52))
}

#[cfg(test)]
mod tests {
    use super::{nearest_f32, nearest_f64};
    use proptest::prelude::*;

    fn check(mantissa: u64, exponent: i32) {
        let text = format!("{mantissa}e{exponent}");
        if let Some(value) = nearest_f64(mantissa, exponent) {
            assert_eq!(value.to_bits(), text.parse::<f64>().unwrap().to_bits(), "{text}");
        }
        if let Some(value) = nearest_f32(mantissa, exponent) {
            assert_eq!(value.to_bits(), text.parse::<f32>().unwrap().to_bits(), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn agrees_with_the_standard_library(mantissa: u64, bits in 0u32..64, exponent in -30i32..31) {
            check(mantissa >> bits, exponent);
        }
    }

    #[test]
    fn rounds_half_way_to_even() {
        // 2^53 + 1, + 2, + 3, and with the same distance further up.
        for mantissa in [9_007_199_254_740_993, 9_007_199_254_740_994, 9_007_199_254_740_995] {
            for exponent in -27..=27 {
                for factor in [1, 2, 5, 10, 100, 1_000] {
                    check(mantissa * factor, exponent);
                }
            }
        }
        for mantissa in [0, 1, u64::MAX, u64::MAX - 1, 1 << 63, (1 << 54) - 1, (1 << 54) + 2] {
            for exponent in -27..=27 {
                check(mantissa, exponent);
            }
        }
    }
}
