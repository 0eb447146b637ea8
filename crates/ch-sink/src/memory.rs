//! How much a table has taken since a moment: whether it is sure to remember the token of an insert of that time.
//!
//! ClickHouse keeps the tokens of the last inserts, a number of *blocks* that is a setting of the table, and tells nobody
//! which they are. But every insert makes a part with a block number of its own, and `system.parts` shows those, parts
//! that were merged into others included for some minutes. So the numbers that were given out since a moment bound the
//! tokens that came since. Where the parts of that time are gone the bound is too high. It is too low
//! only where newer parts were dropped, with their rows.
//!
//! Parts go soon on a server that is set so, and merges date old rows anew: then the bound is all that the table ever took.
//! Whoever has noted down at that moment how many numbers were given out has a better one: a [`BlockMark`].

use crate::deduplication::TableName;
use crate::error::SinkError;
use crate::quote::{quote_identifier, quote_string};
use crate::sink::Sink;

/// Seconds by which the clocks of a pipe and of ClickHouse may differ.
const CLOCK_SKEW_S: u64 = 30;

/// What a table has taken since a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clickhouse::Row, serde::Deserialize)]
#[non_exhaustive]
pub struct TakenSince {
    /// Blocks, at most.
    pub blocks_max: u64,
    /// Seconds by ClickHouse's clock.
    pub seconds: u64,
}

/// How many blocks some tables have given out together, at least.
///
/// ```
/// use housepipe_ch_sink::TablesMark;
///
/// let (before, now) = (TablesMark { tables: 7, number: 100 }, TablesMark { tables: 7, number: 130 });
/// assert_eq!(now.since(before), Some(30));
/// assert_eq!(TablesMark { tables: 8, number: 130 }.since(before), None, "other tables");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TablesMark {
    /// A hash of the tables: of the same name, one that was made anew is another.
    pub tables: u32,
    /// The sum of their numbers.
    pub number: u64,
}

impl TablesMark {
    /// Blocks that each of the tables has given out since `earlier`, at most; none where these are other tables, or parts
    /// were dropped.
    #[must_use]
    pub fn since(self, earlier: TablesMark) -> Option<u64> {
        if self.tables == earlier.tables { self.number.checked_sub(earlier.number) } else { None }
    }
}

/// How many blocks the tables of a pipe have given out, at least: all of them, and those that take its rows.
///
/// Those for rows are counted apart, so that an error table that was made anew, or has lost its rows by their age, says
/// nothing about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct BlockMark {
    /// All tables.
    pub all: TablesMark,
    /// The tables for rows; none in a mark of an earlier version, which did not tell them apart.
    pub rows: Option<TablesMark>,
}

impl BlockMark {
    /// A mark of all tables, and of those for rows among them.
    #[must_use]
    pub fn new(all: TablesMark, rows: Option<TablesMark>) -> BlockMark {
        BlockMark { all, rows }
    }

    /// Blocks that each of the tables for rows has given out since `earlier`, at most; none where that cannot be told.
    #[must_use]
    pub fn rows_since(self, earlier: BlockMark) -> Option<u64> {
        match (self.rows, earlier.rows) {
            (Some(now), Some(before)) => now.since(before),
            _ => self.all.since(earlier.all),
        }
    }

    /// The same of the other tables.
    #[must_use]
    pub fn others_since(self, earlier: BlockMark) -> Option<u64> {
        let all = self.all.since(earlier.all)?;
        match (self.rows, earlier.rows) {
            (Some(now), Some(before)) => all.checked_sub(now.since(before)?),
            _ => Some(all),
        }
    }

    /// Whether the tables for rows are others than those of `earlier`.
    #[must_use]
    pub fn is_of_other_tables(self, earlier: BlockMark) -> bool {
        match (self.rows, earlier.rows) {
            (Some(now), Some(before)) => now.tables != before.tables,
            _ => self.all.tables != earlier.all.tables,
        }
    }
}

/// A table whose blocks are counted, and what it is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CountedTable {
    /// The table.
    pub name: TableName,
    /// It takes rows, and not rejects alone.
    pub is_for_rows: bool,
}

#[derive(clickhouse::Row, serde::Deserialize)]
struct Marked {
    tables: u32,
    number: u64,
    rows_tables: u32,
    rows_number: u64,
    found: u64,
}

