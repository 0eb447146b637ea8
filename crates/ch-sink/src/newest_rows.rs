//! Rows of a table for people to look at: those that were written last, as far as a table tells.
//!
//! ClickHouse keeps no order of insertion. An insert is a part of its own until it is merged, so the parts that were written last are read; after
//! a merge older rows stand among the newer ones. Where the parts cannot be seen, any rows are shown.

use serde::Serialize;

use crate::error::SinkError;
use crate::quote::{quote_identifier, quote_string};
use crate::sink::Sink;

/// Rows of one look, at most.
const ROWS_MAX: u32 = 1_000;

/// Parts that are read, at most.
const PARTS_MAX: u32 = 64;

/// Rows that the server reads for one look, about.
const READ_ROWS_MAX: &str = "1000000";

/// Time that the server takes for one look, in seconds.
const READ_S_MAX: &str = "5";

/// Memory that the server takes for one look, in bytes (1 GiB).
const READ_MEMORY_BYTES_MAX: &str = "1073741824";

/// Which rows were shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RowsOf {
    /// Those of the parts that were written last.
    NewestParts,
    /// Any: the engine has no parts, or this user may not see them.
    AnyParts,
}

/// Some rows of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewestRows {
    /// Each a JSON object by column, with whole numbers as they are.
    pub rows: Vec<String>,
    /// Which these are.
    pub rows_of: RowsOf,
    /// Whether there are fewer because they are so large.
    pub is_cut: bool,
}

impl Sink {
    /// Rows of `table` that were written last, at most `rows_max` and about `bytes_max` of JSON. The server ends what takes it longer than 5 s,
    /// and reads a million rows, at most.
    ///
    /// # Errors
    /// Any [`SinkError`] of a request; code 60 where there is no such table, 497 where the user may not read it.
    pub async fn newest_rows(
        &self,
        table: &str,
        rows_max: u32,
        bytes_max: usize,
    ) -> Result<NewestRows, SinkError> {
        let rows_max = rows_max.min(ROWS_MAX);
        let parts = self.newest_parts(table, rows_max).await;
        let rows_of = if parts.is_empty() { RowsOf::AnyParts } else { RowsOf::NewestParts };
        let condition = match parts.is_empty() {
            true => String::new(),
            false => {
                let parts: Vec<String> = parts.iter().map(|part| quote_string(part)).collect();
                format!(" WHERE _part IN ({})", parts.join(", "))
            }
        };
        let sql = format!("SELECT * FROM {}{condition} LIMIT {rows_max}", quote_identifier(table));
        let operation = format!("rows of {}", quote_identifier(table));
        let (text, is_cut) = self.request(&operation, self.json_lines(&sql, bytes_max)).await?;
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let rows: Vec<String> = lines.map(|line| String::from_utf8_lossy(line).into_owned()).collect();
        Ok(NewestRows { rows, rows_of, is_cut })
    }

    /// The names of the parts that were written last and hold `rows` together; none where they cannot be seen.
    async fn newest_parts(&self, table: &str, rows: u32) -> Vec<String> {
        let (database, name) = (quote_string(&self.config().database), quote_string(table));
        let sql = format!(
            "SELECT name, rows FROM system.parts WHERE active AND database = {database} AND table = {name} \
             ORDER BY modification_time DESC, max_block_number DESC LIMIT {PARTS_MAX}"
        );
        let asked: Result<Vec<(String, u64)>, SinkError> = self.read_all("the parts of a table", &sql).await;
        // Whoever may read a table need not be allowed to see its parts; why it cannot be read, the question for the rows tells.
        let mut left = u64::from(rows);
        let mut names = Vec::new();
        for (name, rows) in asked.unwrap_or_default() {
            if left == 0 {
                break;
            }
            left = left.saturating_sub(rows);
            names.push(name);
        }
        names
    }

    /// Whole lines of JSON that `sql` gives, and whether they are not all of them.
    async fn json_lines(&self, sql: &str, bytes_max: usize) -> clickhouse::error::Result<(Vec<u8>, bool)> {
        let mut query = self.client().query_raw(sql).with_setting("readonly", "2");
        for (name, value) in [
            ("max_execution_time", READ_S_MAX),
            ("timeout_overflow_mode", "throw"),
            ("max_rows_to_read", READ_ROWS_MAX),
            ("read_overflow_mode", "break"),
            ("max_memory_usage", READ_MEMORY_BYTES_MAX),
            ("max_threads", "1"),
            ("max_block_size", "1024"),
            ("output_format_json_quote_64bit_integers", "0"),
            ("output_format_json_quote_denormals", "1"),
        ] {
            query = query.with_setting(name, value);
        }
        let mut lines = query.fetch_bytes("JSONEachRow")?;
        let mut text = Vec::new();
        while let Some(bytes) = lines.next().await? {
            text.extend_from_slice(&bytes);
            if text.len() > bytes_max {
                // The line that does not fit is left out, and so is what would come behind it.
                let whole = text.iter().take(bytes_max).rposition(|byte| *byte == b'\n');
                text.truncate(whole.unwrap_or(0));
                return Ok((text, true));
            }
        }
        Ok((text, false))
    }
}
