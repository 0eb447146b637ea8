//! Delivers one sealed batch at least once: rejects into the error table, then rows into the table.

use std::sync::Arc;

use housepipe_ch_sink::{ErrorBlock, ErrorRow, Insert};

use super::attempt::{Attempt, Undelivered};
use super::batch::SealedBatch;
use super::guard::Guard;
use super::isolate;
use super::persist::persist;
use super::progress::Outcome;
use super::shared::{PanicWatch, Shared};
use crate::delivery::BatchToken;
use crate::error::PipeError;
use crate::failpoint::failpoint;

/// Encoded bytes of one INSERT, at most: it must stay below one ClickHouse block.
#[expect(clippy::cast_possible_truncation, reason = "256 MiB")]
const INSERT_BYTES_MAX: usize = Insert::BYTES_MAX as usize;

/// Inserts `batch` and settles it, or leaves it unsettled where the pipe ends first.
pub(super) async fn deliver(shared: Arc<Shared>, mut batch: SealedBatch) {
    let _watch = PanicWatch::new(Arc::clone(&shared));
    let Ok(outcome) = store(&shared, &mut batch).await else { return };
    failpoint("insert_after");
    shared.progress.lock().settle(batch.id, &outcome);
    shared.is_well();
    shared.give_back(batch.into_buffers(shared.setup.batch_bytes_max));
}

/// Stores rejects, then rows.
async fn store(shared: &Arc<Shared>, batch: &mut SealedBatch) -> Result<Outcome, Undelivered> {
    let mut outcome = Outcome { rejected: batch.rejected, ..Outcome::default() };
    let mut rejects = std::mem::take(&mut batch.rejects);
    let token = shared.token(batch.id);
    rejects.iter_mut().for_each(|row| token.as_str().clone_into(&mut row.batch_token));
    failpoint("insert_before");
    insert_rejects(shared, &rejects, |start| after(&token, start).rejects()).await?;
    failpoint("insert_rejects");
    outcome.count_codes(&rejects);
    drop(rejects);
    for rows in batch.inserts(INSERT_BYTES_MAX) {
        let refused = match insert_rows(shared, batch, rows.clone(), &mut outcome).await {
            Ok(()) => 0,
            Err(first @ (Undelivered::Refused(_) | Undelivered::TooManyPartitions(_))) => {
                isolate::deliver(shared, batch, rows.clone(), first, &mut outcome).await?
            }
            Err(other) => return Err(other),
        };
        failpoint("insert_rows");
        outcome.loaded += rows.len() as u64 - refused;
        outcome.rejected += refused;
        shared.progress.lock().refused(batch.judged, refused);
        outcome.count_code(isolate::CODE_REFUSED, refused);
    }
    Ok(outcome)
}

/// Inserts the rows `[start, end)` of `batch`, as often as it takes, and notes their bytes and how late they were.
pub(super) async fn insert_rows(
    shared: &Shared,
    batch: &SealedBatch,
    rows: std::ops::Range<usize>,
    outcome: &mut Outcome,
) -> Result<(), Undelivered> {
    if rows.is_empty() {
        return Ok(());
    }
    let token = shared.token(batch.id);
    let mut guard = Guard::of_nobody(shared);
    loop {
        let token = after(&token, guard.another_start()).rows(&rows);
        let insert = insert_of(shared, batch, &rows, &token);
        let attempt = Attempt::Rows { insert: &insert, may_divide: batch.may_divide(rows.len()) };
        match persist(shared, attempt, &mut guard).await {
            // What the server remembers of an insert in which it was killed is not sure: with another token nothing is
            // lost, and something may be loaded twice.
            Err(Undelivered::ServerRestarted { started_unix_s }) => guard.restarted(started_unix_s),
            other => {
                if other.is_ok() {
                    outcome.acknowledged(batch, &rows);
                }
                return other;
            }
        }
    }
}

/// The token, or the one that takes its place after the server was started anew.
fn after(token: &BatchToken, started_unix_s: Option<u64>) -> BatchToken {
    started_unix_s.map_or_else(|| token.clone(), |start| token.after_start(start))
}

pub(super) fn insert_of<'a>(
    shared: &'a Shared,
    batch: &SealedBatch,
    rows: &std::ops::Range<usize>,
    token: &'a str,
) -> Insert<'a> {
    shared.setup.target.insert(batch.slice(rows), rows.len(), token)
}

/// Inserts error rows, as often as it takes. Without an error table there is nothing to do. `token` makes the token for a
/// server that was started anew meanwhile, or for one that was not.
pub(super) async fn insert_rejects(
    shared: &Shared,
    rejects: &[ErrorRow],
    token: impl Fn(Option<u64>) -> String,
) -> Result<(), Undelivered> {
    let mut guard = Guard::of_nobody(shared);
    loop {
        match persist_rejects(shared, rejects, &token(guard.another_start()), &mut guard).await {
            Err(Undelivered::ServerRestarted { started_unix_s }) => guard.restarted(started_unix_s),
            other => return other,
        }
    }
}

/// The same with one token.
pub(super) async fn persist_rejects(
    shared: &Shared,
    rejects: &[ErrorRow],
    token: &str,
    guard: &mut Guard,
) -> Result<(), Undelivered> {
    let Some(table) = &shared.setup.error_table else { return Ok(()) };
    let mut rest = rejects;
    // Each block has its own look at whether it may be sent: together they may take long.
    while let Some((block, behind)) = ErrorBlock::first_of(rest) {
        rest = behind;
        match persist(shared, Attempt::Errors(table, &block, token), guard).await {
            Ok(()) => {}
            Err(Undelivered::Refused(error)) => {
                // The error table is ours; rows that it refuses mean that somebody changed it.
                shared
                    .fail(PipeError::ErrorTable { table: table.name().to_owned(), source: Box::new(error) });
                return Err(Undelivered::Abandoned);
            }
            Err(other) => return Err(other),
        }
    }
    Ok(())
}
