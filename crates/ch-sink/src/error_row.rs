//! One row of the error table.

use sha2::{Digest, Sha256};

use crate::row_binary::{put_bytes, put_length, put_nullable};

/// What an error row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RowKind {
    /// A record that could not be loaded.
    Record,
    /// The operation of the pipe itself.
    System,
    /// A record, or a batch of them, that a replay is about to load.
    Replay,
    /// A record, or a batch of them, that a replay has loaded.
    Replayed,
    /// A record, or a batch of them, that a replay was about to load and has not.
    ReplayDropped,
}

impl RowKind {
    /// As it stands in the column `kind`.
    pub const fn name(self) -> &'static str {
        match self {
            RowKind::Record => "record",
            RowKind::System => "system",
            RowKind::Replay => "replay",
            RowKind::Replayed => "replayed",
            RowKind::ReplayDropped => "replay_dropped",
        }
    }
}

/// A record that could not be loaded, or an error of the operation, as it goes into an [`ErrorTable`](crate::ErrorTable).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorRow {
    /// The pipe's name.
    pub pipe: String,
    /// What the row is about.
    pub kind: RowKind,
    /// A stable code of the reason.
    pub code: String,
    /// The reason in words.
    pub message: String,
    /// The column that was to be filled; empty where the reason is not about one.
    pub column: String,
    /// The topic.
    pub topic: String,
    /// The partition; -1 where there is none.
    pub partition: i32,
    /// The record's offset; -1 where there is none.
    pub offset: i64,
    /// The record's timestamp, in milliseconds since 1970.
    pub timestamp_ms: Option<i64>,
    /// The record's key, any bytes.
    pub key: Option<Vec<u8>>,
    /// The record's value, any bytes, up to [`ErrorRow::RAW_BYTES_MAX`]; see [`ErrorRow::set_raw`].
    pub raw_message: Vec<u8>,
    /// Length of the whole value, in bytes.
    pub raw_length: u64,
    /// SHA-256 of the whole value in lower-case hex where `raw_message` is cut; else empty.
    pub raw_hash: String,
    /// Names and values of the record's headers, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The schema's id, where the record named one.
    pub schema_id: Option<u32>,
    /// The token of the batch; empty where it had none.
    pub batch_token: String,
}

/// Milliseconds of 1900-01-01 and of the end of 2299: what DateTime64(3) holds. A record's timestamp is the producer's.
const TIMESTAMP_MS: std::ops::Range<i64> = -2_208_988_800_000..10_413_792_000_000;

impl ErrorRow {
    /// Bytes of a value that are kept, at most; of longer ones the beginning, the length and the hash.
    pub const RAW_BYTES_MAX: usize = 1 << 20;

    /// A row about the record at `offset` of a partition. The fields that are left empty are the caller's to fill.
    pub fn record(pipe: &str, topic: &str, partition: i32, offset: i64, code: &str) -> Self {
        ErrorRow {
            pipe: pipe.to_owned(),
            kind: RowKind::Record,
            code: code.to_owned(),
            message: String::new(),
            column: String::new(),
            topic: topic.to_owned(),
            partition,
            offset,
            timestamp_ms: None,
            key: None,
            raw_message: Vec::new(),
            raw_length: 0,
            raw_hash: String::new(),
            headers: Vec::new(),
            schema_id: None,
            batch_token: String::new(),
        }
    }

    /// A row about the operation of the pipe; see [`Sink::insert_system_errors`](crate::Sink::insert_system_errors).
    pub fn system(pipe: &str, topic: &str, code: &str, message: &str) -> Self {
        let mut row = Self::record(pipe, topic, -1, -1, code);
        row.kind = RowKind::System;
        row.message = message.to_owned();
        row
    }

