//! What is left of an insert after the server was killed.
//!
//! A table that is not replicated writes an insert's token into its log first, and makes the rows visible then (read in
//! ClickHouse's `MergeTreeSink::commitPart`). A server that is killed in between remembers the token of rows that it does
//! not have, and drops the repetition: the rows would be lost. So an insert that was tried before the server's last start
//! is not repeated with its old token. Whether it was done is found by looking for its rows in the parts that were
//! written since.

use std::collections::BTreeSet;

use crate::error::SinkError;
use crate::insert::Insert;
use crate::places::Places;
use crate::quote::{quote_identifier, quote_string};
use crate::sink::Sink;

/// Seconds by which the clocks of a pipe and of ClickHouse may differ.
const CLOCK_SKEW_S: u64 = 30;

/// Seconds of a request's time that are left for its answer.
const ANSWER_S: u64 = 2;

/// Bytes of the statement that looks for rows, at most: those of the largest batch, as hexadecimal digits, and room.
const QUERY_BYTES_MAX: &str = "1073741824";

/// Settings that could end a search early, as if it had come to its end.
const OVERFLOW_MODES: [&str; 7] = [
    "read_overflow_mode",
    "read_overflow_mode_leaf",
    "timeout_overflow_mode",
    "group_by_overflow_mode",
    "distinct_overflow_mode",
    "set_overflow_mode",
    "result_overflow_mode",
];

/// A column as it can be compared by its bytes. Those of JSON differ for the same document: its paths come in the order in which
/// the part has them. As text they are in order.
fn comparable(column: &str, type_name: &str) -> String {
    match ["JSON", "Dynamic", "Object("].iter().any(|of| type_name.contains(of)) {
        true => format!("toString({column})"),
        false => column.to_owned(),
    }
}

/// How much of an insert a table has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// All of the rows that were looked for.
    All,
    /// None of them.
    Nothing,
    /// Some of them: the insert went into several table partitions, or the table has changed rows since. Or nothing can be
    /// told, where the server fills every column.
    Some,
}

/// Seconds since 1970, by the server's own clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clickhouse::Row, serde::Deserialize)]
#[non_exhaustive]
pub struct ServerClock {
    /// Now.
    pub now_unix_s: u64,
    /// The server's last start, which is told a second more or less exactly.
    pub started_unix_s: u64,
}

#[derive(clickhouse::Row, serde::Deserialize)]
struct Counted {
    wanted: u64,
    found: u64,
}

impl Counted {
    fn left(&self) -> Left {
        match self.found {
            0 => Left::Nothing,
            found if found >= self.wanted => Left::All,
            _ => Left::Some,
        }
    }
}

impl ServerClock {
    /// A clock as it was noted, in seconds since 1970.
    pub const fn noted(now_unix_s: u64, started_unix_s: u64) -> ServerClock {
        ServerClock { now_unix_s, started_unix_s }
    }

    /// The columns of the answer.
    pub(crate) const SQL: &str = "toUInt64(toUnixTimestamp(now())) AS now_unix_s, \
                                  toUInt64(now_unix_s - uptime()) AS started_unix_s";
}

impl Sink {
    /// What time it is at the server, and when it was started.
    ///
    /// # Errors
    /// Any [`SinkError`] of a request.
    pub async fn server_clock(&self) -> Result<ServerClock, SinkError> {
        let sql = format!("SELECT {}", ServerClock::SQL);
        self.fetch_one("a question for the server's clock", &sql).await
    }

