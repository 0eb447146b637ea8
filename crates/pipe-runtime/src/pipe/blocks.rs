//! Keeps an eye on how many blocks the tables have given out, so that a moment can tell.

use std::sync::{Arc, Weak};
use std::time::Duration;

use housepipe_ch_sink::{BlockMark, SinkError};

use super::shared::Shared;
use super::state::Phase;
use crate::error::explain;

/// Time between two looks, in milliseconds. An older mark is right as well: it only counts more blocks as new.
const LOOK_MS: u64 = 5_000;

/// Looks of which a pipe that inserts nothing leaves all but one out: others may insert.
const IDLE_LOOKS: u32 = 12;

/// Asks for the blocks that the tables have given out, and keeps the answer for the moments that follow.
pub(super) async fn look(shared: &Shared) -> Result<Option<BlockMark>, SinkError> {
    let mark = shared.setup.sink.block_mark(&shared.windows().counted()).await?;
    shared.know_blocks(mark);
    Ok(mark)
}

/// Looks again and again until the pipe stops.
pub(super) fn watch(shared: &Arc<Shared>) {
    let (watched, phase) = (Arc::downgrade(shared), shared.phase());
    shared.spawn(keep_looking(watched, phase));
}

async fn keep_looking(watched: Weak<Shared>, mut phase: tokio::sync::watch::Receiver<Phase>) {
    let (mut seen, mut idle) = (0, 0);
    loop {
        tokio::select! {
            biased;
            // Also where the pipe is gone.
            _ = phase.wait_for(|phase| *phase >= Phase::Stopping) => return,
            () = tokio::time::sleep(Duration::from_millis(LOOK_MS)) => {}
        }
        let Some(shared) = watched.upgrade() else { return };
        let inserts = shared.progress.lock().counters.inserts;
        idle = if inserts == seen { idle + 1 } else { 0 };
        seen = inserts;
        if idle % IDLE_LOOKS != 0 {
            continue;
        }
        if let Err(error) = look(&shared).await {
            tracing::debug!(error = explain(&error), "the blocks of the tables could not be looked at");
        }
    }
}
