//! Plans: a column list compiled to one operation per column.

mod compile;
mod keys;
mod length;
mod literal;
mod op;
mod options;
mod paths;
mod tail;

pub(crate) use keys::{KeyMatch, KeyTable};
pub(crate) use length::push_length;
pub(crate) use literal::{LITERAL_BYTES_MAX, Literal};
pub(crate) use op::{
    DecimalKind, Default as DefaultOf, EnumTable, IntKind, JsonOp, JsonPath, Op, TupleElementOp, TupleOp,
    VariantOp, VectorOp,
};
pub use options::{PlanOptions, RowFormat, Semantics};
pub(crate) use paths::{ArrayNode, ObjectNode, PathNode, Place};
pub(crate) use tail::{TailField, TailOp};

use crate::columns::Columns;
use crate::zone::TimeZone;

/// What an [`Encoder`](crate::Encoder) does with each record: compiled once, shared by any number of encoders.
#[derive(Debug)]
pub struct Plan {
    pub(crate) columns: Columns,
    pub(crate) options: PlanOptions,
    pub(crate) fields: Vec<Field>,
    /// What follows the fields in a row.
    pub(crate) tail: Vec<TailField>,
    pub(crate) keys: KeyTable,
    /// The zones that the columns' operations name by index.
    pub(crate) zones: Vec<TimeZone>,
}

/// A field of the record and the column that it fills, or the columns that are filled from inside of it.
#[derive(Debug)]
pub(crate) struct Field {
    /// The column's name; empty where there are several.
    pub(crate) name: String,
    pub(crate) key: Box<[u8]>,
    pub(crate) op: Op,
    /// The bytes that the row gets when the record has no such key, marker included.
    pub(crate) missing: Box<[u8]>,
    /// The bytes for `null` instead of the operation's own, marker included.
    pub(crate) null: Option<Box<[u8]>>,
    /// Whether a marker stands before a value: the format has them, and the operation does not write its own.
    pub(crate) marks: bool,
}

impl Plan {
    /// Compiles a plan.
    ///
    /// # Errors
    /// [`PlanError`] when a type cannot be held by ClickHouse or is not supported, or when columns contradict one
    /// another.
    pub fn compile(columns: &Columns, options: &PlanOptions) -> Result<Plan, PlanError> {
        compile::compile(columns, options)
    }

    /// The columns that a row has, in order: the columns to name in the INSERT. That is the order in which they were listed,
    /// but those that are filled from inside of one field stand together, and virtual columns and constants at the end. A
    /// Nested column stands here as its arrays, `n.a` and `n.b`.
    #[must_use]
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// Whether a column is filled from the record's value: by a field, or from inside of one. Else any bytes are a record, and
    /// one without a value is a record too.
    #[must_use]
    pub fn has_fields(&self) -> bool {
        !self.fields.is_empty()
    }

    /// The options it was compiled with.
    #[must_use]
    pub fn options(&self) -> &PlanOptions {
        &self.options
    }
}

/// Why a plan could not be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// There is nothing to fill.
    #[error("the list of columns is empty")]
    NoColumns,
    /// A column has an empty name.
    #[error("a column has no name")]
    NamelessColumn,
    /// Two columns have the same name.
    #[error("the column `{column}` stands twice in the list")]
    DuplicateColumn {
        /// The name.
        column: String,
    },
    /// One value would fill two columns.
    #[error(
        "`{key}` fills more than one column, by itself or by something inside of it; `{column}` is the second"
    )]
    DuplicateSource {
        /// The second column.
        column: String,
        /// What fills it, as a path.
        key: String,
    },
    /// A constant that the column's type does not take. Its text is left out: it may be a secret.
    #[error("column `{column}`: {ty} does not take its constant: {reason}")]
    Constant {
        /// The column.
        column: String,
        /// The type as ClickHouse prints it.
        ty: String,
        /// Why not.
        reason: String,
    },
    /// A virtual column and a type that do not go together.
    #[error(
        "column `{column}`: {virtual_column} does not fill {ty}; {types} (a field of the record that has this name is written \
         `{virtual_column}`, in backquotes)"
    )]
    VirtualType {
        /// The column.
        column: String,
        /// The virtual column that would fill it.
        virtual_column: &'static str,
        /// The type as ClickHouse prints it.
        ty: String,
        /// The types that it fills, in words.
        types: &'static str,
    },
    /// ClickHouse cannot hold the type.
    #[error("column `{column}`: ClickHouse cannot hold {ty}: {reason}")]
    ImpossibleType {
        /// The column.
        column: String,
        /// The type as ClickHouse prints it.
        ty: String,
        /// ClickHouse's reason.
        reason: String,
    },
    /// ClickHouse holds the type, and this crate cannot fill it yet.
    #[error("column `{column}`: {ty} is not supported: {reason}")]
    NotSupported {
        /// The column.
        column: String,
        /// The type as ClickHouse prints it.
        ty: String,
        /// What is missing.
        reason: &'static str,
    },
    /// The row format has no way to say that the server evaluates the default.
    #[error("column `{column}` has a DEFAULT expression, which needs the format RowBinaryWithDefaults")]
    DefaultNeedsMarkers {
        /// The column.
        column: String,
    },
    /// RowBinary would not know how many rows there are.
    #[error("a row of these columns has no bytes: empty tuples alone hold nothing")]
    NoBytes,
    /// A row would be larger than the limit before any value is in it.
    #[error(
        "column `{column}`: with the default of {ty}, a row of defaults is larger than the limit of {limit_bytes} bytes a row"
    )]
    RowTooLarge {
        /// The column.
        column: String,
        /// The type as ClickHouse prints it.
        ty: String,
        /// The limit.
        limit_bytes: usize,
    },
}
