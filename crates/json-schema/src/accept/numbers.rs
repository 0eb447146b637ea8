//! Numbers.

use std::sync::Arc;

use super::block::{byte, digits, load, number};
use super::part::Merge;

/// What a number has to keep.
#[derive(Debug, Clone)]
pub(super) struct NumberRule {
    /// Only what is written as an integer: `1.0` is left to the library, which knows the draft.
    pub(super) is_integer: bool,
    /// Integers from here.
    pub(super) min: i64,
    /// Integers up to here.
    pub(super) max: i64,
    /// Bounds of what has a fraction; none where only the library can tell.
    pub(super) range: Option<Range>,
    /// Integers that are multiples of it; zero for all.
    pub(super) multiple_of: i64,
    /// Only these integers.
    pub(super) choices: Option<Arc<[i64]>>,
}

/// Bounds, both of them within.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Range {
    pub(super) min: f64,
    pub(super) max: f64,
}

impl Range {
    pub(super) const ALL: Range = Range { min: f64::NEG_INFINITY, max: f64::INFINITY };
}

impl NumberRule {
    pub(super) const ANY: NumberRule = NumberRule {
        is_integer: false,
        min: i64::MIN,
        max: i64::MAX,
        range: Some(Range::ALL),
        multiple_of: 0,
        choices: None,
    };

    /// Whether every integer keeps it, also those beyond 64 bits. A bound that is the last of them is one all the same.
    fn takes_all_integers(&self) -> bool {
        self.range == Some(Range::ALL) && self.multiple_of == 0 && self.choices.is_none()
    }

    /// Whether everything with a fraction keeps it.
    fn takes_all_fractions(&self) -> bool {
        !self.is_integer && self.multiple_of == 0 && self.choices.is_none() && self.range == Some(Range::ALL)
    }

    /// Whether everything between the whole part and the next integer keeps it: then the fraction need not be read.
    #[inline(always)]
    fn takes_between(&self, whole: Run, is_negative: bool) -> bool {
        // So few digits make a number whose neighbours are floats too, and the number that is nearest to it lies between them.
        const WHOLE_DIGITS_MAX: u32 = 15;
        if whole.count > WHOLE_DIGITS_MAX {
            return false;
        }
        let near = whole.value.cast_signed();
        let (min, max) = if is_negative { (!near, -near) } else { (near, near + 1) };
        self.min <= min && max <= self.max && self.multiple_of == 0 && self.choices.is_none()
    }

    #[inline]
    fn takes(&self, value: i64) -> bool {
        self.min <= value
            && value <= self.max
            && (self.multiple_of == 0 || value % self.multiple_of == 0)
            && self.choices.as_ref().is_none_or(|choices| choices.contains(&value))
    }
}

impl Merge for NumberRule {
    fn merged(&self, other: &Self) -> Option<Self> {
        let multiple_of = match (self.multiple_of, other.multiple_of) {
            (0, one) | (one, 0) => one,
            (first, second) if first == second => first,
            _ => return None,
        };
        let choices = match (&self.choices, &other.choices) {
            (None, one) | (one, None) => one.clone(),
            (Some(first), Some(second)) => {
                Some(first.iter().copied().filter(|choice| second.contains(choice)).collect())
            }
        };
        let range = match (self.range, other.range) {
            (Some(first), Some(second)) => {
                Some(Range { min: first.min.max(second.min), max: first.max.min(second.max) })
            }
            _ => None,
        };
        Some(NumberRule {
            is_integer: self.is_integer || other.is_integer,
            min: self.min.max(other.min),
            max: self.max.min(other.max),
            range,
            multiple_of,
            choices,
        })
    }
}

/// Digits whose number fits an `i64` whatever they are.
const DIGITS_MAX: u32 = 18;
/// Digits whose number fits an `u64` whatever they are.
const FRACTION_DIGITS_MAX: u32 = 19;
/// Eight times the distance of neighbouring numbers, for a number of size 1.
const SLACK: f64 = 8.0 * f64::EPSILON;
/// Numbers below are exact as an `f64` (2^53).
const EXACT_MAX: u64 = 1 << 53;
/// Powers of ten that are exact as an `f64`, as far as they are needed.
const POWERS: [f64; 20] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19,
];

