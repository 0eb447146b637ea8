//! Finds out whether ClickHouse remembers the token of an insert that may have been done: before a range is read again,
//! and before an insert that failed for long is tried again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use housepipe_ch_sink::{Backoff, FailureClass, SinkError, TableName};
use housepipe_kafka_source::{Offset, PartitionId};

use super::blocks;
use super::persist::{HOLD_RETRY_MS, jitter};
use super::shared::Shared;
use super::state::{Phase, PipeState};
use crate::delivery::{Epoch, Metadata, Moment, Recorded, TokenMemory};
use crate::error::{PipeError, explain};

/// A table that has to remember the tokens of inserts, and for how long it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TokenWindow {
    pub(super) table: TableName,
    /// Blocks; none where the tables that store the rows cannot be seen from here, as behind a Distributed table.
    pub(super) blocks: Option<u64>,
    /// Seconds; none where only the blocks count.
    pub(super) seconds: Option<u64>,
    /// It is for rejects, and not for rows.
    pub(super) is_of_errors: bool,
}

/// Seconds for which tables that cannot be seen are trusted to remember a token.
const UNSEEN_TRUSTED_S: u64 = 60;

impl TokenWindow {
    /// Whether its blocks are counted as a whole.
    pub(super) fn is_counted(&self) -> bool {
        self.blocks.is_some() && self.seconds.is_none()
    }

    /// Whether a token of an insert after which so much came is sure to be there. Half of the window is kept for what
    /// comes between this look and the insert.
    fn is_sure(&self, blocks: u64, seconds: u64) -> bool {
        match self.blocks {
            Some(window) => blocks <= window / 2 && self.seconds.is_none_or(|window| seconds <= window / 2),
            None => seconds <= UNSEEN_TRUSTED_S,
        }
    }
}

/// Asks ClickHouse what its tables took since that moment.
pub(super) async fn memory(shared: &Shared, since: Moment) -> Result<TokenMemory, SinkError> {
    let together = match since.blocks {
        Some(before) => blocks::look(shared).await?.and_then(|now| now.since(before)),
        None => None,
    };
    for window in &shared.setup.windows {
        if let Some(blocks) = together
            && window.is_counted()
            && window.is_sure(blocks, shared.now().seconds_to(since))
        {
            continue;
        }
        // The mark may be older than the moment, and the parts of that time may be gone: both only count too much.
        let taken = shared.setup.sink.taken_since(&window.table, since.unix_s).await?;
        if !window.is_sure(taken.blocks_max, taken.seconds) {
            tracing::warn!(
                table = %window.table,
                blocks = together.unwrap_or(taken.blocks_max).min(taken.blocks_max),
                seconds = taken.seconds,
                window_blocks = window.blocks.unwrap_or(0),
                "the table may have forgotten the token of a batch"
            );
            return Ok(TokenMemory::Unsure);
        }
    }
    Ok(TokenMemory::Sure)
}

/// The same of a moment of an earlier owner. A table that has taken the place of the one that it knew (made anew, or by a
/// swap) does not know its tokens, and may have its rows: only where no row is in the tables, none can be twice.
async fn memory_of_earlier(shared: &Shared, since: Moment) -> Result<TokenMemory, SinkError> {
    if let Some(before) = since.blocks
        && let Some(now) = blocks::look(shared).await?
        && now.tables != before.tables
        && !has_no_rows(shared).await?
    {
        tracing::warn!("a batch was prepared for other tables than those that are there now");
        return Ok(TokenMemory::Unsure);
    }
    memory(shared, since).await
}

/// Whether the tables for rows are sure to have none, whatever is in the error table.
async fn has_no_rows(shared: &Shared) -> Result<bool, SinkError> {
    let tables = shared.setup.counted_tables(|window| !window.is_of_errors);
    Ok(shared.setup.sink.block_mark(&tables).await?.is_some_and(|mark| mark.number == 0))
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
    let asked = until_answered(&shared, Phase::Stopping, || {
        deliveries.owns(partition, epoch).then(|| memory_of_earlier(&shared, prepared))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_a_window_is_sure() {
        let table = TableName { database: "d".to_owned(), table: "t".to_owned() };
        let window =
            |blocks, seconds| TokenWindow { table: table.clone(), blocks, seconds, is_of_errors: false };
        assert!(window(Some(100), None).is_sure(50, 1_000_000));
        assert!(!window(Some(100), None).is_sure(51, 0));
        assert!(!window(Some(0), None).is_sure(1, 0));
        assert!(window(Some(100), Some(3_600)).is_sure(0, 1_800));
        assert!(!window(Some(100), Some(3_600)).is_sure(0, 1_801));
        assert!(window(None, None).is_sure(0, 60));
        assert!(!window(None, None).is_sure(0, 61));
    }
}
