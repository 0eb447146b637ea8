//! Keeps an eye on how many blocks the tables have given out, so that a moment can tell.

use std::sync::{Arc, Weak};
use std::time::Duration;

use housepipe_ch_sink::{BlockMark, ErrorTable, SinkError};

use super::shared::Shared;
use super::state::Phase;
use super::windows::Windows;
use crate::error::explain;

/// Time between two looks, in milliseconds. An older mark is right as well: it only counts more blocks as new.
const LOOK_MS: u64 = 5_000;

/// Looks of which a pipe that inserts nothing leaves all but one out: others may insert.
const IDLE_LOOKS: u32 = 12;

/// Looks of which one looks at the windows as well: what a range notes of them is as old as that.
const WINDOW_LOOKS: u32 = 12;

/// Reads anew what the tables remember. What is refused is told before an insert is repeated.
async fn look_at_windows(shared: &Shared) {
    let errors = shared.setup.error_table.as_ref().map(ErrorTable::name);
    match Windows::read(&shared.setup.sink, &shared.setup.target.table, errors).await {
        Ok(Some(Ok(windows))) => shared.know_windows(windows),
        Ok(_) => {}
        Err(error) => {
            tracing::debug!(error = explain(&error), "what the tables remember could not be looked at");
        }
    }
}

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
    let (mut seen, mut idle, mut looks) = (0, 0, 0_u32);
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
        looks = looks.wrapping_add(1);
        if looks % WINDOW_LOOKS == 0 {
            look_at_windows(&shared).await;
        }
        if let Err(error) = look(&shared).await {
            tracing::debug!(error = explain(&error), "the blocks of the tables could not be looked at");
        }
    }
}
