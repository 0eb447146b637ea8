//! Delivers one sealed batch: rejects into the error table, then rows into the table, until both are stored.

use std::sync::Arc;
use std::time::{Duration, Instant};

use housepipe_ch_sink::{Backoff, ErrorRow, ErrorTable, FailureClass, Insert, InsertFormat, Sink, SinkError};
use housepipe_kafka_source::PartitionId;
use housepipe_transform::RowFormat;

use super::batch::SealedBatch;
use super::exactly_once::{self, now_unix_s};
use super::part::{Part, RowsRefused};
use super::progress::Outcome;
use super::shared::{PanicWatch, Shared};
use super::state::{Phase, PipeState};
use super::{isolate, recovery};
use crate::delivery::{Epoch, TokenMemory};
use crate::error::{PipeError, explain};
use crate::failpoint::failpoint;

/// Time between two tries of a pipe that holds because something must be mended, in milliseconds.
pub(super) const HOLD_RETRY_MS: u64 = 10_000;

/// Encoded bytes of one INSERT, at most: it must stay below one ClickHouse block.
#[expect(clippy::cast_possible_truncation, reason = "256 MiB")]
const INSERT_BYTES_MAX: usize = Insert::BYTES_MAX as usize;

/// Why a batch was not delivered.
pub(super) enum Undelivered {
    /// ClickHouse refuses these rows for what they contain.
    Refused(SinkError),
    /// The pipe ends, or the partition has another owner; what is not committed is read again.
    Abandoned,
    /// It was tried for so long that ClickHouse may have forgotten whether it has it.
    Overdue {
        /// Seconds since the range was prepared.
        age_s: u64,
    },
}

/// Inserts `batch` and settles it, or leaves it unsettled where the pipe ends first.
pub(super) async fn deliver(shared: Arc<Shared>, mut batch: SealedBatch) {
    let _watch = PanicWatch::new(Arc::clone(&shared));
    let Ok(outcome) = store(&shared, &mut batch).await else { return };
    failpoint("insert_after");
    shared.progress.lock().settle(batch.id, &outcome);
    if !shared.is_stopping() {
        shared.state.set(PipeState::Running);
    }
    shared.give_back(batch.into_buffers(shared.setup.limits.bytes_max));
}

/// Inserts a part of a partition in exactly-once mode, and tells what became of it.
pub(super) async fn deliver_part(shared: Arc<Shared>, partition: PartitionId, epoch: Epoch, mut part: Part) {
    let _watch = PanicWatch::new(Arc::clone(&shared));
    let Some(deliveries) = &shared.deliveries else { return };
    let tried_unix_s = part.tried_unix_s.unwrap_or_else(now_unix_s);
    let guard = Guard { partition, epoch, tried_unix_s };
    match store_part(&shared, &guard, &mut part).await {
        Ok(outcome) => {
            let mut progress = shared.progress.lock();
            if part.is_last {
                progress.settle(part.batch.id, &outcome);
            } else {
                progress.count(&outcome);
            }
            drop(progress);
            failpoint("insert_after");
            deliveries.stored(&shared, partition, epoch, part.is_last);
            if !shared.is_stopping() {
                shared.state.set(PipeState::Running);
            }
            part.recycle(&shared);
        }
        Err(Undelivered::Refused(error)) => {
            let message = explain(&error);
            let row = match part.sealed.rows {
                1 => isolate::refused_row(&shared, &part.batch, &message).await,
                rows => {
                    tracing::warn!(
                        error = message,
                        rows,
                        "clickhouse refused an insert; looking for the rows"
                    );
                    Ok(None)
                }
            };
            match row {
                Ok(row) => deliveries.refused(&shared, partition, epoch, part, RowsRefused { message, row }),
                Err(_) => part.give_back(&shared),
            }
        }
        Err(Undelivered::Abandoned) => part.give_back(&shared),
        Err(Undelivered::Overdue { age_s }) => {
            part.give_back(&shared);
            deliveries.overdue(&shared, partition, epoch, age_s);
        }
    }
}

