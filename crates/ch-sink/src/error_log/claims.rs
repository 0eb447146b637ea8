//! The marks of a replay: what is about to be loaded, what was, and what came to nothing.

use super::IDENTITY;
use super::replayable::{KeptRecord, RecordId};
use crate::error::SinkError;
use crate::error_row::{ErrorRow, RowKind};
use crate::error_table::ErrorTable;
use crate::quote::{quote_identifier, quote_string};
use crate::random_name::random_name;
use crate::sink::Sink;

/// What is marked of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplayMark {
    /// Its insert is about to be sent.
    Begun,
    /// It is in the table.
    Loaded,
    /// Nothing of it is in the table.
    Dropped,
}

impl ReplayMark {
    const fn kind(self) -> RowKind {
        match self {
            ReplayMark::Begun => RowKind::Replay,
            ReplayMark::Loaded => RowKind::Replayed,
            ReplayMark::Dropped => RowKind::ReplayDropped,
        }
    }
}

/// A batch of a replay that was begun and neither loaded nor dropped.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, clickhouse::Row)]
#[non_exhaustive]
pub struct Claim {
    /// The token of its insert.
    pub token: String,
    /// Seconds since it was begun, by the server's clock.
    pub age_s: u64,
    /// What whoever began it noted.
    pub note: String,
}

/// Why a batch that was just begun must not be inserted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimConflict {
    /// Another batch is under way, or was cut off.
    Another {
        /// Its token.
        token: String,
    },
    /// Somebody has loaded some of its records meanwhile.
    Loaded {
        /// How many.
        records: u64,
    },
}

/// Whether a row's record was loaded by a replay.
pub(super) fn replayed_sql(table: &str, pipe: &str) -> String {
    let (table, pipe) = (quote_identifier(table), quote_string(pipe));
    format!(
        "({IDENTITY} IN (SELECT {IDENTITY} FROM {table} WHERE pipe = {pipe} AND kind = 'replayed' AND partition >= 0))"
    )
}

impl Sink {
    /// Marks the batch `token` with `mark`, and each of its records. All rows of a mark arrive together, or none; a mark
    /// that is added again says what it says once, so that each insert has a token of its own: a server that was killed
    /// may remember that of a mark that it does not have.
    ///
    /// # Errors
    /// Any [`SinkError`] of an insert.
    pub async fn mark_replay(
        &self,
        table: &ErrorTable,
        pipe: &str,
        mark: ReplayMark,
        claim: (&str, &str),
        records: &[RecordId],
    ) -> Result<(), SinkError> {
        let (token, note) = claim;
        let topic = records.first().map_or("", |record| record.topic.as_str());
        let mut head = ErrorRow::mark(pipe, mark.kind(), topic, (-1, -1, None), token);
        head.message = format!("{} record(s)", records.len());
        head.set_raw(note.as_bytes());
        let mut rows = Vec::with_capacity(records.len() + 1);
        rows.push(head);
        rows.extend(records.iter().map(|record| {
            let timestamp_ms = Some(record.timestamp_ms).filter(|ms| *ms != -1);
            let place = (record.partition, record.offset, timestamp_ms);
            ErrorRow::mark(pipe, mark.kind(), &record.topic, place, token)
        }));
        let token_of_mark = format!("{token}|{}|{}", mark.kind().name(), random_name());
        self.insert_errors(table, &rows, Some(&token_of_mark), None).await
    }

    /// Batches that were begun and of which nothing more is known, the oldest first.
    ///
    /// # Errors
    /// Any [`SinkError`] of a request.
    pub async fn open_claims(&self, table: &str, pipe: &str) -> Result<Vec<Claim>, SinkError> {
        let sql = format!(
            "SELECT batch_token, toUInt64(greatest(0, dateDiff('second', min(_time), now64(3)))), \
             toValidUTF8(anyIf(raw_message, kind = 'replay')) FROM {} \
             WHERE pipe = {} AND partition = -1 AND kind IN ('replay', 'replayed', 'replay_dropped') GROUP BY batch_token \
             HAVING countIf(kind = 'replay') > 0 AND countIf(kind != 'replay') = 0 ORDER BY min(_time), batch_token",
            quote_identifier(table),
            quote_string(pipe)
        );
        self.read_all("a question for interrupted replays", &sql).await
    }

    /// The records of a batch as the table still keeps them, and the ids of all of them.
    ///
    /// # Errors
    /// Any [`SinkError`] of a request.
    pub async fn claimed_records(
        &self,
        table: &str,
        pipe: &str,
        token: &str,
    ) -> Result<(Vec<RecordId>, Vec<KeptRecord>), SinkError> {
        let claimed = claimed_sql(table, pipe, token);
        let sql = format!("SELECT DISTINCT * FROM ({claimed}) ORDER BY 1, 2, 3, 4");
        let ids: Vec<RecordId> = self.read_all("the records of an interrupted replay", &sql).await?;
        let condition =
            format!("pipe = {} AND kind = 'record' AND {IDENTITY} IN ({claimed})", quote_string(pipe));
        Ok((ids, self.kept(table, &condition).await?))
    }

    /// Whether something stands in the way of the insert of the batch `token`, which is begun: to be asked between the
    /// mark and the insert, so that of two who begin at the same time one at least sees the other.
    ///
    /// # Errors
    /// Any [`SinkError`] of a request.
    pub async fn claim_conflict(
        &self,
        table: &str,
        pipe: &str,
        token: &str,
    ) -> Result<Option<ClaimConflict>, SinkError> {
        let another = self.open_claims(table, pipe).await?.into_iter().find(|claim| claim.token != token);
        if let Some(Claim { token, .. }) = another {
            return Ok(Some(ClaimConflict::Another { token }));
        }
        let records = self.records_loaded_meanwhile(table, pipe, token).await?;
        Ok(Some(ClaimConflict::Loaded { records }).filter(|_| records > 0))
    }

    /// Records of the batch `token` that another batch has loaded.
    ///
    /// # Errors
    /// Any [`SinkError`] of a request.
    pub async fn records_loaded_meanwhile(
        &self,
        table: &str,
        pipe: &str,
        token: &str,
    ) -> Result<u64, SinkError> {
        let sql = format!(
            "SELECT count() FROM {} WHERE pipe = {} AND kind = 'replayed' AND partition >= 0 AND batch_token != {} \
             AND {IDENTITY} IN ({})",
            quote_identifier(table),
            quote_string(pipe),
            quote_string(token),
            claimed_sql(table, pipe, token)
        );
        self.read_one("a question for records loaded meanwhile", &sql).await
    }
}

/// The ids of the records of a batch.
fn claimed_sql(table: &str, pipe: &str, token: &str) -> String {
    format!(
        "SELECT topic, partition, offset, ifNull(toUnixTimestamp64Milli(timestamp), -1) FROM {} \
         WHERE pipe = {} AND kind = 'replay' AND partition >= 0 AND batch_token = {}",
        quote_identifier(table),
        quote_string(pipe),
        quote_string(token)
    )
}
