//! Rows for people.

use serde::Serialize;

use super::IDENTITY;
use super::filter::ErrorFilter;
use crate::error::SinkError;
use crate::quote::quote_identifier;
use crate::sink::Sink;

/// A row of an error table, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize, clickhouse::Row)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct ListedError {
    /// When it was written, as RFC 3339 in UTC.
    pub time: String,
    /// `record`, `system`, or one of the marks of a replay.
    pub kind: String,
    /// The reason's code.
    pub code: String,
    /// The column that was to be filled; empty where the reason is not about one.
    pub column: String,
    /// The reason.
    pub message: String,
    /// The topic.
    pub topic: String,
    /// The partition; -1 where there is none.
    pub partition: i32,
    /// The offset; -1 where there is none.
    pub offset: i64,
    /// The record's timestamp, as RFC 3339 in UTC.
    pub timestamp: Option<String>,
    /// The record's key; what is no UTF-8 is replaced.
    pub key: Option<String>,
    /// The beginning of the record's value; what is no UTF-8 is replaced.
    pub raw_message: String,
    /// Length of the whole value, in bytes.
    pub raw_length: u64,
    /// The record's headers; what is no UTF-8 is replaced.
    pub headers: Vec<(String, String)>,
    /// The schema's id, where the record named one.
    pub schema_id: Option<u32>,
    /// The token of the batch.
    pub batch_token: String,
    /// Whether the record was loaded by a replay.
    pub replayed: bool,
}

/// A place in the order in which rows are listed: behind some of those with this time, partition and offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorPlace {
    /// When the row was written, in milliseconds since 1970.
    pub time_ms: i64,
    /// Its partition; -1 where there is none.
    pub partition: i32,
    /// Its offset; -1 where there is none.
    pub offset: i64,
    /// Rows with all of these that stand before the place.
    pub skip: u32,
}

impl ErrorPlace {
    /// The condition for rows that are not before it, but for those that are skipped.
    fn sql(self) -> String {
        let ErrorPlace { time_ms, partition, offset, .. } = self;
        let time = format!("fromUnixTimestamp64Milli(toInt64({time_ms}))");
        format!(
            " AND (_time < {time} OR (_time = {time} AND (partition, offset) >= ({partition}, {offset})))"
        )
    }
}

/// Rows with the same code, column and shape of message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize, clickhouse::Row)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct ErrorGroup {
    /// `record` or `system`.
    pub kind: String,
    /// The code.
    pub code: String,
    /// The column; empty where the reason is not about one.
    pub column: String,
    /// The message with numbers and quoted values left out.
    pub shape: String,
    /// Rows.
    pub rows: u64,
    /// Different records among them; of the kind `system` every row is something that happened.
    pub records: u64,
    /// When the first was written, as RFC 3339 in UTC.
    pub first: String,
    /// When the last was written, as RFC 3339 in UTC.
    pub last: String,
    /// The last one's message.
    pub example: String,
    /// The last one's topic.
    pub example_topic: String,
    /// The last one's partition; -1 where there is none.
    pub example_partition: i32,
    /// The last one's offset; -1 where there is none.
    pub example_offset: i64,
}

/// The order of the list: the first three are what a place is known by.
const ORDER: &str = "_time DESC, partition, offset, topic, code, column, batch_token";

/// `time` as RFC 3339.
fn rfc3339(time: &str) -> String {
    format!("concat(replaceOne(toString(toTimeZone({time}, 'UTC')), ' ', 'T'), 'Z')")
}

impl Sink {
    /// The rows of the error table that `filter` lets through, newest first, from the place `from` on; at most `limit`, each with at most `raw_bytes`
    /// of its value. Rows that come or go before the place change nothing behind it.
    ///
    /// # Errors
    /// Any [`SinkError`] of a request; [`SinkError::Condition`] for a condition that is none.
    pub async fn list_errors(
        &self,
        table: &str,
        filter: &ErrorFilter,
        from: Option<ErrorPlace>,
        limit: u32,
        raw_bytes: u32,
    ) -> Result<Vec<ListedError>, SinkError> {
        let replayed = super::claims::replayed_sql(table, &filter.pipe);
        let timestamp = rfc3339("assumeNotNull(timestamp)");
        // The rows come first, and then what is made of them: no alias is in the way of the filter's names.
        let sql = format!(
            "SELECT {time}, kind, code, column, toValidUTF8(message), topic, partition, offset, \
             if(isNull(timestamp), NULL, {timestamp}), \
             if(isNull(key), NULL, toValidUTF8(assumeNotNull(key))), toValidUTF8(raw), raw_length, \
             arrayMap(h -> (toValidUTF8(h.1), toValidUTF8(h.2)), headers), schema_id, batch_token, \
             kind = 'record' AND {replayed} \
             FROM (SELECT _time, kind, code, column, message, topic, partition, offset, timestamp, key, \
             substring(raw_message, 1, {raw_bytes}) AS raw, raw_length, headers, schema_id, batch_token \
             FROM {table} WHERE {filter}{from} ORDER BY {ORDER} LIMIT {limit} OFFSET {skip}) ORDER BY {ORDER}",
            from = from.map_or_else(String::new, ErrorPlace::sql),
            skip = from.map_or(0, |place| place.skip),
            time = rfc3339("_time"),
            filter = filter.sql(table)?,
            table = quote_identifier(table),
        );
        self.read_all("the list of errors", &sql).await
    }

    /// The rows that `filter` lets through, grouped; the most frequent first, at most `limit` groups.
    ///
    /// # Errors
    /// As [`Self::list_errors`].
    pub async fn group_errors(
        &self,
        table: &str,
        filter: &ErrorFilter,
        limit: u32,
    ) -> Result<Vec<ErrorGroup>, SinkError> {
        // Two rows of one record, of two reads, are one record.
        let sql = format!(
            "SELECT kind, code, column, shape, count() AS number, \
             if(kind = 'system', count(), uniqExact({IDENTITY})), {first}, {last}, toValidUTF8(argMax(message, _time)), argMax(topic, _time), \
             argMax(partition, _time), argMax(offset, _time) \
             FROM (SELECT _time, kind, code, column, message, topic, partition, offset, timestamp, \
             toValidUTF8(replaceRegexpAll(replaceRegexpAll(message, {quoted}, '…'), '[0-9]+', 'N')) AS shape \
             FROM {table} WHERE {filter}) \
             GROUP BY kind, code, column, shape ORDER BY number DESC, code, column, shape LIMIT {limit}",
            first = rfc3339("min(_time)"),
            last = rfc3339("max(_time)"),
            quoted = r#"'"[^"]*"|\'[^\']*\''"#,
            filter = filter.sql(table)?,
            table = quote_identifier(table),
        );
        self.read_all("the summary of errors", &sql).await
    }
}
