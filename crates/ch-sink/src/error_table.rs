//! The table for records that could not be loaded.

use bytes::Bytes;

use crate::ddl::{cluster_sql, window_sql};
use crate::error::SinkError;
use crate::error_row::ErrorRow;
use crate::insert::{Insert, InsertFormat};
use crate::quote::quote_identifier;
use crate::sink::Sink;

/// Encoded bytes after which error rows go on in the next insert.
const INSERT_BYTES: usize = 32 << 20;

/// An error table: its name, and how long its rows are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorTable {
    name: String,
    ttl_days: u32,
    on_cluster: Option<String>,
}

impl ErrorTable {
    /// The engine that it is created with.
    pub(crate) const ENGINE: &'static str = "MergeTree";

    /// Days that rows are kept unless the caller says otherwise.
    pub const TTL_DAYS_DEFAULT: u32 = 7;

    /// A table whose rows are kept for `ttl_days`; 0 keeps them for ever.
    pub fn new(name: impl Into<String>, ttl_days: u32) -> Self {
        ErrorTable { name: name.into(), ttl_days, on_cluster: None }
    }

    /// The same, created on all servers of the cluster.
    pub fn on_cluster(self, cluster: Option<String>) -> Self {
        ErrorTable { on_cluster: cluster, ..self }
    }

    /// Its name, in the sink's database.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The statement that creates it unless it exists.
    ///
    /// It has no partition key: a key of the time of arrival would let a repeated insert land in another partition,
    /// where its deduplication token is not known.
    pub fn sql(&self) -> String {
        let mut sql = format!(
            "CREATE TABLE IF NOT EXISTS {}{}\n\
             (\n    \
                 `_time` DateTime64(3) DEFAULT now64(3),\n    \
                 `pipe` LowCardinality(String),\n    \
                 `kind` LowCardinality(String),\n    \
                 `code` LowCardinality(String),\n    \
                 `message` String,\n    \
                 `column` String,\n    \
                 `topic` LowCardinality(String),\n    \
                 `partition` Int32,\n    \
                 `offset` Int64,\n    \
                 `timestamp` Nullable(DateTime64(3)),\n    \
                 `key` Nullable(String),\n    \
                 `raw_message` String,\n    \
                 `raw_length` UInt64,\n    \
                 `raw_hash` String,\n    \
                 `headers` Array(Tuple(name String, value String)),\n    \
                 `schema_id` Nullable(UInt32),\n    \
                 `batch_token` String\n\
             )\n\
             ENGINE = {}\n\
             ORDER BY (`_time`, `topic`, `partition`, `offset`)",
            quote_identifier(&self.name),
            cluster_sql(self.on_cluster.as_deref()),
            Self::ENGINE
        );
        if self.ttl_days > 0 {
            sql.push_str(&format!("\nTTL toDateTime(`_time`) + toIntervalDay({})", self.ttl_days));
        }
        sql + &window_sql()
    }
}

impl Sink {
    /// Creates the error table unless it exists.
    ///
    /// # Errors
    /// Any [`SinkError`] of a request.
    pub async fn create_error_table(&self, table: &ErrorTable) -> Result<(), SinkError> {
        let operation = format!("the creation of {}", quote_identifier(&table.name));
        self.define(&operation, &table.sql(), table.on_cluster.is_some()).await
    }

    /// Inserts error rows, in several inserts where they are many; each then has `token` with its number. The same
    /// rows are always cut in the same way, so that a repetition after a failure carries the same tokens. `session` is as in
    /// [`Insert::session`].
    ///
    /// # Errors
    /// Any [`SinkError`] of an insert; the inserts before it are stored.
    pub async fn insert_errors(
        &self,
        table: &ErrorTable,
        rows: &[ErrorRow],
        token: Option<&str>,
        session: Option<&str>,
    ) -> Result<(), SinkError> {
        let mut rest = rows;
        while let Some((block, behind)) = ErrorBlock::first_of(rest) {
            rest = behind;
            self.send_errors(table, &block, token, session, rest.is_empty()).await?;
        }
        Ok(())
    }

