//! JSON records to ClickHouse RowBinary, by a plan compiled once per column list.
//!
//! ```
//! use std::sync::Arc;
//! use housepipe_transform::{Columns, Encoder, Plan, PlanOptions, RejectCode};
//!
//! let columns: Columns = "a UInt8, b Array(Tuple(x String))".parse()?;
//! let plan = Arc::new(Plan::compile(&columns, &PlanOptions::default())?);
//! let mut encoder = Encoder::new(plan);
//! let mut rows = Vec::new();
//! encoder.encode(br#"{"a":1,"b":[{"x":"hi"}]}"#, &mut rows)?;
//! assert_eq!(rows, b"\x01\x01\x02hi");
//!
//! let reject = encoder.encode(br#"{"a":300,"b":[]}"#, &mut rows).unwrap_err();
//! assert_eq!((reject.code, reject.position, reject.column.as_deref()), (RejectCode::OutOfRange, 5, Some("a")));
//! assert_eq!(rows.len(), 5); // A rejected record leaves the output as it was.
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The reference is ClickHouse itself: the bytes are those that it writes for the same record and columns. Where the
//! two differ on purpose, `docs/differences.md` of the repository says why.
//!
//! No clock, no I/O, no randomness: a verdict depends on the record, the plan and nothing else.
#![deny(unsafe_code, missing_docs)]

mod calendar;
mod zone;

mod columns;
mod envelope;
mod key_path;
mod types;

mod limits;
mod plan;

mod encode;

mod engine;
mod fast;
mod kernels;

mod decode;
mod infer;
mod reject;

pub use columns::{Column, Columns, DefaultKind, Source};
pub use decode::{DecodeError, DecodedRows};
pub use encode::{Encoder, LineCounts, LineReject, UnknownKeys};
pub use engine::{Engine, Path, Tier};
pub use envelope::{EachHeader, Envelope, NoEnvelope, UnknownVirtual, Virtual};
pub use infer::{
    ExpectedColumn, Inference, InferenceLimits, InferenceOptions, Inferred, InferredColumn, LeftOutKey,
    PartitionKey, RefusedSample,
};
pub use key_path::{KeyPath, PathParseError, PathStep};
pub use limits::{
    DEPTH_MAX, FIELDS_MAX, Limits, RECORD_BYTES_MAX, ROW_BYTES_MAX, TYPE_DEPTH_MAX, UNKNOWN_KEY_BYTES_MAX,
    UNKNOWN_KEYS_MAX,
};
pub use plan::{Plan, PlanError, PlanOptions, RowFormat, Semantics};
pub use reject::{Reject, RejectCode};
pub use types::{
    AggregateFunction, DataType, EnumItem, GeoType, IntervalUnit, JsonSkip, JsonTypeArgs, QBitType,
    TupleElement, TypeParseError,
};
pub use zone::{TimeZone, UnknownTimeZone};

// The README's example is compiled with the documentation's.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
