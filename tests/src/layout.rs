//! The kinds of tables that numbered records go to.

/// What an insert becomes in ClickHouse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// One part.
    Plain,
    /// A part in each of four partitions of the table, with a token of its own for each.
    Partitioned,
    /// One part, and another one of the same rows by a materialized view into a second table, which remembers tokens too.
    Viewed,
    /// One part, whose rows have the partition and the offset of their records.
    Placed,
}

impl Layout {
    /// Each of them.
    pub const ALL: [Layout; 4] = [Layout::Plain, Layout::Partitioned, Layout::Viewed, Layout::Placed];

    /// The clause of `CREATE TABLE`, with a space behind it.
    pub(crate) fn partition_by(self) -> &'static str {
        if self == Layout::Partitioned { "PARTITION BY id % 4 " } else { "" }
    }

    /// Columns of the table that the pipe fills besides, with a comma before them.
    pub(crate) fn more_columns(self) -> &'static str {
        if self == Layout::Placed {
            ", _topic LowCardinality(String), _partition Int32, _offset Int64"
        } else {
            ""
        }
    }

    /// What is created beside `table`.
    pub(crate) fn beside(self, table: &str) -> Vec<String> {
        if self != Layout::Viewed {
            return Vec::new();
        }
        let seen = seen_by_view(table);
        vec![
            format!(
                "CREATE TABLE {seen} (id UInt64) ENGINE = MergeTree ORDER BY id \
                 SETTINGS non_replicated_deduplication_window = 10000"
            ),
            format!("CREATE MATERIALIZED VIEW {table}_view TO {seen} AS SELECT id FROM {table}"),
        ]
    }

    /// The other table that has to have each row, if there is one.
    pub(crate) fn copy_of(self, table: &str) -> Option<String> {
        (self == Layout::Viewed).then(|| seen_by_view(table))
    }
}

fn seen_by_view(table: &str) -> String {
    format!("{table}_seen")
}