    /// Inserts one block of error rows, with the token that [`insert_errors`](Self::insert_errors) gives it.
    ///
    /// # Errors
    /// Any [`SinkError`] of an insert.
    pub async fn insert_error_block(
        &self,
        table: &ErrorTable,
        block: &ErrorBlock,
        token: Option<&str>,
        session: Option<&str>,
    ) -> Result<(), SinkError> {
        self.send_errors(table, block, token, session, true).await
    }

    async fn send_errors(
        &self,
        table: &ErrorTable,
        block: &ErrorBlock,
        token: Option<&str>,
        session: Option<&str>,
        is_last: bool,
    ) -> Result<(), SinkError> {
        let columns: Vec<String> = ErrorRow::COLUMNS.iter().map(|name| (*name).to_owned()).collect();
        // By its first row, and not by its number: where some rows are there already, the others begin elsewhere.
        let (partition, offset) = block.first;
        let token = token.map(|token| format!("{token}/{partition}:{offset}"));
        let insert = Insert {
            table: &table.name,
            columns: &columns,
            format: InsertFormat::RowBinary,
            body: block.body.clone(),
            rows: block.rows,
            token: token.as_deref(),
            json_as_string: false,
            session,
        };
        self.insert_one(&insert, is_last).await.map(|_| ())
    }
}

/// Error rows as one insert takes them, encoded.
#[derive(Debug, Clone)]
pub struct ErrorBlock {
    body: Bytes,
    rows: u64,
    /// Partition and offset of its first row.
    first: (i32, i64),
}

impl ErrorBlock {
    /// The first block of `rows`, and the rows behind it; none where there are no rows. The same rows are always cut in the same way.
    #[must_use]
    pub fn first_of(rows: &[ErrorRow]) -> Option<(ErrorBlock, &[ErrorRow])> {
        let ErrorRow { partition, offset, .. } = *rows.first()?;
        let (body, taken) = encode_some(rows);
        Some((ErrorBlock { body, rows: taken as u64, first: (partition, offset) }, &rows[taken..]))
    }
}

/// Encodes the first rows up to about [`INSERT_BYTES`], one at least; returns how many.
fn encode_some(rows: &[ErrorRow]) -> (Bytes, usize) {
    let mut out = Vec::new();
    let mut taken = 0;
    for row in rows.iter().take(100_000) {
        row.encode(&mut out);
        taken += 1;
        if out.len() >= INSERT_BYTES {
            break;
        }
    }
    (Bytes::from(out), taken)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn the_table_is_as_published() {
        expect![[r"
            CREATE TABLE IF NOT EXISTS `clicks_clickpipes_error`
            (
                `_time` DateTime64(3) DEFAULT now64(3),
                `pipe` LowCardinality(String),
                `kind` LowCardinality(String),
                `code` LowCardinality(String),
                `message` String,
                `column` String,
                `topic` LowCardinality(String),
                `partition` Int32,
                `offset` Int64,
                `timestamp` Nullable(DateTime64(3)),
                `key` Nullable(String),
                `raw_message` String,
                `raw_length` UInt64,
                `raw_hash` String,
                `headers` Array(Tuple(name String, value String)),
                `schema_id` Nullable(UInt32),
                `batch_token` String
            )
            ENGINE = MergeTree
            ORDER BY (`_time`, `topic`, `partition`, `offset`)
            TTL toDateTime(`_time`) + toIntervalDay(7)
            SETTINGS non_replicated_deduplication_window = 10000"]]
        .assert_eq(&ErrorTable::new("clicks_clickpipes_error", ErrorTable::TTL_DAYS_DEFAULT).sql());
        assert!(!ErrorTable::new("e", 0).sql().contains("TTL"));
        let everywhere = ErrorTable::new("e", 0).on_cluster(Some("c".to_owned())).sql();
        assert!(everywhere.starts_with("CREATE TABLE IF NOT EXISTS `e` ON CLUSTER `c`\n(\n"), "{everywhere}");
    }

    #[test]
    fn long_batches_are_cut_in_the_same_way_each_time() {
        let mut row = ErrorRow::record("p", "t", 0, 0, "c");
        row.set_raw(&vec![1; ErrorRow::RAW_BYTES_MAX]);
        let rows = vec![row; 40];
        let (body, taken) = encode_some(&rows);
        assert!(taken < 40 && body.len() < INSERT_BYTES + (2 << 20), "{taken}");
        assert_eq!(encode_some(&rows), (body, taken));
    }
}
