//! CREATE TABLE for a pipe's destination.

use crate::error::SinkError;
use crate::expression::{check_engine, check_expression};
use crate::quote::quote_identifier;
use crate::sink::Sink;
use crate::table_settings::{TableSetting, check_settings};

/// Blocks whose tokens a table without replication remembers, where Housepipe creates it or advises on it.
///
/// As many as Replicated tables remember by default, so that one table is as good as the other: with an insert every
/// 5 s from each of 32 Kafka partitions that is 26 minutes, in which an insert whose answer was lost is repeated, or a
/// pipe that was killed comes back. A token takes about 60 bytes of a log on disk that is written with each insert, and
/// a few hundred bytes of the server's memory: some megabytes for all of them.
pub const DEDUPLICATION_WINDOW_BLOCKS: u64 = 10_000;

/// The setting that gives a table without replication its window.
const WINDOW: &str = "non_replicated_deduplication_window";

/// The clause that does.
pub(crate) fn window_sql() -> String {
    format!("\nSETTINGS {}", window().sql())
}

fn window() -> TableSetting {
    TableSetting { name: WINDOW.to_owned(), value: DEDUPLICATION_WINDOW_BLOCKS.to_string() }
}

/// ` ON CLUSTER name` behind the name of what a statement makes, or nothing. A name such as `{cluster}` is a macro of the server's.
pub(crate) fn cluster_sql(cluster: Option<&str>) -> String {
    cluster.map_or_else(String::new, |name| format!(" ON CLUSTER {}", quote_identifier(name)))
}

/// A column of a table to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnDef {
    /// Its name, any text.
    pub name: String,
    /// Its type as SQL. The caller has parsed it and printed it from its own tree; it goes into the statement as it is.
    pub type_sql: String,
}

/// A table to create.
///
/// ```
/// use housepipe_ch_sink::{ColumnDef, CreateTable};
///
/// let table = CreateTable {
///     name: "clicks".to_owned(),
///     columns: vec![ColumnDef { name: "ts".to_owned(), type_sql: "DateTime".to_owned() }],
///     engine: "MergeTree".to_owned(),
///     order_by: vec!["ts".to_owned()],
///     partition_by: None,
///     ttl: None,
///     settings: Vec::new(),
///     on_cluster: None,
/// };
/// assert!(table.sql().contains("ENGINE = MergeTree\nORDER BY (`ts`)\nSETTINGS non_replicated_deduplication_window ="));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateTable {
    /// Its name, in the sink's database.
    pub name: String,
    /// Its columns.
    pub columns: Vec<ColumnDef>,
    /// Engine with its parameters, such as `ReplacingMergeTree(version)`.
    pub engine: String,
    /// Sorting key: a column's name or an expression each.
    pub order_by: Vec<String>,
    /// Partition key: a column's name or an expression.
    pub partition_by: Option<String>,
    /// TTL: an expression with what follows it, such as `ts + INTERVAL 30 DAY DELETE`.
    pub ttl: Option<String>,
    /// Settings of the table.
    pub settings: Vec<TableSetting>,
    /// The cluster on whose servers it is created, rather than on the one that is asked alone.
    pub on_cluster: Option<String>,
}

impl CreateTable {
    /// The statement, for people to read and for [`Sink::create_table`] to run. It is not checked.
    ///
    /// A table of the MergeTree family without replication gets [`DEDUPLICATION_WINDOW_BLOCKS`]: it would drop no
    /// repeated insert otherwise, unless its settings say something else. Replicated tables have a window by themselves.
    pub fn sql(&self) -> String {
        let name = format!("{}{}", quote_identifier(&self.name), cluster_sql(self.on_cluster.as_deref()));
        self.statement("CREATE TABLE IF NOT EXISTS", &name, self.engine.trim())
    }

    /// The statement that begins with `create`, for a table of this engine; `name` is quoted.
    pub(crate) fn statement(&self, create: &str, name: &str, engine: &str) -> String {
        let columns: Vec<String> = self
            .columns
            .iter()
            .map(|column| format!("    {} {}", quote_identifier(&column.name), column.type_sql))
            .collect();
        let mut sql = format!("{create} {name}\n(\n{}\n)\nENGINE = {engine}", columns.join(",\n"));
        if let Some(key) = &self.partition_by {
            sql.push_str(&format!("\nPARTITION BY ({})", self.key_sql(key)));
        }
        if !self.order_by.is_empty() {
            let keys: Vec<String> = self.order_by.iter().map(|key| self.key_sql(key)).collect();
            sql.push_str(&format!("\nORDER BY ({})", keys.join(", ")));
        } else if self.engine_name().ends_with("MergeTree") {
            sql.push_str("\nORDER BY tuple()");
        }
        if let Some(ttl) = &self.ttl {
            sql.push_str(&format!("\nTTL {ttl}"));
        }
        let settings: Vec<String> =
            self.settings.iter().chain(&self.own_window()).map(TableSetting::sql).collect();
        if !settings.is_empty() {
            sql.push_str(&format!("\nSETTINGS {}", settings.join(", ")));
        }
        sql
    }

    /// The window that the table gets where nothing else gives it one.
    fn own_window(&self) -> Option<TableSetting> {
        let has_window = ["Replicated", "Shared"].iter().any(|prefix| self.engine_name().starts_with(prefix));
        let is_given = self.settings.iter().any(|setting| setting.name == WINDOW);
        (self.engine_name().ends_with("MergeTree") && !has_window && !is_given).then(window)
    }

    /// The engine without its parameters.
    fn engine_name(&self) -> &str {
        self.engine.split('(').next().unwrap_or_default().trim()
    }

