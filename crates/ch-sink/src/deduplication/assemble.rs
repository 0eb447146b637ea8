//! From what the system tables say to the facts of a table.

use std::collections::{HashMap, HashSet};

use super::engine_text::{kind, setting, volatile_part};
use super::facts::{EngineKind, TableFacts, TableName, VolatileColumn};

/// What a Replicated table remembers, for users who may not see the server's settings: the least of all versions.
const REPLICATED_ASSUMED: [(&str, &str); 2] =
    [("replicated_deduplication_window", "100"), ("replicated_deduplication_window_seconds", "3600")];

/// What holds for every table of a server.
pub(super) struct Server {
    /// The server's settings; none where this user may not see them.
    pub(super) plain: Option<HashMap<String, String>>,
    pub(super) replicated: Option<HashMap<String, String>>,
    /// In lower case.
    pub(super) volatile: HashSet<String>,
}

#[derive(clickhouse::Row, serde::Deserialize)]
pub(super) struct TableRow {
    pub(super) engine: String,
    pub(super) engine_full: String,
    pub(super) partition_key: String,
    pub(super) dependencies: Vec<(String, String)>,
    pub(super) target_database: String,
    pub(super) target_table: String,
}

/// What the parts of a table tell.
#[derive(Debug, Default, Clone, Copy, clickhouse::Row, serde::Deserialize)]
pub(super) struct PartsRow {
    pub(super) partitions: u64,
    /// The highest number, and the sum of the highest of each table partition.
    pub(super) last_block: i64,
    pub(super) blocks: i64,
}

/// Puts what was read together.
pub(super) fn facts_of(
    server: &Server,
    name: TableName,
    row: &TableRow,
    parts: Option<PartsRow>,
    columns: Vec<(String, String, String, u8)>,
) -> TableFacts {
    let kind = kind(&row.engine, &row.engine_full, &server.volatile);
    let settings = if kind == EngineKind::Replicated { &server.replicated } else { &server.plain };
    let mut is_assumed = false;
    let mut number = |key: &str| {
        let text = match (setting(&row.engine_full, key), settings) {
            (Some(own), _) => Some(own),
            (None, Some(settings)) => settings.get(key).map(String::as_str),
            (None, None) => {
                is_assumed = true;
                REPLICATED_ASSUMED.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
            }
        };
        text.and_then(|text| text.parse::<u64>().ok())
    };
    let (window_blocks, window_seconds) = match kind {
        EngineKind::Plain => (number("non_replicated_deduplication_window"), None),
        EngineKind::Replicated => {
            (number("replicated_deduplication_window"), number("replicated_deduplication_window_seconds"))
        }
        _ => (None, None),
    };
    let fsync_after_insert = number("fsync_after_insert").is_some_and(|value| value != 0);
    let partitions = parts.map_or(1, |parts| parts.partitions.max(1));
    TableFacts {
        window_blocks: window_blocks.unwrap_or(0),
        window_seconds,
        is_assumed,
        volatile_columns: volatile_columns(server, columns),
        partitions_per_insert: if row.partition_key.is_empty() { 1 } else { partitions },
        fsync_after_insert,
        partition_key: row.partition_key.clone(),
        engine: row.engine.clone(),
        // Replicated tables count in each table partition, others over all of them.
        blocks_written: parts
            .map(|parts| if kind == EngineKind::Replicated { parts.blocks } else { parts.last_block }),
        kind,
        name,
    }
}

/// The columns of the partition key whose value is another one for each attempt, by a function or by other columns.
fn volatile_columns(server: &Server, columns: Vec<(String, String, String, u8)>) -> Vec<VolatileColumn> {
    let mut volatile: HashSet<String> = HashSet::new();
    // As often as one column can depend on the next.
    for _ in 0..columns.len() {
        let before = volatile.len();
        for (name, _, expression, _) in &columns {
            if volatile_part(expression, &server.volatile, &volatile).is_some() {
                volatile.insert(name.clone());
            }
        }
        if volatile.len() == before {
            break;
        }
    }
    let in_key = columns.into_iter().filter(|(_, _, _, is_in_key)| *is_in_key == 1);
    in_key
        .filter_map(|(name, kind, expression, _)| {
            let cause = volatile_part(&expression, &server.volatile, &volatile)?;
            Some(VolatileColumn { name, kind, expression, cause })
        })
        .collect()
}
