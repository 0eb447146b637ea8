//! Where a partition stands between what is stored and the end of its log, and how far behind that is.

use std::collections::VecDeque;

use housepipe_kafka_source::{Offset, PartitionId};

use super::progress::{Chunk, PartitionProgress};

/// Where the reader of a partition stands, and where what it has read and not stored begins.
#[derive(Debug, Default, Clone)]
pub(super) struct Position {
    /// Where reading begins, as far as it is known; of use until something was read.
    begins: Option<Offset>,
    next: Option<Offset>,
    end: Option<Offset>,
    last_timestamp_ms: Option<i64>,
    /// The reader has stood at the end of the log at least once in this assignment.
    has_reached_end: bool,
    /// When the log was seen to grow behind a reader that had stood at its end.
    grew_at_ms: Option<i64>,
    /// An end that was behind what is stored when it was seen, and since when, until what is stored has come to it: how old that is at least, where no
    /// timestamp tells.
    behind: Option<(Offset, i64)>,
    /// Beginnings of batches that are not stored, in their order: as many as there are batches under way, and the open one.
    begun: VecDeque<Begun>,
    /// The last of them is of a batch that is still open.
    is_open: bool,
}

/// The first record of a batch.
#[derive(Debug, Clone, Copy)]
struct Begun {
    offset: Offset,
    timestamp_ms: Option<i64>,
}

impl Position {
    /// Of a partition that is read from `begins` on, so that nothing before it is behind; none says that its whole log is to be read.
    pub(super) fn from(begins: Option<Offset>) -> Position {
        Position { begins, ..Position::default() }
    }

    /// Nothing was read of it, and where reading begins is not known.
    pub(super) fn lacks_beginning(&self) -> bool {
        self.begins.is_none() && self.next.is_none()
    }

    /// Its log begins at `start`, and so does the reading of one that lacks a beginning.
    pub(super) fn begins_at(&mut self, start: Offset) {
        self.begins.get_or_insert(start);
    }

    /// Whether there is more in the log than was read, or nobody knows.
    pub(super) fn is_behind(&self) -> bool {
        self.known_end().is_none_or(|end| self.next < Some(end))
    }

    /// The end of the log, once it is known. One before the beginning of the reading is of another time: librdkafka tells what it knew of
    /// a partition that has come back until it has fetched of it again.
    fn known_end(&self) -> Option<Offset> {
        let is_old = |end: &Offset| self.next.is_none() && self.begins.is_some_and(|begins| *end < begins);
        self.end.filter(|end| !is_old(end))
    }

    /// A chunk of records went into the open batch.
    pub(super) fn read(&mut self, chunk: &Chunk) {
        if !self.is_open {
            self.is_open = true;
            self.begun.push_back(Begun { offset: chunk.first, timestamp_ms: chunk.first_timestamp_ms });
        }
        self.next = Some(chunk.next);
        self.last_timestamp_ms = chunk.last_timestamp_ms.or(self.last_timestamp_ms);
    }

    /// The open batch is closed.
    pub(super) fn sealed(&mut self) {
        self.is_open = false;
    }

    /// Of the batches that are closed, all but the last `unsettled` are stored.
    ///
    /// They are counted, since offsets do not tell: behind a gap (compaction, transactions) a batch begins higher than the one before it
    /// has ended, and in a log that was truncated lower.
    pub(super) fn settled(&mut self, unsettled: usize) {
        let left = unsettled + usize::from(self.is_open);
        let stored = self.begun.len().saturating_sub(left);
        drop(self.begun.drain(..stored));
    }

    /// The reader stands at the end of the log.
    pub(super) fn reached_end(&mut self, end: Offset) {
        self.next = Some(end);
        self.has_reached_end = true;
    }

    /// Whether the reader has stood at the end of the log at least once.
    pub(super) fn has_reached_end(&self) -> bool {
        self.has_reached_end
    }

    /// The log was seen to end at `end`.
    pub(super) fn ends_at(&mut self, end: Offset, now_ms: i64) {
        let stood_at_end = self.end.is_some() && self.next >= self.end;
        if stood_at_end && self.next < Some(end) {
            self.grew_at_ms = Some(now_ms);
        }
        self.end = Some(end);
        let stored = self.stored();
        let before = self.behind.filter(|(end, _)| stored < Some(*end));
        self.behind = (stored < self.end).then(|| before.unwrap_or((end, now_ms)));
    }

    /// The first record that is not stored.
    fn stored(&self) -> Option<Offset> {
        self.begun.front().map(|begun| begun.offset).or(self.next).or(self.begins)
    }

