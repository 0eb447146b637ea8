//! Inserts a part of a partition in exactly-once mode: its rows, then its rejects, each with a token of the range.

use std::borrow::Cow;
use std::sync::Arc;

use housepipe_ch_sink::{ErrorRow, Left};
use housepipe_kafka_source::{Offset, PartitionId};

use super::attempt::{Attempt, Undelivered};
use super::exactly_once;
use super::guard::Guard;
use super::inserter::{insert_of, persist_rejects};
use super::isolate;
use super::look_back::{self, Half};
use super::part::{Part, RowsRefused};
use super::persist::persist;
use super::progress::Outcome;
use super::recovery::until_answered;
use super::shared::{PanicWatch, Shared};
use super::state::Phase;
use crate::delivery::{BatchToken, Epoch, Moment};
use crate::error::explain;
use crate::failpoint::failpoint;

/// Inserts the part, and tells the partition's delivery what became of it.
pub(super) async fn deliver_part(
    shared: Arc<Shared>,
    partition: PartitionId,
    epoch: Epoch,
    mut part: Part,
    guard: Guard,
) {
    let _watch = PanicWatch::new(Arc::clone(&shared));
    let Some(deliveries) = &shared.deliveries else { return };
    match store(&shared, &guard, partition, &mut part).await {
        Ok(outcome) => {
            let mut progress = shared.progress.lock();
            if part.is_last {
                progress.settle(part.batch.id, &outcome);
            } else {
                progress.count(&outcome);
            }
            drop(progress);
            failpoint("insert_after");
            deliveries.stored(&shared, partition, epoch, &part);
            shared.is_well();
            part.recycle(&shared);
        }
        Err(Undelivered::Refused(error)) => {
            let (message, named) = (explain(&error), error.named_row());
            let row = match part.sealed.rows {
                1 => isolate::refused_row(&shared, part.batch.origin(0), &message).await,
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
                Ok(row) => {
                    deliveries.refused(&shared, partition, epoch, part, &RowsRefused { message, named, row });
                }
                Err(_) => part.give_back(&shared),
            }
        }
        Err(Undelivered::TooManyPartitions(error)) => {
            let message = explain(&error);
            tracing::info!(
                rows = part.sealed.rows,
                message,
                "a range goes into the table in several inserts"
            );
            // As rows that are refused, but for the row: there are two or more, and none is named.
            deliveries.refused(
                &shared,
                partition,
                epoch,
                part,
                &RowsRefused { message, named: None, row: None },
            );
        }
        Err(Undelivered::Overdue { age_s }) => {
            part.give_back(&shared);
            deliveries.overdue(&shared, partition, epoch, age_s);
        }
        Err(Undelivered::Untold { age_s }) => {
            part.give_back(&shared);
            deliveries.untold(&shared, partition, epoch, age_s);
        }
        Err(Undelivered::GivenUp) => {
            part.give_back(&shared);
            deliveries.give_up(&shared, partition, epoch);
        }
        Err(Undelivered::Outlived { are_there }) => {
            tracing::info!(
                partition = partition.0,
                start = part.sealed.start.0,
                end = part.sealed.end.0,
                are_there,
                "a range is prepared again: clickhouse was started anew since, or may have forgotten its token"
            );
            deliveries.prepare_again(&shared, partition, epoch, part, are_there);
        }
        Err(Undelivered::Abandoned | Undelivered::ServerRestarted { .. }) => part.give_back(&shared),
    }
}

/// Stores rows, then rejects. In that order, since a part whose rows are refused is divided, and its rejects go with the
/// halves: nothing of it may be stored by then.
async fn store(
    shared: &Arc<Shared>,
    guard: &Guard,
    partition: PartitionId,
    part: &mut Part,
) -> Result<Outcome, Undelivered> {
    let mut outcome = Outcome {
        loaded: part.batch.row_count() as u64,
        rejected: part.batch.rejected,
        ..Outcome::default()
    };
    failpoint("insert_before");
    let token = exactly_once::token(shared, partition, part);
    if part.batch.row_count() > 0 {
        rows(shared, guard, part, &token).await?;
        outcome.acknowledged(&part.batch, &(0..part.batch.row_count()));
        failpoint("insert_rows");
    }
    if part.batch.rejects.is_empty() {
        return Ok(outcome);
    }
    read_raw(shared, partition, part).await?;
    part.batch.rejects.iter_mut().for_each(|row| token.as_str().clone_into(&mut row.batch_token));
    outcome.count_codes(&part.batch.rejects);
    rejects(shared, guard, partition, part, &token).await?;
    failpoint("insert_rejects");
    Ok(outcome)
}

