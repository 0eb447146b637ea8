//! From what records are said to have to a type.

use super::super::expected::Expected;
use super::super::keys::{EVENT_SECONDS, TimeUnit, is_nullable};
use super::super::node::Node;
use super::words::absences;
use super::{Absence, Choice, nullable};
use crate::types::DataType;

/// How sure an expected type is, at least: what says so says it of every record.
const CONFIDENCE: f64 = 0.99;

/// The type of a column that samples have, of which `seen` is the type by the samples alone.
pub(in super::super) fn agreed(expected: &Expected, mut seen: Choice, node: &Node, samples: u64) -> Choice {
    let column = &expected.column;
    if expected.otherwise.is_some() {
        seen.notes
            .push(format!("not every sample fits {}, which was expected: {}", column.ty, column.reason));
        return seen;
    }
    if !column.is_certain || is_finer(&seen.ty, &column.ty) {
        return seen;
    }
    let time = time(&column.ty, seen.time, node);
    let mut choice = choice(expected, node, time);
    if !is_nullable(&choice.ty) {
        choice = nullable(choice, node, Absence { outer: None, missing: samples - node.present });
    }
    choice.reason.push_str(&absences(node, samples, &choice.ty));
    choice
}

/// The type of a column that none of so many samples has; `nothing` is a node of which nothing was seen.
pub(in super::super) fn unseen(expected: &Expected, nothing: &Node, samples: u64) -> Choice {
    let mut choice = choice(expected, nothing, time(&expected.column.ty, None, nothing));
    if samples > 0 {
        if !is_nullable(&choice.ty) {
            choice = nullable(choice, nothing, Absence { outer: None, missing: samples });
        }
        choice.reason.push_str("; no sample has it");
    }
    choice
}

fn choice(expected: &Expected, node: &Node, time: Option<TimeUnit>) -> Choice {
    let column = &expected.column;
    let choice = Choice::new(column.ty.clone(), node, node.values(), column.reason.as_str(), None);
    let confidence = if column.is_certain { choice.confidence.max(CONFIDENCE) } else { choice.confidence };
    Choice { time, confidence, ..choice }
}

/// What its values are as moments. Of a time that was not seen yet it is hoped that it is that of an event.
fn time(ty: &DataType, seen: Option<TimeUnit>, node: &Node) -> Option<TimeUnit> {
    let holds_moments =
        matches!(ty, DataType::Date | DataType::Date32 | DataType::DateTime(_) | DataType::DateTime64(..));
    match seen {
        None if holds_moments && node.values() == 0 => {
            Some(TimeUnit::Column { low: *EVENT_SECONDS.start(), high: *EVENT_SECONDS.start() })
        }
        Some(TimeUnit::Column { .. }) if holds_moments => seen,
        Some(TimeUnit::Ticks { .. }) if matches!(ty, DataType::Int64) => seen,
        _ => None,
    }
}

/// Whether the type by the samples says the same, and more: numbers that are moments by name and size, amounts of money,
/// moments with more digits.
fn is_finer(seen: &DataType, expected: &DataType) -> bool {
    match (bare(seen), bare(expected)) {
        (DataType::DateTime(_), ty) => is_integer(ty),
        (DataType::DateTime64(..) | DataType::Decimal(..), DataType::Float64) => true,
        (DataType::DateTime64(seen, _), DataType::DateTime64(expected, _)) => seen > expected,
        _ => false,
    }
}

fn is_integer(ty: &DataType) -> bool {
    use DataType as T;
    matches!(ty, T::Int8 | T::Int16 | T::Int32 | T::Int64 | T::UInt8 | T::UInt16 | T::UInt32 | T::UInt64)
}

/// The type without NULL.
fn bare(ty: &DataType) -> &DataType {
    match ty {
        DataType::Nullable(inner) => bare(inner),
        ty => ty,
    }
}
