//! One record into the open batch: a row, or a reject with its reason.

use std::ops::ControlFlow;

use housepipe_ch_sink::ErrorRow;
use housepipe_kafka_source::{Offset, PartitionId, Record};
use housepipe_schema_registry::{Framing, parse_framing};
use housepipe_transform::{EachHeader, Encoder, Envelope};

use super::batch::BatchBuilder;
use crate::schemas::{Judge, Refusal, Verdict};

/// What error rows say of every record of a pipe.
#[derive(Debug, Clone)]
pub(super) struct Labels {
    pub(super) pipe: String,
    pub(super) topic: String,
}

/// Code of a record without a value, a tombstone of a compacted topic, where columns are filled from values.
pub(crate) const CODE_NO_VALUE: &str = "no_value";

/// Bytes of a key that an error row keeps, at most: one of so many bytes is taken for the beginning of a longer one.
pub(crate) const KEY_BYTES_MAX: usize = 64 << 10;

/// The name of a header that stands in an error row for those that were left out; its value says how many.
pub(crate) const HEADERS_LEFT_OUT: &str = "housepipe.headers_left_out";

/// Bytes of all headers that an error row keeps, at most; those behind are left out.
const HEADER_BYTES_MAX: usize = 64 << 10;

/// Headers that an error row keeps, at most.
const HEADERS_MAX: usize = 256;

