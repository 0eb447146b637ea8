//! What stands in the way of deduplication, and what mends it.

use std::fmt;

use super::facts::TableName;
use crate::ddl::DEDUPLICATION_WINDOW_BLOCKS;
use crate::quote::quote_identifier;

/// What a finding means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// A repeated insert is loaded again.
    Refusal,
    /// Whether it is cannot be told from here.
    Warning,
    /// Something to know.
    Note,
}

/// One thing about a table or a view.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// The table remembers no tokens.
    NoWindow {
        /// The table.
        table: TableName,
        /// The view that feeds it, where it is not the destination itself.
        view: Option<TableName>,
        /// The setting that says how many it remembers.
        setting: &'static str,
    },
    /// The table's engine remembers no tokens.
    EngineForgets {
        /// The table.
        table: TableName,
        /// The view that feeds it, where it is not the destination itself.
        view: Option<TableName>,
        /// Its engine.
        engine: String,
    },
    /// A repeated insert lands in another table partition, where its token is not known.
    VolatilePartition {
        /// The table.
        table: TableName,
        /// The column of its partition key.
        column: String,
        /// `DEFAULT` or `MATERIALIZED`.
        kind: String,
        /// Its expression.
        expression: String,
        /// The function or column that makes it volatile.
        cause: String,
    },
    /// A repeated insert lands on another shard, where its token is not known.
    RandomSharding {
        /// The table.
        table: TableName,
        /// Its sharding key.
        sharding_key: String,
    },
    /// The table that a view writes to is not visible to this user.
    TargetUnseen {
        /// The view.
        view: TableName,
        /// The table, where the server tells.
        target: Option<TableName>,
        /// This user.
        user: String,
    },
    /// The server's settings are not visible to this user, so its defaults are assumed.
    DefaultsUnseen {
        /// The table.
        table: TableName,
        /// This user.
        user: String,
    },
    /// The table forgets so soon that an insert which is repeated after a short outage is loaded again.
    ShortHorizon {
        /// The table.
        table: TableName,
        /// For how long it remembers a token, in seconds.
        seconds: u64,
        /// The setting that limits it.
        setting: &'static str,
        /// What to set it to.
        wanted: u64,
    },
    /// The tables behind a Distributed table are on other servers.
    ShardsUnseen {
        /// The table.
        table: TableName,
    },
    /// An acknowledged insert may be lost where the server's machine loses power.
    NotSynced {
        /// The table.
        table: TableName,
    },
}

impl Finding {
    /// What it means.
    pub fn severity(&self) -> Severity {
        match self {
            Finding::NoWindow { .. }
            | Finding::EngineForgets { .. }
            | Finding::VolatilePartition { .. }
            | Finding::RandomSharding { .. }
            | Finding::TargetUnseen { .. } => Severity::Refusal,
            Finding::ShardsUnseen { .. } | Finding::ShortHorizon { .. } => Severity::Warning,
            Finding::NotSynced { .. } | Finding::DefaultsUnseen { .. } => Severity::Note,
        }
    }

    /// The statement that mends it, with quoted names; none where no single statement does.
    pub fn statement(&self) -> Option<String> {
        match self {
            Finding::NoWindow { table, setting, .. } => {
                Some(format!("ALTER TABLE {table} MODIFY SETTING {setting} = {DEDUPLICATION_WINDOW_BLOCKS}"))
            }
            Finding::ShortHorizon { table, setting, wanted, .. } => {
                Some(format!("ALTER TABLE {table} MODIFY SETTING {setting} = {wanted}"))
            }
            Finding::VolatilePartition { table, column, kind, .. } => {
                Some(format!("ALTER TABLE {table} MODIFY COLUMN {} REMOVE {kind}", quote_identifier(column)))
            }
            Finding::TargetUnseen { view, target, user } => Some(format!(
                "GRANT SHOW TABLES, SHOW COLUMNS ON {}.* TO {}",
                quote_identifier(&target.as_ref().unwrap_or(view).database),
                quote_identifier(user)
            )),
            Finding::DefaultsUnseen { user, .. } => {
                let user = quote_identifier(user);
                Some(format!(
                    "GRANT SELECT ON system.merge_tree_settings TO {user}, or, for a Replicated table, GRANT SELECT ON \
                     system.replicated_merge_tree_settings TO {user}"
                ))
            }
            Finding::NotSynced { table } => {
                Some(format!("ALTER TABLE {table} MODIFY SETTING fsync_after_insert = 1"))
            }
            Finding::EngineForgets { .. } | Finding::RandomSharding { .. } | Finding::ShardsUnseen { .. } => {
                None
            }
        }
    }

    /// How to mend it: the statement, or what to do.
    pub fn mend(&self) -> String {
        let advice = match self {
            Finding::EngineForgets { .. } => {
                "load into a table of the MergeTree family, with non_replicated_deduplication_window set"
            }
            Finding::RandomSharding { .. } => {
                "shard by a hash of the row, such as cityHash64(id), or load into the tables behind it"
            }
            Finding::ShardsUnseen { .. } => {
                "check on each shard that the table behind it has a deduplication window"
            }
            _ => "",
        };
        self.statement().unwrap_or_else(|| advice.to_owned())
    }
}

/// What is the matter, without how to mend it.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fed_by = |f: &mut fmt::Formatter<'_>, view: &Option<TableName>| match view {
            Some(view) => write!(f, " (fed by the materialized view {view})"),
            None => Ok(()),
        };
        match self {
            Finding::NoWindow { table, view, setting } => {
                write!(f, "{table}")?;
                fed_by(f, view)?;
                write!(f, " remembers no tokens, since {setting} is 0")
            }
            Finding::EngineForgets { table, view, engine } => {
                write!(f, "{table}")?;
                fed_by(f, view)?;
                write!(f, " remembers no tokens, as no {engine} table does")
            }
            Finding::VolatilePartition { table, column, kind, expression, cause } => write!(
                f,
                "the partition key of {table} has the column {}, whose {kind} {expression} is another value for each \
                 attempt because of `{cause}`",
                quote_identifier(column)
            ),
            Finding::RandomSharding { table, sharding_key } => {
                write!(
                    f,
                    "{table} sends rows to shards by {sharding_key}, which is another shard for each attempt"
                )
            }
            Finding::ShortHorizon { table, seconds, .. } => {
                write!(f, "{table} remembers a token for {seconds} s only")
            }
            Finding::DefaultsUnseen { table, .. } => {
                write!(f, "this user may not see the server's defaults, so those of {table} are assumed")
            }
            Finding::TargetUnseen { view, .. } => {
                write!(f, "the table that the materialized view {view} writes to cannot be seen by this user")
            }
            Finding::ShardsUnseen { table } => {
                write!(
                    f,
                    "{table} is Distributed, and what the tables behind it remember cannot be seen from here"
                )
            }
            Finding::NotSynced { table } => write!(
                f,
                "an acknowledged insert into {table} is in the hands of the server's operating system and not yet on \
                 its disk, since fsync_after_insert is 0"
            ),
        }
    }
}
