//! What the pipe has done so far: the ledger and the counters behind one lock, so that they agree at any moment.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use housepipe_ch_sink::{ErrorRow, SinkError};
use housepipe_kafka_source::{Offset, PartitionId};
use serde::Serialize;

use super::batch::SealedBatch;
use super::position::Position;
use super::tally::{Latency, Tally, Totals, add_by_code};
use crate::delivery::{BatchId, Epoch, JudgedBatch, Ledger, RejectRule, RejectVerdict, Span};

/// Counts since the start of the pipe.
///
/// `read = loaded + rejected + in_flight + given_back` holds whenever it is looked at: each side is counted where it happens,
/// and [`Counters::is_balanced`] compares them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Records taken from Kafka.
    pub read: u64,
    /// Rows that ClickHouse acknowledged.
    pub loaded: u64,
    /// Records that were refused, kept in the error table where it is enabled.
    pub rejected: u64,
    /// Records read and not yet acknowledged.
    pub in_flight: u64,
    /// Records read and dropped, since their partition went to another process, or the run ended, before they were stored: they are
    /// read again.
    pub given_back: u64,
    /// Batches settled.
    pub batches: u64,
    /// Inserts that ClickHouse acknowledged: of rows, and of the rejects of a batch.
    pub inserts: u64,
    /// Inserts, and questions before them, that failed and were tried again.
    pub retries: u64,
    /// Payload bytes taken from Kafka.
    pub bytes_read: u64,
    /// Encoded bytes of acknowledged rows.
    pub bytes_loaded: u64,
    /// What exactly-once delivery did beside the usual.
    pub recoveries: Recoveries,
}

/// What exactly-once delivery did because something had broken. All of it is 0 in at-least-once mode.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Recoveries {
    /// Ranges that an earlier owner may have loaded, and that were read again.
    pub ranges_replayed: u64,
    /// Ranges that were prepared again since ClickHouse was started anew.
    pub ranges_prepared_again: u64,
    /// Ranges whose rows or rejects were looked for, since the tables may have forgotten their tokens.
    pub ranges_looked_for: u64,
    /// Times that the group was left and joined anew, since the outcome of a commit was unknown.
    pub memberships_renewed: u64,
}

impl Recoveries {
    fn and(self, next: Recoveries) -> Recoveries {
        Recoveries {
            ranges_replayed: self.ranges_replayed + next.ranges_replayed,
            ranges_prepared_again: self.ranges_prepared_again + next.ranges_prepared_again,
            ranges_looked_for: self.ranges_looked_for + next.ranges_looked_for,
            memberships_renewed: self.memberships_renewed + next.memberships_renewed,
        }
    }
}

impl Counters {
    /// Whether every record read is accounted for.
    pub fn is_balanced(&self) -> bool {
        self.read == self.loaded + self.rejected + self.in_flight + self.given_back
    }

    /// These counts and those of a run behind them.
    pub(crate) fn and(self, next: Counters) -> Counters {
        Counters {
            read: self.read + next.read,
            loaded: self.loaded + next.loaded,
            rejected: self.rejected + next.rejected,
            in_flight: self.in_flight + next.in_flight,
            given_back: self.given_back + next.given_back,
            batches: self.batches + next.batches,
            inserts: self.inserts + next.inserts,
            retries: self.retries + next.retries,
            bytes_read: self.bytes_read + next.bytes_read,
            bytes_loaded: self.bytes_loaded + next.bytes_loaded,
            recoveries: self.recoveries.and(next.recoveries),
        }
    }

    /// The counts of a run that has ended: what it had not stored by then is read again by the next one.
    pub(crate) fn of_ended_run(self) -> Counters {
        Counters { in_flight: 0, given_back: self.given_back + self.in_flight, ..self }
    }
}