    /// Checks that every part is what it says and nothing more.
    ///
    /// # Errors
    /// [`SinkError::Definition`] names the part.
    pub fn check(&self) -> Result<(), SinkError> {
        let refuse =
            |part, text: &str, problem| Err(SinkError::Definition { part, text: text.to_owned(), problem });
        if self.columns.is_empty() {
            return refuse("columns", "", "are missing");
        }
        let takes_keys = check_engine(&self.engine)?;
        for key in self.order_by.iter().filter(|key| !self.is_column(key)) {
            check_expression("order_by", key)?;
        }
        for key in self.partition_by.iter().filter(|key| !self.is_column(key)) {
            check_expression("partition_by", key)?;
        }
        if let Some(ttl) = &self.ttl {
            check_expression("ttl", ttl)?;
        }
        check_settings(&self.settings)?;
        let has_keys = !self.order_by.is_empty() || self.partition_by.is_some() || self.ttl.is_some();
        if has_keys && !takes_keys {
            return refuse("engine", &self.engine, "takes no sorting key, partition key or TTL");
        }
        Ok(())
    }

    fn is_column(&self, key: &str) -> bool {
        self.columns.iter().any(|column| column.name == *key)
    }

    /// A column's name is quoted; anything else is an expression.
    fn key_sql(&self, key: &str) -> String {
        if self.is_column(key) { quote_identifier(key) } else { key.to_owned() }
    }
}

impl Sink {
    /// Creates the table unless it exists.
    ///
    /// # Errors
    /// [`SinkError::Definition`] before anything is sent; any [`SinkError`] of a request.
    pub async fn create_table(&self, table: &CreateTable) -> Result<(), SinkError> {
        table.check()?;
        let operation = format!("the creation of {}", quote_identifier(&table.name));
        self.define(&operation, &table.sql(), table.on_cluster.is_some()).await
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn table() -> CreateTable {
        let column =
            |name: &str, type_sql: &str| ColumnDef { name: name.to_owned(), type_sql: type_sql.to_owned() };
        CreateTable {
            name: "clicks".to_owned(),
            columns: vec![
                column("ts", "DateTime64(3, 'UTC')"),
                column("odd `name", "String"),
                column("version", "UInt64"),
            ],
            engine: "ReplacingMergeTree(version)".to_owned(),
            order_by: vec!["ts".to_owned(), "odd `name".to_owned(), "cityHash64(version)".to_owned()],
            partition_by: Some("toYYYYMM(ts)".to_owned()),
            ttl: Some("toDateTime(ts) + INTERVAL 30 DAY".to_owned()),
            settings: Vec::new(),
            on_cluster: None,
        }
    }

    #[test]
    fn every_clause_is_printed() {
        table().check().unwrap();
        expect![[r"
            CREATE TABLE IF NOT EXISTS `clicks`
            (
                `ts` DateTime64(3, 'UTC'),
                `odd \`name` String,
                `version` UInt64
            )
            ENGINE = ReplacingMergeTree(version)
            PARTITION BY (toYYYYMM(ts))
            ORDER BY (`ts`, `odd \`name`, cityHash64(version))
            TTL toDateTime(ts) + INTERVAL 30 DAY
            SETTINGS non_replicated_deduplication_window = 10000"]]
        .assert_eq(&table().sql());
    }

    #[test]
    fn merge_trees_always_have_a_sorting_key() {
        let unsorted = CreateTable { order_by: vec![], engine: "MergeTree".to_owned(), ..table() };
        assert!(unsorted.sql().contains("\nORDER BY tuple()"));
        let null = CreateTable {
            engine: "Null".to_owned(),
            order_by: vec![],
            partition_by: None,
            ttl: None,
            ..table()
        };
        null.check().unwrap();
        assert!(null.sql().ends_with("ENGINE = Null"));
    }

    #[test]
    fn only_tables_without_replication_are_given_a_window() {
        for (engine, has_window) in [
            ("MergeTree()", true),
            ("ReplicatedMergeTree", false),
            ("SharedMergeTree", false),
            ("Memory", false),
        ] {
            let table = CreateTable { engine: engine.to_owned(), ..table() };
            assert_eq!(table.sql().contains("deduplication_window"), has_window, "{engine}");
        }
    }

    #[test]
    fn settings_and_the_cluster_stand_in_their_places() {
        let setting =
            |name: &str, value: &str| TableSetting { name: name.to_owned(), value: value.to_owned() };
        let table = CreateTable {
            settings: vec![setting("index_granularity", "1024"), setting("storage_policy", "hot")],
            on_cluster: Some("{cluster}".to_owned()),
            ..table()
        };
        table.check().unwrap();
        let sql = table.sql();
        assert!(sql.starts_with("CREATE TABLE IF NOT EXISTS `clicks` ON CLUSTER `{cluster}`\n(\n"), "{sql}");
        let ends = "\nSETTINGS index_granularity = 1024, storage_policy = 'hot', non_replicated_deduplication_window = 10000";
        assert!(sql.ends_with(ends), "{sql}");
        let own = CreateTable { settings: vec![setting(WINDOW, "7")], ..table };
        assert!(own.sql().ends_with("\nSETTINGS non_replicated_deduplication_window = 7"), "{}", own.sql());
        let broken = CreateTable { settings: vec![setting("a = 1, b", "1")], ..own };
        assert!(broken.check().is_err());
    }

    #[test]
    fn parts_that_reach_out_of_their_place_are_refused() {
        let order = |key: &str| CreateTable { order_by: vec![key.to_owned()], ..table() };
        assert!(order("ts) SETTINGS x = 1").check().is_err());
        assert!(CreateTable { ttl: Some("ts; DROP TABLE x".to_owned()), ..table() }.check().is_err());
        assert!(CreateTable { engine: "Null".to_owned(), ..table() }.check().is_err());
        assert!(CreateTable { columns: vec![], ..table() }.check().is_err());
    }
}
