//! The newest records of a topic.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::lookup::Event;
use crate::topic::Probe;
use crate::{Offset, OwnedRecord, PartitionId, SourceConfig, SourceError};

/// Records that one sample may ask for.
const SAMPLE_RECORDS_MAX: usize = 10_000;

/// Bytes of keys and values in a sample, at most (128 MiB): there are fewer records where they are so large. One record may
/// be larger by itself. Twice as many are held while they are read.
const SAMPLE_BYTES_MAX: usize = 128 << 20;

/// How far back a partition is looked at where the newest offsets hold no records (markers of transactions, gaps of
/// compaction): this many times the wanted number, at most.
const LOOK_BACK_FACTOR_MAX: i64 = 64;

/// How much further back each look goes.
const FURTHER_FACTOR: i64 = 4;

/// The newest `n` records over all partitions, oldest first; at most 10,000, and fewer where they have more than 128 MiB.
/// Joins no group and commits nothing.
///
/// "Newest" is by timestamp, as far as those of a partition ascend.
///
/// # Errors
/// As [`describe_topic`](crate::describe_topic), and [`SourceError::Request`] where the records do not come within
/// `timeout`.
pub fn sample(config: &SourceConfig, n: usize, timeout: Duration) -> Result<Vec<OwnedRecord>, SourceError> {
    let deadline = Instant::now() + timeout;
    let wanted = i64::try_from(n.min(SAMPLE_RECORDS_MAX)).unwrap_or(i64::MAX);
    let probe = Probe::with_group(config)?;
    let info = probe.describe(timeout)?;
    let mut newest = Newest::new(n.min(SAMPLE_RECORDS_MAX), SAMPLE_BYTES_MAX);
    if wanted == 0 {
        return Ok(newest.finish());
    }
    let mut tails = Vec::new();
    for number in (0_i32..).take(info.partitions) {
        let partition = PartitionId(number);
        let (low, high) = probe.watermarks(partition, deadline)?;
        if low < high {
            tails.push(Tail { partition, low, high, from: high, first: None });
        }
    }
    // As if the newest records were spread evenly, and then further back wherever they are not.
    let share = wanted / i64::try_from(tails.len().max(1)).unwrap_or(i64::MAX) + 1;
    let mut distance = share.saturating_mul(2);
    loop {
        let cut = newest.cut();
        let further: Vec<&mut Tail> = tails.iter_mut().filter(|tail| tail.needs_more(cut, wanted)).collect();
        if further.is_empty() {
            return Ok(newest.finish());
        }
        read(&probe, further, distance, &mut newest, deadline)?;
        distance = distance.saturating_mul(FURTHER_FACTOR);
    }
}

/// What records are ordered by, the newest last.
type Age = (Option<i64>, PartitionId, Offset);

fn age(record: &OwnedRecord) -> Age {
    (record.timestamp_ms, record.partition, record.offset)
}

/// The end of a partition, as far as it was read.
#[derive(Debug)]
struct Tail {
    partition: PartitionId,
    /// The log is `[low, high)`.
    low: i64,
    high: i64,
    /// `[from, high)` was read.
    from: i64,
    /// The first record there.
    first: Option<Age>,
}

impl Tail {
    /// Whether there may be records before those that were read which belong to the newest, of which `cut` is the oldest
    /// so far; none where there are too few yet.
    fn needs_more(&self, cut: Option<Age>, wanted: i64) -> bool {
        let has_more =
            self.from > self.low && self.high - self.from < wanted.saturating_mul(LOOK_BACK_FACTOR_MAX);
        has_more
            && match (self.first, cut) {
                (Some(first), Some(cut)) => first >= cut,
                _ => true,
            }
    }
}

/// The newest records of those that were added.
#[derive(Debug)]
struct Newest {
    records: Vec<OwnedRecord>,
    count_max: usize,
    bytes_max: usize,
    /// Of all that are held, also those that are too many.
    bytes: usize,
}

impl Newest {
    fn new(count_max: usize, bytes_max: usize) -> Newest {
        Newest { records: Vec::new(), count_max, bytes_max, bytes: 0 }
    }

