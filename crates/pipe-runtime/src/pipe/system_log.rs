//! What happened to the pipe itself, for the error table: rows of the kind `system`.
//!
//! | code | what happened | partition and offset |
//! |---|---|---|
//! | `pipe_holds` | something must be mended; the pipe keeps its records and tries again by itself | |
//! | `destination_away` | nothing was stored for more than 30 s, and inserts are tried again | |
//! | `source_away` | Kafka has not answered for more than 30 s | |
//! | `partition_stopped` | a partition is not read any more; the message names the range that may be loaded | the partition, and where its group stands |
//! | `records_skipped` | retention removed records before they were read, and reading goes on behind them | the partition, and the first record that is gone |
//! | `log_truncated` | a broker has lost the end of a log that was read further already, and its earliest record is read next | the partition, and where it was read to |
//! | `new_lineage` | a tool or another program has set the offset, or the group has none and the table has rows; what is read from there on is loaded | the partition, and that offset |
//! | `topic_made_anew` | the topic was deleted and created anew, and the new one is read | |
//! | `pipe_failed` | the pipe has stopped as failed, its offsets kept | |
//!
//! Telling never waits: what happened goes into a queue, and [`system_writer`](super::system_writer) writes it when it can.
//! Of each code and partition one row is kept in a minute; the next one says how many were not.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use housepipe_ch_sink::ErrorRow;
use housepipe_kafka_source::{Offset, PartitionId};
use tokio::sync::{Notify, mpsc};

use super::record::Labels;

/// Rows that wait to be written, at most; what comes when so many wait is left out, and counted.
pub(super) const QUEUE_ROWS_MAX: usize = 256;

/// Bytes of a message that are kept, at most.
const MESSAGE_BYTES_MAX: usize = 4_096;

/// Time in which a code has one row for each partition, in milliseconds.
const REPEAT_MS: u64 = 60_000;

/// Codes and partitions whose last row is remembered, at most.
const REMEMBERED_MAX: usize = 4_096;

/// Time after which an end that is away is told of, in milliseconds; shorter hiccups are not.
const AWAY_MS: u64 = 30_000;

/// Time after which a failure is one of its own, in milliseconds: more than lies between two tries.
const FORGOTTEN_MS: u64 = 600_000;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum SystemCode {
    PipeHolds,
    DestinationAway,
    SourceAway,
    PartitionStopped,
    RecordsSkipped,
    LogTruncated,
    NewLineage,
    TopicMadeAnew,
    PipeFailed,
}

impl SystemCode {
    /// As it stands in the column `code`. Users select by it: it stays as it is.
    pub(super) const fn name(self) -> &'static str {
        match self {
            SystemCode::PipeHolds => "pipe_holds",
            SystemCode::DestinationAway => "destination_away",
            SystemCode::SourceAway => "source_away",
            SystemCode::PartitionStopped => "partition_stopped",
            SystemCode::RecordsSkipped => "records_skipped",
            SystemCode::LogTruncated => "log_truncated",
            SystemCode::NewLineage => "new_lineage",
            SystemCode::TopicMadeAnew => "topic_made_anew",
            SystemCode::PipeFailed => "pipe_failed",
        }
    }
}

/// A row, and when it happened.
#[derive(Debug)]
pub(super) struct SystemEvent {
    pub(super) row: ErrorRow,
    pub(super) at: Instant,
}

/// Takes what happened, and hands it to the writer.
#[derive(Debug)]
pub(super) struct SystemLog {
    labels: Labels,
    inner: Mutex<Inner>,
    /// The destination works, so that rows that wait may be tried now; or this is the end.
    pub(super) works: Arc<Notify>,
}

#[derive(Debug)]
struct Inner {
    /// None where nothing is written: without an error table, and at the end.
    queue: Option<mpsc::Sender<SystemEvent>>,
    told: Told,
    /// Rows that found the queue full since the last one that did not.
    left_out: u64,
    destination: Outage,
    source: Outage,
}

impl SystemLog {
    /// A log, and what is to be written; without an error table nobody reads that.
    pub(super) fn new(labels: Labels) -> (SystemLog, mpsc::Receiver<SystemEvent>) {
        let (sender, receiver) = mpsc::channel(QUEUE_ROWS_MAX);
        let inner = Inner {
            queue: Some(sender),
            told: Told::default(),
            left_out: 0,
            destination: Outage::default(),
            source: Outage::default(),
        };
        (SystemLog { labels, inner: Mutex::new(inner), works: Arc::default() }, receiver)
    }

    /// Something happened to the pipe as a whole.
    pub(super) fn tell(&self, code: SystemCode, message: &str) {
        self.lock().put(&self.labels, code, None, message, Instant::now());
    }

