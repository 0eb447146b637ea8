//! The newest of records that come in any order, in bounded memory.

use crate::{Offset, OwnedRecord, PartitionId};

/// What records are ordered by, the newest last.
pub(super) type Age = (Option<i64>, PartitionId, Offset);

pub(super) fn age(record: &OwnedRecord) -> Age {
    (record.timestamp_ms, record.partition, record.offset)
}

/// The newest records of those that were added.
#[derive(Debug)]
pub(super) struct Newest {
    records: Vec<OwnedRecord>,
    count_max: usize,
    bytes_max: usize,
    /// Of all that are held, also those that are too many.
    bytes: usize,
}

impl Newest {
    pub(super) fn new(count_max: usize, bytes_max: usize) -> Newest {
        Newest { records: Vec::new(), count_max, bytes_max, bytes: 0 }
    }

    pub(super) fn add(&mut self, record: OwnedRecord) {
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
    pub(super) fn cut(&mut self) -> Option<Age> {
        self.trim();
        self.records.last().filter(|_| self.records.len() >= self.count_max).map(age)
    }

    /// All of them, oldest first.
    pub(super) fn finish(mut self) -> Vec<OwnedRecord> {
        self.trim();
        self.records.reverse();
        self.records
    }
}

/// What a header takes beside its bytes, about.
const HEADER_BYTES: usize = size_of::<(String, Option<Vec<u8>>)>();

/// Memory of a record's key, value and headers.
fn bytes(record: &OwnedRecord) -> usize {
    let of = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
    let headers = record.headers.iter();
    let headers: usize = headers.map(|(name, value)| HEADER_BYTES + name.len() + of(value)).sum();
    of(&record.key) + of(&record.payload) + headers
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
    fn everything_of_a_record_counts() {
        let with = |key: Option<&str>, headers: &[(&str, Option<&str>)]| OwnedRecord {
            key: key.map(|key| key.as_bytes().to_vec()),
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.map(|value| value.as_bytes().to_vec())))
                .collect(),
            ..record(0, 0, 0, 100)
        };
        assert_eq!(bytes(&with(None, &[])), 100);
        assert_eq!(bytes(&with(Some("0123456789"), &[])), 110);
        let headers = [("trace", Some("0123456789")), ("none", None)];
        assert_eq!(bytes(&with(None, &headers)), 119 + 2 * HEADER_BYTES);

        let large = "v".repeat(400);
        let mut newest = Newest::new(100, 1_000);
        for offset in 0..50 {
            let headers = [(large.as_str(), Some(large.as_str()))];
            let record = with(None, &headers);
            newest.add(OwnedRecord { offset: Offset(offset), timestamp_ms: Some(offset), ..record });
        }
        assert_eq!(offsets(newest), [49], "900 bytes each, of which nearly all are in a header");
    }
}
