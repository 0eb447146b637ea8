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
use crate::quote::quote_string;
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
/// use housepipe_ch_sink::BlockMark;
///
/// let (before, now) = (BlockMark::new(7, 100), BlockMark::new(7, 130));
/// assert_eq!(now.since(before), Some(30));
/// assert_eq!(BlockMark::new(8, 130).since(before), None, "other tables");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct BlockMark {
    /// A hash of the tables: of the same name, one that was made anew is another.
    pub tables: u32,
    /// The sum of their numbers.
    pub number: u64,
}

impl BlockMark {
    /// A mark of these tables.
    pub fn new(tables: u32, number: u64) -> BlockMark {
        BlockMark { tables, number }
    }

    /// Blocks that each of the tables has given out since `earlier`, at most; none where these are other tables, or parts
    /// were dropped.
    pub fn since(&self, earlier: BlockMark) -> Option<u64> {
        if self.tables == earlier.tables { self.number.checked_sub(earlier.number) } else { None }
    }
}

#[derive(clickhouse::Row, serde::Deserialize)]
struct Marked {
    tables: u32,
    number: u64,
    found: u64,
}

impl Sink {
    /// How many blocks `tables` have given out together. None where that cannot be told: a table is not there, or counts
    /// in each of its partitions, as replicated ones do, so that a partition that is dropped takes its numbers along.
    ///
    /// # Errors
    /// Any [`SinkError`] of a request.
    pub async fn block_mark(&self, tables: &[TableName]) -> Result<Option<BlockMark>, SinkError> {
        let pairs: Vec<String> = tables
            .iter()
            .map(|TableName { database, table }| {
                format!("({}, {})", quote_string(database), quote_string(table))
            })
            .collect();
        if pairs.is_empty() {
            return Ok(None);
        }
        let wanted = pairs.join(", ");
        let sql = format!(
            "SELECT toUInt32(sipHash64(arraySort(groupArray(toString(uuid)))) % 4294967296) AS tables, \
                    toUInt64(sum(ifNull(newest, 0))) AS number, \
                    toUInt64(countIf(engine LIKE '%MergeTree' AND NOT match(engine, '^(Replicated|Shared)'))) AS found \
             FROM (SELECT database, name AS table, uuid, engine FROM system.tables WHERE (database, name) IN ({wanted})) AS t \
             LEFT JOIN (SELECT database, table, greatest(max(max_block_number), 0) AS newest FROM system.parts \
                        WHERE (database, table) IN ({wanted}) GROUP BY database, table) AS p USING (database, table)"
        );
        let marked: Marked = self.fetch_one("a question for the blocks of the tables", &sql).await?;
        let are_known = marked.found == tables.len() as u64;
        Ok(are_known.then(|| BlockMark::new(marked.tables, marked.number)))
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
