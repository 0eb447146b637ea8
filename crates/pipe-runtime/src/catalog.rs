//! What the pipe's ClickHouse has: databases, tables and roles to choose among. Asked as whoever creates what a pipe needs.

use housepipe_ch_sink::{ListedTable, Sink};
use serde::Serialize;

use crate::error::PipeError;
use crate::pipe_file::PipeFile;
use crate::set_up;

/// Time for one list, in milliseconds.
const LIST_MS_MAX: u64 = 10_000;

/// Databases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DatabaseList {
    /// Their names, without those that ClickHouse has for itself; up to 10,000.
    pub databases: Vec<String>,
    /// Whether these are all that the user may see.
    pub are_all: bool,
}

/// Which tables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableQuery {
    /// A part of the name; small and capital letters are the same.
    pub name_contains: Option<String>,
    /// How many of them to leave out before the page.
    pub skip: u32,
    /// Tables of the page, at most.
    pub limit: u32,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TableReport {
    /// Its name.
    pub name: String,
    /// Its engine, such as `MergeTree`.
    pub engine: String,
    /// Rows in it; absent where the engine does not count them.
    pub rows: Option<u64>,
    /// Bytes of them as they are stored; absent where the engine does not count them.
    pub bytes: Option<u64>,
    /// Its comment; empty where it has none.
    pub comment: String,
}

/// A page of the tables of a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TablePage {
    /// The database.
    pub database: String,
    /// Tables that are as the query says, over all pages.
    pub total: u64,
    /// Those of this page, by name.
    pub tables: Vec<TableReport>,
}

/// Roles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RoleList {
    /// Their names; up to 10,000.
    pub roles: Vec<String>,
    /// Whether these are all that the server has. Who may not see those is shown its own.
    pub are_all: bool,
}

impl From<ListedTable> for TableReport {
    fn from(table: ListedTable) -> TableReport {
        let ListedTable { name, engine, rows, bytes, comment, .. } = table;
        TableReport { name, engine, rows, bytes, comment }
    }
}

/// The databases that the pipe's user may see, whether or not that of the pipe is among them.
///
/// # Errors
/// [`PipeError::Sink`] where the server does not answer.
pub async fn databases(file: &PipeFile) -> Result<DatabaseList, PipeError> {
    let listed = asks_server(file)?.databases().await?;
    Ok(DatabaseList { databases: listed.names, are_all: listed.are_all })
}

/// Tables of the pipe's database that its user may see.
///
/// # Errors
/// [`PipeError::Sink`] where there is no such database, or the server does not answer.
pub async fn tables(file: &PipeFile, query: &TableQuery) -> Result<TablePage, PipeError> {
    let (total, tables) = asks(file)?.tables(query.name_contains.as_deref(), query.skip, query.limit).await?;
    Ok(TablePage {
        database: file.destination.database.clone(),
        total,
        tables: tables.into_iter().map(TableReport::from).collect(),
    })
}

/// Roles that a user of the pipe's own could be given.
///
/// # Errors
/// [`PipeError::Sink`] where the server does not answer.
pub async fn roles(file: &PipeFile) -> Result<RoleList, PipeError> {
    let listed = asks_server(file)?.roles().await?;
    Ok(RoleList { roles: listed.names, are_all: listed.are_all })
}

/// Asks from within a database that every server has: that of the pipe may be a mistake, or not be there yet.
fn asks_server(file: &PipeFile) -> Result<Sink, PipeError> {
    let mut file = file.clone();
    "system".clone_into(&mut file.destination.database);
    asks(&file)
}

fn asks(file: &PipeFile) -> Result<Sink, PipeError> {
    Ok(set_up::maker_within(file, LIST_MS_MAX)?)
}
