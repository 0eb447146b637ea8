//! Rows that only ClickHouse refuses: found by bisection, kept with their raw bytes, their neighbours loaded.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use housepipe_ch_sink::{Bisection, ErrorRow};
use housepipe_kafka_source::{Offset, OwnedRecord, PartitionId, SourceError};

use super::attempt::Undelivered;
use super::batch::SealedBatch;
use super::inserter::{insert_rejects, insert_rows};
use super::progress::Outcome;
use super::record::{bare_error_row, error_row};
use super::reread::{Reread, Wanted};
use super::shared::Shared;
use super::state::{Phase, PipeState};
use crate::delivery::BatchToken;
use crate::error::{PipeError, explain};

/// Time to read refused records again from Kafka, at most, in milliseconds; then it is tried again.
const REREAD_TIMEOUT_MS: u64 = 30_000;

/// Time between two tries, in milliseconds.
const REREAD_PAUSE_MS: u64 = 1_000;

/// Code of a row that ClickHouse refused.
pub(super) const CODE_REFUSED: &str = "refused_by_clickhouse";

/// Inserts every row of `batch` that ClickHouse takes and keeps the others in the error table.
///
/// `first` is why `within`, rows of the batch that went in one insert, were not stored: some are refused, or they are
/// of too many partitions of the table. Returns how many were refused, each with [`CODE_REFUSED`], and notes of the others what
/// [`insert_rows`] does.
pub(super) async fn deliver(
    shared: &Arc<Shared>,
    batch: &SealedBatch,
    within: Range<usize>,
    first: Undelivered,
    outcome: &mut Outcome,
) -> Result<u64, Undelivered> {
    let mut bisection = match first {
        Undelivered::Refused(error) => {
            let (error, named) = (explain(&error), error.named_row());
            tracing::warn!(error, rows = within.len(), "clickhouse refused an insert; looking for the rows");
            Bisection::after_refusal(within.len(), error, named)
        }
        Undelivered::TooManyPartitions(error) => {
            let message = explain(&error);
            tracing::info!(rows = within.len(), message, "a batch goes into the table in several inserts");
            Bisection::after_excess(within.len())
        }
        other => return Err(other),
    };
    while let Some(rows) = bisection.next_range() {
        let rows = within.start + rows.start..within.start + rows.end;
        match insert_rows(shared, batch, rows, outcome).await {
            Ok(()) => bisection.accepted(),
            Err(Undelivered::Refused(error)) => bisection.refused(explain(&error), error.named_row()),
            Err(Undelivered::TooManyPartitions(_)) => bisection.exceeded(),
            Err(other) => return Err(other),
        }
    }
    let refused = match bisection.finish() {
        Ok(refused) => refused,
        Err(too_many) => {
            shared.fail(PipeError::TooManyRefused { refused: too_many.refused, last: too_many.last_message });
            return Err(Undelivered::Abandoned);
        }
    };
    let count = refused.len() as u64;
    if shared.setup.error_table.is_none() {
        return Ok(count);
    }
    let token = shared.token(batch.id);
    let mut reread = Reread::of(refused.into_iter().map(|row| {
        let (partition, offset) = batch.origin(within.start + row.index);
        (partition, Wanted { offset, message: row.message })
    }));
    // A few at a time, and each stored before the next are read: they may be far larger than their rows.
    while let Some(mut rows) = error_rows(shared, &mut reread).await? {
        rows.iter_mut().for_each(|row| token.as_str().clone_into(&mut row.batch_token));
        insert_rejects(shared, &rows, |start| refused_token(&token, start, &within)).await?;
    }
    Ok(count)
}

fn refused_token(token: &BatchToken, start: Option<u64>, within: &Range<usize>) -> String {
    start.map_or_else(|| token.refused(within), |start| token.after_start(start).refused(within))
}

