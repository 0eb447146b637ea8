//! Finds out whether ClickHouse remembers the token of an insert that may have been done: before a range is read again,
//! and before an insert that failed for long is tried again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use housepipe_ch_sink::{Backoff, ErrorTable, FailureClass, SinkError};
use housepipe_kafka_source::{Offset, PartitionId};

use super::blocks;
use super::look_back::can_look_back;
use super::persist::{HOLD_RETRY_MS, jitter};
use super::shared::Shared;
use super::state::{Phase, PipeState};
use super::windows::Windows;
use crate::delivery::{Epoch, Metadata, Moment, Recorded, TokenMemory};
use crate::error::{PipeError, explain};

/// Age up to which a mark of the tables for rejects is believed, in seconds: their rows go by their age, a day at the least, and
/// with them the numbers of their blocks.
const MARK_OF_REJECTS_TRUSTED_S: u64 = 86_400;

/// Asks ClickHouse what its tables took since that moment.
///
/// What has to remember is read anew: a view may have been attached meanwhile, or a window made smaller. Where it cannot hold
/// any more the pipe fails, as it would be refused at its start.
pub(super) async fn memory(shared: &Shared, since: Moment) -> Result<TokenMemory, SinkError> {
    let errors = shared.setup.error_table.as_ref().map(ErrorTable::name);
    match Windows::read(&shared.setup.sink, &shared.setup.target.table, errors).await? {
        Some(Ok(windows)) => shared.know_windows(windows),
        Some(Err(refusal)) => {
            shared.fail(refusal);
            return Ok(TokenMemory::Unsure);
        }
        // A table is away, and an insert will say so.
        None => {}
    }
    let now = blocks::look(shared).await?;
    let seconds = shared.now().seconds_to(since);
    for window in &shared.windows().all {
        let counted = match now.zip(since.blocks).filter(|_| window.is_counted()) {
            Some((now, before)) if !window.is_of_errors => now.rows_since(before),
            Some((now, before)) if seconds <= MARK_OF_REJECTS_TRUSTED_S => now.others_since(before),
            _ => None,
        };
        if counted.is_some_and(|blocks| window.is_sure(blocks, seconds)) {
            continue;
        }
        // The mark may be older than the moment, and the parts of that time may be gone: both only count too much.
        let taken = shared.setup.sink.taken_since(&window.table, since.unix_s).await?;
        if !window.is_sure(taken.blocks_max, taken.seconds) {
            tracing::warn!(
                table = %window.table,
                blocks = counted.unwrap_or(taken.blocks_max).min(taken.blocks_max),
                seconds = taken.seconds,
                window_blocks = window.blocks.unwrap_or(0),
                "the table may have forgotten the token of a batch"
            );
            return Ok(TokenMemory::Unsure);
        }
    }
    Ok(TokenMemory::Sure)
}

/// The same of a moment of an earlier owner, for a range of so many rows. A table that has taken the place of the one that it knew (made anew, or by a
/// swap) does not know its tokens, and may have its rows: only where no row is in the tables, none can be twice.
async fn memory_of_earlier(shared: &Shared, since: Moment, rows: usize) -> Result<TokenMemory, SinkError> {
    if let Some(before) = since.blocks
        && let Some(now) = blocks::look(shared).await?
        && now.is_of_other_tables(before)
        && now.rows.is_none_or(|rows| rows.number > 0)
    {
        tracing::warn!(
            "a batch was prepared for other tables, or other views, than those that are there now"
        );
        return Ok(TokenMemory::Unsure);
    }
    Ok(match memory(shared, since).await? {
        TokenMemory::Unsure if can_look_back(shared, rows) => TokenMemory::InRows,
        memory => memory,
    })
}

/// Recovers a partition whose last owner left a range that may have been inserted.
pub(super) fn spawn(
    shared: &Arc<Shared>,
    partition: PartitionId,
    epoch: Epoch,
    position: Offset,
    metadata: Metadata,
) {
    let task = Arc::clone(shared);
    shared.spawn(async move { recover(task, partition, epoch, position, metadata).await });
}

async fn recover(
    shared: Arc<Shared>,
    partition: PartitionId,
    epoch: Epoch,
    position: Offset,
    metadata: Metadata,
) {
    let Some(deliveries) = &shared.deliveries else { return };
    let prepared = metadata.pending.map_or_else(|| shared.now(), |pending| pending.prepared);
    let rows = metadata.pending.map_or(0, |pending| pending.rows as usize);
    let asked = until_answered(&shared, Phase::Stopping, || {
        deliveries.owns(partition, epoch).then(|| memory_of_earlier(&shared, prepared, rows))
    });
    let Some(memory) = asked.await else { return };
    deliveries.recovered(&shared, partition, epoch, position, Recorded::Ours(metadata), memory);
    shared.is_well();
}

/// Asks ClickHouse until it answers; none where there is nothing to ask any more, or the pipe has come to `end`. After
/// `deadlines.destination` without an answer the pipe fails.
pub(super) async fn until_answered<T, F>(
    shared: &Shared,
    end: Phase,
    ask: impl Fn() -> Option<F>,
) -> Option<T>
where
    F: Future<Output = Result<T, SinkError>>,
{
    let mut backoff = Backoff::default();
    let mut phase = shared.phase();
    let since = Instant::now();
    loop {
        let delay_ms = match ask()?.await {
            Ok(answer) => return Some(answer),
            Err(error) if error.class() == FailureClass::Retry => {
                if since.elapsed() >= Duration::from_millis(shared.setup.destination_deadline_ms) {
                    shared.fail(PipeError::Destination { source: Box::new(error), after: since.elapsed() });
                    return None;
                }
                shared.state.set(PipeState::Retrying { reason: explain(&error) });
                backoff.next_delay_ms(jitter())
            }
            Err(error) if shared.setup.until_caught_up => {
                shared.fail(PipeError::Insert(Box::new(error)));
                return None;
            }
            Err(error) => {
                shared.state.set(PipeState::Misconfigured { reason: explain(&error) });
                HOLD_RETRY_MS
            }
        };
        tokio::select! {
            biased;
            _ = phase.wait_for(|phase| *phase >= end) => return None,
            () = tokio::time::sleep(Duration::from_millis(delay_ms)) => {}
        }
    }
}
