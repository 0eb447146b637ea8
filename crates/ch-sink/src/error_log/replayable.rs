//! Records of an error table, in pages: to be encoded once more.

use std::collections::HashMap;

use super::IDENTITY;
use super::claims::replayed_sql;
use super::filter::ErrorFilter;
use crate::error::SinkError;
use crate::error_row::{ErrorRow, RowKind};
use crate::quote::{quote_identifier, quote_string};
use crate::sink::Sink;

/// Memory that a header takes beside its name and value, in bytes: its place in the list, which grows by doubling, and two
/// allocations.
const HEADER_OWN_BYTES: u64 = 128;

/// What makes a record the same record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize, clickhouse::Row)]
pub struct RecordId {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// The record's timestamp in milliseconds since 1970; -1 where it has none.
    pub timestamp_ms: i64,
}

/// A record as the error table keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptRecord {
    /// Which it is.
    pub id: RecordId,
    /// The reason why it stands there.
    pub code: String,
    /// Its key; none where it has none.
    pub key: Option<Vec<u8>>,
    /// Names and values of its headers, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Its value, or the beginning of it.
    pub raw: Vec<u8>,
    /// Length of the whole value, in bytes.
    pub raw_length: u64,
}

impl KeptRecord {
    /// Whether only the beginning of its value was kept.
    pub fn is_cut(&self) -> bool {
        self.raw_length > self.raw.len() as u64
    }
}

/// Some records, in the order of their ids, and where to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordPage {
    /// The records, each once.
    pub records: Vec<KeptRecord>,
    /// Behind which id the next page begins; none where this is the last.
    pub next: Option<RecordId>,
}

#[derive(clickhouse::Row, serde::Deserialize)]
struct SizeRow {
    id: RecordId,
    bytes: u64,
}

#[derive(clickhouse::Row, serde::Deserialize)]
struct RecordRow {
    id: RecordId,
    code: String,
    key: Option<Vec<u8>>,
    headers: Vec<(String, Vec<u8>)>,
    raw: Vec<u8>,
    raw_length: u64,
}

impl Sink {
    /// The first records behind `after` that `filter` lets through and that no replay has loaded: at most `rows_max`, and as
    /// many as have `bytes_max` of kept values, keys and headers together, one at least.
    ///
    /// # Errors
    /// Any [`SinkError`] of a request; [`SinkError::Condition`] for a condition that is none.
    pub async fn replayable_page(
        &self,
        table: &str,
        filter: &ErrorFilter,
        after: Option<&RecordId>,
        rows_max: usize,
        bytes_max: u64,
    ) -> Result<RecordPage, SinkError> {
        let quoted = quote_identifier(table);
        let filter = ErrorFilter { kinds: vec![RowKind::Record], ..filter.clone() };
        let mut condition = format!("{} AND NOT {}", filter.sql(table)?, replayed_sql(table, &filter.pipe));
        if let Some(after) = after {
            condition.push_str(&format!(" AND {IDENTITY} > {}", after.sql()));
        }
        // First the ids and sizes, which are small: a page is cut by what its records need. The length of a value is a column;
        // keys and headers are measured where they are, and none is sent.
        let bytes_of_one = bytes_sql();
        let sizes: Vec<SizeRow> = self
            .read_all(
                "a page of the error table",
                &format!(
                    "SELECT {IDENTITY} AS id, max({bytes_of_one}) FROM {quoted} WHERE {condition} \
                     GROUP BY id ORDER BY id LIMIT {rows_max}"
                ),
            )
            .await?;
        let (mut bytes, mut taken) = (0_u64, 0);
        for size in &sizes {
            bytes = bytes.saturating_add(size.bytes);
            if taken > 0 && bytes > bytes_max {
                break;
            }
            taken += 1;
        }
        let is_last = taken == sizes.len() && sizes.len() < rows_max;
        let Some(last) = sizes[..taken].last().map(|size| size.id.clone()) else {
            return Ok(RecordPage { records: Vec::new(), next: None });
        };
        let wanted: HashMap<RecordId, ()> = sizes.into_iter().take(taken).map(|size| (size.id, ())).collect();
        let mut records = self.kept(table, &format!("{condition} AND {IDENTITY} <= {}", last.sql())).await?;
        // Rows that came between the two questions wait for another run.
        records.retain(|record| wanted.contains_key(&record.id));
        Ok(RecordPage { records, next: Some(last).filter(|_| !is_last) })
    }

    /// The records that `condition` holds for, each once and in the order of their ids.
    pub(super) async fn kept(&self, table: &str, condition: &str) -> Result<Vec<KeptRecord>, SinkError> {
        // Of several rows of a record, the one that kept the most of it.
        let sql = format!(
            "SELECT {IDENTITY} AS id, code, key, headers, raw_message, raw_length FROM {} WHERE {condition} \
             ORDER BY id, length(raw_message) DESC, _time LIMIT 1 BY id",
            quote_identifier(table)
        );
        let rows: Vec<RecordRow> = self.read_all("records of the error table", &sql).await?;
        let kept = |row: RecordRow| {
            let RecordRow { id, code, key, headers, raw, raw_length } = row;
            KeptRecord { id, code, key, headers, raw, raw_length }
        };
        Ok(rows.into_iter().map(kept).collect())
    }
}

/// Bytes that a record takes as [`Sink::kept`] reads it, but for what every record takes.
fn bytes_sql() -> String {
    let raw_max = ErrorRow::RAW_BYTES_MAX;
    format!(
        "toUInt64(least(raw_length, {raw_max}) + ifNull(length(key), 0) \
         + arraySum(header -> length(header.1) + length(header.2) + {HEADER_OWN_BYTES}, headers))"
    )
}

impl RecordId {
    /// As a tuple that compares with [`IDENTITY`].
    fn sql(&self) -> String {
        let RecordId { topic, partition, offset, timestamp_ms } = self;
        format!("({}, toInt32({partition}), toInt64({offset}), toInt64({timestamp_ms}))", quote_string(topic))
    }
}
