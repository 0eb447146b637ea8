//! Rows about the operation of a pipe, written into its error table.
//!
//! They differ from those of records in two things. Each has the time at which it happened, which may be long before it can be
//! written. And none is deduplicated: an insert without a token stores none, so that it takes no slot of the table's window and
//! pushes no token of a batch out of it.

use std::time::Duration;

use bytes::Bytes;

use crate::error::SinkError;
use crate::error_row::ErrorRow;
use crate::error_table::ErrorTable;
use crate::insert::{Insert, InsertFormat};
use crate::sink::Sink;

impl Sink {
    /// Inserts `rows` in their order in one insert, each with how long ago it happened. Their `_time` is reckoned from the server's clock,
    /// and a later row never has an earlier one, or the same, than the row before it.
    ///
    /// # Errors
    /// Any [`SinkError`] of a request or an insert. After one that leaves the outcome open, a repetition may store the rows twice.
    pub async fn insert_system_errors(
        &self,
        table: &ErrorTable,
        rows: &[(ErrorRow, Duration)],
    ) -> Result<(), SinkError> {
        if rows.is_empty() {
            return Ok(());
        }
        let now_ms: i64 = self
            .fetch_one("a question for the server's clock", "SELECT toUnixTimestamp64Milli(now64(3))")
            .await?;
        let columns: Vec<String> =
            ["_time"].iter().chain(&ErrorRow::COLUMNS).map(|name| (*name).to_owned()).collect();
        let mut body = Vec::new();
        for ((row, _), time_ms) in rows.iter().zip(times(now_ms, rows)) {
            body.extend_from_slice(&time_ms.to_le_bytes());
            row.encode(&mut body);
        }
        let insert = Insert {
            table: table.name(),
            columns: &columns,
            format: InsertFormat::RowBinary,
            body: Bytes::from(body),
            rows: rows.len() as u64,
            token: None,
            json_as_string: false,
            session: None,
        };
        self.insert(&insert).await.map(drop)
    }
}

/// When each of `rows` happened, in milliseconds since 1970; every one later than the one before it.
fn times(now_ms: i64, rows: &[(ErrorRow, Duration)]) -> Vec<i64> {
    let mut last_ms = i64::MIN;
    let time = |(_, age): &(ErrorRow, Duration)| {
        let age_ms = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        last_ms = now_ms.saturating_sub(age_ms).max(last_ms.saturating_add(1));
        last_ms
    };
    rows.iter().map(time).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_the_time_at_which_they_happened_and_keep_their_order() {
        let row = |age_ms| (ErrorRow::system("p", "t", "c", "m"), Duration::from_millis(age_ms));
        assert_eq!(
            times(10_000, &[row(9_000), row(20), row(20), row(20), row(0)]),
            [1_000, 9_980, 9_981, 9_982, 10_000]
        );
        // A clock that seems to have gone back.
        assert_eq!(times(10_000, &[row(5), row(7)]), [9_995, 9_996]);
    }
}
