//! How much a table has taken since a moment: whether it is sure to remember the token of an insert of that time.
//!
//! ClickHouse keeps the tokens of the last inserts, a number of *blocks* that is a setting of the table, and tells nobody
//! which they are. But every insert makes a part with a block number of its own, and `system.parts` shows those, parts
//! that were merged into others included for some minutes. So the numbers that were given out since a moment bound the
//! tokens that came since. Where the parts of that time are gone the bound is too high. It is too low
//! only where newer parts were dropped, with their rows.

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

impl Sink {
    /// What `table` has taken since `unix_s`, in seconds since 1970 by a clock that differs from ClickHouse's by half a
    /// minute at most.
    ///
    /// # Errors
    /// Any [`SinkError`] of a request.
    pub async fn taken_since(&self, table: &TableName, unix_s: u64) -> Result<TakenSince, SinkError> {
        let since = unix_s.saturating_sub(CLOCK_SKEW_S);
        // Block numbers count in each partition of a Replicated table, and in the whole of another one: the sum over
        // the partitions is right for the first and too high for the second, whose numbers are one sequence; so the
        // whole is taken there.
        let sql = format!(
            "WITH (SELECT any(engine) LIKE 'Replicated%' FROM system.tables \
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
