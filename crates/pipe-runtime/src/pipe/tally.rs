//! What is counted of a pipe beside its records: how late rows are, what inserts cost, and how often partitions move.

use std::collections::BTreeMap;
use std::time::Duration;

use housepipe_ch_sink::SinkError;

use super::batch::SealedBatch;
use super::progress::{Counters, now_unix_ms};
use crate::metrics::{Histogram, INSERT_ROWS, INSERT_US, LATENCY_MS};

/// Codes by which retries are told apart, at most; those beyond count as [`OTHER`].
const RETRY_CODES_MAX: usize = 32;

/// The code of everything that has none of its own.
const OTHER: &str = "other";

/// Everything that is counted of a pipe, over one run or several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// Counts of records, batches, inserts and bytes.
    pub counters: Counters,
    /// Rejected records by their code: together as many as [`Counters::rejected`].
    pub rejected_by_code: BTreeMap<String, u64>,
    /// What is counted beside records.
    pub tally: Tally,
}

impl Totals {
    /// Adds those of a run that has ended, or of the one that follows.
    pub(crate) fn add(&mut self, next: &Totals) {
        self.counters = self.counters.and(next.counters);
        add_by_code(&mut self.rejected_by_code, &next.rejected_by_code);
        self.tally.add(&next.tally);
    }

    /// What is read and neither in a table, nor in flight, nor given back: 0, or records are lost or counted twice.
    pub fn identity_difference(&self) -> i128 {
        let Counters { read, loaded, in_flight, given_back, .. } = self.counters;
        let rejected: i128 = self.rejected_by_code.values().copied().map(i128::from).sum();
        i128::from(read) - i128::from(loaded) - rejected - i128::from(in_flight) - i128::from(given_back)
    }
}

/// What is counted of a pipe beside its records.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// How late rows were. Of as many rows as [`Counters::loaded`].
    pub latency: Latency,
    /// Rows of each acknowledged insert of rows.
    pub insert_rows: Histogram,
    /// Time of each of them, in microseconds, from the first byte that was sent to the answer.
    pub insert_time: Histogram,
    /// Inserts that failed and were tried again, by ClickHouse's code, or by what stood in its place.
    pub retries_by_code: BTreeMap<String, u64>,
    /// Partitions that the group gave to this process, and took from it.
    pub moves: Moves,
}

/// How often partitions came and went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moves {
    /// Given to this process.
    pub assigned: u64,
    /// Taken back with a hand-over.
    pub revoked: u64,
    /// Gone without one.
    pub lost: u64,
}

/// The time from the timestamps of records to their acknowledged insert.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Latency {
    /// In milliseconds.
    pub times: Histogram,
    /// Rows whose record has no timestamp.
    pub without_timestamp: u64,
    /// Rows whose record has a timestamp that was still to come: clocks that differ, or a time that the producer made up.
    pub of_the_future: u64,
}

impl Default for Tally {
    fn default() -> Tally {
        Tally {
            latency: Latency::default(),
            insert_rows: Histogram::new(&INSERT_ROWS),
            insert_time: Histogram::new(&INSERT_US),
            retries_by_code: BTreeMap::new(),
            moves: Moves::default(),
        }
    }
}

impl Default for Latency {
    fn default() -> Latency {
        Latency { times: Histogram::new(&LATENCY_MS), without_timestamp: 0, of_the_future: 0 }
    }
}

impl Tally {
    fn add(&mut self, next: &Tally) {
        self.latency.add(&next.latency);
        self.insert_rows.add(&next.insert_rows);
        self.insert_time.add(&next.insert_time);
        add_by_code(&mut self.retries_by_code, &next.retries_by_code);
        self.moves.assigned += next.moves.assigned;
        self.moves.revoked += next.moves.revoked;
        self.moves.lost += next.moves.lost;
    }

    /// ClickHouse has acknowledged an insert of so many rows.
    pub(super) fn inserted(&mut self, rows: u64, took: Duration) {
        self.insert_rows.observe(rows, 1);
        self.insert_time.observe(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), 1);
    }

    /// An insert has failed and is tried again.
    pub(super) fn retried(&mut self, error: &SinkError) {
        let code = code_of(error);
        let has_room = self.retries_by_code.len() < RETRY_CODES_MAX;
        let code = if has_room || self.retries_by_code.contains_key(&code) { code } else { OTHER.to_owned() };
        *self.retries_by_code.entry(code).or_default() += 1;
    }
}

impl Latency {
    /// Rows `[start, end)` of a batch are acknowledged at this moment.
    pub(super) fn acknowledged(&mut self, batch: &SealedBatch, rows: &std::ops::Range<usize>) {
        self.acknowledged_at(now_unix_ms(), batch, rows);
    }

