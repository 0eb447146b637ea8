//! Reads the facts from the server's system tables.

use std::collections::{BTreeSet, HashSet, VecDeque};

use super::assemble::{PartsRow, Server, TableRow, facts_of};
use super::facts::{DeduplicationFacts, TableFacts, TableName, ViewFacts};
use crate::ddl::CreateTable;
use crate::error::SinkError;
use crate::error_table::ErrorTable;
use crate::grants::ACCESS_DENIED;
use crate::quote::quote_string;
use crate::sink::Sink;

/// Materialized views that are looked at, at most; an insert that feeds more has other troubles.
const VIEWS_MAX: usize = 100;

/// Seconds of history from which the number of table partitions of one insert is taken.
const PARTITIONS_SECONDS: u32 = 3_600;

/// Functions that give another value for each attempt, for servers that do not tell.
const VOLATILE: [&str; 12] = [
    "now",
    "now64",
    "nowinblock",
    "today",
    "yesterday",
    "rand",
    "rand32",
    "rand64",
    "randconstant",
    "generateuuidv4",
    "generateuuidv7",
    "randomstring",
];

/// Code of ClickHouse's UNKNOWN_IDENTIFIER: a server that lacks a column.
const UNKNOWN_IDENTIFIER: i32 = 47;

impl Sink {
    /// What deduplication of inserts into `table` depends on; `None` where there is no such table, or where this user
    /// may not see it.
    ///
    /// # Errors
    /// Any [`SinkError`] of a request.
    pub async fn deduplication_facts(&self, table: &str) -> Result<Option<DeduplicationFacts>, SinkError> {
        let server = self.server_facts().await?;
        let name = TableName { database: self.config().database.clone(), table: table.to_owned() };
        let Some((destination, mut waiting)) = self.table_facts(&server, &name).await? else {
            return Ok(None);
        };
        let mut views: Vec<ViewFacts> = Vec::new();
        let mut seen: BTreeSet<TableName> = waiting.iter().cloned().collect();
        while let Some(view) = waiting.pop_front() {
            if views.len() >= VIEWS_MAX {
                break;
            }
            let target_name = self.target_of(&view).await?;
            let target = match &target_name {
                Some(target) => self.table_facts(&server, target).await?,
                None => None,
            };
            let target = target.map(|(target, next)| {
                waiting.extend(next.into_iter().filter(|next| seen.insert(next.clone())));
                target
            });
            views.push(ViewFacts { view, target_name, target });
        }
        let has_deduplicate_insert = self.has_setting("deduplicate_insert").await?;
        let user = self.config().username.clone();
        Ok(Some(DeduplicationFacts { destination, views, has_deduplicate_insert, user }))
    }

    /// The same for a table that does not exist yet, as `create` would make it.
    ///
    /// # Errors
    /// Any [`SinkError`] of a request.
    pub async fn planned_deduplication_facts(
        &self,
        create: &CreateTable,
    ) -> Result<DeduplicationFacts, SinkError> {
        let engine = create.engine.trim().split('(').next().unwrap_or_default().trim();
        let partition_key = create.partition_by.clone().unwrap_or_default();
        self.planned_facts(&create.name, &create.sql(), engine, partition_key).await
    }

    /// The same for an error table that does not exist yet.
    ///
    /// # Errors
    /// Any [`SinkError`] of a request.
    pub async fn planned_error_table_facts(
        &self,
        table: &ErrorTable,
    ) -> Result<DeduplicationFacts, SinkError> {
        self.planned_facts(table.name(), &table.sql(), ErrorTable::ENGINE, String::new()).await
    }

    async fn planned_facts(
        &self,
        table: &str,
        sql: &str,
        engine: &str,
        partition_key: String,
    ) -> Result<DeduplicationFacts, SinkError> {
        let server = self.server_facts().await?;
        let name = TableName { database: self.config().database.clone(), table: table.to_owned() };
        let row = TableRow {
            engine_full: sql.replace('\n', " "),
            engine: engine.to_owned(),
            partition_key,
            dependencies: Vec::new(),
            target_database: String::new(),
            target_table: String::new(),
        };
        let has_deduplicate_insert = self.has_setting("deduplicate_insert").await?;
        let destination = facts_of(&server, name, &row, Some(PartsRow::default()), Vec::new());
        let user = self.config().username.clone();
        Ok(DeduplicationFacts { destination, views: Vec::new(), has_deduplicate_insert, user })
    }

