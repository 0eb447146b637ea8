//! A batch of one partition, or a part of one that ClickHouse refused as a whole.

use std::ops::Range;

use housepipe_ch_sink::cuts;
use housepipe_kafka_source::{Offset, PartitionId};

use super::batch::SealedBatch;
use super::isolate::CODE_REFUSED;
use super::look_back::Quiet;
use super::record::bare_error_row;
use super::replay_slot::ReplaySlot;
use super::shared::Shared;
use crate::delivery::{Cut, Lineage, Moment, Pending, Sealed};

/// What is prepared, inserted and committed as one.
#[derive(Debug)]
pub(super) struct Part {
    /// The range, as the core knows it.
    pub(super) sealed: Sealed,
    pub(super) batch: SealedBatch,
    /// The last part of its batch.
    pub(super) is_last: bool,
    /// The life of the partition's offsets that it belongs to.
    pub(super) lineage: Lineage,
    /// An earlier owner may have inserted it.
    pub(super) is_repetition: bool,
    /// When it was prepared again with the same token.
    pub(super) renewed: Option<Moment>,
    /// And by this process, which alone knows the new token of its rejects until it sends them.
    pub(super) is_renewed_here: bool,
    /// Since when no insert of it by an earlier owner was allowed, where its token may be forgotten.
    pub(super) quiet: Option<Quiet>,
    /// A reject whose record has to be read again for its bytes.
    pub(super) lacks_raw: bool,
    /// Of a range that was read again; the last part keeps it.
    pub(super) slot: Option<ReplaySlot>,
}

/// ClickHouse does not take a row.
#[derive(Debug, Clone)]
pub(super) struct RowsRefused {
    /// ClickHouse's words.
    pub(super) message: String,
    /// The row of the part that they name, counted from 0.
    pub(super) named: Option<usize>,
    /// The error row of the record, where the part was a single row.
    pub(super) row: Option<housepipe_ch_sink::ErrorRow>,
}

impl Part {
    /// Its pieces: the row that ClickHouse has named and what is before and behind it, or both halves. Each is prepared and
    /// inserted by itself.
    pub(super) fn divide(self, named: Option<usize>) -> Vec<Part> {
        let [first, second] = cuts(self.batch.row_count(), named);
        let (mut front, mut pieces) = (self, Vec::new());
        for row in [second, first] {
            if row > 0 && row < front.batch.row_count() {
                let [before, behind] = front.cut(row);
                front = before;
                pieces.push(behind);
            }
        }
        pieces.push(front);
        pieces.reverse();
        pieces
    }

    /// Cuts it before the row of this number.
    fn cut(self, row: usize) -> [Part; 2] {
        let Part { sealed, batch, is_last, lineage, slot, .. } = self;
        let (first, middle, second) = batch.cut(row);
        let part = |batch: SealedBatch, start, end, is_last, slot| Part {
            sealed: Sealed {
                start,
                end,
                rows: count(batch.row_count() as u64),
                rejects: count(batch.rejected),
                cut: Cut::Isolation,
                attempt: 0,
                first: None,
            },
            batch,
            is_last,
            lineage,
            is_repetition: false,
            renewed: None,
            is_renewed_here: false,
            quiet: None,
            lacks_raw: false,
            slot,
        };
        [part(first, sealed.start, middle, false, None), part(second, middle, sealed.end, is_last, slot)]
    }

    /// Its one row becomes a reject.
    pub(super) fn refuse(mut self, shared: &Shared, refusal: &RowsRefused) -> Part {
        let partition = self.partition();
        for offset in self.batch.drop_rows() {
            let mut row = match &refusal.row {
                Some(row) if row.offset == offset.0 => row.clone(),
                _ => bare_error_row(&shared.setup.labels, partition, offset, CODE_REFUSED),
            };
            row.message.clone_from(&refusal.message);
            self.batch.add_reject(row);
        }
        self.sealed = Sealed {
            rows: 0,
            rejects: self.sealed.rejects + 1,
            cut: Cut::Isolation,
            attempt: 0,
            first: None,
            ..self.sealed
        };
        self.is_repetition = false;
        self
    }

    /// Where the range was recorded as a row that ClickHouse had refused, it is that again.
    pub(super) fn refuse_as_recorded(&mut self, shared: &Shared, pending: &Pending) {
        let is_refused = pending.cut == Cut::Isolation
            && pending.rows == 0
            && self.sealed.rows == 1
            && pending.rejects == self.sealed.rejects + 1;
        if !is_refused {
            return;
        }
        let partition = self.partition();
        for offset in self.batch.drop_rows() {
            let mut row = bare_error_row(&shared.setup.labels, partition, offset, CODE_REFUSED);
            "clickhouse refused the row; the process that was told why ended before it could keep the words"
                .clone_into(&mut row.message);
            self.batch.add_reject(row);
        }
        self.lacks_raw = true;
        self.sealed = Sealed { rows: 0, rejects: pending.rejects, cut: pending.cut, ..self.sealed };
    }

    /// Its offsets.
    pub(super) fn range(&self) -> Range<Offset> {
        self.sealed.start..self.sealed.end
    }

    fn partition(&self) -> PartitionId {
        self.batch.partition()
    }

    /// Drops it: the partition's next owner reads its records.
    pub(super) fn give_back(self, shared: &Shared) {
        shared.progress.lock().give_back(self.batch.records());
        self.recycle(shared);
    }

    /// Its buffers are free for another batch.
    pub(super) fn recycle(self, shared: &Shared) {
        if self.is_last {
            shared.give_back(self.batch.into_buffers(shared.setup.batch_bytes_max));
        }
    }
}

/// A count of rows, which a batch bounds far below.
fn count(rows: u64) -> u32 {
    u32::try_from(rows).unwrap_or(u32::MAX)
}
