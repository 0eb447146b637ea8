//! Operations: what the encoder does with one value.

use std::collections::HashMap;

use super::length::{LENGTH_BYTES_MAX, push_length};
use super::{Literal, PathNode};
use crate::types::EnumItem;

/// The width and the sign of an integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IntKind {
    pub(crate) bytes: usize,
    pub(crate) signed: bool,
}

/// The width, the precision and the scale of a decimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DecimalKind {
    pub(crate) bytes: usize,
    pub(crate) precision: u8,
    pub(crate) scale: u8,
}

impl DecimalKind {
    pub(crate) fn new(precision: u8, scale: u8) -> Self {
        let bytes = match precision {
            0..=9 => 4,
            10..=18 => 8,
            19..=38 => 16,
            _ => 32,
        };
        Self { bytes, precision, scale }
    }
}

/// What the encoder does with one value.
#[derive(Debug)]
pub(crate) enum Op {
    Int(IntKind),
    WideInt {
        signed: bool,
    },
    BFloat16,
    Float32,
    Float64,
    Decimal(DecimalKind),
    Time,
    Time64 {
        precision: u8,
    },
    Bool,
    String,
    FixedString(usize),
    Date,
    Date32,
    DateTime {
        zone: usize,
    },
    DateTime64 {
        zone: usize,
        precision: u8,
    },
    Enum8(EnumTable),
    Enum16(EnumTable),
    Uuid,
    Ipv4,
    Ipv6,
    Nullable(Box<Op>),
    /// A float of a dictionary, which knows one NaN alone.
    DictionaryFloat(Box<Op>),
    Array(Box<Op>),
    Tuple(TupleOp),
    Map(Box<Op>, Box<Op>),
    Json(JsonOp),
    Variant(VariantOp),
    /// The zone in which texts are read that look like moments.
    Dynamic {
        zone: usize,
    },
    Vector(VectorOp),
    /// The columns that are filled from inside of the value, each with its own marker.
    Paths(Box<PathNode>),
}

/// The paths of a JSON column that are not like all others.
#[derive(Debug, Default)]
pub(crate) struct JsonOp {
    /// Paths with a type of their own, sorted.
    pub(crate) typed: Vec<(Box<str>, Op)>,
    /// Paths that the server leaves out, with all below them.
    pub(crate) skips: Vec<Box<str>>,
}

/// What a JSON column does with a path.
#[derive(Debug, Clone, Copy)]
pub(crate) enum JsonPath<'p> {
    Plain,
    Typed(&'p str, &'p Op),
    Skipped,
}

impl JsonOp {
    /// What the column does with the path.
    #[inline]
    pub(crate) fn find(&self, path: &[u8]) -> JsonPath<'_> {
        if self.typed.is_empty() && self.skips.is_empty() {
            return JsonPath::Plain;
        }
        let is_below = |skip: &str| match path.strip_prefix(skip.as_bytes()) {
            Some(rest) => rest.is_empty() || rest[0] == b'.',
            None => false,
        };
        if self.skips.iter().any(|skip| is_below(skip)) {
            return JsonPath::Skipped;
        }
        match self.typed.binary_search_by(|(typed, _)| typed.as_bytes().cmp(path)) {
            Ok(at) => JsonPath::Typed(&self.typed[at].0, &self.typed[at].1),
            Err(_) => JsonPath::Plain,
        }
    }
}

/// The members of a Variant.
#[derive(Debug)]
pub(crate) struct VariantOp {
    /// By discriminator.
    pub(crate) members: Vec<Op>,
    /// Discriminators in the order in which a text is tried on their members.
    pub(crate) attempts: Vec<u8>,
}

/// The discriminator of NULL in a Variant.
pub(crate) const VARIANT_NULL: u8 = 0xFF;

/// A vector of bare numbers.
#[derive(Debug)]
pub(crate) struct VectorOp {
    pub(crate) element: Box<Op>,
    pub(crate) dimension: usize,
}

/// The elements of a tuple.
#[derive(Debug)]
pub(crate) struct TupleOp {
    pub(crate) named: bool,
    pub(crate) elements: Vec<TupleElementOp>,
    /// From a name to its element; empty for unnamed tuples.
    pub(crate) names: HashMap<Box<[u8]>, usize>,
}

/// One element of a tuple.
#[derive(Debug)]
pub(crate) struct TupleElementOp {
    pub(crate) name: Box<str>,
    /// The key of a named element with its quotes and colon, where it may stand in a record as it is.
    pub(crate) literal: Option<Literal>,
    pub(crate) op: Op,
}

/// The names and numbers of an Enum.
#[derive(Debug)]
pub(crate) struct EnumTable {
    names: HashMap<Box<[u8]>, i16>,
    /// In ascending order.
    values: Vec<i16>,
}

