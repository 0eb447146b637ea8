//! Whether values of one type go into a column of another, as far as types tell.

use housepipe_transform::{DataType, TupleElement};
use serde::Serialize;

/// Whether the values of a field go into a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fit {
    /// Whether they do.
    pub verdict: Verdict,
    /// Which of them do not, or become something else; empty where there is nothing to know.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub note: &'static str,
}

/// Whether values go into a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All of them.
    Yes,
    /// Some of them, as it is with texts in a column of numbers.
    Some,
    /// None of them.
    No,
}

impl Verdict {
    /// Its name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Verdict::Yes => "yes",
            Verdict::Some => "some",
            Verdict::No => "no",
        }
    }
}

const YES: Fit = Fit { verdict: Verdict::Yes, note: "" };
const NO: Fit = Fit { verdict: Verdict::No, note: "values of this type are rejected" };

impl Fit {
    /// Whether values of type `field` go into a column whose type the server prints as `column`.
    pub(super) fn of(field: &DataType, column: &str) -> Fit {
        match column.parse::<DataType>() {
            Ok(column) => fit(field, &column),
            Err(_) => Fit { verdict: Verdict::No, note: "this version cannot fill the column's type" },
        }
    }

    /// The less likely of two.
    fn and(self, other: Fit) -> Fit {
        if other.verdict > self.verdict || (other.verdict == self.verdict && self.note.is_empty()) {
            other
        } else {
            self
        }
    }
}

const fn yes_but(note: &'static str) -> Fit {
    Fit { verdict: Verdict::Yes, note }
}

const fn some(note: &'static str) -> Fit {
    Fit { verdict: Verdict::Some, note }
}

const DIGITS: &str = "digits that the column has no room for are cut off";
const BEYOND: &str = "numbers beyond the column's range are rejected";

fn fit(field: &DataType, column: &DataType) -> Fit {
    use DataType as T;
    match (field, column) {
        (T::LowCardinality(field), column) => fit(field, column),
        (field, T::LowCardinality(column) | T::SimpleAggregateFunction(_, column)) => fit(field, column),
        (T::Nullable(field), T::Nullable(column)) => fit(field, column),
        (T::Nullable(field), T::Dynamic(_) | T::Variant(_)) => fit(field, column),
        (T::Nullable(field), column) => fit(field, column).and(yes_but("null becomes the column's default")),
        (field, T::Nullable(column)) => fit(field, column),
        (field, column) if field == column => YES,
        (_, T::String | T::Dynamic(_)) => YES,
        (field, T::Variant(members)) => {
            members.iter().map(|member| fit(field, member)).min_by_key(|fit| fit.verdict).unwrap_or(NO)
        }
        (T::Array(field), T::Array(column)) => fit(field, column),
        (T::Map(_, field), T::Map(_, column)) => fit(field, column),
        (T::Tuple(field), T::Tuple(column)) => tuple(field, column),
        (T::Tuple(_) | T::Map(..) | T::Json(_), T::Json(_)) => YES,
        (T::Tuple(_) | T::Map(..) | T::Json(_), T::Tuple(_) | T::Map(..)) => {
            some("its members have to be of the column's types")
        }
        (T::Array(_), T::Nested(_) | T::Geo(_) | T::Tuple(_) | T::QBit(_)) => {
            some("its elements have to be what the column has")
        }
        _ => scalar(field, column),
    }
}

/// Members go by their names; one that the column has not is left out.
fn tuple(field: &[TupleElement], column: &[TupleElement]) -> Fit {
    let of_member = |wanted: &TupleElement| {
        let found = field.iter().find(|member| wanted.name.is_some() && member.name == wanted.name);
        found.map_or_else(
            || yes_but("a member that is missing becomes its default"),
            |it| fit(&it.ty, &wanted.ty),
        )
    };
    column.iter().map(of_member).fold(YES, Fit::and)
}