/// Where one partition stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PartitionProgress {
    /// The partition's number.
    pub partition: i32,
    /// Offset of the next record to read; absent before the first one.
    pub position: Option<i64>,
    /// Offset of the first record that is not stored; everything read below it is in the tables.
    pub stored: Option<i64>,
    /// End of the partition's log as last seen.
    pub end: Option<i64>,
    /// Offsets from [`stored`](PartitionProgress::stored) to the end: what is not read yet, and what is read and not stored.
    pub lag_records: Option<u64>,
    /// Age of the first record that is not stored, in seconds; 0 where all are. One that is not read yet counts as old as the record
    /// before it, or, where that was the end of the log or nothing was read yet, from the moment at which it was seen to be there.
    pub lag_seconds: Option<f64>,
}

#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) ledger: Ledger,
    pub(super) counters: Counters,
    pub(super) reject_codes: BTreeMap<String, u64>,
    pub(super) tally: Tally,
    pub(super) positions: BTreeMap<PartitionId, Position>,
    pub(super) last_insert: Option<Instant>,
    pub(super) reject_rule: RejectRule,
    /// Partitions that are not read any more, and why.
    pub(super) halted: BTreeMap<PartitionId, String>,
    /// The rule has warned of the batch before.
    warned: bool,
    next_batch: u64,
}

impl Progress {
    /// A chunk of records went from Kafka into a batch that is still open.
    pub(super) fn chunk_read(&mut self, partition: PartitionId, epoch: Epoch, chunk: &Chunk) {
        self.counters.read += chunk.records;
        self.counters.bytes_read += chunk.bytes;
        self.counters.in_flight += chunk.kept;
        self.ledger.read(partition, epoch, chunk.next);
        if let Some(position) = self.position(partition, epoch) {
            position.read(chunk);
        }
    }

    /// The reader of `partition` stands at the end of its log.
    pub(super) fn reached_end(&mut self, partition: PartitionId, epoch: Epoch, end: Offset) {
        if let Some(position) = self.position(partition, epoch) {
            position.reached_end(end);
        }
    }

    /// The position of a partition; none where it was taken from whoever asks: a worker may answer late.
    fn position(&mut self, partition: PartitionId, epoch: Epoch) -> Option<&mut Position> {
        self.ledger.is_current(partition, epoch).then(|| self.positions.entry(partition).or_default())
    }

    /// Numbers a batch that is being sealed and hands its spans to the ledger.
    pub(super) fn seal(&mut self, spans: &[Span]) -> BatchId {
        let id = BatchId(self.next_batch);
        self.next_batch += 1;
        self.ledger.seal(id, spans);
        for span in spans {
            self.position(span.partition, span.epoch).into_iter().for_each(Position::sealed);
        }
        id
    }

    /// Whether the rule warns of this batch and did not of the one before.
    pub(super) fn is_first_warning(&mut self, verdict: RejectVerdict) -> bool {
        let warns = matches!(verdict, RejectVerdict::Warn(_));
        let warned = std::mem::replace(&mut self.warned, warns);
        warns && !warned
    }

    /// ClickHouse has refused rows of a batch.
    pub(super) fn refused(&mut self, batch: Option<JudgedBatch>, rows: u64) {
        if let Some(batch) = batch {
            self.reject_rule.refused(batch, rows);
        }
    }

    /// An insert has failed, and is tried again.
    pub(super) fn retried(&mut self, error: &SinkError) {
        self.counters.retries += 1;
        self.tally.retried(error);
    }

    /// Records that were read are not stored here: their partition goes to another process, which reads them again.
    pub(super) fn give_back(&mut self, records: u64) {
        self.counters.in_flight = self.counters.in_flight.saturating_sub(records);
        self.counters.given_back += records;
    }

    /// A batch is stored.
    pub(super) fn settle(&mut self, batch: BatchId, outcome: &Outcome) {
        self.ledger.acknowledge(batch);
        for (partition, position) in &mut self.positions {
            position.settled(self.ledger.unsettled(*partition));
        }
        self.counters.batches += 1;
        self.count(outcome);
    }

