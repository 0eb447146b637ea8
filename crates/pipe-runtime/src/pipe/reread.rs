//! Which records are read from Kafka again next: as many at a time as fit into memory, and as come in time.

use std::collections::BTreeMap;

use housepipe_kafka_source::{Offset, PartitionId};

/// Records that are read again at a time, at most; each may need a fetch of its own.
const RECORDS_MAX: usize = 8;

/// Bytes of the records that are read again at a time, about, as far as those before them tell. Their error rows take as
/// much once more.
const BYTES_MAX: usize = 8 << 20;

/// A record that is wanted, and why ClickHouse has refused it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) offset: Offset,
    pub(super) message: String,
}

/// What is left to read again. Whatever was read stays read, so that a slow source delays it and never keeps it from
/// coming to its end.
#[derive(Debug)]
pub(super) struct Reread {
    left: BTreeMap<PartitionId, Vec<Wanted>>,
    /// How many are read next, and may be.
    records: usize,
    records_max: usize,
    /// The largest record so far, in bytes.
    largest_bytes: usize,
}

impl Reread {
    pub(super) fn of(wanted: impl IntoIterator<Item = (PartitionId, Wanted)>) -> Reread {
        let mut left: BTreeMap<PartitionId, Vec<Wanted>> = BTreeMap::new();
        for (partition, wanted) in wanted {
            left.entry(partition).or_default().push(wanted);
        }
        for wanted in left.values_mut() {
            // The next ones are the last.
            wanted.sort_by_key(|wanted| std::cmp::Reverse(wanted.offset));
        }
        // One, until there is one that tells how large they are.
        Reread { left, records: 1, records_max: RECORDS_MAX, largest_bytes: 0 }
    }

    /// The records of one partition to read next, in order. The same ones come again until they are [`found`](Self::found).
    pub(super) fn next(&self) -> Option<(PartitionId, Vec<Wanted>)> {
        let (partition, left) = self.left.first_key_value()?;
        Some((*partition, left.iter().rev().take(self.records).cloned().collect()))
    }

    /// The records that [`next`](Self::next) said were read, or are gone; the largest of them had so many bytes.
    pub(super) fn found(&mut self, largest_bytes: usize) {
        if let Some(mut first) = self.left.first_entry() {
            let left = first.get().len().saturating_sub(self.records);
            first.get_mut().truncate(left);
            if left == 0 {
                first.remove();
            }
        }
        self.largest_bytes = self.largest_bytes.max(largest_bytes);
        let fit = BYTES_MAX / self.largest_bytes.max(1);
        self.records = (2 * self.records).min(self.records_max).min(fit).max(1);
    }

    /// They were not read, perhaps for want of time: fewer are tried at a time from now on.
    pub(super) fn failed(&mut self) {
        self.records_max = (self.records / 2).max(1);
        self.records = self.records_max;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scattered(count: i64) -> impl Iterator<Item = (PartitionId, Wanted)> {
        (0..count).map(move |index| {
            let wanted = Wanted { offset: Offset(1_000 * (count - index)), message: String::new() };
            (PartitionId(i32::try_from(index % 3).unwrap()), wanted)
        })
    }

    /// Reads all of them from a source that needs so long for each; returns how often it was asked, and the most records
    /// that came at a time.
    fn read_all(count: i64, ms_each: u64, bytes: impl Fn(Offset) -> usize) -> (usize, usize) {
        const TIMEOUT_MS: u64 = 30_000;
        let mut reread = Reread::of(scattered(count));
        let (mut seen, mut asked, mut most) = (Vec::new(), 0, 0);
        while let Some((partition, wanted)) = reread.next() {
            asked += 1;
            assert!(asked < 10_000, "it does not come to its end");
            assert!(wanted.is_sorted_by_key(|wanted| wanted.offset));
            if wanted.len() as u64 * ms_each > TIMEOUT_MS {
                reread.failed();
                continue;
            }
            most = most.max(wanted.len());
            reread.found(wanted.iter().map(|wanted| bytes(wanted.offset)).max().unwrap());
            seen.extend(wanted.into_iter().map(|wanted| (partition, wanted.offset)));
        }
        let mut all: Vec<_> =
            scattered(count).map(|(partition, wanted)| (partition, wanted.offset)).collect();
        seen.sort_unstable();
        all.sort_unstable();
        assert_eq!(seen, all, "each of them once");
        (asked, most)
    }

    #[test]
    fn a_source_that_is_slow_for_each_record_delays_and_does_not_stop() {
        assert_eq!(read_all(1_000, 1, |_| 100), (128, 8));
        // So slow that eight do not come in time, nor four: once each.
        let (asked, most) = read_all(1_000, 8_000, |_| 100);
        assert_eq!(most, 2);
        assert!(asked < 520, "{asked}");
        assert_eq!(read_all(1_000, 29_999, |_| 100).1, 1);
    }

    #[test]
    fn large_records_come_few_at_a_time() {
        assert_eq!(read_all(100, 1, |_| 3 << 20).1, 2);
        assert_eq!(read_all(100, 1, |_| 64 << 20), (100, 1));
        // One that is larger than those before it is among few.
        let (_, most) = read_all(100, 1, |offset| if offset.0 == 50_000 { 64 << 20 } else { 10 });
        assert_eq!(most, 8);
    }
}