    /// A mark of a replay at a place of a topic: partition, offset and timestamp.
    pub(crate) fn mark(
        pipe: &str,
        kind: RowKind,
        topic: &str,
        (partition, offset, timestamp_ms): (i32, i64, Option<i64>),
        token: &str,
    ) -> Self {
        let mut row = Self::record(pipe, topic, partition, offset, "");
        row.kind = kind;
        row.timestamp_ms = timestamp_ms;
        token.clone_into(&mut row.batch_token);
        row
    }

    /// Keeps `raw` up to [`Self::RAW_BYTES_MAX`], with its whole length, and its hash where it is cut.
    pub fn set_raw(&mut self, raw: &[u8]) {
        self.raw_message = raw[..raw.len().min(Self::RAW_BYTES_MAX)].to_vec();
        self.raw_length = raw.len() as u64;
        self.raw_hash = String::new();
        if raw.len() > Self::RAW_BYTES_MAX {
            use std::fmt::Write;
            for byte in Sha256::digest(raw) {
                // Writing into a String cannot fail.
                let _ = write!(self.raw_hash, "{byte:02x}");
            }
        }
    }

    /// The columns of the encoding. `_time` is the server's to fill, except for rows about the operation.
    pub(crate) const COLUMNS: [&'static str; 16] = [
        "pipe",
        "kind",
        "code",
        "message",
        "column",
        "topic",
        "partition",
        "offset",
        "timestamp",
        "key",
        "raw_message",
        "raw_length",
        "raw_hash",
        "headers",
        "schema_id",
        "batch_token",
    ];

    /// Appends the row in the order of [`Self::COLUMNS`].
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_bytes(out, self.pipe.as_bytes());
        put_bytes(out, self.kind.name().as_bytes());
        put_bytes(out, self.code.as_bytes());
        put_bytes(out, self.message.as_bytes());
        put_bytes(out, self.column.as_bytes());
        put_bytes(out, self.topic.as_bytes());
        out.extend_from_slice(&self.partition.to_le_bytes());
        out.extend_from_slice(&self.offset.to_le_bytes());
        let timestamp = self.timestamp_ms.filter(|ms| TIMESTAMP_MS.contains(ms));
        put_nullable(out, timestamp, |out, ms| out.extend_from_slice(&ms.to_le_bytes()));
        put_nullable(out, self.key.as_deref(), put_bytes);
        put_bytes(out, &self.raw_message);
        out.extend_from_slice(&self.raw_length.to_le_bytes());
        put_bytes(out, self.raw_hash.as_bytes());
        put_length(out, self.headers.len());
        for (name, value) in &self.headers {
            put_bytes(out, name.as_bytes());
            put_bytes(out, value);
        }
        put_nullable(out, self.schema_id, |out, id| out.extend_from_slice(&id.to_le_bytes()));
        put_bytes(out, self.batch_token.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_keep_their_beginning_length_and_hash() {
        let mut row = ErrorRow::record("p", "t", 0, 1, "c");
        row.set_raw(&[b'a'; ErrorRow::RAW_BYTES_MAX]);
        assert_eq!((row.raw_message.len(), row.raw_hash.as_str()), (ErrorRow::RAW_BYTES_MAX, ""));
        row.set_raw(&vec![0; ErrorRow::RAW_BYTES_MAX + 1]);
        assert_eq!((row.raw_message.len(), row.raw_length), (ErrorRow::RAW_BYTES_MAX, 1_048_577));
        assert_eq!(row.raw_hash.len(), 64);
        row.set_raw(b"short");
        assert_eq!((row.raw_length, row.raw_hash.as_str()), (5, ""));
    }

    #[test]
    fn timestamps_that_no_column_holds_are_null() {
        let encoded = |timestamp_ms| {
            let mut row = ErrorRow::record("", "", 0, 0, "");
            row.timestamp_ms = timestamp_ms;
            let mut out = Vec::new();
            row.encode(&mut out);
            out
        };
        assert_eq!(encoded(Some(i64::MAX)), encoded(None));
        assert_eq!(encoded(Some(i64::MIN)), encoded(None));
        assert_ne!(encoded(Some(0)), encoded(None));
    }
}
