//! What can go wrong with a pipe.

use std::time::Duration;

use housepipe_ch_sink::SinkError;
use housepipe_kafka_source::SourceError;
use housepipe_schema_registry::RegistryError;
use housepipe_transform::PlanError;

use crate::delivery::Rejected;
use crate::pipe_file::PipeFileError;

/// An error and its causes in one line.
pub(crate) fn explain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Why a pipe did not start, or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipeError {
    /// The pipe file cannot be used.
    #[error(transparent)]
    File(#[from] PipeFileError),
    /// Kafka refused, or is out of reach.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// ClickHouse refused, or is out of reach, before the pipe ran.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// The table is missing and the file does not say how to create it.
    #[error(
        "the table `{database}`.`{table}` does not exist; create it, or add `managed_table:` and `columns:` to `destination:`"
    )]
    NoTable {
        /// The database that was looked in.
        database: String,
        /// The table that is missing.
        table: String,
    },
    /// The pipe's columns do not fit the table's.
    #[error("the table `{table}` does not fit the pipe: {problem}")]
    TableMismatch {
        /// The table.
        table: String,
        /// What does not fit, and how to mend it.
        problem: String,
    },
    /// The schema registry refused, or is out of reach, before the pipe ran, or in a way that a person must mend.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The schema that the pipe file names for records without one cannot be used.
    #[error("`schema_registry.url`: {problem}")]
    Schema {
        /// Why, with its id.
        problem: String,
    },
    /// The schema registry gave no answer for too long.
    #[error("the schema registry gave no answer for {after:.0?}, and the offsets are kept")]
    RegistryUnreachable {
        /// The last error.
        source: Box<RegistryError>,
        /// How long.
        after: Duration,
    },
    /// The columns cannot be filled from JSON.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The server's time zone is not known to this program.
    #[error("the server's time zone `{zone}` is unknown; give every DateTime column a zone of its own")]
    TimeZone {
        /// As `timezone()` answers.
        zone: String,
    },
    /// An insert failed in a way that a person must mend.
    #[error("an insert failed, and the offsets are kept")]
    Insert(#[source] Box<SinkError>),
    /// ClickHouse took no insert for too long.
    #[error("the destination took no insert for {after:.0?}, and the offsets are kept")]
    Destination {
        /// The last answer.
        source: Box<SinkError>,
        /// How long.
        after: Duration,
    },
    /// The error table refused rows.
    #[error(
        "the error table `{table}` refuses rows, and the offsets are kept; rename it, and a new one is created"
    )]
    ErrorTable {
        /// Its name.
        table: String,
        /// What ClickHouse said.
        source: Box<SinkError>,
    },
    /// A repeated insert would be loaded again, so that exactly once cannot hold.
    #[error("`delivery: exactly_once` cannot hold: {problem}; to mend it: {mend}")]
    CannotDeduplicate {
        /// What stands in the way.
        problem: String,
        /// The statement that mends it, or what to do.
        mend: String,
    },
    /// A partition could not go on in exactly-once mode without the risk of a loss or a repetition.
    #[error("partition {partition} stopped with its offset kept: {reason}")]
    Halted {
        /// The partition; the first one, where several stopped.
        partition: i32,
        /// Why, and what to do.
        reason: String,
    },
    /// The topic was made anew under a pipe that loads each record once.
    #[error(
        "the pipe does not go on by itself in a topic that was made anew; the group stands at {standing}; brokers before Kafka 3.1 may have given records of the new topic from there on before \
         that was noticed, and then those are loaded"
    )]
    TopicMadeAnew {
        /// The offset of each partition, and what was prepared behind it.
        standing: String,
        /// What to do.
        source: SourceError,
    },
    /// So many rows of a batch were refused that the set-up must be wrong.
    #[error(
        "clickhouse refused {refused} and more rows of one batch, so that something else must be wrong than a row; it said: {last}"
    )]
    TooManyRefused {
        /// Rows refused when the search was given up.
        refused: usize,
        /// The last refusal.
        last: String,
    },
    /// So many records were rejected that the set-up must be wrong.
    #[error(
        "{rejected}{example}; mend the columns or the producer, or raise `error_table.stop_ratio`, or set it to off"
    )]
    TooManyRejected {
        /// How many of how many.
        rejected: Rejected,
        /// One of them, behind a semicolon; empty where the server refused them all.
        example: String,
    },
    /// No broker answered for too long.
    #[error("no broker could be reached for {after:.0?}, and the offsets are kept; last: {last}")]
    SourceUnreachable {
        /// How long.
        after: Duration,
        /// The client's last words.
        last: String,
    },
    /// Not everything that was read could be stored before the deadline of a stop.
    #[error(
        "the deadline of the stop passed with {in_flight} records in flight; they are not committed and are read again by the next run"
    )]
    StopDeadline {
        /// Records read and not stored.
        in_flight: u64,
    },
    /// Somebody asked for an end at once.
    #[error(
        "ended at once, with {in_flight} records in flight; they are not committed and are read again by the next run"
    )]
    Aborted {
        /// Records read and not stored.
        in_flight: u64,
    },
    /// A thread of the pipe panicked: a defect of this program.
    #[error("a worker thread panicked, which is a defect of housepipe; the offsets are kept")]
    WorkerPanicked,
    /// A thread could not be started.
    #[error("a thread could not be started")]
    Thread(#[source] std::io::Error),
}