/// Stores rows, then rejects. In that order, since a part whose rows are refused is divided, and its rejects go with the
/// halves: nothing of it may be stored by then.
async fn store_part(shared: &Arc<Shared>, guard: &Guard, part: &mut Part) -> Result<Outcome, Undelivered> {
    let batch = &mut part.batch;
    let mut outcome = Outcome {
        loaded: batch.row_count() as u64,
        rejected: batch.rejected,
        bytes: batch.body.len() as u64,
        ..Outcome::default()
    };
    failpoint("insert_before");
    let token = exactly_once::token(shared, guard.partition, part);
    let batch = &mut part.batch;
    let rows = 0..batch.row_count();
    if !rows.is_empty() {
        let token = token.rows(&rows);
        let insert = insert_of(shared, batch, &rows, &token);
        persist(shared, Attempt::Rows(&insert), Some(guard)).await?;
        failpoint("insert_rows");
    }
    if batch.rejects.is_empty() {
        return Ok(outcome);
    }
    batch.rejects.iter_mut().for_each(|row| token.as_str().clone_into(&mut row.batch_token));
    insert_rejects(shared, &batch.rejects, &token.rejects(), Some(guard)).await?;
    failpoint("insert_rejects");
    outcome.count_codes(&batch.rejects);
    Ok(outcome)
}

/// Under what an insert of exactly-once mode may be tried again.
pub(super) struct Guard {
    partition: PartitionId,
    epoch: Epoch,
    /// When the insert was tried first, by whomever.
    tried_unix_s: u64,
}

/// Seconds after which a try that follows a failed one asks ClickHouse first whether it remembers the token.
const TRUSTED_S: u64 = 30;

impl Guard {
    /// Whether the insert may be tried again: the partition is this process's own, and ClickHouse would know the token.
    async fn check(&self, shared: &Shared) -> Result<Result<(), Undelivered>, SinkError> {
        if !shared.deliveries.as_ref().is_some_and(|all| all.owns(self.partition, self.epoch)) {
            return Ok(Err(Undelivered::Abandoned));
        }
        let age_s = now_unix_s().saturating_sub(self.tried_unix_s);
        if age_s > TRUSTED_S && recovery::memory(shared, self.tried_unix_s).await? == TokenMemory::Unsure {
            return Ok(Err(Undelivered::Overdue { age_s }));
        }
        Ok(Ok(()))
    }
}

/// Stores rejects, then rows.
async fn store(shared: &Arc<Shared>, batch: &mut SealedBatch) -> Result<Outcome, Undelivered> {
    let mut outcome =
        Outcome { rejected: batch.rejected, bytes: batch.body.len() as u64, ..Outcome::default() };
    let mut rejects = std::mem::take(&mut batch.rejects);
    let token = shared.token(batch.id);
    rejects.iter_mut().for_each(|row| token.as_str().clone_into(&mut row.batch_token));
    failpoint("insert_before");
    insert_rejects(shared, &rejects, &token.rejects(), None).await?;
    failpoint("insert_rejects");
    outcome.count_codes(&rejects);
    drop(rejects);
    for rows in batch.inserts(INSERT_BYTES_MAX) {
        let refused = match insert_rows(shared, batch, rows.clone()).await {
            Ok(()) => Vec::new(),
            Err(Undelivered::Refused(error)) => isolate::deliver(shared, batch, rows.clone(), error).await?,
            Err(other) => return Err(other),
        };
        failpoint("insert_rows");
        outcome.loaded += (rows.len() - refused.len()) as u64;
        outcome.rejected += refused.len() as u64;
        shared.progress.lock().reject_rule.refused(refused.len() as u64);
        outcome.count_codes(&refused);
    }
    Ok(outcome)
}

/// Inserts the rows `[start, end)` of `batch`, as often as it takes.
pub(super) async fn insert_rows(
    shared: &Shared,
    batch: &SealedBatch,
    rows: std::ops::Range<usize>,
) -> Result<(), Undelivered> {
    if rows.is_empty() {
        return Ok(());
    }
    let token = shared.token(batch.id).rows(&rows);
    persist(shared, Attempt::Rows(&insert_of(shared, batch, &rows, &token)), None).await
}

