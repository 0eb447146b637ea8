//! Keywords of numbers.

use serde_json::{Map, Number, Value};

use super::super::numbers::{NumberRule, Range};
use super::super::part::Part;
use super::Compiler;
use crate::draft::Draft;

/// Numbers up to here are exact as an `f64` (2^53).
const EXACT_MAX: u64 = 1 << 53;
/// Floats below are integers of 64 bits where they are whole (2^63).
const INTEGER_END: f64 = 9_223_372_036_854_775_808.0;

impl Compiler<'_> {
    /// The rules of numbers.
    pub(super) fn numeric(&self, object: &Map<String, Value>) -> Part<NumberRule> {
        let mut rule = NumberRule::ANY;
        for (keyword, is_lower, excludes) in [
            ("minimum", true, false),
            ("maximum", false, false),
            ("exclusiveMinimum", true, true),
            ("exclusiveMaximum", false, true),
        ] {
            let (limit, excludes) = match (object.get(keyword), self.draft) {
                (None, _) => continue,
                // There it says how the other keyword is meant.
                (Some(Value::Bool(_)), Draft::Draft4) if excludes => continue,
                (Some(Value::Number(limit)), Draft::Draft4) if !excludes => {
                    let other = if is_lower { "exclusiveMinimum" } else { "exclusiveMaximum" };
                    (limit, object.get(other) == Some(&Value::Bool(true)))
                }
                (Some(Value::Number(limit)), draft) if draft > Draft::Draft4 => (limit, excludes),
                _ => return Part::Unknown,
            };
            if narrow(&mut rule, limit, is_lower, excludes).is_none() {
                return Part::Unknown;
            }
        }
        if let Some(multiple) = object.get("multipleOf") {
            match multiple.as_i64() {
                Some(multiple) if multiple > 0 && multiple.unsigned_abs() <= EXACT_MAX => {
                    rule.multiple_of = multiple;
                }
                _ => return Part::Unknown,
            }
        }
        let is_free = rule.min == i64::MIN
            && rule.max == i64::MAX
            && rule.range == Some(Range::ALL)
            && rule.multiple_of == 0;
        if is_free { Part::Any } else { Part::One(rule) }
    }
}

/// Takes a bound into the rule; none where it is beyond integers of 64 bits.
fn narrow(rule: &mut NumberRule, limit: &Number, is_lower: bool, excludes: bool) -> Option<()> {
    let (integer, float) = match limit.as_i64() {
        Some(limit) => {
            let step = i64::from(excludes);
            let integer = if is_lower { limit.checked_add(step)? } else { limit.checked_sub(step)? };
            #[expect(clippy::cast_precision_loss, reason = "up to 2^53")]
            let float = (limit.unsigned_abs() <= EXACT_MAX).then_some(limit as f64);
            (integer, float)
        }
        None => {
            let limit = limit.as_f64().filter(|limit| limit.abs() < INTEGER_END)?;
            let nearest = match (is_lower, excludes) {
                (true, false) => limit.ceil(),
                (true, true) => limit.floor() + 1.0,
                (false, false) => limit.floor(),
                (false, true) => limit.ceil() - 1.0,
            };
            // The steps above are exact only there.
            if nearest.abs() > 4_503_599_627_370_496.0 {
                return None;
            }
            #[expect(clippy::cast_possible_truncation, reason = "whole, and up to 2^52")]
            let integer = nearest as i64;
            (integer, Some(limit))
        }
    };
    let float = float.map(|limit| match (is_lower, excludes) {
        (_, false) => limit,
        (true, true) => limit.next_up(),
        (false, true) => limit.next_down(),
    });
    if is_lower {
        rule.min = rule.min.max(integer);
    } else {
        rule.max = rule.max.min(integer);
    }
    rule.range = match (rule.range, float) {
        (Some(range), Some(limit)) if is_lower => Some(Range { min: range.min.max(limit), ..range }),
        (Some(range), Some(limit)) => Some(Range { max: range.max.min(limit), ..range }),
        _ => None,
    };
    Some(())
}
