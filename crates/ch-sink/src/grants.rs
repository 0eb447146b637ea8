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

/// Code of ClickHouse's ACCESS_DENIED.
pub(crate) const ACCESS_DENIED: i32 = 497;

/// Something that the user may not do, or that stands in the way of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GrantProblem {
    /// The table.
    pub table: String,
    /// What is missing, such as `INSERT`.
    pub privilege: &'static str,
    /// What the server said.
    pub detail: String,
    /// The statement that grants it, where that is what is missing.
    pub statement: Option<String>,
}

impl fmt::Display for GrantProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}: {}", self.privilege, quote_identifier(&self.table), self.detail)?;
        self.statement.as_ref().map_or(Ok(()), |statement| write!(f, "; to mend it: {statement}"))
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
        let place = self.place(table);
        match self.send(&insert, true).await {
            Ok(()) => Ok(None),
            Err(error) if error.code() == Some(UNKNOWN_TABLE) => self.creation_check(table).await,
            Err(error) if error.class() == FailureClass::Retry || error.code().is_none() => Err(error),
            Err(error) if error.is_denied() => {
                Ok(Some(self.missing("INSERT", table, &place, error.to_string())))
            }
            Err(error) => Ok(Some(GrantProblem {
                table: table.to_owned(),
                privilege: "INSERT",
                detail: error.to_string(),
                statement: None,
            })),
        }
    }

    /// Whether this user may create `table`; none where it may.
    ///
    /// # Errors
    /// Any [`SinkError`] of a request.
    pub async fn creation_check(&self, table: &str) -> Result<Option<GrantProblem>, SinkError> {
        if self.may_create(table).await? {
            return Ok(None);
        }
        let detail = "the table is missing, and this user may not create it".to_owned();
        Ok(Some(self.missing("CREATE TABLE", table, &self.place(table), detail)))
    }

    async fn may_create(&self, table: &str) -> Result<bool, SinkError> {
        self.is_granted(&format!("CREATE TABLE ON {}", self.place(table))).await
    }

    /// Whether `grant` is this user's, as far as the server tells.
    pub(crate) async fn is_granted(&self, grant: &str) -> Result<bool, SinkError> {
        match self.fetch_one::<u8>("a question for grants", &format!("CHECK GRANT {grant}")).await {
            Ok(granted) => Ok(granted == 1),
            // Without CHECK GRANT nothing is known; what it is needed for will tell.
            Err(error) if error.code() == Some(SYNTAX_ERROR) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// A table of the sink's database, in full.
    pub(crate) fn place(&self, table: &str) -> String {
        format!("{}.{}", quote_identifier(&self.config().database), quote_identifier(table))
    }

    /// This user lacks `privilege` on `place`.
    pub(crate) fn missing(
        &self,
        privilege: &'static str,
        table: &str,
        place: &str,
        detail: String,
    ) -> GrantProblem {
        let user = quote_identifier(&self.config().username);
        let statement = Some(format!("GRANT {privilege} ON {place} TO {user}"));
        GrantProblem { table: table.to_owned(), privilege, detail, statement }
    }
}
