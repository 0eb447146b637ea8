//! The columns that stand at the end of a row, whose values do not come from the record's fields.

use super::{IntKind, Op, PlanError};
use crate::columns::{Column, DefaultKind, Source};
use crate::envelope::Virtual;
use crate::types::DataType;

/// A column that is not filled by a field.
#[derive(Debug)]
pub(crate) struct TailField {
    pub(crate) name: String,
    pub(crate) op: TailOp,
    /// Whether a marker stands before its value.
    pub(crate) marks: bool,
    /// Whether the column is Nullable.
    pub(crate) nullable: bool,
    /// What it gets where there is no value, marker included.
    pub(crate) missing: Box<[u8]>,
}

/// What fills a column.
#[derive(Debug)]
pub(crate) enum TailOp {
    /// These bytes, marker included.
    Constant(Box<[u8]>),
    Key,
    Topic,
    RawMessage,
    Partition(IntKind),
    Offset(IntKind),
    /// Ticks of so many decimal places, in 8 bytes.
    Ticks {
        precision: u8,
    },
    /// Seconds since 1970, in 4 bytes.
    Seconds,
    /// Milliseconds since 1970.
    Milliseconds(IntKind),
    /// An array whose elements are Nullable, or are not.
    HeaderKeys {
        nullable: bool,
    },
    HeaderValues {
        nullable: bool,
    },
}

/// The operation for a virtual column; none where the type does not take it.
pub(super) fn virtual_op(known: Virtual, ty: &DataType) -> Option<TailOp> {
    let int = |bytes, signed| IntKind { bytes, signed };
    let is_text = *ty == DataType::String;
    let texts = match ty {
        DataType::Array(inner) => Some(bare(inner)).filter(|(inner, _)| **inner == DataType::String),
        _ => None,
    };
    Some(match (known, ty) {
        (Virtual::Key, _) if is_text => TailOp::Key,
        (Virtual::Topic, _) if is_text => TailOp::Topic,
        (Virtual::RawMessage, _) if is_text => TailOp::RawMessage,
        (Virtual::HeaderKeys, _) => TailOp::HeaderKeys { nullable: texts?.1 },
        (Virtual::HeaderValues, _) => TailOp::HeaderValues { nullable: texts?.1 },
        (Virtual::Partition, DataType::Int32) => TailOp::Partition(int(4, true)),
        (Virtual::Partition, DataType::UInt32) => TailOp::Partition(int(4, false)),
        (Virtual::Partition, DataType::Int64) => TailOp::Partition(int(8, true)),
        (Virtual::Partition, DataType::UInt64) => TailOp::Partition(int(8, false)),
        (Virtual::Partition, DataType::UInt16) => TailOp::Partition(int(2, false)),
        (Virtual::Offset, DataType::Int64) => TailOp::Offset(int(8, true)),
        (Virtual::Offset, DataType::UInt64) => TailOp::Offset(int(8, false)),
        (Virtual::Timestamp, DataType::Int64) => TailOp::Milliseconds(int(8, true)),
        (Virtual::Timestamp, DataType::UInt64) => TailOp::Milliseconds(int(8, false)),
        (Virtual::Timestamp, DataType::DateTime(_)) => TailOp::Seconds,
        (Virtual::Timestamp, DataType::DateTime64(precision, _)) => TailOp::Ticks { precision: *precision },
        _ => return None,
    })
}

/// The types that a virtual column may have, in words.
fn types_of(known: Virtual) -> &'static str {
    match known {
        Virtual::Key | Virtual::Topic | Virtual::RawMessage => "it is a String",
        Virtual::HeaderKeys | Virtual::HeaderValues => "it is an Array(String)",
        Virtual::Partition => "it is an Int32, or a UInt16, UInt32, Int64 or UInt64",
        Virtual::Offset => "it is an Int64 or a UInt64",
        Virtual::Timestamp => "it is a DateTime64 or DateTime, or an Int64 or UInt64 of milliseconds",
    }
}

/// The type without its dictionary, and without NULL; whether it has NULL. None of it shows in RowBinary but NULL.
fn bare(ty: &DataType) -> (&DataType, bool) {
    match ty {
        DataType::LowCardinality(inner) => bare(inner),
        DataType::Nullable(inner) => (bare(inner).0, true),
        ty => (ty, false),
    }
}

impl TailField {
    /// Compiles a column whose `op` is the operation of its type; `constant` encodes the text of a constant.
    pub(super) fn compile(
        column: &Column,
        op: &Op,
        marks: bool,
        constant: impl FnOnce(&str) -> Result<Vec<u8>, String>,
    ) -> Result<TailField, PlanError> {
        let (ty, nullable) = bare(&column.ty);
        let mut missing = Vec::new();
        if column.default == DefaultKind::Expression && !nullable {
            missing.push(1);
        } else {
            missing.extend(marks.then_some(0));
            op.write_default(super::DefaultOf::OfType, &mut missing);
        }
        let refused =
            |reason| PlanError::Constant { column: column.name.clone(), ty: column.ty.to_string(), reason };
        let tail_op = match &column.source {
            Source::Constant(text) => tail_constant(marks, constant(text).map_err(refused)?),
            Source::Null if nullable => tail_constant(marks, vec![1]),
            Source::Null => return Err(refused("NULL is a value of Nullable types alone".to_owned())),
            Source::Virtual(known) => virtual_op(*known, ty).ok_or_else(|| PlanError::VirtualType {
                column: column.name.clone(),
                virtual_column: known.as_str(),
                ty: column.ty.to_string(),
                types: types_of(*known),
            })?,
            Source::Field(_) | Source::Path(_) => return Err(PlanError::NoColumns),
        };
        let missing = missing.into_boxed_slice();
        Ok(TailField { name: column.name.clone(), op: tail_op, marks, nullable, missing })
    }
}

/// The operation of a constant of these bytes, its marker to be put before them.
fn tail_constant(marks: bool, value: Vec<u8>) -> TailOp {
    let marker = marks.then_some(0);
    TailOp::Constant(marker.into_iter().chain(value).collect())
}