    /// Something happened to a partition, at an offset.
    pub(super) fn tell_of(&self, code: SystemCode, partition: PartitionId, offset: Offset, message: &str) {
        self.lock().put(&self.labels, code, Some((partition, offset)), message, Instant::now());
    }

    /// An insert failed and is tried again.
    pub(super) fn destination_fails(&self, reason: &str) {
        self.destination_fails_at(reason, Instant::now());
    }

    fn destination_fails_at(&self, reason: &str, now: Instant) {
        let mut inner = self.lock();
        if let Some(away) = inner.destination.fails(now) {
            let message = format!("nothing was stored for {away:.0?}, and inserts are tried again: {reason}");
            inner.put(&self.labels, SystemCode::DestinationAway, None, &message, now);
        }
    }

    /// Something was stored.
    pub(super) fn destination_works(&self) {
        self.lock().destination = Outage::default();
        self.works.notify_one();
    }

    /// Kafka has not answered for `away`, as `last` says.
    pub(super) fn source_fails(&self, away: Duration, last: &str) {
        let mut inner = self.lock();
        if inner.source.lasts(away) {
            let message = format!("kafka has not answered for {away:.0?}, and is asked again: {last}");
            inner.put(&self.labels, SystemCode::SourceAway, None, &message, Instant::now());
        }
    }

    /// Kafka answers.
    pub(super) fn source_works(&self) {
        self.lock().source = Outage::default();
    }

    /// Nothing is told any more. The writer ends with what it has.
    pub(super) fn end(&self) {
        self.lock().queue = None;
        self.works.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Hands a row to the writer, unless one of the kind was a moment ago. Nothing here waits, or locks.
    fn put(
        &mut self,
        labels: &Labels,
        code: SystemCode,
        place: Option<(PartitionId, Offset)>,
        message: &str,
        at: Instant,
    ) {
        let Some(queue) = &self.queue else { return };
        let Some(repetitions) = self.told.admits(code, place.map(|(partition, _)| partition), at) else {
            return;
        };
        let mut message = cut(message).to_owned();
        if repetitions > 0 {
            message.push_str(&format!("; {repetitions} more of the kind since the last row"));
        }
        if self.left_out > 0 {
            message.push_str(&format!("; {} rows before this one had no room", self.left_out));
        }
        let mut row = ErrorRow::system(&labels.pipe, &labels.topic, code.name(), &message);
        if let Some((partition, offset)) = place {
            (row.partition, row.offset) = (partition.0, offset.0);
        }
        match queue.try_send(SystemEvent { row, at }) {
            Ok(()) => self.left_out = 0,
            // Full, or nobody writes.
            Err(_) => self.left_out += 1,
        }
    }
}

/// The beginning of `message` that is kept.
fn cut(message: &str) -> &str {
    &message[..message.floor_char_boundary(MESSAGE_BYTES_MAX)]
}

/// When each code was told last of each partition.
#[derive(Debug, Default)]
struct Told {
    last: HashMap<(SystemCode, Option<PartitionId>), (Instant, u64)>,
}

impl Told {
    /// How many of the kind were not let through before this one; none where this is not either.
    fn admits(&mut self, code: SystemCode, partition: Option<PartitionId>, now: Instant) -> Option<u64> {
        let is_over = |at: Instant| now.saturating_duration_since(at) >= Duration::from_millis(REPEAT_MS);
        if let Some((at, repetitions)) = self.last.get_mut(&(code, partition)) {
            if !is_over(*at) {
                *repetitions += 1;
                return None;
            }
            let repeated = *repetitions;
            (*at, *repetitions) = (now, 0);
            return Some(repeated);
        }
        if self.last.len() >= REMEMBERED_MAX {
            self.last.retain(|_, (at, _)| !is_over(*at));
        }
        if self.last.len() >= REMEMBERED_MAX && partition.is_some() {
            return None;
        }
        self.last.insert((code, partition), (now, 0));
        Some(0)
    }
}

/// An end that may be away; told of once.
#[derive(Debug, Default)]
struct Outage {
    /// Its first failure, and the last one.
    since: Option<(Instant, Instant)>,
    is_told: bool,
}

impl Outage {
    /// It has failed again; how long it has by now, where that is to be told.
    fn fails(&mut self, now: Instant) -> Option<Duration> {
        let is_old =
            |last: Instant| now.saturating_duration_since(last) > Duration::from_millis(FORGOTTEN_MS);
        if self.since.is_some_and(|(_, last)| is_old(last)) {
            *self = Outage::default();
        }
        let (first, last) = self.since.get_or_insert((now, now));
        *last = now;
        let away = now.saturating_duration_since(*first);
        self.lasts(away).then_some(away)
    }

