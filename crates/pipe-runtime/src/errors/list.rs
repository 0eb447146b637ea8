//! What stands in the error table.

use housepipe_ch_sink::{ErrorFilter, ErrorGroup, ErrorPlace, ListedError, RowKind};
use serde::{Deserialize, Serialize};

use super::error::ErrorsError;
use super::open::{check_condition, errors_of};
use crate::pipe_file::PipeFile;

/// Which errors are meant; what is empty holds for all.
#[derive(Debug, Clone, Default)]
pub struct ErrorQuery {
    /// `record`, `system`, or a mark of a replay; empty takes the first two.
    pub kinds: Vec<RowKind>,
    /// Codes.
    pub codes: Vec<String>,
    /// Columns of the destination.
    pub columns: Vec<String>,
    /// From this time on, in milliseconds since 1970.
    pub since_ms: Option<i64>,
    /// Before this time, in milliseconds since 1970.
    pub until_ms: Option<i64>,
    /// An expression over the columns of the error table.
    pub condition: Option<String>,
    /// Also records that a replay has loaded.
    pub with_replayed: bool,
    /// Where a list begins, where that is not with the newest.
    pub from: Option<ErrorPlace>,
}

impl ErrorQuery {
    pub(super) fn filter(&self, file: &PipeFile) -> ErrorFilter {
        let mut filter = ErrorFilter::of_pipe(file.name.as_str());
        filter.kinds = match self.kinds.is_empty() {
            true => vec![RowKind::Record, RowKind::System],
            false => self.kinds.clone(),
        };
        filter.codes.clone_from(&self.codes);
        filter.columns.clone_from(&self.columns);
        (filter.since_ms, filter.until_ms) = (self.since_ms, self.until_ms);
        filter.condition.clone_from(&self.condition);
        filter.is_open = !self.with_replayed;
        filter
    }
}

/// The newest errors of a pipe.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ErrorList {
    /// The pipe's name.
    pub pipe: String,
    /// The error table.
    pub error_table: String,
    /// The rows, newest first.
    pub errors: Vec<ListedError>,
}

/// The errors of a pipe in groups.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorSummary {
    /// The pipe's name.
    pub pipe: String,
    /// The error table.
    pub error_table: String,
    /// The groups, the most frequent first.
    pub groups: Vec<ErrorGroup>,
}

/// The newest errors that `query` means, at most `limit`, each with at most `raw_bytes` of its value.
///
/// # Errors
/// [`ErrorsError`] where there is no error table, or the condition is none.
///
/// ```no_run
/// use housepipe_runtime::{ErrorQuery, PipeFile, list_errors};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let file = PipeFile::read("pipe.yaml".as_ref())?;
/// let query = ErrorQuery { condition: Some("offset > 5".to_owned()), ..ErrorQuery::default() };
/// for error in list_errors(&file, &query, 20, 200).await?.errors {
///     println!("{} {}: {}", error.time, error.code, error.message);
/// }
/// # Ok(()) }
/// ```
pub async fn list_errors(
    file: &PipeFile,
    query: &ErrorQuery,
    limit: u32,
    raw_bytes: u32,
) -> Result<ErrorList, ErrorsError> {
    let (sink, table) = errors_of(file).await?;
    let filter = query.filter(file);
    check_condition(&sink, &table, &filter).await?;
    let errors = sink.list_errors(table.name(), &filter, query.from, limit, raw_bytes).await?;
    Ok(ErrorList { pipe: file.name.to_string(), error_table: table.name().to_owned(), errors })
}

/// The errors that `query` means, grouped by code, column and shape of the message; at most `limit` groups.
///
/// # Errors
/// As [`list_errors`].
pub async fn summarize_errors(
    file: &PipeFile,
    query: &ErrorQuery,
    limit: u32,
) -> Result<ErrorSummary, ErrorsError> {
    let (sink, table) = errors_of(file).await?;
    let filter = query.filter(file);
    check_condition(&sink, &table, &filter).await?;
    let groups = sink.group_errors(table.name(), &filter, limit).await?;
    Ok(ErrorSummary { pipe: file.name.to_string(), error_table: table.name().to_owned(), groups })
}
