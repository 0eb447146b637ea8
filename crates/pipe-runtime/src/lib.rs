//! Runs pipes: Kafka topics into ClickHouse tables, continuously, at least once or exactly once.
//!
//! ```text
//! kafka-source ─► worker threads ─► transform ─► batches ─► ch-sink ─► ClickHouse
//!       ▲                                  └► rejects ──────────────► error table
//!       └──────────── commit, only after the insert is acknowledged ◄──────┘
//! ```
//!
//! A worker is an OS thread that owns some partitions: it encodes records straight from librdkafka's buffers and
//! hands sealed batches to insert tasks on tokio. A fixed number of batch buffers bounds memory: without a spare one a
//! worker reads no further, and the prefetch of librdkafka fills up and stops.
//!
//! ```no_run
//! use housepipe_runtime::{Pipe, PipeFile, RunOptions};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let file = PipeFile::read("pipe.yaml".as_ref())?;
//! let pipe = Pipe::start(&file, RunOptions { until_caught_up: true, ..RunOptions::default() }).await?;
//! let handle = pipe.handle(); // for `handle.stop()` and `handle.snapshot()`
//! let (summary, result) = pipe.finished().await;
//! result?;
//! assert!(summary.is_complete());
//! # Ok(()) }
//! ```

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

pub mod delivery;
pub mod metrics;

mod catalog;
mod check;
mod connection;
mod error;
mod errors;
mod failpoint;
mod fault;
mod infer;
mod mapping;
mod new;
mod offline;
mod offsets;
mod pasted;
mod pipe;
mod pipe_file;
mod preview;
mod sample;
mod schemas;
mod server_start;
mod set_up;
mod shown;
mod summary;
mod supervisor;
mod table_rows;
mod target;
mod topics;
mod usage;

pub use catalog::{DatabaseList, RoleList, TablePage, TableQuery, TableReport, databases, roles, tables};
pub use check::{Check, CheckReport, Verdict, check, check_telling};
pub use connection::{ConnectionReport, End, EndReport, test_connections};
pub use error::PipeError;
pub use errors::{
    ErrorList, ErrorQuery, ErrorSummary, ErrorsError, NotReplayable, ReplayOptions, ReplayReport, Settled,
    StillRefused, list_errors, parse_moment, replay_errors, settle_replay, summarize_errors,
};
#[doc(hidden)]
pub use failpoint::failpoint;
pub use fault::Fault;
pub use housepipe_ch_sink::{ErrorGroup, ErrorPlace, ListedError, RowKind, RowsOf, TableSetting};
pub use housepipe_kafka_source::GroupEnd;
pub use housepipe_transform::Semantics;
pub use infer::{
    ColumnReport, InferError, InferReport, LeftOut, RefusedReport, SampleOrigin, infer_documents,
    infer_lines, infer_topic,
};
pub use mapping::{Filling, Fit, FitVerdict, Likeness, MappedColumn, Mapping, TopicField, propose_mapping};
pub use new::{Interview, NewPipe, NoAnswer, Question, new_pipe};
pub use offline::{LineTransform, OfflineError, OfflineOptions, OfflineSummary};
pub use offsets::{
    GroupReport, MemberReport, OffsetMove, OffsetTarget, OffsetsError, OffsetsPlan, OffsetsReport,
    OffsetsRequest, PartitionOffsets, PendingRange, Stored, delete_offsets, plan_offsets, show_offsets,
};
pub use pipe::{Counters, PartitionProgress, Pipe, PipeHandle, PipeState, Recoveries, RunOptions};
pub use pipe_file::{
    AccessSpec, BatchLimits, ColumnSpec, Deadlines, DeliveryMode, DestinationSpec, Document, ErrorTableSpec,
    Key, ManagedTable, Need, PIPE_FILE_SCHEMA, PipeDraft, PipeFile, PipeFileError, PipeName, Preset, Problem,
    RegistrySpec, SetUpSpec, SourceSpec, Starts, Surroundings, TakenApart, ThisMachine, Vendor,
};
pub use preview::{
    PreviewColumn, PreviewError, PreviewReject, PreviewReport, PreviewRow, SkippedKey, TableState, preview,
    preview_pasted,
};
pub use sample::{
    FieldFilter, Sample, SampleFilter, SamplePage, SamplePlace, SampleQuery, SampleRecord, Samples, sample,
    sample_page,
};
pub use set_up::{Statement, UserEnd, drop_user, statements};
pub use summary::{Snapshot, Summary};
pub use supervisor::{
    Generation, Intent, PipeEvent, PipeId, PipeStatus, Stage, Supervisor, SupervisorOptions,
};
pub use table_rows::{TableRows, table_rows};
pub use topics::{TopicOrder, TopicPage, TopicQuery, TopicReport, topics};
pub use usage::{Usage, of_this_process};
