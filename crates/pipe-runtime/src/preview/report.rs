//! What a preview shows, as a document.

use std::collections::BTreeMap;

use housepipe_transform::{DefaultKind, Plan};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::infer::SampleOrigin;

/// What is known of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TableState {
    /// It exists, and its columns were taken.
    Exists,
    /// It does not exist; a run creates it.
    WillBeCreated,
    /// ClickHouse could not be asked.
    Unknown,
}

/// A dry run over records: `read = accepted + rejected`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PreviewReport {
    /// The pipe's name.
    pub pipe: String,
    /// The topic.
    pub topic: String,
    /// The table that rows would go into.
    pub table: String,
    /// What is known of it.
    pub table_state: TableState,
    /// The statement with which a run would create it, where it would.
    pub create_table: Option<String>,
    /// Why ClickHouse could not be asked, where that is so. The columns are then those of the file, and times without a
    /// zone are read as UTC.
    pub without_clickhouse: Option<String>,
    /// Why there are fewer records than were wanted and the topic has, where reading them ended early: also the newest may be missing.
    pub cut_short: Option<String>,
    /// The columns, in the order of the rows.
    pub columns: Vec<PreviewColumn>,
    /// Records that were looked at.
    pub read: u64,
    /// Of these, records that would be rows.
    pub accepted: u64,
    /// Of these, records that would be rejected.
    pub rejected: u64,
    /// Whether these are more than `error_table.stop_ratio`: a run would stop once that holds for 1,000 records.
    pub passes_stop_ratio: bool,
    /// The same by code.
    pub rejected_by_code: BTreeMap<&'static str, u64>,
    /// The rows, those of the oldest records first.
    pub rows: Vec<PreviewRow>,
    /// The rejected records, the oldest first.
    pub rejects: Vec<PreviewReject>,
    /// Keys without a column, which are skipped.
    pub skipped_keys: Vec<SkippedKey>,
}

/// A column of the rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PreviewColumn {
    /// Its name in the table.
    pub name: String,
    /// Its type, as ClickHouse writes it.
    #[serde(rename = "type")]
    pub data_type: String,
    /// Whether the server fills it by an expression where a row has no value for it.
    pub has_default: bool,
}

/// A row as it would be stored.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PreviewRow {
    /// Where its record is.
    #[serde(flatten)]
    pub origin: SampleOrigin,
    /// Milliseconds since 1970, where the record has a timestamp.
    pub timestamp_ms: Option<i64>,
    /// The values by column. A column is left out where the server fills it.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub row: Box<RawValue>,
}

/// A record that would be rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PreviewReject {
    /// Where it is.
    #[serde(flatten)]
    pub origin: SampleOrigin,
    /// Milliseconds since 1970, where the record has a timestamp.
    pub timestamp_ms: Option<i64>,
    /// Why, as a code.
    pub code: &'static str,
    /// The column that could not be filled, where the reason is about one.
    pub column: Option<String>,
    /// The byte of the record's value at which that was seen, a frame included.
    pub position: usize,
    /// Why.
    pub message: String,
    /// The value, up to 64 KiB; bytes that are not UTF-8 are shown as U+FFFD.
    pub raw: String,
    /// Bytes of the whole value.
    pub raw_bytes: usize,
}

/// A key of records that no column takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SkippedKey {
    /// The key.
    pub key: String,
    /// Records that had it.
    pub records: u64,
}

/// The columns that a plan fills.
pub(super) fn columns(plan: &Plan) -> Vec<PreviewColumn> {
    plan.columns()
        .iter()
        .map(|column| PreviewColumn {
            name: column.name.clone(),
            data_type: column.ty.to_string(),
            has_default: column.default == DefaultKind::Expression,
        })
        .collect()
}