    /// A batch is stored, or a part of it.
    pub(super) fn count(&mut self, outcome: &Outcome) {
        self.counters.loaded += outcome.loaded;
        self.counters.rejected += outcome.rejected;
        self.counters.in_flight = self.counters.in_flight.saturating_sub(outcome.loaded + outcome.rejected);
        self.counters.bytes_loaded += outcome.bytes;
        add_by_code(&mut self.reject_codes, &outcome.codes);
        self.tally.latency.add(&outcome.latency);
        self.last_insert = Some(Instant::now());
    }

    /// Everything that was counted.
    pub(super) fn totals(&self) -> Totals {
        Totals {
            counters: self.counters,
            rejected_by_code: self.reject_codes.clone(),
            tally: self.tally.clone(),
        }
    }

    pub(super) fn partitions(&self) -> Vec<PartitionProgress> {
        let now_ms = now_unix_ms();
        self.positions.iter().map(|(partition, position)| position.progress(*partition, now_ms)).collect()
    }
}

/// The present moment by this machine's clock, in milliseconds since 1970.
pub(super) fn now_unix_ms() -> i64 {
    let elapsed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    elapsed.map_or(0, |elapsed| i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
}

/// What became of a batch.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Rows in the table.
    pub(super) loaded: u64,
    /// Records in the error table, or only counted where there is none.
    pub(super) rejected: u64,
    /// Encoded bytes.
    pub(super) bytes: u64,
    /// Rejected records by their code.
    pub(super) codes: BTreeMap<String, u64>,
    /// How late the rows in the table were.
    pub(super) latency: Latency,
}

impl Outcome {
    /// The rows `[start, end)` of `batch` are in the table since this moment.
    pub(super) fn acknowledged(&mut self, batch: &SealedBatch, rows: &Range<usize>) {
        self.bytes += batch.slice(rows).len() as u64;
        self.latency.acknowledged(batch, rows);
    }

    pub(super) fn count_codes(&mut self, rejects: &[ErrorRow]) {
        rejects.iter().for_each(|row| self.count_code(&row.code, 1));
    }

    pub(super) fn count_code(&mut self, code: &str, count: u64) {
        match self.codes.get_mut(code) {
            Some(records) => *records += count,
            None if count == 0 => {}
            None => drop(self.codes.insert(code.to_owned(), count)),
        }
    }
}

/// What a worker took from one partition in one go.
#[derive(Debug)]
pub(super) struct Chunk {
    /// Records taken.
    pub(super) records: u64,
    /// Of these, rows and rejects that the batch now holds.
    pub(super) kept: u64,
    /// Their payload bytes.
    pub(super) bytes: u64,
    /// Offset of the first of them.
    pub(super) first: Offset,
    /// The reader's position behind them.
    pub(super) next: Offset,
    /// Timestamp of the first of them, in milliseconds since 1970.
    pub(super) first_timestamp_ms: Option<i64>,
    /// The last timestamp that any of them has.
    pub(super) last_timestamp_ms: Option<i64>,
}

/// [`Progress`] behind its lock, with a signal for whoever waits for a change.
#[derive(Debug)]
pub(super) struct SharedProgress {
    progress: Mutex<Progress>,
    changed: Condvar,
}

impl SharedProgress {
    /// The state of a pipe that has done nothing yet.
    pub(super) fn new(reject_rule: RejectRule) -> SharedProgress {
        let progress = Progress { reject_rule, ..Progress::default() };
        SharedProgress { progress: Mutex::new(progress), changed: Condvar::new() }
    }

    /// Locks. A thread that panicked while it held the lock has left whole counters behind: every update is a few
    /// additions, so the others may go on and report.
    pub(super) fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn notify(&self) {
        self.changed.notify_all();
    }

