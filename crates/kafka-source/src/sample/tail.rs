//! The end of a partition, read from further back until enough is known of it.

use std::collections::BTreeMap;

use super::newest::Age;
use crate::log::LogRange;
use crate::{Offset, OwnedRecord, PartitionId};

/// How far back a partition is looked at where the newest offsets hold no records (markers of transactions, gaps of
/// compaction): this many times the wanted number, at most.
const LOOK_BACK_FACTOR_MAX: i64 = 64;

/// The end of a partition, as far as it was read.
#[derive(Debug)]
pub(super) struct Tail {
    pub(super) partition: PartitionId,
    /// The log is `[low, high)`.
    low: i64,
    high: i64,
    /// `[from, high)` was read.
    from: i64,
    /// The first record there.
    first: Option<Age>,
}

impl Tail {
    /// Nothing of it is read yet.
    pub(super) fn new(partition: PartitionId, log: LogRange) -> Tail {
        Tail { partition, low: log.start.0, high: log.end.0, from: log.end.0, first: None }
    }

    /// Whether there may be records before those that were read which belong to the newest, of which `cut` is the oldest
    /// so far; none where there are too few yet.
    pub(super) fn needs_more(&self, cut: Option<Age>, wanted: i64) -> bool {
        let has_more =
            self.from > self.low && self.high - self.from < wanted.saturating_mul(LOOK_BACK_FACTOR_MAX);
        has_more
            && match (self.first, cut) {
                // Where it is the cut itself, those before it are older.
                (Some(first), Some(cut)) => first > cut,
                _ => true,
            }
    }

    /// What lies before the part that was read, down to `distance` before the end.
    pub(super) fn further(&mut self, distance: i64) -> Stretch<'_> {
        let end = self.from;
        self.from = self.high.saturating_sub(distance).max(self.low).min(end);
        // What comes first now is older than what came first before.
        self.first = None;
        Stretch { next: self.from, end, tail: self }
    }
}

/// A part of a tail that is being read.
#[derive(Debug)]
pub(super) struct Stretch<'t> {
    tail: &'t mut Tail,
    /// The record that comes next.
    next: i64,
    end: i64,
}

impl Stretch<'_> {
    /// Where to read on.
    pub(super) fn position(&self) -> Offset {
        Offset(self.next)
    }

    /// Whether the record at `next` is not of it any more.
    pub(super) fn is_over(&self) -> bool {
        self.next >= self.end
    }

    /// A record has come. It is given back where it belongs to the stretch.
    pub(super) fn take(&mut self, record: OwnedRecord, age: Age) -> Option<OwnedRecord> {
        let at = record.offset.0;
        self.next = at.saturating_add(1);
        if at >= self.end {
            return None;
        }
        self.tail.first.get_or_insert(age);
        Some(record)
    }

    /// The log is `log` by now; whether that moves the position.
    fn adjust(&mut self, log: LogRange) -> bool {
        self.tail.low = log.start.0;
        let before = self.next;
        self.next = if self.next > log.end.0 { self.end } else { self.next.max(log.start.0) };
        self.next != before
    }
}

/// Takes what the logs have lost meanwhile out of what is open; whether that moves anything.
pub(super) fn adjust(
    open: &mut BTreeMap<PartitionId, Stretch<'_>>,
    logs: &[(PartitionId, LogRange)],
) -> bool {
    let mut is_moved = false;
    for (partition, log) in logs {
        if let Some(stretch) = open.get_mut(partition) {
            is_moved |= stretch.adjust(*log);
        }
    }
    open.retain(|_, stretch| !stretch.is_over());
    is_moved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_read_on_while_it_may_have_newer_records() {
        let tail = |from, first: Option<i64>| Tail {
            partition: PartitionId(0),
            low: 0,
            high: 1_000,
            from,
            first: first.map(|timestamp| (Some(timestamp), PartitionId(0), Offset(from))),
        };
        let cut = Some((Some(70), PartitionId(1), Offset(9)));
        for (tail, cut, needs_more, why) in [
            (tail(1_000, None), None, true, "nothing was read"),
            (tail(900, Some(80)), None, true, "there are too few"),
            (tail(900, Some(80)), cut, true, "all that was read is newer"),
            (tail(900, Some(60)), cut, false, "older ones were seen"),
            (tail(900, Some(80)), tail(900, Some(80)).first, false, "the oldest is its own"),
            (tail(900, None), cut, true, "a gap says nothing"),
            (tail(0, Some(80)), cut, false, "there is no more"),
        ] {
            assert_eq!(tail.needs_more(cut, 100), needs_more, "{why}");
        }
        assert!(!tail(360, None).needs_more(None, 10), "a long gap is given up");
    }

    fn log(start: i64, end: i64) -> LogRange {
        LogRange { start: Offset(start), end: Offset(end) }
    }

    fn record(offset: i64) -> OwnedRecord {
        OwnedRecord {
            partition: PartitionId(0),
            offset: Offset(offset),
            timestamp_ms: Some(offset),
            key: None,
            payload: None,
            headers: Vec::new(),
        }
    }

    #[test]
    fn each_look_goes_on_before_the_last_one() {
        let mut tail = Tail::new(PartitionId(0), log(10, 100));
        for (distance, next, end) in [(20, 80, 100), (80, 20, 80), (320, 10, 20)] {
            let mut stretch = tail.further(distance);
            assert_eq!((stretch.next, stretch.end), (next, end));
            for offset in next..end {
                assert!(!stretch.is_over());
                let age = (Some(offset), PartitionId(0), Offset(offset));
                assert!(stretch.take(record(offset), age).is_some());
            }
            assert!(stretch.is_over());
            assert_eq!(tail.first, Some((Some(next), PartitionId(0), Offset(next))));
        }
        assert!(!tail.needs_more(None, 1_000));
    }

    #[test]
    fn a_record_behind_the_stretch_ends_it() {
        let mut tail = Tail::new(PartitionId(0), log(0, 100));
        let mut stretch = tail.further(10);
        assert!(stretch.take(record(100), (None, PartitionId(0), Offset(100))).is_none());
        assert!(stretch.is_over());
        assert_eq!(tail.first, None);
    }

    #[test]
    fn what_a_log_has_lost_is_not_read() {
        let mut tails: Vec<Tail> = (0..4).map(|number| Tail::new(PartitionId(number), log(0, 100))).collect();
        let mut open: BTreeMap<PartitionId, Stretch<'_>> =
            tails.iter_mut().map(|tail| (tail.partition, tail.further(50))).collect();
        let logs: Vec<_> =
            (0..).map(PartitionId).zip([log(0, 120), log(60, 120), log(110, 120), log(0, 7)]).collect();
        assert!(adjust(&mut open, &logs));
        let left: Vec<_> =
            open.iter().map(|(partition, stretch)| (partition.0, stretch.position().0)).collect();
        assert_eq!(left, [(0, 50), (1, 60)], "of one everything is gone, and one is another log");
        assert!(!adjust(&mut open, &logs), "that is known by now");
        drop(open);
        assert!(!tails[2].needs_more(None, 1_000), "there is nothing further back");
    }
}