fn insert_of<'a>(
    shared: &'a Shared,
    batch: &SealedBatch,
    rows: &std::ops::Range<usize>,
    token: &'a str,
) -> Insert<'a> {
    Insert {
        table: &shared.setup.target.table,
        columns: &shared.setup.target.columns,
        format: if shared.setup.target.format == RowFormat::RowBinaryWithDefaults {
            InsertFormat::RowBinaryWithDefaults
        } else {
            InsertFormat::RowBinary
        },
        body: batch.slice(rows),
        rows: rows.len() as u64,
        token: Some(token),
        // JSON columns are encoded as text; the setting is nothing to tables without one.
        json_as_string: true,
    }
}

/// Inserts error rows, as often as it takes. Without an error table there is nothing to do.
pub(super) async fn insert_rejects(
    shared: &Shared,
    rejects: &[ErrorRow],
    token: &str,
    guard: Option<&Guard>,
) -> Result<(), Undelivered> {
    let Some(table) = &shared.setup.target.error_table else { return Ok(()) };
    if rejects.is_empty() {
        return Ok(());
    }
    match persist(shared, Attempt::Errors(table, rejects, token), guard).await {
        Err(Undelivered::Refused(error)) => {
            // The error table is ours; rows that it refuses mean that somebody changed it.
            shared.fail(PipeError::ErrorTable { table: table.name().to_owned(), source: Box::new(error) });
            Err(Undelivered::Abandoned)
        }
        other => other,
    }
}

/// What is tried until it succeeds.
enum Attempt<'a> {
    Rows(&'a Insert<'a>),
    Errors(&'a ErrorTable, &'a [ErrorRow], &'a str),
}

impl Attempt<'_> {
    async fn run(
        &self,
        sink: &Sink,
        guard: Option<&Guard>,
        shared: &Shared,
    ) -> Result<Result<(), SinkError>, Undelivered> {
        if let Some(guard) = guard {
            match guard.check(shared).await {
                Ok(may_go_on) => may_go_on?,
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(match self {
            Attempt::Rows(insert) => sink.insert(insert).await.map(|_| ()),
            Attempt::Errors(table, rows, token) => sink.insert_errors(table, rows, Some(token)).await,
        })
    }
}

/// Runs `attempt` until it succeeds, ClickHouse refuses the rows themselves, or the pipe ends.
async fn persist(shared: &Shared, attempt: Attempt<'_>, guard: Option<&Guard>) -> Result<(), Undelivered> {
    let mut phase = shared.phase();
    let mut backoff = Backoff::default();
    let mut failing_since: Option<Instant> = None;
    let mut guarded = None;
    loop {
        let outcome = tokio::select! {
            biased;
            _ = phase.wait_for(|phase| *phase >= Phase::Aborted) => return Err(Undelivered::Abandoned),
            outcome = attempt.run(&shared.setup.sink, guarded, shared) => outcome?,
        };
        // From the second try on.
        guarded = guard;
        let error = match outcome {
            Ok(()) => {
                shared.progress.lock().counters.inserts += 1;
                return Ok(());
            }
            Err(error) => error,
        };
        let delay_ms = match error.class() {
            FailureClass::IsolateRow => return Err(Undelivered::Refused(error)),
            FailureClass::Hold if shared.setup.until_caught_up => {
                shared.fail(PipeError::Insert(Box::new(error)));
                return Err(Undelivered::Abandoned);
            }
            FailureClass::Hold => {
                failing_since = None;
                shared.state.set(PipeState::Misconfigured { reason: explain(&error) });
                HOLD_RETRY_MS
            }
            FailureClass::Retry => {
                let since = *failing_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= Duration::from_millis(shared.setup.destination_deadline_ms) {
                    shared.fail(PipeError::Destination { source: Box::new(error), after: since.elapsed() });
                    return Err(Undelivered::Abandoned);
                }
                shared.state.set(PipeState::Retrying { reason: explain(&error) });
                backoff.next_delay_ms(jitter())
            }
        };
        shared.progress.lock().counters.retries += 1;
        tokio::select! {
            biased;
            _ = phase.wait_for(|phase| *phase >= Phase::Aborted) => return Err(Undelivered::Abandoned),
            () = tokio::time::sleep(Duration::from_millis(delay_ms)) => {}
        }
    }
}

/// A number in `[0, 1)` that differs from pipe to pipe and from try to try, so that they do not retry in step.
pub(super) fn jitter() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    let bits = RandomState::new().hash_one(Instant::now());
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
    let fraction = (bits >> 11) as f64 / (1u64 << 53) as f64;
    fraction
}