    /// Waits until `done` holds or `patience` is over; says which.
    pub(super) fn wait_until(&self, patience: Duration, mut done: impl FnMut(&mut Progress) -> bool) -> bool {
        let deadline = Instant::now() + patience;
        let mut progress = self.lock();
        loop {
            if done(&mut progress) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            progress = self.changed.wait_timeout(progress, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten records, of which so many are kept.
    fn chunk(kept: u64) -> Chunk {
        let (first_timestamp_ms, last_timestamp_ms) = (Some(1), Some(1));
        Chunk {
            records: 10,
            kept,
            bytes: 100,
            first: Offset(0),
            next: Offset(10),
            first_timestamp_ms,
            last_timestamp_ms,
        }
    }

    #[test]
    fn the_identity_holds_at_every_step() {
        let mut progress = Progress::default();
        let partition = PartitionId(0);
        let epoch = progress.ledger.assign(partition);
        let chunk = chunk(10);
        progress.chunk_read(partition, epoch, &chunk);
        assert!(progress.counters.is_balanced());
        let id = progress.seal(&[Span { partition, epoch, start: Offset(0), end: Offset(10) }]);
        assert!(progress.counters.is_balanced());
        progress.settle(id, &Outcome { loaded: 7, rejected: 3, bytes: 70, ..Outcome::default() });
        assert!(progress.counters.is_balanced());
        assert_eq!(progress.counters.in_flight, 0);
        assert!(progress.ledger.is_drained(partition));
    }

    #[test]
    fn a_batch_of_an_earlier_assignment_closes_none_of_the_present_one() {
        let mut progress = Progress::default();
        let partition = PartitionId(0);
        let former = progress.ledger.assign(partition);
        let epoch = progress.ledger.assign(partition);
        let read = |progress: &mut Progress, first, next| {
            let (first, next) = (Offset(first), Offset(next));
            progress.chunk_read(partition, epoch, &Chunk { first, next, ..chunk(10) });
        };
        read(&mut progress, 20, 30);
        let foreign = progress.seal(&[Span { partition, epoch: former, start: Offset(0), end: Offset(10) }]);
        read(&mut progress, 30, 40);
        let id = progress.seal(&[Span { partition, epoch, start: Offset(20), end: Offset(40) }]);
        progress.settle(foreign, &Outcome::default());
        assert_eq!(progress.partitions()[0].stored, Some(20));
        read(&mut progress, 40, 50);
        progress.settle(id, &Outcome::default());
        assert_eq!(progress.partitions()[0].stored, Some(40));
    }

    #[test]
    fn a_worker_that_answers_late_brings_no_position_back() {
        let mut progress = Progress::default();
        let partition = PartitionId(0);
        let former = progress.ledger.assign(partition);
        progress.chunk_read(partition, former, &chunk(10));
        progress.reached_end(partition, former, Offset(10));
        assert!(progress.positions[&partition].has_reached_end());
        // The partition goes, comes back, and is not read yet.
        progress.positions.clear();
        let epoch = progress.ledger.assign(partition);
        progress.chunk_read(partition, former, &chunk(10));
        progress.reached_end(partition, former, Offset(20));
        assert!(progress.positions.is_empty(), "{:?}", progress.positions);
        progress.reached_end(partition, epoch, Offset(20));
        assert!(progress.positions[&partition].has_reached_end());
    }

    #[test]
    fn counts_of_several_runs_stay_balanced() {
        let run =
            Counters { read: 10, loaded: 4, rejected: 1, in_flight: 3, given_back: 2, ..Counters::default() };
        let ended = run.of_ended_run();
        assert!(ended.is_balanced());
        assert_eq!((ended.in_flight, ended.given_back), (0, 5));
        let both = ended.and(run);
        assert!(both.is_balanced());
        assert_eq!((both.read, both.loaded, both.rejected, both.in_flight), (20, 8, 2, 3));
    }

    #[test]
    fn a_lost_record_unbalances_the_counters() {
        let mut progress = Progress::default();
        let partition = PartitionId(0);
        let epoch = progress.ledger.assign(partition);
        let chunk = chunk(9);
        progress.chunk_read(partition, epoch, &chunk);
        assert!(!progress.counters.is_balanced());
    }
}
