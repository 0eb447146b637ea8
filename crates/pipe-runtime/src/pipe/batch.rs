//! A batch in the making, and a sealed one.

use std::ops::Range;
use std::time::Instant;

use bytes::Bytes;
use housepipe_ch_sink::{ErrorRow, may_divide};
use housepipe_kafka_source::{Offset, PartitionId};

use crate::delivery::{BatchId, Epoch, JudgedBatch, Span};

/// Bytes that a batch's buffer may keep between two batches beyond its configured size, at most: one very long
/// record must not hold memory for ever.
const SPARE_BYTES_MAX: usize = 16 << 20;

/// Memory that a reject or one of its headers needs besides its text, in bytes, generously.
const REJECT_BYTES: usize = 512;

/// Memory that a row needs besides its bytes, in bytes: where it ends, and the offset of its record.
const ROW_BYTES: usize = size_of::<usize>() + size_of::<i64>();

/// Memory of a timestamp, in bytes.
const STAMP_BYTES: usize = size_of::<Stamp>();

/// Rows one behind the other whose records have the same timestamp: at high rates there are many in a millisecond.
#[derive(Debug, Clone, Copy)]
struct Stamp {
    first_row: usize,
    /// Milliseconds since 1970; [`NO_TIMESTAMP`] where the records have none.
    at_ms: i64,
}

/// As Kafka writes it.
const NO_TIMESTAMP: i64 = -1;

/// What a worker fills. Its buffers are reused from batch to batch.
#[derive(Debug, Default)]
pub(super) struct BatchBuilder {
    /// Encoded rows, one behind the other.
    body: Vec<u8>,
    /// End of each row in `body`.
    row_ends: Vec<usize>,
    /// Offset of each row's record.
    row_offsets: Vec<i64>,
    /// Which rows have which timestamp.
    stamps: Vec<Stamp>,
    /// Which rows come from which partition: the first row of each run.
    runs: Vec<(usize, PartitionId)>,
    spans: Vec<Span>,
    rejects: Vec<ErrorRow>,
    /// Memory of all that is beside the encoded rows, in bytes: what is known of each row, and the rejects.
    beside_bytes: usize,
    opened_at: Option<Instant>,
}

/// A closed batch: what one INSERT carries, and the rejects that go before it.
#[derive(Debug)]
pub(super) struct SealedBatch {
    pub(super) id: BatchId,
    pub(super) body: Bytes,
    pub(super) rejects: Vec<ErrorRow>,
    pub(super) rejected: u64,
    row_ends: Vec<usize>,
    row_offsets: Vec<i64>,
    stamps: Vec<Stamp>,
    runs: Vec<(usize, PartitionId)>,
    /// Rows of the batch that this was sealed as, or is a piece of.
    whole_rows: usize,
    /// As the rule on rejects knows it; none of a range that is read again.
    pub(super) judged: Option<JudgedBatch>,
}

impl BatchBuilder {
    /// Whether nothing was read into it.
    pub(super) fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Records that ended up here, rows and rejects.
    pub(super) fn records(&self) -> usize {
        self.row_ends.len() + self.rejects.len()
    }

    /// The records that could not be encoded.
    pub(super) fn rejects(&self) -> &[ErrorRow] {
        &self.rejects
    }

    /// Memory that counts against the batch's limit, in bytes: encoded rows, what is known of each, and kept raw bytes of rejects.
    pub(super) fn bytes(&self) -> usize {
        self.body.len() + self.beside_bytes
    }

    /// The part of it that is beside the encoded rows.
    pub(super) fn beside_bytes(&self) -> usize {
        self.beside_bytes
    }

    /// Memory that it holds, used or not, in bytes.
    pub(super) fn held_bytes(&self) -> usize {
        let of_rows = self.row_ends.len() * ROW_BYTES + self.stamps.len() * STAMP_BYTES;
        let room = self.row_ends.capacity() * size_of::<usize>()
            + self.row_offsets.capacity() * size_of::<i64>()
            + self.stamps.capacity() * STAMP_BYTES;
        self.body.capacity() + self.beside_bytes - of_rows + room
    }

    /// When its first record came in.
    pub(super) fn opened_at(&self) -> Option<Instant> {
        self.opened_at
    }

    /// Announces that rows of `partition` follow.
    pub(super) fn begin_run(&mut self, partition: PartitionId, now: Instant) {
        self.opened_at.get_or_insert(now);
        if self.runs.last().is_none_or(|(_, last)| *last != partition) {
            self.runs.push((self.row_ends.len(), partition));
        }
    }