fn scalar(field: &DataType, column: &DataType) -> Fit {
    use DataType as T;
    if let Some(from) = integer(field) {
        return of_integer(from, column);
    }
    match (field, column) {
        (T::Bool, column) if integer(column).is_some() => yes_but("true becomes 1, and false 0"),
        (T::Float32, T::Float64) => YES,
        (T::Float64, T::Float32 | T::BFloat16) => yes_but(
            "digits that the column has no room for are cut off, and numbers beyond its range become infinite",
        ),
        (T::Float32, T::BFloat16) | (T::Decimal(..), T::Float32 | T::Float64 | T::BFloat16) => {
            yes_but(DIGITS)
        }
        (T::Float32 | T::Float64, T::Decimal(..)) => some(BEYOND),
        (T::Decimal(precision, scale), T::Decimal(to_precision, to_scale)) => {
            // Digits before the point.
            let has_room =
                i16::from(*to_precision) - i16::from(*to_scale) >= i16::from(*precision) - i16::from(*scale);
            match has_room {
                false => some(BEYOND),
                true if to_scale < scale => yes_but(DIGITS),
                true => YES,
            }
        }
        (T::Date, T::Date32) => YES,
        (T::DateTime64(from, _), T::DateTime64(to, _)) if to >= from => YES,
        (T::DateTime(_), T::DateTime64(..)) => YES,
        (T::Date | T::Date32 | T::DateTime(_) | T::DateTime64(..), column) if is_moment(column) => {
            some("texts have to be written as the column is read")
        }
        (T::Ipv4, T::Ipv6) => YES,
        (T::String, column) if !is_container(column) => {
            some("texts have to be written as values of the column")
        }
        (
            T::Uuid | T::Ipv4 | T::Ipv6 | T::Date | T::Date32 | T::DateTime(_) | T::DateTime64(..),
            T::FixedString(_),
        ) => some("texts may not be longer than the column"),
        _ => NO,
    }
}

/// Bits of an integer, and whether it has a sign.
#[derive(Clone, Copy)]
struct Integer {
    bits: u32,
    has_sign: bool,
}

fn integer(data_type: &DataType) -> Option<Integer> {
    use DataType as T;
    let (bits, has_sign) = match data_type {
        T::Int8 => (8, true),
        T::Int16 => (16, true),
        T::Int32 => (32, true),
        T::Int64 => (64, true),
        T::Int128 => (128, true),
        T::Int256 => (256, true),
        T::UInt8 => (8, false),
        T::UInt16 => (16, false),
        T::UInt32 => (32, false),
        T::UInt64 => (64, false),
        T::UInt128 => (128, false),
        T::UInt256 => (256, false),
        _ => return None,
    };
    Some(Integer { bits, has_sign })
}

fn of_integer(from: Integer, column: &DataType) -> Fit {
    use DataType as T;
    if let Some(to) = integer(column) {
        let has_room = match (from.has_sign, to.has_sign) {
            (true, false) => false,
            (false, true) => to.bits > from.bits,
            _ => to.bits >= from.bits,
        };
        return if has_room { YES } else { some(BEYOND) };
    }
    match column {
        T::Float32 | T::Float64 | T::BFloat16 => yes_but(DIGITS),
        T::Decimal(..) => some(BEYOND),
        T::DateTime(_) | T::DateTime64(..) => some("numbers are taken for seconds since 1970"),
        T::Date | T::Date32 => some("numbers are taken for days since 1970"),
        T::Bool => some("only 0 and 1 are values of the column"),
        T::Enum8(_) | T::Enum16(_) => some("numbers have to be those of the column"),
        T::Time | T::Time64(_) | T::Interval(_) => some("numbers are taken for the column's unit"),
        _ => NO,
    }
}

fn is_moment(data_type: &DataType) -> bool {
    use DataType as T;
    matches!(data_type, T::Date | T::Date32 | T::DateTime(_) | T::DateTime64(..))
}

fn is_container(data_type: &DataType) -> bool {
    use DataType as T;
    matches!(
        data_type,
        T::Array(_) | T::Tuple(_) | T::Map(..) | T::Nested(_) | T::Json(_) | T::Geo(_) | T::QBit(_)
    )
}