async fn rows(shared: &Shared, guard: &Guard, part: &Part, token: &BatchToken) -> Result<(), Undelivered> {
    let all = 0..part.batch.row_count();
    let feeds_others = shared.windows().feeds_others;
    if part.renewed.is_some() && !feeds_others {
        // They are there; see below.
        return Ok(());
    }
    let (mut guard, token) = (guard.clone(), token.rows(&all));
    let insert = insert_of(shared, &part.batch, &all, &token);
    let attempt =
        Attempt::Rows { insert: &insert, may_divide: part.batch.may_divide(part.batch.row_count()) };
    match persist(shared, attempt, &mut guard).await {
        // Prepared under the server before this one, and never tried.
        Err(Undelivered::ServerRestarted { .. }) if !guard.is_repetition() => {
            return Err(Undelivered::Outlived { are_there: false });
        }
        Err(Undelivered::ServerRestarted { .. }) => {}
        Err(Undelivered::Overdue { .. }) if look_back::can_look_back(shared, part.batch.row_count()) => {
            look_back::until_quiet(shared, &guard, part, Half::Rows).await?;
        }
        other => return other,
    }
    if !shared.setup.target.is_of_one_server() {
        // Its rows are elsewhere, or nowhere.
        return Err(Undelivered::Overdue { age_s: shared.now().seconds_to(guard.since()) });
    }
    let left = look_back::rows_left(shared, &guard, part, &insert).await;
    match is_there(shared, left, shared.setup.target.keeps_rows(), guard.since())? {
        // Views may lack them: inserted once more, with the same token, the table drops them and its views do not.
        true if feeds_others => Err(Undelivered::Outlived { are_there: true }),
        true => Ok(()),
        false => Err(Undelivered::Outlived { are_there: false }),
    }
}

async fn rejects(
    shared: &Shared,
    guard: &Guard,
    partition: PartitionId,
    part: &Part,
    token: &BatchToken,
) -> Result<(), Undelivered> {
    let Some(table) = &shared.setup.error_table else { return Ok(()) };
    // Of this attempt, and of those before it: a table for rows may have been made anew, and this one not.
    let tokens: Vec<String> = (0..=part.sealed.attempt)
        .map(|attempt| exactly_once::token_of_attempt(shared, partition, part, attempt).as_str().to_owned())
        .collect();
    let those_missing = async || {
        let asked = until_answered(shared, Phase::Aborted, || {
            let sink = &shared.setup.sink;
            guard.is_owner(shared).then(|| sink.error_offsets_left(table.name(), &tokens))
        });
        let there = asked.await.ok_or(Undelivered::Abandoned)?;
        let missing = part.batch.rejects.iter().filter(|row| !there.contains(&row.offset));
        Ok::<Vec<ErrorRow>, Undelivered>(missing.cloned().collect())
    };
    let mut wanted = Cow::Borrowed(part.batch.rejects.as_slice());
    let mut current = token.rejects();
    if part.renewed.is_some() || part.sealed.attempt > 0 {
        wanted = Cow::Owned(those_missing().await?);
    }
    let mut guard = guard.clone();
    if let Some(renewed) = part.renewed {
        // With the same token for rows that are there. What the server remembers of that for rejects is not believed.
        current = format!("{current}@{}", renewed.unix_s);
        guard.count_from(renewed, part.is_renewed_here);
    }
    let tried = persist_rejects(shared, &wanted, &current, &mut guard).await;
    if matches!(tried, Err(Undelivered::Overdue { .. })) && shared.setup.target.is_of_one_server() {
        look_back::until_quiet(shared, &guard, part, Half::Rejects).await?;
    }
    match tried {
        Err(Undelivered::ServerRestarted { .. } | Undelivered::Overdue { .. })
            if shared.setup.target.is_of_one_server() =>
        {
            let missing = those_missing().await?.len();
            if missing == 0 {
                return Ok(());
            }
            // Where nothing is there, not a row either, another token does no harm, and needs no look at the next try.
            let are_there = part.batch.row_count() > 0 || missing < part.batch.rejects.len();
            Err(Undelivered::Outlived { are_there })
        }
        other => other,
    }
}

/// Whether the insert was done before the server was killed; an error where that cannot be told.
fn is_there(
    shared: &Shared,
    left: Option<Left>,
    keeps_rows: bool,
    tried: Moment,
) -> Result<bool, Undelivered> {
    match left {
        None => Err(Undelivered::Abandoned),
        Some(Left::All) => Ok(true),
        // A table that merges rows into others may have done that with all of them.
        Some(Left::Nothing) if keeps_rows => Ok(false),
        Some(Left::Nothing | Left::Some) => {
            Err(Undelivered::Untold { age_s: shared.now().seconds_to(tried) })
        }
    }
}

/// Reads the record of a reject again, whose bytes are not at hand.
async fn read_raw(shared: &Arc<Shared>, partition: PartitionId, part: &mut Part) -> Result<(), Undelivered> {
    if !std::mem::take(&mut part.lacks_raw) {
        return Ok(());
    }
    for reject in part.batch.rejects.iter_mut().filter(|reject| reject.code == isolate::CODE_REFUSED) {
        let message = reject.message.clone();
        if let Some(row) = isolate::refused_row(shared, (partition, Offset(reject.offset)), &message).await? {
            *reject = row;
        }
    }
    Ok(())
}