    /// Takes the rows out, so that more are appended to them; [`set_body`](Self::set_body) brings them back.
    pub(super) fn take_body(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.body)
    }

    /// Brings the rows back, with others behind them that [`row_encoded`](Self::row_encoded) was told of.
    pub(super) fn set_body(&mut self, body: Vec<u8>) {
        debug_assert_eq!(self.row_ends.last().copied().unwrap_or(0), body.len());
        self.body = body;
    }

    /// The row that ends at `end` came from the record at `offset`, with this timestamp.
    pub(super) fn row_encoded(&mut self, end: usize, offset: Offset, timestamp_ms: Option<i64>) {
        let at_ms = timestamp_ms.map_or(NO_TIMESTAMP, |at_ms| at_ms.max(NO_TIMESTAMP));
        if self.stamps.last().is_none_or(|stamp| stamp.at_ms != at_ms) {
            self.stamps.push(Stamp { first_row: self.row_ends.len(), at_ms });
            self.beside_bytes += STAMP_BYTES;
        }
        self.beside_bytes += ROW_BYTES;
        self.row_ends.push(end);
        self.row_offsets.push(offset.0);
    }

    /// Keeps a record that could not be encoded.
    pub(super) fn reject(&mut self, row: ErrorRow) {
        let headers: usize =
            row.headers.iter().map(|(name, value)| name.len() + value.len() + REJECT_BYTES).sum();
        self.beside_bytes += REJECT_BYTES
            + row.raw_message.len()
            + row.key.as_ref().map_or(0, Vec::len)
            + row.message.len()
            + headers;
        self.rejects.push(row);
    }

    /// Records up to `end` of `partition` are in this batch.
    pub(super) fn extend_span(&mut self, partition: PartitionId, epoch: Epoch, start: Offset, end: Offset) {
        match self.spans.iter_mut().find(|span| span.partition == partition && span.epoch == epoch) {
            Some(span) => span.end = end,
            None => self.spans.push(Span { partition, epoch, start, end }),
        }
    }

    /// The parts of the partitions that it holds so far.
    pub(super) fn open_spans(&self) -> &[Span] {
        &self.spans
    }

    /// Closes the batch; the builder is used up.
    pub(super) fn seal(self, id: BatchId) -> SealedBatch {
        SealedBatch {
            id,
            body: Bytes::from(self.body),
            rejected: self.rejects.len() as u64,
            rejects: self.rejects,
            whole_rows: self.row_ends.len(),
            judged: None,
            row_ends: self.row_ends,
            row_offsets: self.row_offsets,
            stamps: self.stamps,
            runs: self.runs,
        }
    }
}

impl SealedBatch {
    /// Its first `rows` rows and the others, each with the rejects of its part of the partition. Of a batch of one
    /// partition with more rows than that. Also returns the offset with which the others begin.
    pub(super) fn cut(mut self, rows: usize) -> (SealedBatch, Offset, SealedBatch) {
        let middle = self.row_offsets[rows];
        let cut = self.start_of(rows);
        let row_ends: Vec<usize> = self.row_ends.split_off(rows).into_iter().map(|end| end - cut).collect();
        let row_offsets = self.row_offsets.split_off(rows);
        let stamps = self.stamps_from(rows);
        self.stamps.retain(|stamp| stamp.first_row < rows);
        let rejects = self.rejects.partition_point(|reject| reject.offset < middle);
        let rejects = self.rejects.split_off(rejects);
        let second = SealedBatch {
            id: self.id,
            body: self.body.split_off(cut),
            rejected: rejects.len() as u64,
            rejects,
            row_ends,
            row_offsets,
            stamps,
            runs: self.runs.iter().map(|(_, partition)| (0, *partition)).collect(),
            whole_rows: self.whole_rows,
            judged: self.judged,
        };
        self.rejected = self.rejects.len() as u64;
        (self, Offset(middle), second)
    }

    /// Takes the rows out of the batch, so that their records become rejects.
    pub(super) fn drop_rows(&mut self) -> Vec<Offset> {
        self.row_ends.clear();
        self.stamps.clear();
        self.body = Bytes::new();
        std::mem::take(&mut self.row_offsets).into_iter().map(Offset).collect()
    }

