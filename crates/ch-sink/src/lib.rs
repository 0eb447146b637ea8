//! Inserts into ClickHouse that are safe to repeat: one attempt at a time, each failure with its class.
//!
//! This is the only crate of Housepipe that names SQL or ClickHouse's HTTP interface. It takes rows that are already
//! encoded as RowBinary and knows nothing of where they came from.
//!
//! ```no_run
//! use bytes::Bytes;
//! use housepipe_ch_sink::{FailureClass, Insert, InsertFormat, Sink, SinkConfig};
//!
//! # async fn example() -> Result<(), housepipe_ch_sink::SinkError> {
//! let sink = Sink::new(&SinkConfig::new("http://localhost:8123", "default"))?;
//! let insert = Insert {
//!     table: "numbers",
//!     columns: &["n".to_owned()],
//!     format: InsertFormat::RowBinary,
//!     body: Bytes::from_static(&[1, 2, 3]), // three rows of one UInt8
//!     rows: 3,
//!     token: None,
//!     json_as_string: false,
//!     session: None,
//! };
//! match sink.insert(&insert).await {
//!     Ok(inserted) => println!("{} rows", inserted.rows),
//!     Err(error) if error.class() == FailureClass::Retry => println!("the same again, later: {error}"),
//!     Err(error) => println!("{error}"),
//! }
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod catalog;
mod config;
mod connect;
mod sink;

mod insert;
mod look;
mod newest_rows;
mod session;
mod settings;

mod ddl;
mod deduplication;
mod exactly_once_check;
mod expression;
mod grants;
mod memory;
mod quote;
mod random_name;
mod table;
mod table_settings;
mod trial;
mod user;
mod user_grants;

mod error_log;
mod error_row;
mod error_system;
mod error_table;
mod row_binary;

mod aftermath;
mod backoff;
mod bisection;
mod error;
mod failure;
mod named_row;
mod pieces;
mod places;
mod response;

pub use aftermath::{Left, ServerClock};
pub use backoff::Backoff;
pub use bisection::{Bisection, RefusedRow, TooManyRefused};
pub use catalog::{ListedNames, ListedTable};
pub use config::{Compression, SinkConfig, check_url};
pub use ddl::{ColumnDef, CreateTable, DEDUPLICATION_WINDOW_BLOCKS};
pub use deduplication::{
    Deduplication, DeduplicationFacts, EngineKind, Finding, Horizon, Severity, TableFacts, TableName,
    ViewFacts, VolatileColumn, judge,
};
pub use error::{ErrorDomain, NetworkFault, ServerError, SinkError};
pub use error_log::{
    Claim, ClaimConflict, ErrorFilter, ErrorGroup, ErrorPlace, KeptRecord, ListedError, RecordId, RecordPage,
    ReplayMark,
};
pub use error_row::{ErrorRow, RowKind};
pub use error_table::{ErrorBlock, ErrorTable};
pub use failure::{FailureClass, class_of_code, class_of_status};
pub use grants::GrantProblem;
pub use insert::{Insert, InsertFormat, Inserted};
pub use look::Look;
pub use memory::{BlockMark, CountedTable, TablesMark, TakenSince};
pub use named_row::{NamedRow, cuts};
pub use newest_rows::{NewestRows, RowsOf};
pub use pieces::may_divide;
pub use places::{PlaceColumns, Places};
pub use quote::{quote_identifier, quote_string};
pub use session::SessionFault;
pub use sink::{ServerInfo, Sink};
pub use table::{DefaultKind, TableColumn, TableInfo};
pub use table_settings::{TableSetting, check_settings};
pub use trial::Trial;
pub use user::{Access, LookBack, Owner, PipeUser, UserStatement};

// The README's example is compiled with the documentation's.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
