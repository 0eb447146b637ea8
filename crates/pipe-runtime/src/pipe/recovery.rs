//! Finds out whether ClickHouse remembers the token of an insert that may have been done: before a range is read again,
//! and before an insert that failed for long is tried again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use housepipe_ch_sink::{Backoff, BlockMark, ErrorTable, FailureClass, SinkError};
use housepipe_kafka_source::{Offset, PartitionId};

use super::blocks;
use super::look_back::{Quiet, can_look_back};
use super::persist::{HOLD_RETRY_MS, jitter, left_ms};
use super::shared::Shared;
use super::state::{Phase, PipeState};
use super::windows::{TokenWindow, Windows};
use crate::delivery::{Epoch, Metadata, Moment, Pending, Recorded, TokenMemory};
use crate::error::{PipeError, explain};

/// Age up to which a mark of the tables for rejects is believed, in seconds: their rows go by their age, a day at the least, and
/// with them the numbers of their blocks.
const MARK_OF_REJECTS_TRUSTED_S: u64 = 86_400;

/// Which tokens of a moment the tables are sure to remember.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Remembered {
    pub(super) rows: bool,
    pub(super) rejects: bool,
}

/// Asks ClickHouse what its tables took since that moment.
///
/// What has to remember is read anew: a view may have been attached meanwhile, or a window made smaller. Where it cannot hold
/// any more the pipe fails, as it would be refused at its start.
pub(super) async fn remembered(shared: &Shared, since: Moment) -> Result<Remembered, SinkError> {
    let errors = shared.setup.error_table.as_ref().map(ErrorTable::name);
    match Windows::read(&shared.setup.sink, &shared.setup.target.table, errors).await? {
        Some(Ok(windows)) => shared.know_windows(windows),
        Some(Err(refusal)) => {
            shared.fail(refusal);
            return Ok(Remembered { rows: false, rejects: false });
        }
        // A table is away, and an insert will say so.
        None => {}
    }
    let now = blocks::look(shared).await?;
    // Where no window was changed each is as large as it was.
    let since = Moment { windows: shared.windows().changed_since(since.windows), ..since };
    let seconds = shared.now().seconds_to(since);
    let mut remembered = Remembered { rows: true, rejects: true };
    for window in &shared.windows().all {
        let of_its_kind = if window.is_of_errors { &mut remembered.rejects } else { &mut remembered.rows };
        if *of_its_kind {
            *of_its_kind = is_sure(shared, window, since, now, seconds).await?;
        }
    }
    Ok(remembered)
}

async fn is_sure(
    shared: &Shared,
    window: &TokenWindow,
    since: Moment,
    now: Option<BlockMark>,
    seconds: u64,
) -> Result<bool, SinkError> {
    let counted = match now.zip(since.blocks).filter(|_| window.is_counted()) {
        Some((now, before)) if !window.is_of_errors => now.rows_since(before),
        Some((now, before)) if seconds <= MARK_OF_REJECTS_TRUSTED_S => now.others_since(before),
        _ => None,
    };
    if counted.is_some_and(|blocks| window.is_sure(blocks, seconds, since.windows)) {
        return Ok(true);
    }
    // The mark may be older than the moment, and the parts of that time may be gone: both only count too much.
    let taken = shared.setup.sink.taken_since(&window.table, since.unix_s).await?;
    let is_sure = window.is_sure(taken.blocks_max, taken.seconds, since.windows);
    if !is_sure {
        tracing::warn!(
            table = %window.table,
            blocks = counted.unwrap_or(taken.blocks_max).min(taken.blocks_max),
            seconds = taken.seconds,
            window_blocks = window.blocks.unwrap_or(0),
            "the table may have forgotten the token of a batch"
        );
    }
    Ok(is_sure)
}

/// Whether the tables remember a range of an earlier owner. A table that has taken the place of the one that it knew (made anew, or by
/// a swap) does not know its tokens, and may have its rows: only where no row is in the tables, none can be twice.
async fn memory_of_earlier(
    shared: &Shared,
    pending: &Pending,
) -> Result<(TokenMemory, Remembered), SinkError> {
    let since = pending.prepared;
    if let Some(before) = since.blocks
        && let Some(now) = blocks::look(shared).await?
        && now.is_of_other_tables(before)
        && now.rows.is_none_or(|rows| rows.number > 0)
    {
        tracing::warn!(
            "a batch was prepared for other tables, or other views, than those that are there now"
        );
        return Ok((TokenMemory::Unsure, Remembered { rows: false, rejects: false }));
    }
    let remembered = remembered(shared, since).await?;
    // A range without rows has no token for rows, and so with rejects.
    let of_kind = |count: u32, is_sure: bool, can_look: bool| match (count, is_sure, can_look) {
        (0, ..) | (_, true, _) => TokenMemory::Sure,
        (_, false, true) => TokenMemory::InRows,
        (_, false, false) => TokenMemory::Unsure,
    };
    let rows = of_kind(pending.rows, remembered.rows, can_look_back(shared, pending.rows as usize));
    let rejects = of_kind(pending.rejects, remembered.rejects, can_look_back(shared, 0));
    let memory = match (rows, rejects) {
        (TokenMemory::Unsure, _) | (_, TokenMemory::Unsure) => TokenMemory::Unsure,
        (TokenMemory::InRows, _) | (_, TokenMemory::InRows) => TokenMemory::InRows,
        (TokenMemory::Sure, TokenMemory::Sure) => TokenMemory::Sure,
    };
    Ok((memory, remembered))
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
    let (Some(deliveries), Some(pending)) = (&shared.deliveries, metadata.pending) else { return };
    let is_owned = || deliveries.owns(partition, epoch);
    let asked =
        until_answered(&shared, Phase::Stopping, || is_owned().then(|| memory_of_earlier(&shared, &pending)));
    let Some((memory, remembered)) = asked.await else { return };
    // Before anything of the range is read, so that it holds no memory meanwhile.
    let quiet =
        (memory == TokenMemory::InRows).then(|| Quiet::begun(&shared, position..pending.end, remembered));
    // For rejects alone it is waited later: rows that are remembered must not be forgotten meanwhile.
    if let Some(quiet) = quiet.filter(|_| pending.rows > 0 && !remembered.rows)
        && quiet.wait(&shared, is_owned).await.is_err()
    {
        return;
    }
    deliveries.recovered(&shared, partition, epoch, position, (Recorded::Ours(metadata), memory), quiet);
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
                let Some(left_ms) = left_ms(shared, since) else {
                    shared.fail(PipeError::Destination { source: Box::new(error), after: since.elapsed() });
                    return None;
                };
                shared.state.set(PipeState::Retrying { reason: explain(&error) });
                backoff.next_delay_ms(jitter()).min(left_ms)
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