    async fn server_facts(&self) -> Result<Server, SinkError> {
        let operation = "a question for the server's deduplication settings";
        let settings = async |table: &str| {
            let sql = format!(
                "SELECT name, value FROM system.{table} WHERE name LIKE '%deduplication_window%' OR name = 'fsync_after_insert'"
            );
            let rows = unless(ACCESS_DENIED, self.read_all::<(String, String)>(operation, &sql).await)?;
            Ok::<_, SinkError>(rows.map(|rows| rows.into_iter().collect()))
        };
        let (plain, replicated) =
            (settings("merge_tree_settings").await?, settings("replicated_merge_tree_settings").await?);
        Ok(Server { plain, replicated, volatile: self.volatile_functions().await? })
    }

    /// Functions that give another value for each attempt, in lower case.
    async fn volatile_functions(&self) -> Result<HashSet<String>, SinkError> {
        let operation = "a question for functions that are not deterministic";
        for column in ["deterministic", "is_deterministic"] {
            let sql = format!("SELECT lower(name) FROM system.functions WHERE {column} = 0");
            if let Some(names) = unless(UNKNOWN_IDENTIFIER, self.read_all::<String>(operation, &sql).await)? {
                return Ok(names.into_iter().collect());
            }
        }
        Ok(VOLATILE.iter().map(|name| (*name).to_owned()).collect())
    }

    /// The facts of a table, and the views that read from it.
    async fn table_facts(
        &self,
        server: &Server,
        name: &TableName,
    ) -> Result<Option<(TableFacts, VecDeque<TableName>)>, SinkError> {
        let Some(row) = self.table_row(name).await? else { return Ok(None) };
        let parts = self.parts_row(name).await?;
        let operation = format!("a question for the columns of {name}");
        let (database, table) = (quote_string(&name.database), quote_string(&name.table));
        let columns: Vec<(String, String, String, u8)> = self
            .fetch_all(
                &operation,
                &format!(
                    "SELECT name, toString(default_kind), default_expression, is_in_partition_key FROM system.columns \
                     WHERE database = {database} AND table = {table} ORDER BY position"
                ),
            )
            .await?;
        let views = row
            .dependencies
            .iter()
            .map(|(database, table)| TableName { database: database.clone(), table: table.clone() });
        let views = views.collect();
        Ok(Some((facts_of(server, name.clone(), &row, parts, columns), views)))
    }

    async fn table_row(&self, name: &TableName) -> Result<Option<TableRow>, SinkError> {
        let operation = format!("a question for the engine of {name}");
        let (database, table) = (quote_string(&name.database), quote_string(&name.table));
        // Older servers do not tell where a view writes to.
        for target in ["target_database, target_table", "'', ''"] {
            let sql = format!(
                "SELECT engine, engine_full, partition_key, arrayZip(dependencies_database, dependencies_table), {target} \
                 FROM system.tables WHERE database = {database} AND name = {table}"
            );
            if let Some(rows) = unless(UNKNOWN_IDENTIFIER, self.read_all(&operation, &sql).await)? {
                return Ok(rows.into_iter().next());
            }
        }
        Ok(None)
    }

    /// What the parts tell; `None` where this user may not see them.
    async fn parts_row(&self, name: &TableName) -> Result<Option<PartsRow>, SinkError> {
        let sql = format!(
            "SELECT countIf(is_recent), toInt64(max(last)), toInt64(sum(last)) FROM (SELECT max(max_block_number) AS last, \
             countIf(level = 0 AND modification_time > now() - {PARTITIONS_SECONDS}) > 0 AS is_recent FROM system.parts \
             WHERE database = {} AND table = {} GROUP BY partition_id)",
            quote_string(&name.database),
            quote_string(&name.table)
        );
        unless(ACCESS_DENIED, self.read_one(&format!("a question for the parts of {name}"), &sql).await)
    }

    /// The table that a view writes to, where the server tells.
    async fn target_of(&self, view: &TableName) -> Result<Option<TableName>, SinkError> {
        let Some(row) = self.table_row(view).await? else { return Ok(None) };
        let target = TableName { database: row.target_database, table: row.target_table };
        Ok(Some(target).filter(|target| !target.table.is_empty()))
    }
}

/// The answer; `None` where the server refused with `code`.
fn unless<T>(code: i32, answer: Result<T, SinkError>) -> Result<Option<T>, SinkError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.code() == Some(code) => Ok(None),
        Err(error) => Err(error),
    }
}
