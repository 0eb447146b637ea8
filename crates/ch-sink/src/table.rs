//! A table as the server describes it.

use crate::error::SinkError;
use crate::quote::{quote_identifier, quote_string};
use crate::sink::Sink;

/// Code of ClickHouse's UNKNOWN_TABLE.
pub(crate) const UNKNOWN_TABLE: i32 = 60;

/// Code of ClickHouse's UNKNOWN_FUNCTION.
const UNKNOWN_FUNCTION: i32 = 46;

/// Where a column's value comes from when an insert leaves it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DefaultKind {
    /// The type's default; inserts may fill the column.
    None,
    /// An expression; inserts may fill the column instead.
    Default,
    /// An expression that is always computed and stored; inserts cannot fill the column.
    Materialized,
    /// An expression that is computed when read; inserts cannot fill the column.
    Alias,
    /// Never stored; inserts may fill it for other columns' expressions.
    Ephemeral,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableColumn {
    /// Its name.
    pub name: String,
    /// Its type as ClickHouse prints it, such as `LowCardinality(String)`.
    pub type_name: String,
    /// Where its value comes from when it is left out.
    pub default_kind: DefaultKind,
    /// The expression; empty for [`DefaultKind::None`].
    pub default_expression: String,
}

impl TableColumn {
    /// A column without an expression, whose type ClickHouse prints as `type_name`.
    pub fn new(name: impl Into<String>, type_name: impl Into<String>) -> TableColumn {
        TableColumn {
            name: name.into(),
            type_name: type_name.into(),
            default_kind: DefaultKind::None,
            default_expression: String::new(),
        }
    }

    /// The same with an expression of this kind.
    pub fn with_default(self, default_kind: DefaultKind, expression: impl Into<String>) -> TableColumn {
        TableColumn { default_kind, default_expression: expression.into(), ..self }
    }
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableInfo {
    /// The engine's name, such as `MergeTree`.
    pub engine: String,
    /// Whether it has a partition key, so that one insert may be several blocks.
    pub is_partitioned: bool,
    /// The columns in the table's order.
    pub columns: Vec<TableColumn>,
}

impl TableInfo {
    /// A table without a partition key.
    pub fn new(engine: impl Into<String>, columns: Vec<TableColumn>) -> TableInfo {
        TableInfo { engine: engine.into(), is_partitioned: false, columns }
    }
}

#[derive(clickhouse::Row, serde::Deserialize)]
struct ColumnRow {
    engine: String,
    partition_key: String,
    name: String,
    type_name: String,
    default_kind: String,
    default_expression: String,
}

impl Sink {
    /// The table's engine and columns; `None` where there is no such table.
    ///
    /// # Errors
    /// Any [`SinkError`] of a request; code 497 where the user may not see the table.
    pub async fn describe(&self, table: &str) -> Result<Option<TableInfo>, SinkError> {
        let operation = format!("the description of {}", quote_identifier(table));
        let (database, name) = (quote_string(&self.config().database), quote_string(table));
        let sql = format!(
            "SELECT ifNull((SELECT any(engine) FROM system.tables WHERE database = {database} AND name = {name}), '') AS engine, \
             ifNull((SELECT any(partition_key) FROM system.tables WHERE database = {database} AND name = {name}), '') AS partition_key, \
             name, type AS type_name, toString(default_kind) AS default_kind, default_expression \
             FROM system.columns WHERE database = {database} AND table = {name} ORDER BY position"
        );
        let rows: Vec<ColumnRow> = self.fetch_all(&operation, &sql).await?;
        let Some(first) = rows.first() else {
            // system.columns hides what the user may not see; DESCRIBE tells that from a table that does not exist.
            let describe = format!("DESCRIBE TABLE {}", quote_identifier(table));
            return match self.execute(&operation, &describe).await {
                Err(error) if error.code() == Some(UNKNOWN_TABLE) => Ok(None),
                Err(error) => Err(error),
                Ok(()) => {
                    Ok(Some(TableInfo { engine: String::new(), is_partitioned: false, columns: Vec::new() }))
                }
            };
        };
        let (engine, is_partitioned) = (first.engine.clone(), !first.partition_key.is_empty());
        Ok(Some(TableInfo {
            engine,
            is_partitioned,
            columns: rows.into_iter().map(TableColumn::from).collect(),
        }))
    }
}

impl Sink {
    /// Whether tables of these names may be in the database, as the server counts them: it makes names of files of them, in which letters, digits and
    /// `_` of ASCII count one, and each other byte three. Those that are there already may be, and so may all where the server cannot tell.
    ///
    /// # Errors
    /// [`SinkError::Definition`] for a name that is too long; any [`SinkError`] of a request.
    pub async fn check_table_names(&self, names: &[&str]) -> Result<(), SinkError> {
        let sql =
            format!("SELECT getMaxTableNameLengthForDatabase({})", quote_string(&self.config().database));
        let bytes_max = match self.read_one::<u64>("a question for the length of names", &sql).await {
            Ok(bytes_max) => bytes_max,
            // Servers before 25.2 do not know the function, and refuse such a name when the table is created.
            Err(error) if error.code() == Some(UNKNOWN_FUNCTION) => return Ok(()),
            Err(error) => return Err(error),
        };
        for name in names.iter().filter(|name| file_name_bytes(name) > bytes_max) {
            if self.describe(name).await?.is_none() {
                let problem = "is longer than a table's name may be in this database, where letters, digits and `_` count one and each other byte three; \
                               shorten the table's name, or what is added to it for the error table";
                return Err(SinkError::Definition { part: "name", text: (*name).to_owned(), problem });
            }
        }
        Ok(())
    }
}

/// Bytes of a table's name as the server writes it into names of files (its `escapeForFileName`): `%2D` for a dash.
fn file_name_bytes(name: &str) -> u64 {
    let of_byte = |byte: u8| if byte.is_ascii_alphanumeric() || byte == b'_' { 1 } else { 3 };
    name.bytes().map(of_byte).sum()
}

impl From<ColumnRow> for TableColumn {
    fn from(row: ColumnRow) -> Self {
        let default_kind = match row.default_kind.as_str() {
            "DEFAULT" => DefaultKind::Default,
            "MATERIALIZED" => DefaultKind::Materialized,
            "ALIAS" => DefaultKind::Alias,
            "EPHEMERAL" => DefaultKind::Ephemeral,
            _ => DefaultKind::None,
        };
        let ColumnRow { name, type_name, default_expression, .. } = row;
        TableColumn { name, type_name, default_kind, default_expression }
    }
}