    /// Adds a reject in the order of the partition.
    pub(super) fn add_reject(&mut self, row: ErrorRow) {
        let place = self.rejects.partition_point(|reject| reject.offset < row.offset);
        self.rejects.insert(place, row);
        self.rejected += 1;
    }

    /// The partition of a batch of one.
    pub(super) fn partition(&self) -> PartitionId {
        self.runs.first().map_or(PartitionId(-1), |(_, partition)| *partition)
    }

    /// Rows and rejects.
    pub(super) fn records(&self) -> u64 {
        self.row_count() as u64 + self.rejected
    }

    pub(super) fn row_count(&self) -> usize {
        self.row_ends.len()
    }

    /// Whether `rows` rows of it that are of too many partitions of the table for one insert go in several.
    pub(super) fn may_divide(&self, rows: usize) -> bool {
        may_divide(rows, self.whole_rows)
    }

    /// Where row number `row` starts in the body; for the number of rows, where the last one ends.
    fn start_of(&self, row: usize) -> usize {
        if row == 0 { 0 } else { self.row_ends[row - 1] }
    }

    /// All rows, cut into half-open ranges of at most `bytes_max` each: what one INSERT may carry. A batch is nearly
    /// always one range; records much larger than those before them can make it longer. A single row that is larger
    /// stands alone.
    pub(super) fn inserts(&self, bytes_max: usize) -> Vec<Range<usize>> {
        let mut ranges = Vec::new();
        let mut start = 0;
        while start < self.row_count() {
            let limit = self.start_of(start).saturating_add(bytes_max);
            let end = self.row_ends.partition_point(|end| *end <= limit).max(start + 1);
            ranges.push(start..end);
            start = end;
        }
        ranges
    }

    /// The encoded rows `[start, end)`.
    pub(super) fn slice(&self, rows: &Range<usize>) -> Bytes {
        self.body.slice(self.start_of(rows.start)..self.start_of(rows.end))
    }

    /// Some rows of the batch: the first, the last and others between them, up to `rows_max`, and up to `bytes_max` bytes
    /// where the first is no larger. Also returns how many.
    pub(super) fn sample(&self, rows_max: usize, bytes_max: usize) -> (Bytes, u64) {
        let step = (self.row_count() / rows_max.max(1)).max(1);
        let others = (0..self.row_count()).step_by(step).chain(self.row_count().checked_sub(1));
        let (mut body, mut rows, mut last) = (Vec::new(), 0, None);
        for row in others {
            let bytes = self.slice(&(row..row + 1));
            if last == Some(row) || (rows > 0 && body.len() + bytes.len() > bytes_max) {
                continue;
            }
            body.extend_from_slice(&bytes);
            (rows, last) = (rows + 1, Some(row));
        }
        (Bytes::from(body), rows)
    }

    /// The timestamps of the rows from number `row` on, which is 0 then.
    fn stamps_from(&self, row: usize) -> Vec<Stamp> {
        let first = self.stamps.partition_point(|stamp| stamp.first_row <= row).saturating_sub(1);
        let stamps = self.stamps[first..].iter();
        stamps.map(|stamp| Stamp { first_row: stamp.first_row.saturating_sub(row), ..*stamp }).collect()
    }

    /// The timestamps of the records of the rows `[start, end)`, in milliseconds since 1970, each with the number of its rows; none
    /// for records without one.
    pub(super) fn timestamps(&self, rows: &Range<usize>) -> impl Iterator<Item = (Option<i64>, u64)> {
        let first = self.stamps.partition_point(|stamp| stamp.first_row <= rows.start).saturating_sub(1);
        let stamps = self.stamps[first..].iter().take_while(|stamp| stamp.first_row < rows.end);
        let ends = self.stamps[first..].iter().skip(1).map(|stamp| stamp.first_row).chain([rows.end]);
        stamps.zip(ends).map(|(stamp, end)| {
            let count = end.min(rows.end).saturating_sub(stamp.first_row.max(rows.start));
            ((stamp.at_ms != NO_TIMESTAMP).then_some(stamp.at_ms), count as u64)
        })
    }

    /// The offsets of the records of all rows.
    pub(super) fn row_offsets(&self) -> impl Iterator<Item = i64> {
        self.row_offsets.iter().copied()
    }

    /// Where row number `row` came from.
    pub(super) fn origin(&self, row: usize) -> (PartitionId, Offset) {
        let run = self.runs.partition_point(|(first, _)| *first <= row) - 1;
        (self.runs[run].1, Offset(self.row_offsets[row]))
    }

