//! Records of the error table to rows.

use std::ops::Range;

use bytes::Bytes;
use housepipe_ch_sink::{KeptRecord, RecordId};
use housepipe_schema_registry::parse_framing;
use housepipe_transform::{EachHeader, Encoder, Envelope, Plan, Reject, Source, Virtual};

use crate::pipe::CODE_NO_VALUE;
use crate::pipe::record::{HEADERS_LEFT_OUT, KEY_BYTES_MAX};

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
        encoder.encode_with(parse_framing(&record.raw).body(), &Letter(record), &mut self.body)?;
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

/// A kept record with what stands around it, for virtual columns.
struct Letter<'r>(&'r KeptRecord);

impl Envelope for Letter<'_> {
    fn topic(&self) -> &str {
        &self.0.id.topic
    }

    fn partition(&self) -> i32 {
        self.0.id.partition
    }

    fn offset(&self) -> i64 {
        self.0.id.offset
    }

    fn timestamp_ms(&self) -> Option<i64> {
        timestamp_ms(self.0)
    }

    fn key(&self) -> Option<&[u8]> {
        self.0.key.as_deref()
    }

    fn raw_message(&self) -> Option<&[u8]> {
        (self.0.code != CODE_NO_VALUE).then_some(&self.0.raw)
    }

    fn each_header(&self, each: &mut EachHeader<'_>) {
        self.0.headers.iter().for_each(|(name, value)| each(name.as_bytes(), Some(value)));
    }
}

fn timestamp_ms(record: &KeptRecord) -> Option<i64> {
    Some(record.id.timestamp_ms).filter(|timestamp_ms| *timestamp_ms != -1)
}

/// Whether the error table kept less of the record than the columns ask for: the beginning of its value or key, some of its
/// headers, or no moment, which may be one that the error table cannot hold.
pub(super) fn is_cut(record: &KeptRecord, plan: &Plan) -> bool {
    let asks_for = |known| plan.columns().iter().any(|column| column.source == Source::Virtual(known));
    let is_key_cut = record.key.as_ref().is_some_and(|key| key.len() >= KEY_BYTES_MAX);
    let are_headers_cut = record.headers.iter().any(|(name, _)| name == HEADERS_LEFT_OUT);
    record.is_cut()
        || is_key_cut && asks_for(Virtual::Key)
        || are_headers_cut && (asks_for(Virtual::HeaderKeys) || asks_for(Virtual::HeaderValues))
        || timestamp_ms(record).is_none() && asks_for(Virtual::Timestamp)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use housepipe_transform::{Column, Columns, Plan, PlanOptions};

    use super::*;

    /// Columns that are filled by what their names say.
    fn plan(columns: &str) -> Plan {
        let columns: Columns = columns.parse().unwrap();
        let filled = |column: &Column| column.clone().from_source(Source::of_column(&column.name));
        Plan::compile(&columns.iter().map(filled).collect(), &PlanOptions::default()).unwrap()
    }

    /// A record that is kept whole.
    fn whole() -> KeptRecord {
        KeptRecord {
            id: RecordId { topic: "t".to_owned(), partition: 0, offset: 7, timestamp_ms: 1_700_000_000_000 },
            code: "c".to_owned(),
            key: Some(vec![b'k'; KEY_BYTES_MAX - 1]),
            headers: vec![("trace".to_owned(), b"1".to_vec())],
            raw: br#"{"a":1}"#.to_vec(),
            raw_length: 7,
        }
    }

    /// The columns that ask for more of `record` than is kept.
    fn asks_for_more(record: &KeptRecord) -> Vec<&'static str> {
        let columns = [
            "a UInt8",
            "_key String",
            "_header_keys Array(String)",
            "_header_values Array(String)",
            "_timestamp DateTime64(3)",
            "_topic String, _partition Int32, _offset Int64, _raw_message String",
        ];
        columns.into_iter().filter(|columns| is_cut(record, &plan(columns))).collect()
    }

    #[test]
    fn a_record_is_cut_for_columns_that_ask_for_what_was_not_kept() {
        assert_eq!(asks_for_more(&whole()), [""; 0]);
        assert_eq!(asks_for_more(&KeptRecord { key: None, ..whole() }), [""; 0]);

        let key = Some(vec![b'k'; KEY_BYTES_MAX]);
        assert_eq!(asks_for_more(&KeptRecord { key, ..whole() }), ["_key String"]);

        let mut headers = whole().headers;
        headers.push((HEADERS_LEFT_OUT.to_owned(), b"3".to_vec()));
        assert_eq!(
            asks_for_more(&KeptRecord { headers, ..whole() }),
            ["_header_keys Array(String)", "_header_values Array(String)"]
        );

        let id = RecordId { timestamp_ms: -1, ..whole().id };
        assert_eq!(asks_for_more(&KeptRecord { id, ..whole() }), ["_timestamp DateTime64(3)"]);

        let value = KeptRecord { raw_length: 8, ..whole() };
        assert_eq!(asks_for_more(&value).len(), 6, "whatever the columns are");
    }

    #[test]
    fn frames_are_taken_off_and_what_is_refused_leaves_no_trace() {
        let mut encoder = Encoder::new(Arc::new(plan("a UInt8")));
        let mut batch = Batch::default();
        let record = |offset: i64, raw: &[u8]| KeptRecord {
            id: RecordId { offset, ..whole().id },
            raw: raw.to_vec(),
            raw_length: raw.len() as u64,
            ..whole()
        };
        batch.push(&mut encoder, &record(1, br#"{"a":1}"#)).unwrap();
        assert!(batch.push(&mut encoder, &record(2, br#"{"a":256}"#)).is_err());
        batch.push(&mut encoder, &record(3, b"\0\0\0\0\x07{\"a\":3}")).unwrap();
        assert_eq!((batch.len(), batch.bytes()), (2, 2));
        let rows = batch.close();
        assert_eq!(
            (rows.slice(&(0..2)), rows.slice(&(1..2))),
            (Bytes::from_static(&[1, 3]), Bytes::from_static(&[3]))
        );
        assert_eq!(rows.ids(&(1..2))[0].offset, 3);
    }
}
