//! What deduplication depends on, as values.

use std::fmt;

use crate::quote::quote_identifier;

/// A table with its database.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName {
    /// The database.
    pub database: String,
    /// The table.
    pub table: String,
}

/// Quoted, as it stands in a statement.
impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", quote_identifier(&self.database), quote_identifier(&self.table))
    }
}

/// What an engine can do about tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EngineKind {
    /// MergeTree and its family without replication: a window in blocks, none by default.
    Plain,
    /// Replicated and Shared tables: a window in blocks and in seconds.
    Replicated,
    /// Passes rows on to other tables.
    Distributed {
        /// By what expression; empty where there is none.
        sharding_key: String,
        /// Whether the expression is another one for each attempt, such as `rand()`.
        is_random: bool,
    },
    /// Stores nothing; its materialized views do.
    Null,
    /// Remembers no tokens.
    Other,
}

/// A column of the partition key whose value is another one for each attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolatileColumn {
    /// Its name.
    pub name: String,
    /// `DEFAULT` or `MATERIALIZED`.
    pub kind: String,
    /// Its expression.
    pub expression: String,
    /// What makes it volatile: a function such as `now`, or another column.
    pub cause: String,
}

/// What one table remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFacts {
    /// The table.
    pub name: TableName,
    /// Its engine's name, such as `ReplacingMergeTree`.
    pub engine: String,
    /// What the engine can do.
    pub kind: EngineKind,
    /// Blocks whose tokens it remembers; 0 is none. A block is what one insert puts into one table partition.
    pub window_blocks: u64,
    /// Seconds for which it remembers them; without it there is no such limit.
    pub window_seconds: Option<u64>,
    /// The partition key's expression; empty where there is none.
    pub partition_key: String,
    /// Columns of the partition key that differ from attempt to attempt.
    pub volatile_columns: Vec<VolatileColumn>,
    /// Table partitions that one insert writes to, at least 1: how many got rows within the last hour.
    pub partitions_per_insert: u64,
    /// Whether an acknowledged insert has reached the disk, and not only the operating system.
    pub fsync_after_insert: bool,
    /// Whether the server's settings are not visible to this user, so that what the table itself does not set is assumed.
    pub is_assumed: bool,
    /// A number that grows by one at least with every block that is written; none where this user may not see the parts.
    /// It shrinks where the last parts are dropped.
    pub blocks_written: Option<i64>,
}

/// A materialized view that an insert feeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewFacts {
    /// The view.
    pub view: TableName,
    /// The table that it writes to, where the server tells.
    pub target_name: Option<TableName>,
    /// The facts of that table; none where this user may not see it.
    pub target: Option<TableFacts>,
}

/// Everything that deduplication of inserts into a table depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeduplicationFacts {
    /// The table itself.
    pub destination: TableFacts,
    /// Materialized views that read from it, those that read from their targets, and so on.
    pub views: Vec<ViewFacts>,
    /// Whether the server has `deduplicate_insert` (26.2 and later), which overrides `insert_deduplicate`.
    pub has_deduplicate_insert: bool,
    /// The user who asked, for what has to be granted.
    pub user: String,
}

impl DeduplicationFacts {
    /// Every table that stores rows of an insert, with the view that feeds it.
    pub fn tables(&self) -> impl Iterator<Item = (&TableFacts, Option<&TableName>)> {
        let targets = self.views.iter().filter_map(|view| Some((view.target.as_ref()?, Some(&view.view))));
        std::iter::once((&self.destination, None)).chain(targets)
    }
}
