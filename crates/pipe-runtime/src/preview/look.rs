//! Records through the encoder, and their rows back into JSON.

use std::sync::Arc;

use housepipe_schema_registry::parse_framing;
use housepipe_transform::{Encoder, Plan};
use serde_json::value::RawValue;

use super::report::{PreviewReject, PreviewReport, PreviewRow, SkippedKey, TableState};
use super::{PreviewError, Previewed};
use crate::pipe::record::{GivenUp, Letter, before_encoding};
use crate::schemas::{Judge, Refusal};

/// Bytes of a rejected record's value that are kept to be shown, at most (64 KiB).
const RAW_BYTES_MAX: usize = 64 << 10;

/// Encodes each record by itself. What is known of the table alone is the caller's to fill in.
pub(super) fn look(
    plan: &Arc<Plan>,
    mut judge: Option<Judge>,
    topic: &str,
    records: &[Previewed],
) -> Result<PreviewReport, PreviewError> {
    let mut encoder = Encoder::new(Arc::clone(plan));
    let mut report = PreviewReport {
        pipe: String::new(),
        topic: topic.to_owned(),
        table: String::new(),
        table_state: TableState::Unknown,
        create_table: None,
        without_clickhouse: None,
        cut_short: None,
        columns: Vec::new(),
        read: records.len() as u64,
        accepted: 0,
        rejected: 0,
        passes_stop_ratio: false,
        rejected_by_code: Default::default(),
        rows: Vec::new(),
        rejects: Vec::new(),
        skipped_keys: Vec::new(),
    };
    let mut row = Vec::new();
    for Previewed { origin, record } in records {
        let (origin, timestamp_ms) = (*origin, record.timestamp_ms);
        let reject = |code, column, position, message: String, raw: &[u8]| PreviewReject {
            origin,
            timestamp_ms,
            code,
            column,
            position,
            message,
            raw: String::from_utf8_lossy(&raw[..raw.len().min(RAW_BYTES_MAX)]).into_owned(),
            raw_bytes: raw.len(),
        };
        let borrowed = record.as_record();
        let payload = record.payload.as_deref().unwrap_or_default();
        match before_encoding(&borrowed, judge.as_mut(), plan.has_fields()) {
            None => {}
            Some(GivenUp::Rejected(Refusal { code, message, key })) => {
                let key = Some(key).filter(|key| !key.is_empty());
                report.rejects.push(reject(code, key, 0, message, payload));
                continue;
            }
            // More schemas than are kept at once: it is not judged.
            Some(GivenUp::Waits) => {
                report.read -= 1;
                continue;
            }
        }
        let body = parse_framing(payload).body();
        row.clear();
        let letter = Letter { topic, partition: record.partition, record: &borrowed };
        match encoder.encode_with(body, &letter, &mut row) {
            Ok(()) => {
                let decoded = plan.decode(&row).next().transpose();
                let decoded = decoded.map_err(|source| PreviewError::Row { origin, source })?;
                // A plan has columns, so a row is never empty; and what is decoded is JSON.
                let text = decoded.unwrap_or_else(|| "{}".to_owned());
                let row = RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned());
                report.rows.push(PreviewRow { origin, timestamp_ms, row });
            }
            Err(found) => {
                let position = found.position + payload.len() - body.len();
                let (code, message) = (found.code.as_str(), found.message.to_string());
                report.rejects.push(reject(code, found.column, position, message, payload));
            }
        }
    }
    for reject in &report.rejects {
        *report.rejected_by_code.entry(reject.code).or_default() += 1;
    }
    report.accepted = report.rows.len() as u64;
    report.rejected = report.rejects.len() as u64;
    let skipped = encoder.unknown_keys();
    report.skipped_keys =
        skipped.iter().map(|(key, records)| SkippedKey { key: key.to_string(), records }).collect();
    Ok(report)
}

#[cfg(test)]
mod tests {
    use housepipe_kafka_source::{Offset, OwnedRecord, PartitionId};
    use housepipe_transform::{Column, Columns, DataType, PlanOptions, Source, Virtual};

    use super::*;
    use crate::infer::SampleOrigin;

    #[test]
    fn rows_and_rejects_are_told_apart_with_their_places() {
        let columns: Columns = "id UInt64, at DateTime64(3, 'UTC'), n Nullable(UInt8)".parse().unwrap();
        let place = Column::new("place", DataType::Int64).from_source(Source::Virtual(Virtual::Offset));
        let columns: Columns = columns.iter().cloned().chain([place]).collect();
        let plan = Arc::new(Plan::compile(&columns, &PlanOptions::default()).unwrap());
        let record = |offset, payload: Option<&[u8]>| Previewed {
            origin: SampleOrigin::Record { partition: 1, offset },
            record: OwnedRecord {
                partition: PartitionId(1),
                offset: Offset(offset),
                timestamp_ms: Some(7),
                key: None,
                payload: payload.map(<[u8]>::to_vec),
                headers: Vec::new(),
            },
        };
        let records = [
            record(3, Some(br#"{"id":18446744073709551615,"at":"2026-01-01T00:00:00.5Z","more":1}"#)),
            record(4, Some(b"\0\0\0\0\x07{\"id\":1,\"n\":300}")),
            record(5, None),
            record(6, Some(b"no \x1b[31mjson\xff")),
        ];
        let report = look(&plan, None, "clicks", &records).unwrap();
        assert_eq!((report.read, report.accepted, report.rejected), (4, 1, 3));
        assert_eq!(
            report.rows[0].row.get(),
            r#"{"id":18446744073709551615,"at":"2026-01-01 00:00:00.500","n":null,"place":3}"#
        );
        let rejects: Vec<_> = report
            .rejects
            .iter()
            .map(|it| (it.origin.to_string(), it.code, it.column.as_deref(), it.position, it.raw_bytes))
            .collect();
        assert_eq!(
            rejects,
            [
                ("partition 1, offset 4".to_owned(), "out_of_range", Some("n"), 17, 21),
                ("partition 1, offset 5".to_owned(), "no_value", None, 0, 0),
                ("partition 1, offset 6".to_owned(), "invalid_json", None, 0, 13),
            ]
        );
        assert_eq!(report.skipped_keys, [SkippedKey { key: "more".to_owned(), records: 1 }]);
        let document = serde_json::to_string(&report).unwrap();
        assert!(
            document
                .contains(r#""partition":1,"offset":3,"timestamp_ms":7,"row":{"id":18446744073709551615"#),
            "{document}"
        );
    }

    #[test]
    fn a_tombstone_is_a_row_where_no_column_is_filled_from_values() {
        let raw = Column::new("raw", "Nullable(String)".parse().unwrap())
            .from_source(Source::Virtual(Virtual::RawMessage));
        let plan = Arc::new(Plan::compile(&Columns::new(vec![raw]), &PlanOptions::default()).unwrap());
        let tombstone = OwnedRecord {
            partition: PartitionId(0),
            offset: Offset(1),
            timestamp_ms: None,
            key: None,
            payload: None,
            headers: Vec::new(),
        };
        let origin = SampleOrigin::Record { partition: 0, offset: 1 };
        let report = look(&plan, None, "clicks", &[Previewed { origin, record: tombstone }]).unwrap();
        assert_eq!((report.accepted, report.rejected), (1, 0));
        assert_eq!(report.rows[0].row.get(), r#"{"raw":null}"#);
    }
}