    fn add(&mut self, record: OwnedRecord) {
        self.bytes += bytes(&record);
        self.records.push(record);
        if self.bytes > 2 * self.bytes_max {
            self.trim();
        }
    }

    /// Drops the oldest that are too many. What did not fit will not fit later.
    fn trim(&mut self) {
        self.records.sort_by_key(|record| std::cmp::Reverse(age(record)));
        self.records.truncate(self.count_max);
        let (mut total, mut fit) = (0, 0);
        for record in &self.records {
            total += bytes(record);
            if total > self.bytes_max && fit > 0 {
                total -= bytes(record);
                self.count_max = fit;
                break;
            }
            fit += 1;
        }
        self.records.truncate(fit);
        self.bytes = total;
    }

    /// The oldest of them; none where more have room.
    fn cut(&mut self) -> Option<Age> {
        self.trim();
        self.records.last().filter(|_| self.records.len() >= self.count_max).map(age)
    }

    /// All of them, oldest first.
    fn finish(mut self) -> Vec<OwnedRecord> {
        self.trim();
        self.records.reverse();
        self.records
    }
}

fn bytes(record: &OwnedRecord) -> usize {
    record.key.as_ref().map_or(0, Vec::len) + record.payload.as_ref().map_or(0, Vec::len)
}

/// Reads what lies before the part of each tail that was read, down to `distance` before its end.
fn read(
    probe: &Probe<'_>,
    tails: Vec<&mut Tail>,
    distance: i64,
    newest: &mut Newest,
    deadline: Instant,
) -> Result<(), SourceError> {
    let mut open: BTreeMap<PartitionId, (&mut Tail, i64)> = BTreeMap::new();
    let mut places = Vec::new();
    for tail in tails {
        let end = tail.from;
        tail.from = (tail.high - distance).max(tail.low).min(end);
        places.push((tail.partition, Offset(tail.from)));
        // What comes first now is older than what came first before.
        tail.first = None;
        open.insert(tail.partition, (tail, end));
    }
    probe.start(&places)?;
    while !open.is_empty() {
        match probe.next(deadline)? {
            Event::Record(record) => {
                let partition = record.partition;
                let Some((tail, end)) = open.get_mut(&partition) else { continue };
                if record.offset.0 < *end {
                    tail.first.get_or_insert(age(&record));
                    newest.add(record);
                    continue;
                }
                open.remove(&partition);
            }
            Event::End(partition) => {
                open.remove(&partition);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(partition: i32, offset: i64, timestamp_ms: i64, bytes: usize) -> OwnedRecord {
        OwnedRecord {
            partition: PartitionId(partition),
            offset: Offset(offset),
            timestamp_ms: Some(timestamp_ms),
            key: None,
            payload: Some(vec![b'x'; bytes]),
            headers: Vec::new(),
        }
    }

    fn offsets(newest: Newest) -> Vec<i64> {
        newest.finish().iter().map(|record| record.offset.0).collect()
    }

    #[test]
    fn the_newest_are_kept_whatever_came_first() {
        let mut newest = Newest::new(3, 1_000);
        for offset in [5, 1, 4, 2, 3] {
            newest.add(record(0, offset, offset, 1));
            assert_eq!(newest.cut().is_some(), newest.records.len() == 3);
        }
        assert_eq!(offsets(newest), [3, 4, 5]);
    }

    #[test]
    fn large_records_are_fewer_and_one_is_always_there() {
        let mut newest = Newest::new(100, 1_000);
        for offset in 0..50 {
            newest.add(record(0, offset, offset, 300));
            assert!(newest.bytes <= 2_000);
        }
        assert!(newest.cut().is_some(), "there is no room for older ones");
        assert_eq!(offsets(newest), [47, 48, 49]);
        let mut newest = Newest::new(100, 1_000);
        newest.add(record(0, 1, 1, 5_000));
        newest.add(record(0, 2, 2, 5_000));
        assert_eq!(offsets(newest), [2]);
    }

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
            (tail(900, None), cut, true, "a gap says nothing"),
            (tail(0, Some(80)), cut, false, "there is no more"),
        ] {
            assert_eq!(tail.needs_more(cut, 100), needs_more, "{why}");
        }
        assert!(!tail(360, None).needs_more(None, 10), "a long gap is given up");
    }
}