impl EnumTable {
    pub(crate) fn new<N: Copy + Into<i16>>(items: &[EnumItem<N>]) -> Self {
        let mut values: Vec<i16> = items.iter().map(|item| item.value.into()).collect();
        values.sort_unstable();
        let names = items.iter().map(|item| (item.name.as_bytes().into(), item.value.into())).collect();
        Self { names, values }
    }

    pub(crate) fn by_name(&self, name: &[u8]) -> Option<i16> {
        self.names.get(name).copied()
    }

    pub(crate) fn has(&self, value: i16) -> bool {
        self.values.binary_search(&value).is_ok()
    }

    /// The default of a column: its smallest number.
    pub(crate) fn smallest(&self) -> i16 {
        self.values.first().copied().unwrap_or(0)
    }
}

/// Which default is meant: ClickHouse has two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Default {
    /// Of a type: an Enum gives its smallest number.
    OfType,
    /// Of a place in a column in memory: an Enum gives 0, whether it has it or not.
    OfMemory,
}

impl Op {
    /// Writes the default.
    pub(crate) fn write_default(&self, default: Default, out: &mut Vec<u8>) {
        let zeros = match self {
            Op::Int(kind) => kind.bytes,
            Op::Enum8(table) if default == Default::OfType => {
                out.push(table.smallest().to_le_bytes()[0]);
                return;
            }
            Op::Enum16(table) if default == Default::OfType => {
                out.extend_from_slice(&table.smallest().to_le_bytes());
                return;
            }
            Op::Bool | Op::String | Op::Array(_) | Op::Map(..) | Op::Enum8(_) | Op::Dynamic { .. } => 1,
            Op::Date | Op::Enum16(_) => 2,
            Op::BFloat16 => 2,
            Op::WideInt { .. } => 32,
            Op::Decimal(kind) => kind.bytes,
            Op::Time => 4,
            Op::Time64 { .. } => 8,
            Op::Float32 | Op::Date32 | Op::DateTime { .. } | Op::Ipv4 => 4,
            Op::Float64 | Op::DateTime64 { .. } => 8,
            Op::Uuid | Op::Ipv6 => 16,
            Op::FixedString(bytes) => *bytes,
            Op::DictionaryFloat(float) => float.default_bytes(),
            Op::Nullable(_) => {
                out.push(1);
                return;
            }
            Op::Tuple(tuple) => {
                tuple.elements.iter().for_each(|element| element.op.write_default(default, out));
                return;
            }
            Op::Json(_) => {
                out.extend_from_slice(b"\x02{}");
                return;
            }
            Op::Variant(_) => {
                out.push(VARIANT_NULL);
                return;
            }
            Op::Paths(node) => {
                node.push_missing(out);
                return;
            }
            Op::Vector(vector) => {
                push_length(vector.dimension, out);
                vector.dimension * vector.element.default_bytes()
            }
        };
        out.resize(out.len() + zeros, 0);
    }

    /// Whether the default in memory holds the number of an Enum that does not have it.
    pub(crate) fn is_poisoned_by_default(&self) -> bool {
        match self {
            Op::Enum8(table) | Op::Enum16(table) => !table.has(0),
            Op::Tuple(tuple) => tuple.elements.iter().any(|element| element.op.is_poisoned_by_default()),
            _ => false,
        }
    }

    /// Whether an empty text may be a value, and not what stands for none: a number of no digits is 0 to ClickHouse.
    pub(crate) fn takes_empty_text(&self) -> bool {
        match self {
            Op::String | Op::FixedString(_) | Op::Variant(_) | Op::Dynamic { .. } => true,
            // One of its names may be empty.
            Op::Enum8(_) | Op::Enum16(_) => true,
            Op::Nullable(inner) => inner.takes_empty_text(),
            _ => false,
        }
    }

    /// Whether no value has any bytes: a tuple of nothing.
    pub(crate) fn has_no_bytes(&self) -> bool {
        match self {
            Op::Tuple(tuple) => tuple.elements.iter().all(|element| element.op.has_no_bytes()),
            Op::Paths(node) => node.has_no_bytes(),
            _ => false,
        }
    }

    /// The bytes of the default, or the limit when there are more.
    pub(crate) fn default_bytes(&self) -> usize {
        match self {
            Op::FixedString(bytes) => *bytes,
            Op::Tuple(tuple) => {
                tuple.elements.iter().map(|e| e.op.default_bytes()).fold(0, usize::saturating_add)
            }
            Op::WideInt { .. } => 32,
            Op::Decimal(kind) => kind.bytes,
            Op::Vector(vector) => vector
                .dimension
                .saturating_mul(vector.element.default_bytes())
                .saturating_add(LENGTH_BYTES_MAX),
            Op::Int(kind) => kind.bytes,
            Op::BFloat16 => 2,
            Op::Float32 => 4,
            Op::Float64 => 8,
            Op::DictionaryFloat(float) => float.default_bytes(),
            Op::Paths(node) => node.missing_bytes(),
            _ => 16,
        }
    }
}
