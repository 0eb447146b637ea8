//! A look at the server and the table right before an insert.
//!
//! RowBinary holds no types: where a column has another one, the server reads other values out of the same bytes, and
//! often without an error. And an insert that was meant for a server before its last start must not come to the one after
//! it: what the two know of its token differs. So the look tells the columns' types and the server's start, and can open
//! a session of ClickHouse's HTTP interface: sessions live in the server's memory, so that an insert in one is refused
//! where the server was started anew in between.

use std::hash::{BuildHasher, RandomState};
use std::time::SystemTime;

use crate::aftermath::ServerClock;
use crate::error::SinkError;
use crate::insert::Insert;
use crate::quote::{quote_identifier, quote_string};
use crate::sink::Sink;
use crate::table::TableColumn;

/// What a look has found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Look {
    /// The server's clock.
    pub clock: ServerClock,
    /// The session that was opened, for [`Insert::session`].
    pub session: Option<String>,
}

#[derive(clickhouse::Row, serde::Deserialize)]
struct Seen {
    now_unix_s: u64,
    started_unix_s: u64,
    columns: Vec<(String, String)>,
}

impl Sink {
    /// Looks whether each of `columns` that `table` has is of the type that it had, and at the server's clock. What is not
    /// there is left to the insert to find out.
    ///
    /// # Errors
    /// [`SinkError::ColumnType`] where one has another type; any [`SinkError`] of a request.
    pub async fn look(
        &self,
        table: &str,
        columns: &[TableColumn],
        opens_session: bool,
    ) -> Result<Look, SinkError> {
        let operation = format!("a look at {}", quote_identifier(table));
        let sql = format!(
            "SELECT {}, groupArray((name, type)) AS columns FROM system.columns WHERE database = {} AND table = {}",
            ServerClock::SQL,
            quote_string(&self.config().database),
            quote_string(table)
        );
        let session = opens_session.then(session_id);
        let mut query = self.client().query_raw(&sql);
        if let Some(session) = &session {
            let seconds = Insert::SESSION_S.to_string();
            query = query.with_setting("session_id", session).with_setting("session_timeout", seconds);
        }
        let seen: Seen = self.request(&operation, query.fetch_one::<Seen>()).await?;
        match changed(columns, &seen.columns) {
            None => Ok(Look {
                clock: ServerClock { now_unix_s: seen.now_unix_s, started_unix_s: seen.started_unix_s },
                session,
            }),
            Some((column, is)) => Err(SinkError::ColumnType {
                table: table.to_owned(),
                column: column.name.clone(),
                was: column.type_name.clone(),
                is: is.to_owned(),
            }),
        }
    }
}

/// A name that no other session has.
pub(crate) fn session_id() -> String {
    let bits = || RandomState::new().hash_one(SystemTime::now());
    format!("housepipe-{:016x}{:016x}", bits(), bits())
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
