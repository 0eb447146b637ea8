//! One record into the open batch: a row, or a reject with its reason.

use housepipe_ch_sink::ErrorRow;
use housepipe_kafka_source::{PartitionId, Record};
use housepipe_schema_registry::{Framing, parse_framing};
use housepipe_transform::Encoder;

use super::batch::BatchBuilder;

/// What error rows say of every record of a pipe.
#[derive(Debug, Clone)]
pub(super) struct Labels {
    pub(super) pipe: String,
    pub(super) topic: String,
}

/// Code of a record without a value: a tombstone of a compacted topic.
const CODE_NO_VALUE: &str = "no_value";

/// Bytes of a key that an error row keeps, at most.
const KEY_BYTES_MAX: usize = 64 << 10;

/// Bytes of all headers that an error row keeps, at most; those behind are left out.
const HEADER_BYTES_MAX: usize = 64 << 10;

/// Headers that an error row keeps, at most.
const HEADERS_MAX: usize = 256;

/// Encodes `record` behind the rows of `builder`, or keeps it there as a reject.
pub(super) fn encode(
    encoder: &mut Encoder,
    builder: &mut BatchBuilder,
    labels: &Labels,
    partition: PartitionId,
    record: &Record<'_>,
) {
    let Some(payload) = record.payload else {
        let mut row = error_row(labels, partition, record, CODE_NO_VALUE);
        row.message = "the record has no value (a tombstone)".to_owned();
        return builder.reject(row);
    };
    let (schema_id, json) = match parse_framing(payload) {
        Framing::Framed { schema_id, body } => (Some(schema_id.0), body),
        Framing::Unframed(body) => (None, body),
    };
    match encoder.encode(json, &mut builder.body) {
        Ok(()) => builder.row_encoded(record.offset),
        Err(reject) => {
            let mut row = error_row(labels, partition, record, reject.code.as_str());
            row.message =
                format!("{} (at byte {})", reject.message, reject.position + (payload.len() - json.len()));
            row.column = reject.column.unwrap_or_default();
            row.schema_id = schema_id;
            builder.reject(row);
        }
    }
}

/// An error row that carries the record itself; code and message are the caller's.
pub(super) fn error_row(
    labels: &Labels,
    partition: PartitionId,
    record: &Record<'_>,
    code: &str,
) -> ErrorRow {
    let (mut headers, mut room) = (Vec::new(), HEADER_BYTES_MAX);
    for (name, value) in record.headers().take(HEADERS_MAX) {
        let value = value.unwrap_or_default();
        room = room.saturating_sub(name.len() + value.len());
        if room == 0 {
            break;
        }
        headers.push((name.to_owned(), value.to_vec()));
    }
    let mut row = ErrorRow::record(&labels.pipe, &labels.topic, partition.0, record.offset.0, code);
    row.timestamp_ms = record.timestamp_ms;
    row.key = record.key.map(|key| key[..key.len().min(KEY_BYTES_MAX)].to_vec());
    row.headers = headers;
    row.set_raw(record.payload.unwrap_or_default());
    row
}
