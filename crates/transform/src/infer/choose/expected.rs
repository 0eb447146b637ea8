//! From what records are said to have to a type.

use super::super::expected::Expected;
use super::super::keys::{EVENT_SECONDS, TimeUnit, is_nullable};
use super::super::node::Node;
use super::numbers::FLOAT_EXACT_MAX;
use super::words::absences;
use super::{Absence, Choice, nullable, takes_null, with_null};
use crate::types::DataType;

/// How sure an expected type is, at least: what says so says it of every record.
const CONFIDENCE: f64 = 0.99;

/// The type of a column that samples have, of which `seen` is the type by the samples alone. That one stays where the expected one
/// would refuse one of them, or store it otherwise than as it stands there.
pub(in super::super) fn agreed(expected: &Expected, mut seen: Choice, node: &Node, samples: u64) -> Choice {
    let column = &expected.column;
    if expected.otherwise.is_some() {
        seen.notes
            .push(format!("not every sample fits {}, which was expected: {}", column.ty, column.reason));
    }
    let is_kept = node.values() == 0 || keeps(&seen.ty, &column.ty, Some(node));
    if !column.is_certain || expected.otherwise.is_some() || !is_kept {
        // That it may be null or missing no sample can speak against.
        if is_nullable(&column.ty) && !is_nullable(&seen.ty) && takes_null(&seen.ty) {
            seen.ty = with_null(seen.ty);
            seen.reason.push_str(&format!("; NULL, since {}", column.reason));
        }
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

/// Whether what `seen` holds is the same in `expected`, which takes it. Where the samples know it better it is not: numbers that are
/// moments by name and size, amounts of money, the digits of a moment. Without the node of what was seen, in doubt it is not.
fn keeps(seen: &DataType, expected: &DataType, node: Option<&Node>) -> bool {
    match (bare(seen), bare(expected)) {
        (_, DataType::String | DataType::Json(_)) => true,
        (seen, DataType::Float64) => {
            let is_exact = |node: &Node| {
                let whole = node.integers.as_ref();
                whole.is_none_or(|whole| whole.is_within(-FLOAT_EXACT_MAX, FLOAT_EXACT_MAX))
            };
            *seen == DataType::Float64 || (is_integer(seen) && node.is_some_and(is_exact))
        }
        (seen, expected) if is_integer(expected) => is_integer(seen),
        (DataType::Date, DataType::Date32) => true,
        (DataType::Array(seen), DataType::Array(expected)) => {
            let element =
                node.and_then(|node| node.arrays.as_ref()).and_then(|arrays| arrays.element.as_ref());
            // Of arrays that were all empty nothing is known of what is inside.
            (node.is_some() && element.is_none()) || keeps_inside(seen, expected, element)
        }
        (DataType::Map(_, seen), DataType::Map(_, expected)) => keeps_inside(seen, expected, None),
        (DataType::Tuple(seen), DataType::Map(_, expected)) => {
            seen.iter().all(|element| keeps_inside(&element.ty, expected, None))
        }
        (DataType::Tuple(seen), DataType::Tuple(expected)) => seen.iter().all(|seen| {
            let twin = expected.iter().find(|expected| expected.name == seen.name);
            twin.is_some_and(|expected| keeps_inside(&seen.ty, &expected.ty, None))
        }),
        (seen, expected) => seen == expected,
    }
}

/// The same inside of another value, where NULL needs its place as well.
fn keeps_inside(seen: &DataType, expected: &DataType, node: Option<&Node>) -> bool {
    (is_nullable(expected) || !is_nullable(seen)) && keeps(seen, expected, node)
}

fn is_integer(ty: &DataType) -> bool {
    use DataType as T;
    matches!(
        ty,
        T::Int8
            | T::Int16
            | T::Int32
            | T::Int64
            | T::Int128
            | T::Int256
            | T::UInt8
            | T::UInt16
            | T::UInt32
            | T::UInt64
            | T::UInt128
            | T::UInt256
    )
}

/// The type without NULL and without a dictionary.
fn bare(ty: &DataType) -> &DataType {
    match ty {
        DataType::Nullable(inner) | DataType::LowCardinality(inner) => bare(inner),
        ty => ty,
    }
}
