//! Types for numbers.

use super::super::keys::TimeUnit;
use super::super::mark::later;
use super::super::names::Name;
use super::super::node::Node;
use super::super::number::{Floats, Integers};
use super::Choice;
use super::words::counted;
use crate::types::DataType;
use crate::zone::TimeZone;

/// Seconds since 1970 that are taken for a moment: 2000-01-01 to 2099-12-31.
const SECONDS: std::ops::RangeInclusive<i128> = 946_684_800..=4_102_444_799;

/// Digits behind the point that amounts of money are given: cents, and two more for prices of a unit.
const MONEY_DIGITS: u8 = 4;
/// Digits of such an amount, all together.
const MONEY_PRECISION: u8 = 18;
/// Amounts above this are no money, or in a currency that needs another type.
const MONEY_MAX: f64 = 1e12;
const MONEY_MAX_WHOLE: i128 = 1_000_000_000_000;
/// Up to here a Float64 holds every whole number: 2^53.
pub(super) const FLOAT_EXACT_MAX: i128 = 1 << 53;

/// The type of whole numbers, beside which stand amounts of money with a fraction, or none.
pub(super) fn integers(node: &Node, integers: &Integers, name: &Name, has_amounts: bool) -> Choice {
    let count = integers.seen.count;
    let choice = |ty, why: String| Choice::new(ty, node, count, why, integers.widened);
    let numbers = counted(count, "whole number", "whole numbers");
    if name.is_flag() && integers.is_within(0, 1) {
        return choice(
            DataType::Bool,
            format!("{} 0 or 1, under the name of a yes or no", counted(count, "time", "times")),
        );
    }
    if name.is_time()
        && let Some(moments) = moments(node, integers)
    {
        return moments;
    }
    if let Some(ty) = bounded(integers, name) {
        let range = if integers.low == integers.high {
            format!("always {}", integers.low)
        } else {
            format!("from {} to {}", integers.low, integers.high)
        };
        return choice(ty, format!("{numbers}, {range}: the name says that they stay small"));
    }
    if integers.beyond.int128.is_some() {
        return wide(node, integers);
    }
    let is_amount = name.is_price() || (has_amounts && name.is_money());
    if is_amount && integers.is_within(-MONEY_MAX_WHOLE, MONEY_MAX_WHOLE) {
        let ty = DataType::Decimal(MONEY_PRECISION, MONEY_DIGITS);
        return choice(
            ty,
            format!("{numbers}, under the name of an amount of money, which has a fraction one day"),
        );
    }
    if name.is_measure() && integers.is_within(-FLOAT_EXACT_MAX, FLOAT_EXACT_MAX) {
        return choice(
            DataType::Float64,
            format!("{numbers}, under the name of what has a fraction one day"),
        );
    }
    if integers.minus.is_some() {
        return if integers.fits_int64() {
            choice(DataType::Int64, format!("{numbers}, some with a minus"))
        } else {
            choice(DataType::Int128, format!("{numbers}, some with a minus, some beyond 64 bits"))
        };
    }
    if name.may_be_negative() && integers.fits_int64() {
        return choice(DataType::Int64, format!("{numbers}, none below zero, under a name that allows it"));
    }
    if integers.fits_uint64() {
        choice(DataType::UInt64, format!("{numbers}, none below zero"))
    } else {
        choice(DataType::UInt128, format!("{numbers}, none below zero, some beyond 64 bits"))
    }
}

/// Whole numbers that are moments; none where they do not lie in the range of any.
fn moments(node: &Node, integers: &Integers) -> Option<Choice> {
    let count = integers.seen.count;
    let is_within = |power: i128| integers.is_within(SECONDS.start() * power, SECONDS.end() * power);
    if is_within(1) {
        let reason =
            format!("{} of seconds since 1970, by name and size", counted(count, "number", "numbers"));
        let ty = DataType::DateTime(Some(TimeZone::UTC));
        let time = Some(TimeUnit::Column { low: clamped(integers.low), high: clamped(integers.high) });
        return Some(Choice { time, ..Choice::new(ty, node, count, reason, integers.widened) });
    }
    let units =
        [(3, 1_000, "milliseconds"), (6, 1_000_000, "microseconds"), (9, 1_000_000_000, "nanoseconds")];
    let (digits, power, unit) = units.into_iter().find(|(_, power, _)| is_within(*power))?;
    let reason = format!(
        "{} of {unit} since 1970, by name and size: kept as such, since for a DateTime64 a number means seconds",
        counted(count, "number", "numbers")
    );
    let time = Some(TimeUnit::Ticks {
        digits,
        low: clamped(integers.low / power),
        high: clamped(integers.high / power),
    });
    let choice = Choice::new(DataType::Int64, node, count, reason, integers.widened);
    Some(Choice { time, ..choice })
}