/// Encodes the records behind the rows of `builder`, or keeps them there as rejects, up to the first one by which the
/// batch reaches `bytes_max`, or whose schema is not at hand. Returns how many that were.
///
/// The same records behind the same start always end with the same one, however many came in one call.
pub(super) fn encode(
    encoder: &mut Encoder,
    mut judge: Option<&mut Judge>,
    builder: &mut BatchBuilder,
    labels: &Labels,
    partition: PartitionId,
    records: &[Record<'_>],
    bytes_max: usize,
) -> usize {
    let needs_value = encoder.plan().has_fields();
    let mut taken = 0;
    while taken < records.len() {
        // A record that is not encoded parts those before it from those behind it: rows and rejects stay in order.
        let rest = &records[taken..];
        let mut given_up = None;
        let passed = rest.iter().position(|record| {
            given_up = before_encoding(record, judge.as_deref_mut(), needs_value);
            given_up.is_some()
        });
        let values = &rest[..passed.unwrap_or(rest.len())];
        let encoded = encode_values(encoder, builder, labels, partition, values, bytes_max);
        taken += encoded;
        let Some(GivenUp::Rejected(refusal)) = given_up else { break };
        if encoded < values.len() || builder.bytes() >= bytes_max {
            break;
        }
        builder.reject(refused(labels, partition, &records[taken], refusal));
        taken += 1;
        if builder.bytes() >= bytes_max {
            break;
        }
    }
    taken
}

/// What becomes of a record that is not encoded.
pub(crate) enum GivenUp {
    Rejected(Refusal),
    /// Its schema is not at hand.
    Waits,
}

/// Looks at a record before it is encoded; nothing where it is.
pub(crate) fn before_encoding(
    record: &Record<'_>,
    judge: Option<&mut Judge>,
    needs_value: bool,
) -> Option<GivenUp> {
    let Some(payload) = record.payload else {
        return needs_value.then(|| GivenUp::Rejected(no_value()));
    };
    match judge?.judge(payload) {
        Verdict::Fine => None,
        Verdict::Refused(refusal) => Some(GivenUp::Rejected(refusal)),
        Verdict::Lacks(_) => Some(GivenUp::Waits),
    }
}

/// A record without a value, where columns are filled from values.
fn no_value() -> Refusal {
    Refusal {
        code: CODE_NO_VALUE,
        message: "the record has no value (a tombstone)".to_owned(),
        key: String::new(),
    }
}

/// The error row of a record that was not encoded.
fn refused(labels: &Labels, partition: PartitionId, record: &Record<'_>, refusal: Refusal) -> ErrorRow {
    let mut row = error_row(labels, partition, record, refusal.code);
    (row.message, row.column, row.schema_id) = (refusal.message, refusal.key, unframed(record).0);
    row
}

fn encode_values(
    encoder: &mut Encoder,
    builder: &mut BatchBuilder,
    labels: &Labels,
    partition: PartitionId,
    records: &[Record<'_>],
    bytes_max: usize,
) -> usize {
    let bodies: Vec<&[u8]> = records.iter().map(|record| unframed(record).1).collect();
    let mut rows = builder.take_body();
    let mut rows_end = rows.len();
    let letter = |index: usize| Letter { topic: &labels.topic, partition, record: &records[index] };
    let taken = encoder.encode_each_with(&bodies, letter, &mut rows, |index, row| {
        let record = &records[index];
        match row {
            Ok(end) => {
                rows_end = end;
                builder.row_encoded(end, record.offset, record.timestamp_ms);
            }
            Err(reject) => {
                let (schema_id, body) = unframed(record);
                let frame_bytes = record.payload.map_or(0, <[u8]>::len) - body.len();
                let mut row = error_row(labels, partition, record, reject.code.as_str());
                row.message = format!("{} (at byte {})", reject.message, reject.position + frame_bytes);
                row.column = reject.column.unwrap_or_default();
                row.schema_id = schema_id;
                builder.reject(row);
            }
        }
        match rows_end + builder.beside_bytes() >= bytes_max {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    builder.set_body(rows);
    taken
}

/// A record with what stands around it, for virtual columns.
pub(crate) struct Letter<'r> {
    pub(crate) topic: &'r str,
    pub(crate) partition: PartitionId,
    pub(crate) record: &'r Record<'r>,
}

impl Envelope for Letter<'_> {
    fn topic(&self) -> &str {
        self.topic
    }

    fn partition(&self) -> i32 {
        self.partition.0
    }

    fn offset(&self) -> i64 {
        self.record.offset.0
    }

    fn timestamp_ms(&self) -> Option<i64> {
        self.record.timestamp_ms
    }

    fn key(&self) -> Option<&[u8]> {
        self.record.key
    }

    fn raw_message(&self) -> Option<&[u8]> {
        self.record.payload
    }

    fn each_header(&self, each: &mut EachHeader<'_>) {
        self.record.headers().for_each(|(name, value)| each(name.as_bytes(), value));
    }
}

/// The document of a record, with the id of its schema where it is framed.
fn unframed<'r>(record: &Record<'r>) -> (Option<u32>, &'r [u8]) {
    match parse_framing(record.payload.unwrap_or_default()) {
        Framing::Framed { schema_id, body } => (Some(schema_id.0), body),
        Framing::Unframed(body) => (None, body),
    }
}

/// An error row with the record's place alone.
pub(super) fn bare_error_row(
    labels: &Labels,
    partition: PartitionId,
    offset: Offset,
    code: &str,
) -> ErrorRow {
    ErrorRow::record(&labels.pipe, &labels.topic, partition.0, offset.0, code)
}

/// An error row that carries the record itself; code and message are the caller's.
pub(super) fn error_row(
    labels: &Labels,
    partition: PartitionId,
    record: &Record<'_>,
    code: &str,
) -> ErrorRow {
    let (mut headers, mut room) = (Vec::new(), HEADER_BYTES_MAX);
    let mut left_out = 0;
    for (name, value) in record.headers() {
        let value = value.unwrap_or_default();
        room = room.saturating_sub(name.len() + value.len());
        if room == 0 || left_out > 0 || headers.len() == HEADERS_MAX {
            left_out += 1;
        } else {
            headers.push((name.to_owned(), value.to_vec()));
        }
    }
    if left_out > 0 {
        headers.push((HEADERS_LEFT_OUT.to_owned(), left_out.to_string().into_bytes()));
    }
    let mut row = ErrorRow::record(&labels.pipe, &labels.topic, partition.0, record.offset.0, code);
    row.timestamp_ms = record.timestamp_ms;
    row.key = record.key.map(|key| key[..key.len().min(KEY_BYTES_MAX)].to_vec());
    row.headers = headers;
    row.set_raw(record.payload.unwrap_or_default());
    row
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use housepipe_kafka_source::OwnedRecord;
    use housepipe_transform::{Columns, Plan, PlanOptions};

    use super::*;
    use crate::delivery::BatchId;

    fn record(offset: i64, payload: Option<&[u8]>) -> OwnedRecord {
        OwnedRecord {
            partition: PartitionId(0),
            offset: Offset(offset),
            timestamp_ms: None,
            key: None,
            payload: payload.map(<[u8]>::to_vec),
            headers: Vec::new(),
        }
    }

    /// The rows, and the codes of the rejects, of a tombstone between two records.
    fn encoded(columns: &str) -> (Vec<u8>, Vec<String>) {
        let columns: Columns = columns.parse().unwrap();
        let columns = columns.iter().map(|column| {
            let source = housepipe_transform::Source::of_column(&column.name);
            column.clone().from_source(source)
        });
        let plan = Plan::compile(&columns.collect(), &PlanOptions::default()).unwrap();
        let owned = [record(0, Some(b"{}")), record(1, None), record(2, Some(b""))];
        let records: Vec<Record<'_>> = owned.iter().map(OwnedRecord::as_record).collect();
        let labels = Labels { pipe: "p".to_owned(), topic: "t".to_owned() };
        let (mut encoder, mut builder) = (Encoder::new(Arc::new(plan)), BatchBuilder::default());
        let taken = encode(&mut encoder, None, &mut builder, &labels, PartitionId(0), &records, usize::MAX);
        assert_eq!(taken, records.len());
        let codes = builder.rejects().iter().map(|reject| reject.code.clone()).collect();
        (builder.seal(BatchId(1)).body.to_vec(), codes)
    }

    #[test]
    fn a_tombstone_is_a_row_where_no_column_is_filled_from_values() {
        assert_eq!(encoded("_raw_message Nullable(String)"), (b"\x00\x02{}\x01\x00\x00".to_vec(), vec![]));
        assert_eq!(encoded("_raw_message String"), (b"\x02{}\x00\x00".to_vec(), vec![]));
        let (rows, codes) = encoded("_raw_message String, a UInt8");
        assert_eq!(
            (rows, codes),
            (b"\x00\x02{}".to_vec(), vec!["no_value".to_owned(), "invalid_json".to_owned()])
        );
    }
}