/// Digits that were read: their number, as far as it is exact, and how many they are.
#[derive(Clone, Copy)]
struct Run {
    value: u64,
    count: u32,
}

/// Reads digits; `run` is what stands before them. A value of more than [`FRACTION_DIGITS_MAX`] digits is wrong and does not
/// count.
#[inline(always)]
fn run(bytes: &[u8], mut at: usize, run: Run) -> (Run, usize) {
    const TENS: [u64; 17] = tens();
    let Run { mut value, mut count } = run;
    loop {
        let (found, values) = digits(load(bytes, at));
        if found > 0 {
            let tens = TENS.get(found as usize).copied().unwrap_or(0);
            value = value.wrapping_mul(tens).wrapping_add(number(values, found));
            count = count.saturating_add(found);
            at += found as usize;
        }
        if found < 16 {
            return (Run { value, count }, at);
        }
    }
}

const fn tens() -> [u64; 17] {
    let mut tens = [1; 17];
    let mut at = 1;
    while at < 17 {
        tens[at] = tens[at - 1] * 10;
        at += 1;
    }
    tens
}

/// Where the number ends that begins at `at`, where it is JSON.
#[inline(always)]
pub(super) fn number_end(bytes: &[u8], at: usize) -> Option<usize> {
    ruled_end(&NumberRule::ANY, bytes, at)
}

/// The same for a number that keeps a rule.
#[inline(always)]
pub(super) fn ruled_end(rule: &NumberRule, bytes: &[u8], at: usize) -> Option<usize> {
    let is_negative = byte(bytes, at) == b'-';
    let start = at + usize::from(is_negative);
    let (whole, end) = run(bytes, start, Run { value: 0, count: 0 });
    if whole.count == 0 || (whole.count > 1 && byte(bytes, start) == b'0') {
        return None;
    }
    if matches!(byte(bytes, end), b'.' | b'e' | b'E') {
        return if rule.is_integer { None } else { fraction_end(rule, bytes, end, whole, is_negative) };
    }
    if whole.count > DIGITS_MAX {
        return rule.takes_all_integers().then_some(end);
    }
    let value = whole.value.cast_signed();
    rule.takes(if is_negative { -value } else { value }).then_some(end)
}

/// What stands behind the whole part, at a point or an exponent.
#[inline(always)]
fn fraction_end(
    rule: &NumberRule,
    bytes: &[u8],
    mut at: usize,
    whole: Run,
    is_negative: bool,
) -> Option<usize> {
    if byte(bytes, at) == b'.' && rule.takes_between(whole, is_negative) {
        at = digits_end(bytes, at + 1)?;
        return if matches!(byte(bytes, at), b'e' | b'E') { exponent_end(rule, bytes, at) } else { Some(at) };
    }
    let mut all = whole;
    if byte(bytes, at) == b'.' {
        (all, at) = run(bytes, at + 1, whole);
        if all.count == whole.count {
            return None;
        }
    }
    if matches!(byte(bytes, at), b'e' | b'E') {
        return exponent_end(rule, bytes, at);
    }
    if rule.takes_all_fractions() {
        return Some(at);
    }
    let range = rule.range?;
    if rule.multiple_of != 0 || rule.choices.is_some() || all.count > FRACTION_DIGITS_MAX {
        return None;
    }
    // The quotient of two exact numbers is the nearest number to what is written (Clinger, 1990). Where the digits are more than
    // an `f64` holds, both it and the quotient are rounded, by less than the slack.
    #[expect(clippy::cast_precision_loss, reason = "that is what the slack is for")]
    let magnitude = all.value as f64 / POWERS.get((all.count - whole.count) as usize)?;
    let slack = if all.value < EXACT_MAX { 0.0 } else { magnitude * SLACK };
    let value = if is_negative { -magnitude } else { magnitude };
    (range.min <= value - slack && value + slack <= range.max).then_some(at)
}

/// Passes digits, one at least.
#[inline(always)]
fn digits_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        let (found, _) = digits(load(bytes, at));
        at += found as usize;
        if found < 16 {
            return (at > start).then_some(at);
        }
    }
}

