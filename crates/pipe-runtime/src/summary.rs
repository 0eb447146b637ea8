//! What a pipe reports: a snapshot while it runs, a summary at its end.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::pipe::{Counters, PartitionProgress, PipeState, Recoveries, lag};
use crate::usage::Usage;

/// How a pipe stands at one moment. Its counters agree with each other: they were read under one lock.
#[derive(Debug, Clone, Serialize)]
pub struct Snapshot {
    /// The pipe's name.
    pub pipe: String,
    /// What it is doing, and why where that needs a reason.
    #[serde(flatten)]
    pub state: PipeState,
    /// Seconds since the start.
    pub wall_seconds: f64,
    /// Counts since the start.
    #[serde(flatten)]
    pub counters: Counters,
    /// Rejected records by their code.
    pub rejected_by_code: BTreeMap<String, u64>,
    /// The partitions that this process reads.
    pub partitions: Vec<PartitionProgress>,
    /// Seconds since the last acknowledged batch.
    pub last_insert_age_seconds: Option<f64>,
}

impl Snapshot {
    /// Records that are not stored, over all partitions; absent until every end is known, and where there is no partition.
    pub fn lag_records(&self) -> Option<u64> {
        lag::records(&self.partitions)
    }

    /// Age of the oldest record that is not stored, in seconds; 0 where all are, and absent where that is not known of a partition and
    /// no other tells an age.
    pub fn lag_seconds(&self) -> Option<f64> {
        lag::seconds(&self.partitions)
    }
}

/// What a pipe did, from its start to its end.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// The pipe's name.
    pub pipe: String,
    /// Records taken from Kafka, less those that were given back with their partition and that another process reads.
    pub read: u64,
    /// Rows that ClickHouse acknowledged.
    pub loaded: u64,
    /// Records refused, kept in the error table where it is enabled.
    pub rejected: u64,
    /// Records read and not stored: 0 unless the pipe was cut off. They are not committed.
    pub in_flight: u64,
    /// Rejected records by their code.
    pub rejected_by_code: BTreeMap<String, u64>,
    /// Batches settled.
    pub batches: u64,
    /// Inserts acknowledged: of rows, and of the rejects of a batch.
    pub inserts: u64,
    /// Inserts, and questions before them, that failed and were tried again.
    pub retries: u64,
    /// Payload bytes taken from Kafka.
    pub bytes_read: u64,
    /// Encoded bytes of acknowledged rows.
    pub bytes_loaded: u64,
    /// What exactly-once delivery did beside the usual.
    pub recoveries: Recoveries,
    /// Seconds from the start to the end.
    pub wall_seconds: f64,
    /// CPU seconds of the whole process, user and system.
    pub cpu_seconds: f64,
    /// Rows loaded by wall time.
    pub rows_per_second: f64,
    /// Rows loaded by CPU time.
    pub rows_per_core_second: f64,
    /// The most memory that the process held, in bytes.
    pub peak_rss_bytes: u64,
}

impl Summary {
    pub(crate) fn new(last: Snapshot, usage: Usage) -> Summary {
        let Counters {
            read,
            loaded,
            rejected,
            in_flight,
            given_back,
            batches,
            inserts,
            retries,
            bytes_read,
            bytes_loaded,
            recoveries,
        } = last.counters;
        #[expect(clippy::cast_precision_loss, reason = "a rate for display")]
        let rate = |seconds: f64| if seconds > 0.0 { loaded as f64 / seconds } else { 0.0 };
        Summary {
            pipe: last.pipe,
            read: read.saturating_sub(given_back),
            loaded,
            rejected,
            in_flight,
            rejected_by_code: last.rejected_by_code,
            batches,
            inserts,
            retries,
            bytes_read,
            bytes_loaded,
            recoveries,
            wall_seconds: last.wall_seconds,
            cpu_seconds: usage.cpu_seconds,
            rows_per_second: rate(last.wall_seconds),
            rows_per_core_second: rate(usage.cpu_seconds),
            peak_rss_bytes: usage.peak_rss_bytes,
        }
    }

    /// Whether every record read is in the table or was rejected.
    pub fn is_complete(&self) -> bool {
        self.read == self.loaded + self.rejected
    }
}