    fn acknowledged_at(&mut self, now_ms: i64, batch: &SealedBatch, rows: &std::ops::Range<usize>) {
        for (timestamp_ms, rows) in batch.timestamps(rows) {
            match timestamp_ms.map(|at| u64::try_from(now_ms.saturating_sub(at))) {
                None => self.without_timestamp += rows,
                Some(Err(_)) => self.of_the_future += rows,
                Some(Ok(late_ms)) => self.times.observe(late_ms, rows),
            }
        }
    }

    pub(super) fn add(&mut self, next: &Latency) {
        self.times.add(&next.times);
        self.without_timestamp += next.without_timestamp;
        self.of_the_future += next.of_the_future;
    }

    /// Rows that it was told of.
    pub fn rows(&self) -> u64 {
        self.times.count() + self.without_timestamp + self.of_the_future
    }
}

/// ClickHouse's number, or a word for what came instead of its answer.
fn code_of(error: &SinkError) -> String {
    match error {
        SinkError::Server { error, .. } => error.code.to_string(),
        SinkError::NotClickhouse { status: Some(status), .. } => format!("http_{status}"),
        SinkError::Network { .. } => "network".to_owned(),
        SinkError::TimedOut { .. } => "timed_out".to_owned(),
        _ => OTHER.to_owned(),
    }
}

pub(super) fn add_by_code(sums: &mut BTreeMap<String, u64>, next: &BTreeMap<String, u64>) {
    for (code, count) in next {
        match sums.get_mut(code) {
            Some(sum) => *sum += count,
            None => drop(sums.insert(code.clone(), *count)),
        }
    }
}

#[cfg(test)]
mod tests {
    use housepipe_kafka_source::{Offset, PartitionId};

    use super::super::batch::BatchBuilder;
    use super::*;
    use crate::delivery::BatchId;

    /// A batch with a row for each of these timestamps.
    fn batch(timestamps: &[Option<i64>]) -> SealedBatch {
        let mut builder = BatchBuilder::default();
        builder.begin_run(PartitionId(0), std::time::Instant::now());
        for (offset, timestamp_ms) in (0..).zip(timestamps) {
            builder.row_encoded(0, Offset(offset), *timestamp_ms);
        }
        builder.seal(BatchId(1))
    }

    #[test]
    fn each_row_is_counted_once_by_how_late_it_is() {
        let timestamps = [Some(1_000), Some(1_000), None, Some(9_000), Some(11_000), Some(-1)];
        let batch = batch(&timestamps);
        let mut latency = Latency::default();
        latency.acknowledged_at(10_000, &batch, &(0..6));
        assert_eq!((latency.rows(), latency.without_timestamp, latency.of_the_future), (6, 2, 1));
        assert_eq!((latency.times.count(), latency.times.sum()), (3, 19.0));
        // Some of them, as where others are refused.
        let mut latency = Latency::default();
        latency.acknowledged_at(10_000, &batch, &(1..4));
        assert_eq!((latency.times.count(), latency.times.sum(), latency.without_timestamp), (2, 10.0, 1));
        latency.acknowledged_at(10_000, &batch, &(2..2));
        assert_eq!(latency.rows(), 3);
    }

    #[test]
    fn totals_of_several_runs_are_the_sum_of_each() {
        let counters = Counters { read: 5, loaded: 2, rejected: 1, in_flight: 2, ..Counters::default() };
        let mut run = Totals { counters, ..Totals::default() };
        run.rejected_by_code.insert("type_mismatch".to_owned(), 1);
        run.tally.latency.acknowledged_at(10, &batch(&[Some(1), Some(2)]), &(0..2));
        run.tally.inserted(2, Duration::from_millis(3));
        run.tally.moves.assigned = 4;
        let mut sum = run.clone();
        sum.counters = sum.counters.of_ended_run();
        sum.add(&run);
        assert_eq!(sum.identity_difference(), 0);
        assert_eq!((sum.counters.given_back, sum.counters.in_flight), (2, 2));
        assert_eq!((sum.tally.latency.rows(), sum.tally.insert_rows.count()), (4, 2));
        assert_eq!((sum.rejected_by_code["type_mismatch"], sum.tally.moves.assigned), (2, 8));
        sum.counters.loaded -= 1;
        assert_eq!(sum.identity_difference(), 1, "a record that is nowhere shows");
        sum.rejected_by_code.clear();
        assert_eq!(sum.identity_difference(), 3, "and so do rejects without a code");
    }

    #[test]
    fn codes_of_retries_are_bounded() {
        let mut tally = Tally::default();
        for status in 400..600 {
            let (operation, answer) = (String::new(), String::new());
            tally.retried(&SinkError::NotClickhouse { operation, status: Some(status), answer });
        }
        assert_eq!(tally.retries_by_code.len(), RETRY_CODES_MAX + 1);
        assert_eq!(tally.retries_by_code[OTHER], 200 - RETRY_CODES_MAX as u64);
        assert_eq!(tally.retries_by_code["http_400"], 1);
    }
}