/// Passes an exponent. What it makes of the number only a rule of everything need not know.
fn exponent_end(rule: &NumberRule, bytes: &[u8], at: usize) -> Option<usize> {
    let sign = usize::from(matches!(byte(bytes, at + 1), b'+' | b'-'));
    digits_end(bytes, at + 1 + sign).filter(|_| rule.takes_all_fractions())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(rule: &NumberRule, text: &str) -> bool {
        // Behind the record and among other bytes.
        let inside = format!("{text}, 12345678901234567890");
        let both = [text, &inside].map(|record| ruled_end(rule, record.as_bytes(), 0) == Some(text.len()));
        assert_eq!(both[0], both[1], "{text}");
        both[0]
    }

    #[test]
    fn the_grammar_is_that_of_json() {
        for text in [
            "0",
            "-0",
            "1",
            "-12",
            "0.5",
            "-0.0",
            "1e5",
            "1E+5",
            "1.25e-10",
            "123456789012345678901234567890",
            "1e400",
        ] {
            assert!(accepts(&NumberRule::ANY, text), "{text}");
        }
        for text in ["", "-", "01", "-01", "1.", ".5", "1e", "1e+", "1.e5", "+1", "00", "--1"] {
            assert!(!accepts(&NumberRule::ANY, text), "{text}");
        }
    }

    #[test]
    fn bounds_hold_for_integers_and_fractions() {
        let rule =
            NumberRule { min: -5, max: 99, range: Some(Range { min: -5.5, max: 99.75 }), ..NumberRule::ANY };
        for text in ["-5", "0", "99", "-5.5", "99.75", "99.750000000", "0.1"] {
            assert!(accepts(&rule, text), "{text}");
        }
        for text in
            ["-6", "101", "-5.51", "99.751", "1e1", "1000000000000000000000", "99.0000000000000000000001"]
        {
            assert!(!accepts(&rule, text), "{text}");
        }
        let rule =
            NumberRule { min: -90, max: 90, range: Some(Range { min: -90.0, max: 90.0 }), ..NumberRule::ANY };
        for text in
            ["47.12345600000001", "-89.99999999999999", "0.1234567890123456789", "89.99999999999999999"]
        {
            assert!(accepts(&rule, text), "{text}");
        }
        // So near to the bound only the library tells.
        for text in ["90.00000000000000001", "90.1234567890123456", "-90.00000000000001"] {
            assert!(!accepts(&rule, text), "{text}");
        }
        let rule = NumberRule { is_integer: true, multiple_of: 3, ..NumberRule::ANY };
        assert!(accepts(&rule, "-9") && accepts(&rule, "999999999999999999") && accepts(&rule, "0"));
        assert!(!accepts(&rule, "10") && !accepts(&rule, "9.0") && !accepts(&rule, "9999999999999999999"));
        // What lies beside a bound that is no integer is told by its fraction.
        let range = Some(Range { min: -0.5, max: 2.5_f64.next_down() });
        let rule = NumberRule { min: 0, max: 2, range, ..NumberRule::ANY };
        for text in ["-0.5", "-0.25", "1.999", "2.0", "2.4999"] {
            assert!(accepts(&rule, text), "{text}");
        }
        for text in ["-0.51", "-1.5", "2.5", "2.75", "3.0"] {
            assert!(!accepts(&rule, text), "{text}");
        }
        let rule = NumberRule { max: i64::MAX, range: None, ..NumberRule::ANY };
        assert!(accepts(&rule, "1") && !accepts(&rule, "92233720368547758070"));
        let rule = NumberRule { choices: Some([7, -1].into()), ..NumberRule::ANY };
        assert!(
            accepts(&rule, "7") && accepts(&rule, "-1") && !accepts(&rule, "1") && !accepts(&rule, "7.0")
        );
    }

    #[test]
    fn digits_add_up_at_every_length() {
        for length in 1..=18 {
            let text: String = "987654321987654321".chars().take(length).collect();
            let value: i64 = text.parse().unwrap();
            let exactly = |value| NumberRule { min: value, max: value, ..NumberRule::ANY };
            assert!(accepts(&exactly(value), &text) && accepts(&exactly(-value), &format!("-{text}")));
            assert!(!accepts(&exactly(value + 1), &text));
        }
    }
}
