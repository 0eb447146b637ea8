//! Whether a table's columns still have the types that rows are encoded for.
//!
//! RowBinary holds no types: where a column has another one, the server reads other values out of the same bytes, and
//! often without an error.

use crate::error::SinkError;
use crate::quote::{quote_identifier, quote_string};
use crate::sink::Sink;
use crate::table::TableColumn;

impl Sink {
    /// Looks whether each of `columns` that `table` has is of the type that it had. What is not there is left to the insert
    /// to find out.
    ///
    /// # Errors
    /// [`SinkError::ColumnType`] where one has another type; any [`SinkError`] of a request.
    pub async fn check_types(&self, table: &str, columns: &[TableColumn]) -> Result<(), SinkError> {
        let operation = format!("a question for the columns of {}", quote_identifier(table));
        let sql = format!(
            "SELECT name, type FROM system.columns WHERE database = {} AND table = {}",
            quote_string(&self.config().database),
            quote_string(table)
        );
        let now: Vec<(String, String)> = self.fetch_all(&operation, &sql).await?;
        match changed(columns, &now) {
            None => Ok(()),
            Some((column, is)) => Err(SinkError::ColumnType {
                table: table.to_owned(),
                column: column.name.clone(),
                was: column.type_name.clone(),
                is: is.to_owned(),
            }),
        }
    }
}

/// The first column that has another type now, and that type.
fn changed<'a>(
    columns: &'a [TableColumn],
    now: &'a [(String, String)],
) -> Option<(&'a TableColumn, &'a str)> {
    columns.iter().find_map(|column| {
        let (_, is) = now.iter().find(|(name, _)| *name == column.name)?;
        (*is != column.type_name).then_some((column, is.as_str()))
    })
}
