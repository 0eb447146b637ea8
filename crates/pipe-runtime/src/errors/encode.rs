//! Records of the error table to rows.

use std::ops::Range;

use bytes::Bytes;
use housepipe_ch_sink::{KeptRecord, RecordId};
use housepipe_schema_registry::parse_framing;
use housepipe_transform::{Encoder, Reject};

/// Encoded rows, and which record each came from.
#[derive(Debug, Default)]
pub(super) struct Batch {
    body: Vec<u8>,
    ends: Vec<usize>,
    ids: Vec<RecordId>,
}

/// A batch that is complete.
#[derive(Debug)]
pub(super) struct Rows {
    body: Bytes,
    ends: Vec<usize>,
    ids: Vec<RecordId>,
}

impl Batch {
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.body.len()
    }

    /// Appends the row of `record`, whose frame is taken off as a pipe does.
    pub(super) fn push(&mut self, encoder: &mut Encoder, record: &KeptRecord) -> Result<(), Reject> {
        encoder.encode(parse_framing(&record.raw).body(), &mut self.body)?;
        self.ends.push(self.body.len());
        self.ids.push(record.id.clone());
        Ok(())
    }

    pub(super) fn close(self) -> Rows {
        Rows { body: Bytes::from(self.body), ends: self.ends, ids: self.ids }
    }
}

impl Rows {
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whose rows `[start, end)` are.
    pub(super) fn ids(&self, rows: &Range<usize>) -> &[RecordId] {
        &self.ids[rows.clone()]
    }

    /// The encoded rows `[start, end)`.
    pub(super) fn slice(&self, rows: &Range<usize>) -> Bytes {
        let start_of = |row: usize| if row == 0 { 0 } else { self.ends[row - 1] };
        self.body.slice(start_of(rows.start)..start_of(rows.end))
    }
}