/// The error row of a record that ClickHouse refused, read again from Kafka for its raw bytes; none without an error table.
pub(super) async fn refused_row(
    shared: &Arc<Shared>,
    (partition, offset): (PartitionId, Offset),
    message: &str,
) -> Result<Option<ErrorRow>, Undelivered> {
    if shared.setup.error_table.is_none() {
        return Ok(None);
    }
    let wanted = Wanted { offset, message: message.to_owned() };
    let mut reread = Reread::of([(partition, wanted)]);
    Ok(error_rows(shared, &mut reread).await?.and_then(|mut rows| rows.pop()))
}

/// Error rows for the next records, read again from Kafka for their raw bytes; none where all are read.
async fn error_rows(shared: &Arc<Shared>, reread: &mut Reread) -> Result<Option<Vec<ErrorRow>>, Undelivered> {
    let Some((partition, wanted, records)) = read_next(shared, reread).await? else { return Ok(None) };
    let labels = &shared.setup.labels;
    let mut records = records.into_iter().peekable();
    let rows = wanted.into_iter().map(|Wanted { offset, message }| {
        let mut row = match records.next_if(|record| record.offset == offset) {
            Some(record) => error_row(labels, partition, &record.as_record(), CODE_REFUSED),
            // Retention removed it between the first read and this one: the place and the reason remain.
            None => bare_error_row(labels, partition, offset, CODE_REFUSED),
        };
        row.message = message;
        row
    });
    Ok(Some(rows.collect()))
}

/// Reads the next records again, until they are there or the source has been away for too long; none where all are read.
async fn read_next(
    shared: &Arc<Shared>,
    reread: &mut Reread,
) -> Result<Option<(PartitionId, Vec<Wanted>, Vec<OwnedRecord>)>, Undelivered> {
    let mut phase = shared.phase();
    let started = Instant::now();
    while let Some((partition, wanted)) = reread.next() {
        let offsets: Vec<Offset> = wanted.iter().map(|wanted| wanted.offset).collect();
        match fetch(shared, partition, &offsets).await {
            Ok(records) => {
                reread.found(records.iter().map(bytes_of).max().unwrap_or(0));
                return Ok(Some((partition, wanted, records)));
            }
            Err(error) if !error.retryable() => {
                shared.fail(error.into());
                return Err(Undelivered::Abandoned);
            }
            Err(error) if started.elapsed() >= Duration::from_millis(shared.live().deadlines.source_ms) => {
                let (after, last) = (started.elapsed(), explain(&error));
                shared.fail(PipeError::SourceUnreachable { after, last });
                return Err(Undelivered::Abandoned);
            }
            Err(error) => {
                reread.failed();
                let reason = explain(&error);
                shared.system_log.source_fails(started.elapsed(), &reason);
                shared.state.show(PipeState::Retrying { reason });
            }
        }
        tokio::select! {
            biased;
            _ = phase.wait_for(|phase| *phase >= Phase::Aborted) => return Err(Undelivered::Abandoned),
            () = tokio::time::sleep(Duration::from_millis(REREAD_PAUSE_MS)) => {}
        }
    }
    Ok(None)
}

/// Memory of a record, in bytes, about.
fn bytes_of(record: &OwnedRecord) -> usize {
    let headers = record.headers.iter();
    let headers: usize = headers.map(|(name, value)| name.len() + value.as_ref().map_or(0, Vec::len)).sum();
    record.payload.as_ref().map_or(0, Vec::len) + record.key.as_ref().map_or(0, Vec::len) + headers
}

async fn fetch(
    shared: &Arc<Shared>,
    partition: PartitionId,
    offsets: &[Offset],
) -> Result<Vec<OwnedRecord>, SourceError> {
    let (source, offsets) = (shared.setup.source.clone(), offsets.to_vec());
    let fetched = tokio::task::spawn_blocking(move || {
        housepipe_kafka_source::fetch(&source, partition, &offsets, Duration::from_millis(REREAD_TIMEOUT_MS))
    });
    match fetched.await {
        Ok(fetched) => fetched,
        Err(stopped) => match stopped.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime shuts down, and this task with it.
            Err(_) => std::future::pending().await,
        },
    }
}