    /// It has failed for `away`; whether that is to be told.
    fn lasts(&mut self, away: Duration) -> bool {
        away >= Duration::from_millis(AWAY_MS) && !std::mem::replace(&mut self.is_told, true)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn log() -> (SystemLog, mpsc::Receiver<SystemEvent>) {
        SystemLog::new(Labels { pipe: "p".to_owned(), topic: "t".to_owned() })
    }

    fn taken(receiver: &mut mpsc::Receiver<SystemEvent>) -> Vec<(String, i32, i64, String)> {
        std::iter::from_fn(|| receiver.try_recv().ok())
            .map(|SystemEvent { row, .. }| (row.code, row.partition, row.offset, row.message))
            .collect()
    }

    #[test]
    fn codes_are_as_published() {
        let all = [
            SystemCode::PipeHolds,
            SystemCode::DestinationAway,
            SystemCode::SourceAway,
            SystemCode::PartitionStopped,
            SystemCode::RecordsSkipped,
            SystemCode::LogTruncated,
            SystemCode::NewLineage,
            SystemCode::TopicMadeAnew,
            SystemCode::PipeFailed,
        ];
        expect![[r"
            pipe_holds
            destination_away
            source_away
            partition_stopped
            records_skipped
            log_truncated
            new_lineage
            topic_made_anew
            pipe_failed"]]
        .assert_eq(&all.map(SystemCode::name).join("\n"));
    }

    #[test]
    fn one_row_of_a_kind_in_a_minute_and_the_next_one_counts_the_rest() {
        let (log, mut receiver) = log();
        let start = Instant::now();
        let tell = |partition, after_s| {
            let at = start + Duration::from_secs(after_s);
            let place = Some((PartitionId(partition), Offset(7)));
            log.lock().put(&log.labels, SystemCode::RecordsSkipped, place, "gone", at);
        };
        for (partition, after_s) in [(0, 0), (0, 1), (1, 2), (0, 59), (0, 60), (0, 120)] {
            tell(partition, after_s);
        }
        let row = |partition, message: &str| ("records_skipped".to_owned(), partition, 7, message.to_owned());
        assert_eq!(
            taken(&mut receiver),
            [
                row(0, "gone"),
                row(1, "gone"),
                row(0, "gone; 2 more of the kind since the last row"),
                row(0, "gone")
            ]
        );
    }

    #[test]
    fn a_full_queue_leaves_rows_out_and_says_so() {
        let (log, mut receiver) = log();
        let tell =
            |partition| log.tell_of(SystemCode::NewLineage, PartitionId(partition), Offset(0), "moved");
        (0..300).for_each(tell);
        assert_eq!(taken(&mut receiver).len(), QUEUE_ROWS_MAX);
        tell(300);
        let after = taken(&mut receiver);
        assert!(after[0].3.ends_with("44 rows before this one had no room"), "{after:?}");
        // What is remembered of partitions has a limit as well.
        (0..10_000).for_each(tell);
        assert_eq!(log.lock().told.last.len(), REMEMBERED_MAX);
    }

    #[test]
    fn an_outage_is_told_once_when_it_has_lasted() {
        let mut outage = Outage::default();
        let start = Instant::now();
        let mut fails = |after_s| outage.fails(start + Duration::from_secs(after_s)).is_some();
        assert_eq!([0, 29, 30, 31].map(&mut fails), [false, false, true, false]);
        // One failure an hour later is another outage.
        assert_eq!([3_600, 3_629, 3_630].map(&mut fails), [false, false, true]);
        let (log, mut receiver) = log();
        for after_s in [0, 29, 31, 32] {
            log.destination_fails_at("too many parts", start + Duration::from_secs(after_s));
        }
        let message = "nothing was stored for 31s, and inserts are tried again: too many parts";
        assert_eq!(taken(&mut receiver), [("destination_away".to_owned(), -1, -1, message.to_owned())]);
        for away_s in [1, 31, 32] {
            log.source_fails(Duration::from_secs(away_s), "no broker");
        }
        log.source_works();
        log.source_fails(Duration::from_secs(1), "no broker");
        let message = "kafka has not answered for 31s, and is asked again: no broker";
        assert_eq!(taken(&mut receiver), [("source_away".to_owned(), -1, -1, message.to_owned())]);
    }

    #[test]
    fn long_messages_are_cut_and_an_end_takes_no_more() {
        let (log, mut receiver) = log();
        log.tell(SystemCode::PipeHolds, &"ö".repeat(MESSAGE_BYTES_MAX));
        assert_eq!(taken(&mut receiver)[0].3.len(), MESSAGE_BYTES_MAX);
        log.end();
        log.tell(SystemCode::PipeFailed, "late");
        assert!(taken(&mut receiver).is_empty() && receiver.is_closed());
    }
}
