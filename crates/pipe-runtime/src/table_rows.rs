//! Rows of a pipe's table, for people to look at.

use housepipe_ch_sink::{RowsOf, Sink};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::error::PipeError;
use crate::pipe::sink_config;
use crate::pipe_file::PipeFile;

/// Time for the rows, in milliseconds.
const ROWS_MS_MAX: u64 = 10_000;

/// Rows of a table.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TableRows {
    /// The database.
    pub database: String,
    /// The table.
    pub table: String,
    /// Which rows these are.
    pub rows_of: RowsOf,
    /// Whether there are fewer than were asked for because they are so large.
    pub is_cut: bool,
    /// The rows, each an object by column; whole numbers are as they are, also beyond 2^53.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Object>))]
    pub rows: Vec<Box<RawValue>>,
}

/// Rows that were written last into the pipe's table, at most `rows_max` and about `bytes_max`, as far as ClickHouse tells what was written
/// last: after its merges others may stand among them.
///
/// # Errors
/// [`PipeError::Sink`] where there is no such table, the user may not read it, or the server does not answer.
pub async fn table_rows(file: &PipeFile, rows_max: u32, bytes_max: usize) -> Result<TableRows, PipeError> {
    let mut config = sink_config(file);
    config.request_timeout_ms = ROWS_MS_MAX;
    let table = &file.destination.table;
    let shown = Sink::new(&config)?.newest_rows(table, rows_max, bytes_max).await?;
    Ok(TableRows {
        database: file.destination.database.clone(),
        table: table.clone(),
        rows_of: shown.rows_of,
        is_cut: shown.is_cut,
        // What is no JSON is no row.
        rows: shown.rows.into_iter().filter_map(|row| RawValue::from_string(row).ok()).collect(),
    })
}