impl Sink {
    /// How many blocks `tables` have given out. None where that cannot be told: a table is not there, or counts
    /// in each of its partitions, as replicated ones do, so that a partition that is dropped takes its numbers along.
    ///
    /// # Errors
    /// Any [`SinkError`] of a request.
    pub async fn block_mark(&self, tables: &[CountedTable]) -> Result<Option<BlockMark>, SinkError> {
        let pair = |CountedTable { name, .. }: &CountedTable| {
            format!("({}, {})", quote_string(&name.database), quote_string(&name.table))
        };
        let pairs =
            |wanted: &[&CountedTable]| wanted.iter().map(|table| pair(table)).collect::<Vec<_>>().join(", ");
        let all: Vec<&CountedTable> = tables.iter().collect();
        let for_rows: Vec<&CountedTable> = tables.iter().filter(|table| table.is_for_rows).collect();
        if all.is_empty() {
            return Ok(None);
        }
        let is_for_rows = match for_rows.as_slice() {
            [] => "0".to_owned(),
            some => format!("(database, table) IN ({})", pairs(some)),
        };
        let wanted = pairs(&all);
        let hash = |which: &str| {
            format!("toUInt32(sipHash64(arraySort(groupArrayIf(toString(uuid), {which}))) % 4294967296)")
        };
        let sql = format!(
            "SELECT {} AS tables, toUInt64(sum(ifNull(newest, 0))) AS number, \
                    {} AS rows_tables, toUInt64(sumIf(ifNull(newest, 0), is_for_rows)) AS rows_number, \
                    toUInt64(countIf(engine LIKE '%MergeTree' AND NOT match(engine, '^(Replicated|Shared)'))) AS found \
             FROM (SELECT database, name AS table, uuid, engine, {is_for_rows} AS is_for_rows \
                   FROM system.tables WHERE (database, name) IN ({wanted})) AS t \
             LEFT JOIN (SELECT database, table, greatest(max(max_block_number), 0) AS newest FROM system.parts \
                        WHERE (database, table) IN ({wanted}) GROUP BY database, table) AS p USING (database, table)",
            hash("1"),
            hash("is_for_rows"),
        );
        let marked: Marked = self.fetch_one("a question for the blocks of the tables", &sql).await?;
        let mark = BlockMark {
            all: TablesMark { tables: marked.tables, number: marked.number },
            rows: Some(TablesMark { tables: marked.rows_tables, number: marked.rows_number })
                .filter(|_| !for_rows.is_empty()),
        };
        Ok((marked.found == tables.len() as u64).then_some(mark))
    }

    /// Whether `table` has a row.
    ///
    /// # Errors
    /// Any [`SinkError`] of a request.
    pub async fn has_rows(&self, table: &str) -> Result<bool, SinkError> {
        let sql = format!("SELECT count() FROM (SELECT 1 FROM {} LIMIT 1)", quote_identifier(table));
        let found: u64 = self.fetch_one(&format!("a question for a row of `{table}`"), &sql).await?;
        Ok(found > 0)
    }

    /// What `table` has taken since `unix_s`, in seconds since 1970 by a clock that differs from ClickHouse's by half a
    /// minute at most.
    ///
    /// # Errors
    /// Any [`SinkError`] of a request.
    pub async fn taken_since(&self, table: &TableName, unix_s: u64) -> Result<TakenSince, SinkError> {
        let since = unix_s.saturating_sub(CLOCK_SKEW_S);
        // Block numbers count in each partition of a Replicated or Shared table, and in the whole of another one: the sum over
        // the partitions is right for the first and too high for the second, whose numbers are one sequence; so the
        // whole is taken there.
        let sql = format!(
            "WITH (SELECT match(any(engine), '^(Replicated|Shared)') FROM system.tables \
                   WHERE database = {database} AND name = {table}) AS per_partition \
             SELECT toUInt64(sum(greatest(newest - before, 0))) AS blocks_max, \
                    toUInt64(greatest(toInt64(toUnixTimestamp(now())) - {unix_s}, 0)) AS seconds \
             FROM (SELECT max(max_block_number) AS newest, \
                          maxIf(max_block_number, modification_time < toDateTime({since})) AS before \
                   FROM system.parts WHERE database = {database} AND table = {table} \
                   GROUP BY if(per_partition, partition_id, ''))",
            database = quote_string(&table.database),
            table = quote_string(&table.table),
        );
        self.fetch_one(&format!("a question for the parts of {table}"), &sql).await
    }
}