    /// Takes the buffers back for the next batch, where nobody else holds them any more.
    pub(super) fn into_buffers(self, bytes_max: usize) -> BatchBuilder {
        let body = if self.body.is_unique() && self.body.len() <= bytes_max.saturating_add(SPARE_BYTES_MAX) {
            let mut body = Vec::from(self.body);
            body.clear();
            body
        } else {
            Vec::new()
        };
        let mut builder = BatchBuilder {
            body,
            row_ends: self.row_ends,
            row_offsets: self.row_offsets,
            stamps: self.stamps,
            ..BatchBuilder::default()
        };
        builder.row_ends.clear();
        builder.row_offsets.clear();
        builder.stamps.clear();
        builder
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::Ledger;

    #[test]
    fn rows_know_their_bytes_and_their_origin() {
        let mut ledger = Ledger::default();
        let (a, b) = (PartitionId(0), PartitionId(7));
        let (epoch_a, epoch_b) = (ledger.assign(a), ledger.assign(b));
        let mut builder = BatchBuilder::default();
        let now = Instant::now();
        for (partition, epoch, offset, row) in [
            (a, epoch_a, 5, "one"),
            (a, epoch_a, 6, "two"),
            (b, epoch_b, 0, "three"),
            (a, epoch_a, 9, "four"),
        ] {
            builder.begin_run(partition, now);
            builder.body.extend_from_slice(row.as_bytes());
            builder.row_encoded(builder.body.len(), Offset(offset), Some(offset / 2));
            builder.extend_span(partition, epoch, Offset(offset), Offset(offset + 1));
        }
        assert_eq!(
            builder.open_spans(),
            [
                Span { partition: a, epoch: epoch_a, start: Offset(5), end: Offset(10) },
                Span { partition: b, epoch: epoch_b, start: Offset(0), end: Offset(1) }
            ]
        );
        let sealed = builder.seal(BatchId(1));
        assert_eq!(sealed.row_count(), 4);
        assert_eq!(sealed.slice(&(0..1)), "one");
        assert_eq!(sealed.slice(&(1..3)), "twothree");
        assert_eq!(sealed.slice(&(0..4)), "onetwothreefour");
        assert_eq!(sealed.origin(1), (a, Offset(6)));
        assert_eq!(sealed.origin(2), (b, Offset(0)));
        assert_eq!(sealed.origin(3), (a, Offset(9)));
    }

    #[test]
    fn what_is_known_of_each_row_counts() {
        let mut builder = BatchBuilder::default();
        for offset in 0..1_000_i64 {
            builder.body.push(b'x');
            // Ten rows of each timestamp.
            builder.row_encoded(builder.body.len(), Offset(offset), Some(offset / 10));
        }
        assert_eq!(builder.bytes(), 1_000 + 1_000 * 16 + 100 * 16);
        assert_eq!(builder.beside_bytes(), builder.bytes() - builder.body.len());
        let reserved = builder.held_bytes();
        assert!(reserved >= builder.bytes(), "{reserved}");
        builder.reject(ErrorRow::record("p", "t", 0, 1_000, "c"));
        assert_eq!(builder.held_bytes() - reserved, REJECT_BYTES);
        let back = builder.seal(BatchId(1)).into_buffers(1 << 20);
        assert_eq!((back.bytes(), back.held_bytes()), (0, reserved), "the room stays, and is held");
    }

    #[test]
    fn a_batch_is_cut_where_an_insert_would_be_too_large() {
        let mut builder = BatchBuilder::default();
        for (offset, bytes) in [(0, 3), (1, 3), (2, 3), (3, 10), (4, 1), (5, 1)] {
            builder.body.extend(std::iter::repeat_n(b'x', bytes));
            builder.row_encoded(builder.body.len(), Offset(offset), Some(offset / 2));
        }
        let sealed = builder.seal(BatchId(1));
        assert_eq!(sealed.inserts(6), [0..2, 2..3, 3..4, 4..6]);
        assert_eq!(sealed.inserts(100), vec![Range { start: 0, end: 6 }]);
        assert!(BatchBuilder::default().seal(BatchId(2)).inserts(6).is_empty());
    }

    /// A batch of partition 0: rows of three bytes, and rejects where `is_reject` says so.
    fn one_partition(offsets: std::ops::Range<i64>, is_reject: impl Fn(i64) -> bool) -> BatchBuilder {
        let mut builder = BatchBuilder::default();
        builder.begin_run(PartitionId(0), Instant::now());
        for offset in offsets {
            if is_reject(offset) {
                builder.reject(ErrorRow::record("p", "t", 0, offset, "c"));
            } else {
                builder.body.extend_from_slice(b"row");
                builder.row_encoded(builder.body.len(), Offset(offset), Some(offset / 2));
            }
        }
        builder
    }

    #[test]
    fn a_sample_has_the_first_row_and_the_last() {
        let sealed = one_partition(0..10, |_| false).seal(BatchId(1));
        assert_eq!(sealed.sample(3, 100), ("rowrowrowrow".into(), 4));
        assert_eq!(sealed.sample(100, 100), ("row".repeat(10).into(), 10));
        assert_eq!(sealed.sample(3, 1), ("row".into(), 1));
        assert_eq!(BatchBuilder::default().seal(BatchId(2)).sample(3, 1), (Bytes::new(), 0));
    }

    #[test]
    fn pieces_hold_their_own_rows_and_rejects() {
        let sealed = one_partition(0..7, |offset| offset == 1 || offset == 5).seal(BatchId(4));
        let (first, middle, second) = sealed.cut(2);
        assert_eq!(middle, Offset(3));
        assert_eq!((first.row_count(), first.rejected, second.row_count(), second.rejected), (2, 1, 3, 1));
        assert_eq!(first.slice(&(0..2)), "rowrow");
        assert_eq!(second.slice(&(1..3)), "rowrow");
        assert_eq!(second.origin(0), (PartitionId(0), Offset(3)));
        assert_eq!(second.origin(2), (PartitionId(0), Offset(6)));
        let (mut first, middle, _) = second.cut(1);
        assert_eq!(middle, Offset(4));
        assert_eq!(first.drop_rows(), [Offset(3)]);
        first.add_reject(ErrorRow::record("p", "t", 0, 3, "refused"));
        assert_eq!((first.row_count(), first.records()), (0, 1));
    }

    #[test]
    fn each_row_has_its_timestamp_wherever_a_batch_is_cut() {
        let whole = one_partition(0..9, |_| false).seal(BatchId(1));
        let of = |batch: &SealedBatch, rows: Range<usize>| -> Vec<i64> {
            let runs =
                batch.timestamps(&rows).map(|(at_ms, rows)| (at_ms.unwrap(), usize::try_from(rows).unwrap()));
            runs.flat_map(|(at_ms, rows)| vec![at_ms; rows]).collect()
        };
        let expected = |rows: Range<i64>| -> Vec<i64> { rows.map(|row| row / 2).collect() };
        for start in 0..=9_i64 {
            for end in start..=9 {
                let rows = usize::try_from(start).unwrap()..usize::try_from(end).unwrap();
                assert_eq!(of(&whole, rows), expected(start..end), "{start}..{end}");
            }
        }
        for cut in 1..9_i64 {
            let whole = one_partition(0..9, |_| false).seal(BatchId(1));
            let (first, _, second) = whole.cut(usize::try_from(cut).unwrap());
            assert_eq!(of(&first, 0..first.row_count()), expected(0..cut));
            assert_eq!(of(&second, 0..second.row_count()), expected(cut..9));
        }
    }

    #[test]
    fn a_batch_is_not_divided_into_any_number_of_pieces() {
        let whole = one_partition(0..6_400, |_| false).seal(BatchId(1));
        assert!(whole.may_divide(6_400) && whole.may_divide(101) && !whole.may_divide(100));
        let (first, _, second) = whole.cut(150);
        assert!(first.may_divide(150) && !second.may_divide(100), "a piece is of the whole batch still");
        let few = one_partition(0..3, |_| false).seal(BatchId(2));
        assert!(few.may_divide(2) && !few.may_divide(1), "a row is in one partition");
    }

    #[test]
    fn buffers_come_back_empty_and_keep_their_memory() {
        let mut builder = BatchBuilder::default();
        builder.body.reserve(4096);
        builder.body.extend_from_slice(b"row");
        builder.row_encoded(3, Offset(1), None);
        let back = builder.seal(BatchId(1)).into_buffers(4096);
        assert!(back.is_empty() && back.body.is_empty() && back.records() == 0);
        assert!(back.body.capacity() >= 4096);
    }
}
