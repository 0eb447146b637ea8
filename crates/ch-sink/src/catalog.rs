//! What a server has, as far as the user may see it: databases, tables, and roles.

use crate::error::SinkError;
use crate::quote::quote_string;
use crate::sink::Sink;

/// Names of one list, at most.
const NAMES_MAX: usize = 10_000;

/// Databases that the server has for itself.
const OF_THE_SERVER: &str = "('system', 'INFORMATION_SCHEMA', 'information_schema')";

/// What tables of materialized views that name none are called; they are theirs alone.
const OF_VIEWS: &str = ".inner";

/// A table among those of its database.
#[derive(Debug, Clone, PartialEq, Eq, clickhouse::Row, serde::Deserialize)]
#[non_exhaustive]
pub struct ListedTable {
    /// Its name.
    pub name: String,
    /// Its engine, such as `MergeTree`.
    pub engine: String,
    /// Rows in it; absent where the engine does not count them.
    pub rows: Option<u64>,
    /// Bytes of them as they are stored; absent where the engine does not count them.
    pub bytes: Option<u64>,
    /// Its comment.
    pub comment: String,
}

/// Names of what a server has.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListedNames {
    /// The names, sorted; up to 10,000.
    pub names: Vec<String>,
    /// Whether there are no others: neither more of them, nor some that this user may not see where the server tells so.
    pub are_all: bool,
}

#[derive(clickhouse::Row, serde::Deserialize)]
struct Named {
    name: String,
}

impl Sink {
    /// The databases that this user may see, without those that the server has for itself. Names of databases that it may not see are kept from it
    /// by the server, which does not tell that there are any.
    ///
    /// # Errors
    /// Any [`SinkError`] of a request.
    pub async fn databases(&self) -> Result<ListedNames, SinkError> {
        let sql =
            format!("SELECT name FROM system.databases WHERE name NOT IN {OF_THE_SERVER} ORDER BY name");
        self.names("the list of databases", &sql).await
    }

    /// Tables of the database that this user may see and whose names have `part` in them, small and capital letters being the same: `limit` of them
    /// by name behind the first `skip`, and how many there are altogether.
    ///
    /// # Errors
    /// Any [`SinkError`] of a request; code 81 where there is no such database.
    pub async fn tables(
        &self,
        part: Option<&str>,
        skip: u32,
        limit: u32,
    ) -> Result<(u64, Vec<ListedTable>), SinkError> {
        let database = quote_string(&self.config().database);
        let named = part.map_or_else(String::new, |part| {
            format!(" AND positionCaseInsensitiveUTF8(name, {}) > 0", quote_string(part))
        });
        let from = format!(
            "FROM system.tables WHERE database = {database} AND NOT startsWith(name, {}){named}",
            quote_string(OF_VIEWS)
        );
        let total = self.read_one("the number of tables", &format!("SELECT count() {from}")).await?;
        let sql = format!(
            "SELECT name, engine, total_rows, total_bytes, comment {from} ORDER BY name LIMIT {limit} OFFSET {skip}"
        );
        Ok((total, self.read_all("the list of tables", &sql).await?))
    }

    /// The server's roles, or this user's own where it may not see those.
    ///
    /// # Errors
    /// Any [`SinkError`] of a request.
    pub async fn roles(&self) -> Result<ListedNames, SinkError> {
        match self.names("the list of roles", "SELECT name FROM system.roles ORDER BY name").await {
            Err(error) if error.is_denied() => {
                let sql = "SELECT DISTINCT role_name AS name FROM system.enabled_roles ORDER BY name";
                let ListedNames { names, .. } = self.names("the list of one's own roles", sql).await?;
                Ok(ListedNames { names, are_all: false })
            }
            listed => listed,
        }
    }

    async fn names(&self, operation: &str, sql: &str) -> Result<ListedNames, SinkError> {
        let rows: Vec<Named> = self.read_all(operation, &format!("{sql} LIMIT {}", NAMES_MAX + 1)).await?;
        let are_all = rows.len() <= NAMES_MAX;
        let names = rows.into_iter().take(NAMES_MAX).map(|row| row.name).collect();
        Ok(ListedNames { names, are_all })
    }
}
