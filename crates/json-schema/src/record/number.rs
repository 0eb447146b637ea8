//! Numbers as they are written.

use std::borrow::Cow;

use jsonschema::json::JsonNumber;

/// The text of a number. Integers that fit 64 bits are exact, all others are compared as the nearest `f64`; whether a
/// number is an integer is told from its digits, however many there are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Number<'t>(pub(crate) &'t str);

/// A number without its sign and without zeros at either end: `digits * 10^exponent`.
struct Decimal {
    digits: Vec<u8>,
    exponent: i64,
}

/// Exponents beyond are all the same: nothing that is written with so many digits fits a record.
const EXPONENT_MAX: i64 = 1 << 40;

impl Decimal {
    fn of(text: &str) -> Decimal {
        let text = text.strip_prefix('-').unwrap_or(text);
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let is_negative = exponent.starts_with('-');
        let written = exponent
            .bytes()
            .filter(u8::is_ascii_digit)
            .fold(0_i64, |sum, digit| (sum * 10 + i64::from(digit - b'0')).min(EXPONENT_MAX));
        let mut digits: Vec<u8> =
            whole.bytes().chain(fraction.bytes()).skip_while(|digit| *digit == b'0').collect();
        let mut exponent = if is_negative { -written } else { written };
        exponent -= i64::try_from(fraction.len()).unwrap_or(EXPONENT_MAX);
        while digits.last() == Some(&b'0') {
            digits.pop();
            exponent += 1;
        }
        if digits.is_empty() {
            exponent = 0;
        }
        Decimal { digits, exponent }
    }
}

impl Number<'_> {
    fn is_plain(&self) -> bool {
        !self.0.contains(['.', 'e', 'E'])
    }

    /// The same number as one of `serde_json`, or the nearest that there is.
    pub(crate) fn nearest(&self) -> serde_json::Number {
        let integer = || Some(self.as_u64()?.into()).or_else(|| Some(self.as_i64()?.into()));
        integer().unwrap_or_else(|| {
            let float = self.0.parse::<f64>().unwrap_or_default().clamp(f64::MIN, f64::MAX);
            serde_json::Number::from_f64(float).unwrap_or_else(|| 0.into())
        })
    }

    /// A text that is the same for equal numbers alone.
    pub(crate) fn canonical(&self, out: &mut Vec<u8>) {
        let Decimal { digits, exponent } = Decimal::of(self.0);
        if digits.is_empty() {
            return out.push(b'0');
        }
        if self.0.starts_with('-') {
            out.push(b'-');
        }
        out.extend_from_slice(&digits);
        out.extend_from_slice(format!("e{exponent}").as_bytes());
    }

    /// Whether it is the number of a schema's `const` or `enum`.
    pub(crate) fn equals(&self, expected: &serde_json::Number) -> bool {
        let integer = |number: &serde_json::Number| {
            number.as_u64().map(i128::from).or_else(|| number.as_i64().map(i128::from))
        };
        let own = self.as_u64().map(i128::from).or_else(|| self.as_i64().map(i128::from));
        match (own, integer(expected)) {
            (Some(own), Some(expected)) => own == expected,
            (Some(own), None) => expected.as_f64().is_some_and(|float| is_whole_and(float, own)),
            (None, Some(expected)) => self.as_f64().is_some_and(|float| is_whole_and(float, expected)),
            (None, None) => self.as_f64().is_some() && self.as_f64() == expected.as_f64(),
        }
    }
}

/// Whether a float is this integer exactly.
fn is_whole_and(float: f64, integer: i128) -> bool {
    // Beyond 2^64 no integer of a record is exact, and the cast below would saturate at i128's bounds only far beyond.
    #[expect(clippy::cast_possible_truncation, reason = "whole, and within 2^65")]
    let is_equal = || float as i128 == integer;
    float.fract() == 0.0 && float.abs() < 36_893_488_147_419_103_232.0 && is_equal()
}

impl JsonNumber for Number<'_> {
    fn as_u64(&self) -> Option<u64> {
        self.0.parse().ok()
    }

    fn as_i64(&self) -> Option<i64> {
        self.0.parse().ok()
    }

    fn as_f64(&self) -> Option<f64> {
        self.0.parse().ok().filter(|float: &f64| float.is_finite())
    }

    fn as_str(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.0)
    }

    fn to_number(&self) -> Cow<'_, serde_json::Number> {
        Cow::Owned(self.nearest())
    }

    fn is_integer(&self) -> bool {
        self.is_plain() || Decimal::of(self.0).exponent >= 0
    }

    fn is_written_as_integer(&self) -> bool {
        self.is_plain()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_told_by_their_digits() {
        for whole in
            ["0", "-0", "0.0", "1.0", "1e3", "1.50e1", "-2e+2", "1e400", "12345678901234567890123.000"]
        {
            assert!(Number(whole).is_integer(), "{whole}");
        }
        for other in ["0.5", "1e-1", "15e-1", "1e-400", "12345678901234567890123.5", "9007199254740993.25"] {
            assert!(!Number(other).is_integer(), "{other}");
        }
        assert!(Number("-0").is_written_as_integer() && !Number("1.0").is_written_as_integer());
        assert!(!Number("1e2").is_written_as_integer());
    }

    #[test]
    fn numbers_are_equal_by_value() {
        let canonical = |text| {
            let mut out = Vec::new();
            Number(text).canonical(&mut out);
            String::from_utf8(out).unwrap()
        };
        for (a, b) in [("1", "1.0"), ("100", "1e2"), ("-0", "0.00"), ("0.10", "1e-1"), ("-12.5e1", "-125")] {
            assert_eq!(canonical(a), canonical(b));
        }
        for (a, b) in [("1", "-1"), ("10000000000000000000001", "10000000000000000000002"), ("1", "10")] {
            assert_ne!(canonical(a), canonical(b));
        }
        assert!(Number("1.0").equals(&1.into()) && Number("18446744073709551615").equals(&u64::MAX.into()));
        assert!(
            !Number("9007199254740993")
                .equals(&serde_json::Number::from_f64(9_007_199_254_740_992.0).unwrap())
        );
        assert!(!Number("1e400").equals(&serde_json::Number::from_f64(f64::MAX).unwrap()));
        assert!(Number("0.1").equals(&serde_json::Number::from_f64(0.1).unwrap()));
    }
}