    /// Where it stands at `now_ms`, in milliseconds since 1970.
    pub(super) fn progress(&self, partition: PartitionId, now_ms: i64) -> PartitionProgress {
        let stored = self.stored();
        // What was read is not behind an end that was seen before it.
        let end = self.known_end().map(|end| self.next.map_or(end, |next| end.max(next)));
        let lag = stored.zip(end).map(|(stored, end)| u64::try_from(end.0 - stored.0).unwrap_or(0));
        let since = match self.begun.front() {
            Some(begun) => begun.timestamp_ms.or(self.last_timestamp_ms),
            None => self.last_timestamp_ms.max(self.grew_at_ms),
        };
        let since = since.or(self.behind.map(|(_, since)| since));
        PartitionProgress {
            partition: partition.0,
            position: self.next.map(|offset| offset.0),
            stored: stored.map(|offset| offset.0),
            end: end.map(|offset| offset.0),
            lag_records: lag,
            lag_seconds: match (lag, since) {
                (Some(0), _) => Some(0.0),
                #[expect(clippy::cast_precision_loss, reason = "an age in seconds, for display")]
                (Some(_), Some(since)) => Some(now_ms.saturating_sub(since).max(0) as f64 / 1_000.0),
                _ => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 100_000;

    /// Records `[first, next)`, each with the timestamp of a second for each offset.
    fn chunk(first: i64, next: i64) -> Chunk {
        Chunk {
            records: 0,
            kept: 0,
            bytes: 0,
            first: Offset(first),
            next: Offset(next),
            first_timestamp_ms: Some(first * 1_000),
            last_timestamp_ms: Some((next - 1) * 1_000),
        }
    }

    fn lag(position: &Position) -> (Option<u64>, Option<f64>) {
        lag_at(position, NOW_MS)
    }

    fn lag_at(position: &Position, now_ms: i64) -> (Option<u64>, Option<f64>) {
        let progress = position.progress(PartitionId(0), now_ms);
        (progress.lag_records, progress.lag_seconds)
    }

    #[test]
    fn what_is_read_and_not_stored_is_behind() {
        let mut position = Position::default();
        assert_eq!(lag(&position), (None, None));
        position.ends_at(Offset(50), NOW_MS);
        position.read(&chunk(10, 20));
        position.read(&chunk(20, 30));
        assert_eq!(
            lag(&position),
            (Some(40), Some(90.0)),
            "the record at 10 is the oldest that is not stored"
        );
        position.sealed();
        position.read(&chunk(30, 50));
        position.sealed();
        assert_eq!(lag(&position), (Some(40), Some(90.0)), "read to its end, and nothing of it is stored");
        position.settled(1);
        assert_eq!(lag(&position), (Some(20), Some(70.0)));
        assert_eq!(position.progress(PartitionId(0), NOW_MS).stored, Some(30));
        position.settled(0);
        assert_eq!(lag(&position), (Some(0), Some(0.0)));
    }

    #[test]
    fn a_partition_that_was_not_read_yet_is_behind_by_all_that_it_has() {
        let mut position = Position::from(Some(Offset(40)));
        assert!(!position.lacks_beginning() && position.is_behind());
        position.ends_at(Offset(50), NOW_MS - 9_000);
        position.ends_at(Offset(50), NOW_MS - 1_000);
        assert_eq!(lag(&position), (Some(10), Some(9.0)), "as old at least as they were seen");
        assert_eq!(position.progress(PartitionId(0), NOW_MS).position, None);
        position.read(&chunk(45, 50));
        assert_eq!(lag(&position).0, Some(5), "those before it are gone");
        position.sealed();
        position.settled(0);
        assert!(lag(&position).0 == Some(0) && !position.is_behind());

        let mut unknown = Position::from(None);
        unknown.ends_at(Offset(50), NOW_MS);
        assert!(unknown.lacks_beginning() && lag(&unknown) == (None, None));
        unknown.begins_at(Offset(20));
        unknown.begins_at(Offset(30));
        assert_eq!(lag(&unknown).0, Some(30), "reading begins where the log has begun");
        assert_eq!(lag_at(&unknown, NOW_MS + 4_000).1, Some(4.0));
    }

    #[test]
    fn what_no_timestamp_tells_is_as_old_as_it_was_seen() {
        let mut position = Position::from(Some(Offset(10)));
        position.ends_at(Offset(10), 10_000);
        assert_eq!(lag(&position), (Some(0), Some(0.0)));
        position.ends_at(Offset(12), 90_000);
        assert_eq!(lag(&position), (Some(2), Some(10.0)), "it grew while nothing was read of it");
        let untimed = Chunk { first_timestamp_ms: None, last_timestamp_ms: None, ..chunk(10, 12) };
        position.read(&untimed);
        assert_eq!(lag(&position), (Some(2), Some(10.0)));
        position.sealed();
        position.settled(0);
        position.ends_at(Offset(12), 95_000);
        position.ends_at(Offset(13), 99_000);
        assert_eq!(lag(&position), (Some(1), Some(1.0)));
    }

    #[test]
    fn a_reader_that_keeps_pace_is_not_further_behind_each_time() {
        let mut position = Position::from(Some(Offset(0)));
        for round in 0..10 {
            let (first, now_ms) = (round * 10, round * 1_000);
            position.ends_at(Offset(first + 15), now_ms);
            let lag = lag_at(&position, now_ms + 500).1;
            assert!(lag.is_some_and(|seconds| seconds <= 1.5), "{round}: {lag:?}");
            position.read(&Chunk {
                first_timestamp_ms: None,
                last_timestamp_ms: None,
                ..chunk(first, first + 10)
            });
            position.sealed();
            position.settled(0);
        }
        position.ends_at(Offset(105), 10_000);
        position.ends_at(Offset(105), 14_000);
        assert_eq!(lag_at(&position, 14_000).1, Some(4.0), "it stands");
        position.ends_at(Offset(1_000), 15_000);
        position.read(&Chunk { first_timestamp_ms: None, last_timestamp_ms: None, ..chunk(100, 500) });
        position.sealed();
        position.settled(0);
        position.ends_at(Offset(1_000), 20_000);
        position.read(&Chunk { first_timestamp_ms: None, last_timestamp_ms: None, ..chunk(500, 900) });
        position.sealed();
        position.settled(0);
        position.ends_at(Offset(1_000), 90_000);
        assert_eq!(
            lag_at(&position, 90_000).1,
            Some(70.0),
            "it moves, and has not come to what was there before"
        );
    }

    #[test]
    fn a_record_behind_a_pause_is_as_old_as_it_was_seen() {
        let mut position = Position::default();
        position.read(&chunk(0, 10));
        position.reached_end(Offset(10));
        position.ends_at(Offset(10), 20_000);
        position.sealed();
        position.settled(0);
        assert_eq!(lag(&position), (Some(0), Some(0.0)));
        position.ends_at(Offset(11), 98_000);
        assert_eq!(lag(&position), (Some(1), Some(2.0)), "and not as the record before the pause");
        position.ends_at(Offset(12), 99_000);
        assert_eq!(lag(&position), (Some(2), Some(2.0)));
    }

    #[test]
    fn a_backlog_is_as_old_as_its_records() {
        let mut position = Position::default();
        position.read(&chunk(0, 10));
        position.sealed();
        position.settled(0);
        position.ends_at(Offset(1_000), NOW_MS);
        assert_eq!(
            lag(&position),
            (Some(990), Some(91.0)),
            "the end is seen for the first time, and did not grow now"
        );
    }

    #[test]
    fn an_end_that_is_seen_late_is_not_before_the_reader() {
        let mut position = Position::default();
        position.ends_at(Offset(10), NOW_MS);
        position.read(&chunk(0, 20));
        assert_eq!(lag(&position), (Some(20), Some(100.0)));
    }

    #[test]
    fn a_batch_behind_a_gap_is_as_old_as_its_own_records() {
        let mut position = Position::default();
        position.read(&chunk(0, 50));
        position.sealed();
        // The marker of a transaction stands at 50.
        position.read(&chunk(51, 61));
        position.ends_at(Offset(62), NOW_MS);
        assert_eq!(lag(&position), (Some(62), Some(100.0)));
        position.settled(0);
        assert_eq!(lag(&position), (Some(11), Some(49.0)));
        assert_eq!(position.progress(PartitionId(0), NOW_MS).stored, Some(51));
        position.sealed();
        position.read(&chunk(70, 80));
        position.sealed();
        position.settled(2);
        assert_eq!(lag(&position).1, Some(49.0), "neither of them is stored");
        position.settled(1);
        assert_eq!(position.progress(PartitionId(0), NOW_MS).stored, Some(70));
        position.settled(0);
        assert_eq!(lag(&position), (Some(0), Some(0.0)));
    }

    #[test]
    fn an_end_before_the_beginning_is_none() {
        let mut position = Position::from(Some(Offset(40)));
        position.ends_at(Offset(30), NOW_MS);
        assert!(position.is_behind());
        let progress = position.progress(PartitionId(0), NOW_MS);
        assert_eq!((progress.end, progress.lag_records, progress.lag_seconds), (None, None, None));
        position.ends_at(Offset(70), NOW_MS);
        assert_eq!(lag(&position).0, Some(30));
        let mut truncated = Position::from(Some(Offset(40)));
        truncated.ends_at(Offset(30), NOW_MS);
        truncated.reached_end(Offset(30));
        assert_eq!(lag(&truncated), (Some(0), Some(0.0)), "the reader is there");
    }

    #[test]
    fn a_log_that_was_truncated_begins_anew() {
        let mut position = Position::default();
        position.ends_at(Offset(100), NOW_MS);
        position.read(&chunk(0, 100));
        position.sealed();
        position.read(&chunk(40, 60));
        position.sealed();
        position.settled(1);
        assert_eq!(position.progress(PartitionId(0), NOW_MS).stored, Some(40));
        position.settled(0);
        assert_eq!(position.progress(PartitionId(0), NOW_MS).stored, Some(60));
    }
}