    /// Looks for the rows of `sample`, a few rows of an insert that was tried at `unix_s` or later, at those `places` where they
    /// are known. `types` are those of its columns, in their order; columns named in `unsure` are not compared, since the server
    /// fills them.
    ///
    /// # Errors
    /// Any [`SinkError`] of a request.
    pub async fn rows_left(
        &self,
        sample: &Insert<'_>,
        types: &[String],
        unsure: &[String],
        places: Option<&Places<'_>>,
        unix_s: u64,
    ) -> Result<Left, SinkError> {
        let columns = || sample.columns.iter().zip(types);
        let structure: Vec<String> =
            columns().map(|(name, ty)| format!("{} {ty}", quote_identifier(name))).collect();
        let compared: Vec<String> = columns()
            .filter(|(name, _)| !unsure.contains(name))
            .map(|(name, ty)| comparable(&quote_identifier(name), ty))
            .collect();
        if compared.is_empty() {
            // Rows of which nothing is known cannot be told apart.
            return Ok(Left::Some);
        }
        let hex: String = sample.body.iter().map(|byte| format!("{byte:02x}")).collect();
        // Compared by their bytes: a NaN is not equal to itself.
        let row = format!("formatRow('RowBinary', {})", compared.join(", "));
        let at_places = places.map_or_else(String::new, |places| format!(" AND {}", places.sql()));
        let sql = format!(
            "WITH {}, wanted AS (SELECT DISTINCT {row} AS r FROM format({}, {}, unhex('{hex}'))) \
             SELECT assumeNotNull((SELECT count() FROM wanted)) AS wanted, uniqExact(r) AS found \
             FROM (SELECT {row} AS r FROM {} WHERE NOT has(old, _part){at_places}) WHERE r IN (SELECT r FROM wanted)",
            self.old_parts(sample.table, unix_s),
            sample.format.name(),
            quote_string(&structure.join(", ")),
            quote_identifier(sample.table),
        );
        let operation = format!("a search for rows of {}", quote_identifier(sample.table));
        let counted: Counted = self.search(&operation, &sql).await?;
        Ok(counted.left())
    }

    /// Names, for a WITH, the parts of `table` that were written before that moment.
    ///
    /// Old parts are left out, and not recent ones looked at: a merge between the question for parts and that for rows makes a part
    /// that the first one has not seen.
    pub(crate) fn old_parts(&self, table: &str, unix_s: u64) -> String {
        format!(
            "(SELECT groupArray(name) FROM system.parts WHERE database = {} AND table = {} AND active \
              AND modification_time < toDateTime({})) AS old",
            quote_string(&self.config().database),
            quote_string(table),
            unix_s.saturating_sub(CLOCK_SKEW_S),
        )
    }

    /// Seconds that a search may take at the server.
    fn search_seconds_max(&self) -> u64 {
        (self.config().request_timeout_ms / 1_000).saturating_sub(ANSWER_S).max(1)
    }

    /// Asks for what was searched for, whatever the user's profile says of queries that take too much: a part of an answer is none.
    pub(crate) async fn search<T>(&self, operation: &str, sql: &str) -> Result<T, SinkError>
    where
        T: clickhouse::RowOwned + clickhouse::RowRead,
    {
        let mut query = self
            .client()
            .query_raw(sql)
            .with_setting("input_format_binary_read_json_as_string", "1")
            .with_setting("max_query_size", QUERY_BYTES_MAX)
            // It gives up before its answer is given up here, and does not go on there.
            .with_setting("max_execution_time", self.search_seconds_max().to_string());
        for overflow in OVERFLOW_MODES {
            query = query.with_setting(overflow, "throw");
        }
        self.request(operation, query.fetch_one::<T>()).await
    }

    /// The offsets of the error rows of a batch that are there, by its tokens, as their column `batch_token` has them.
    ///
    /// # Errors
    /// Any [`SinkError`] of a request.
    pub async fn error_offsets_left(
        &self,
        table: &str,
        tokens: &[String],
    ) -> Result<BTreeSet<i64>, SinkError> {
        let tokens: Vec<String> = tokens.iter().map(|token| quote_string(token)).collect();
        let sql = format!(
            "SELECT groupUniqArray(offset) FROM {} WHERE batch_token IN ({})",
            quote_identifier(table),
            tokens.join(", ")
        );
        let operation = format!("a search for rows of {}", quote_identifier(table));
        let found: Vec<i64> = self.search(&operation, &sql).await?;
        Ok(found.into_iter().collect())
    }
}
