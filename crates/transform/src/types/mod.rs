//! ClickHouse data types: the tree, its parser, its printer, and what ClickHouse cannot hold.

mod aggregate;
mod aliases;
mod ast;
mod check;
mod json_type;
mod parse;
mod print;
mod regexp;
mod variant;

pub use ast::{
    AggregateFunction, DataType, EnumItem, GeoType, IntervalUnit, JsonSkip, JsonTypeArgs, QBitType,
    TupleElement,
};
pub(crate) use check::{check, is_bottomless};
pub(crate) use parse::Parser;
pub use parse::TypeParseError;
pub(crate) use print::Identifier;
pub(crate) use variant::{attempts, members};