fn clamped(seconds: i128) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

/// A narrower integer, where the meaning of the name bounds the numbers and all lie inside.
fn bounded(integers: &Integers, name: &Name) -> Option<DataType> {
    let (low, high) = name.bound()?;
    integers.is_within(low, high).then_some(())?;
    Some(match (low, high) {
        (..0, _) => DataType::Int16,
        (_, ..=255) => DataType::UInt8,
        (_, ..=65_535) => DataType::UInt16,
        _ => DataType::UInt32,
    })
}

/// The type of numbers of which some are beyond the signed integers of 128 bits.
fn wide(node: &Node, integers: &Integers) -> Choice {
    let beyond = &integers.beyond;
    let has_minus = integers.minus.is_some();
    let numbers = counted(integers.seen.count, "whole number", "whole numbers");
    let (ty, agreeing, why) = if !has_minus && beyond.uint128.is_none() {
        (DataType::UInt128, integers.seen.count, "some beyond 64 bits")
    } else if !has_minus && beyond.uint256.is_none() {
        (DataType::UInt256, integers.seen.count, "some beyond 128 bits")
    } else if beyond.int256.is_none() {
        (DataType::Int256, integers.seen.count, "some beyond 128 bits")
    } else {
        (DataType::String, 0, "some beyond 256 bits: kept as text")
    };
    Choice::new(ty, node, agreeing, format!("{numbers}, {why}"), integers.widened)
}

/// The type of numbers of which some have a point or an exponent, and others may be whole.
pub(super) fn floats(node: &Node, floats: &Floats, name: &Name) -> Choice {
    let whole = node.integers.as_deref();
    let count = node.values();
    let mark = later(floats.seen.first, whole.and_then(|it| it.seen.first));
    if let Some(mark) = later(floats.infinite, whole.and_then(|it| it.beyond.int256.or(it.beyond.uint256))) {
        let reason = "numbers of which some are beyond a Float64: kept as text";
        return Choice::new(DataType::String, node, 0, reason, Some(mark));
    }
    let range = |low: f64, high: f64| {
        let is_whole_inside = whole
            .is_none_or(|it| it.beyond.int128.is_none() && it.low as f64 >= low && it.high as f64 <= high);
        floats.low >= low && floats.high <= high && is_whole_inside
    };
    let is_plain = floats.exponent.is_none();
    if is_plain
        && name.is_time()
        && floats.digits_max <= 9
        && range(*SECONDS.start() as f64, *SECONDS.end() as f64)
    {
        let precision = precision(floats.digits_max);
        let ty = DataType::DateTime64(precision, Some(TimeZone::UTC));
        let reason = format!(
            "{} of seconds since 1970, by name and size, with up to {} behind the point",
            counted(count, "number", "numbers"),
            digits(floats.digits_max)
        );
        // A range of whole seconds around it is enough for the judgement on partitions; both ends fit 33 bits.
        #[expect(clippy::cast_possible_truncation, reason = "the range was looked at")]
        let time = Some(TimeUnit::Column { low: floats.low as i64, high: floats.high as i64 });
        return Choice { time, ..Choice::new(ty, node, count, reason, mark) };
    }
    if is_plain
        && name.is_money()
        && floats.digits_max <= usize::from(MONEY_DIGITS)
        && range(-MONEY_MAX, MONEY_MAX)
    {
        let ty = DataType::Decimal(MONEY_PRECISION, MONEY_DIGITS);
        let reason = format!(
            "{} with up to {} behind the point, under the name of an amount of money",
            counted(count, "number", "numbers"),
            digits(floats.digits_max)
        );
        return Choice::new(ty, node, count, reason, mark);
    }
    if let Some(whole) = whole.filter(|whole| !whole.is_within(-FLOAT_EXACT_MAX, FLOAT_EXACT_MAX)) {
        let reason = "numbers of which some have a point, and some are whole and larger than a Float64 holds exactly: kept as text";
        return Choice::new(DataType::String, node, 0, reason, whole.widened);
    }
    let reason = match whole {
        Some(_) => format!("{}, some with a point", counted(count, "number", "numbers")),
        None => counted(count, "number with a point", "numbers with a point"),
    };
    Choice::new(DataType::Float64, node, count, reason, mark)
}

fn digits(count: usize) -> String {
    if count == 1 { "1 digit".to_owned() } else { format!("{count} digits") }
}

/// The precision that keeps so many digits of a second, and leaves room up to the next common unit.
pub(super) fn precision(digits: usize) -> u8 {
    match digits {
        0..=3 => 3,
        4..=6 => 6,
        _ => 9,
    }
}
