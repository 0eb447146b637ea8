//! Whether the user may do what a pipe does, asked without writing anything.

use std::fmt;

use bytes::Bytes;

use crate::error::SinkError;
use crate::error_table::ErrorTable;
use crate::failure::FailureClass;
use crate::insert::{Insert, InsertFormat};
use crate::quote::quote_identifier;
use crate::sink::Sink;
use crate::table::UNKNOWN_TABLE;

/// Code of ClickHouse's SYNTAX_ERROR: servers before 24.9 have no CHECK GRANT.
const SYNTAX_ERROR: i32 = 62;

/// Something that the user may not do, or that stands in the way of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GrantProblem {
    /// The table.
    pub table: String,
    /// What is missing: `INSERT` or `CREATE TABLE`.
    pub privilege: &'static str,
    /// What the server said, or what to run.
    pub detail: String,
}

impl fmt::Display for GrantProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}: {}", self.privilege, quote_identifier(&self.table), self.detail)
    }
}

impl Sink {
    /// Whether this user may insert into `table` and `error_table`, or create them where they are missing. An insert of
    /// no rows is tried, which stores nothing and meets every obstacle of a real one: grants, `readonly`, settings.
    ///
    /// # Errors
    /// Any [`SinkError`] that says nothing about rights, such as a server that does not answer.
    pub async fn grants_check(
        &self,
        table: &str,
        error_table: Option<&ErrorTable>,
    ) -> Result<Vec<GrantProblem>, SinkError> {
        let mut problems = Vec::new();
        for name in [Some(table), error_table.map(ErrorTable::name)].into_iter().flatten() {
            problems.extend(self.grant_problem(name).await?);
        }
        Ok(problems)
    }

    async fn grant_problem(&self, table: &str) -> Result<Option<GrantProblem>, SinkError> {
        let (format, body) = (InsertFormat::RowBinary, Bytes::new());
        let insert = Insert {
            table,
            columns: &[],
            format,
            body,
            rows: 0,
            token: None,
            json_as_string: false,
            session: None,
        };
        let problem =
            |privilege, detail| Ok(Some(GrantProblem { table: table.to_owned(), privilege, detail }));
        match self.send(&insert, true).await {
            Ok(()) => Ok(None),
            Err(error) if error.code() == Some(UNKNOWN_TABLE) => match self.may_create(table).await? {
                true => Ok(None),
                false => problem(
                    "CREATE TABLE",
                    "the table is missing and this user may not create it; GRANT it".to_owned(),
                ),
            },
            Err(error) if error.class() == FailureClass::Retry || error.code().is_none() => Err(error),
            Err(error) => problem("INSERT", error.to_string()),
        }
    }

    async fn may_create(&self, table: &str) -> Result<bool, SinkError> {
        let database = quote_identifier(&self.config().database);
        let sql = format!("CHECK GRANT CREATE TABLE ON {database}.{}", quote_identifier(table));
        match self.fetch_one::<u8>("a question for grants", &sql).await {
            Ok(granted) => Ok(granted == 1),
            // Without CHECK GRANT nothing is known; the creation itself will tell.
            Err(error) if error.code() == Some(SYNTAX_ERROR) => Ok(true),
            Err(error) => Err(error),
        }
    }
}
