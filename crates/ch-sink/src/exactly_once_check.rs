//! What exactly-once delivery needs of a server beyond inserts, tried beforehand in the way in which it is done later.
//!
//! After a server was killed the rows of an insert are looked for, which reads the table; what a table remembers is reckoned
//! from `system.parts`; and an insert goes in a session, so that it comes to no other server.

use bytes::Bytes;

use crate::error::SinkError;
use crate::error_table::ErrorTable;
use crate::failure::FailureClass;
use crate::grants::{ACCESS_DENIED, GrantProblem};
use crate::insert::{Insert, InsertFormat};
use crate::quote::quote_identifier;
use crate::sink::Sink;
use crate::table::UNKNOWN_TABLE;

/// The table of parts.
const PARTS: &str = "system.parts";

/// Its columns that are read.
const PARTS_COLUMNS: &str =
    "database, table, name, active, partition_id, max_block_number, modification_time";

/// A right, and where it is needed.
struct Right {
    privilege: &'static str,
    /// As the statement that grants it says.
    on: String,
    /// The columns that it is needed for; none where it has none.
    columns: String,
}

impl Right {
    fn select(on: String, columns: &[String]) -> Right {
        let columns: Vec<String> = columns.iter().map(|name| quote_identifier(name)).collect();
        Right { privilege: "SELECT", on, columns: format!("({})", columns.join(", ")) }
    }

    fn of_parts() -> Right {
        Right { privilege: "SELECT", on: PARTS.to_owned(), columns: format!("({PARTS_COLUMNS})") }
    }

    /// Of functions that stand for tables: the rows that are looked for are one.
    fn temporary_table() -> Right {
        Right { privilege: "CREATE TEMPORARY TABLE", on: "*.*".to_owned(), columns: String::new() }
    }
}

impl Sink {
    /// What keeps this user from looking for rows of `table` after its server was killed, in the columns that the pipe fills. A table
    /// that is missing is asked for as it will be.
    ///
    /// # Errors
    /// Any [`SinkError`] that says nothing about rights, such as a server that does not answer.
    pub async fn rows_check(
        &self,
        table: &str,
        columns: &[String],
        types: &[String],
    ) -> Result<Vec<GrantProblem>, SinkError> {
        let sample = Insert {
            table,
            columns,
            format: InsertFormat::RowBinary,
            body: Bytes::new(),
            rows: 0,
            token: None,
            json_as_string: true,
            session: None,
        };
        let now_unix_s = self.server_clock().await?.now_unix_s;
        let tried = self.rows_left(&sample, types, &[], None, now_unix_s).await;
        let rights = [Right::select(self.place(table), columns), Right::of_parts(), Right::temporary_table()];
        self.reading_problems(table, tried.map(drop), &rights).await
    }

    /// The same for the rows of an error table.
    ///
    /// # Errors
    /// As [`Self::rows_check`].
    pub async fn error_rows_check(&self, table: &ErrorTable) -> Result<Vec<GrantProblem>, SinkError> {
        let sql = format!("SELECT offset, batch_token FROM {} LIMIT 0", quote_identifier(table.name()));
        let tried = self.execute("a look at the error table", &sql).await;
        let right = Right::select(self.place(table.name()), &["offset".to_owned(), "batch_token".to_owned()]);
        self.reading_problems(table.name(), tried, &[right]).await
    }

    /// What keeps this user from reading how many blocks the tables have taken.
    ///
    /// # Errors
    /// As [`Self::rows_check`].
    pub async fn parts_check(&self) -> Result<Vec<GrantProblem>, SinkError> {
        let sql = format!("SELECT {PARTS_COLUMNS} FROM {PARTS} LIMIT 0");
        let tried = self.execute("a look at the parts of tables", &sql).await;
        self.reading_problems(PARTS, tried, &[Right::of_parts()]).await
    }

    /// What stands in the way of something that was `tried` at `table` and needs `rights`.
    async fn reading_problems(
        &self,
        table: &str,
        tried: Result<(), SinkError>,
        rights: &[Right],
    ) -> Result<Vec<GrantProblem>, SinkError> {
        let Err(error) = tried else { return Ok(Vec::new()) };
        let detail = match error.code() {
            Some(UNKNOWN_TABLE) => {
                "the table is missing, and this user may not read it when it is there".to_owned()
            }
            Some(ACCESS_DENIED) => error.to_string(),
            Some(_) if error.class() != FailureClass::Retry => {
                let (table, privilege) = (table.to_owned(), "SELECT");
                return Ok(vec![GrantProblem {
                    table,
                    privilege,
                    detail: error.to_string(),
                    statement: None,
                }]);
            }
            _ => return Err(error),
        };
        let mut problems = Vec::new();
        for Right { privilege, on, columns } in rights {
            if !self.is_granted(&format!("{privilege}{columns} ON {on}")).await? {
                problems.push(self.missing(privilege, table, on, detail.clone()));
            }
        }
        if problems.is_empty() && error.code() == Some(ACCESS_DENIED) {
            // The server does not tell one by one, and has said which in words.
            let (table, privilege) = (table.to_owned(), "SELECT");
            problems.push(GrantProblem { table, privilege, detail, statement: None });
        }
        Ok(problems)
    }
}
