//! What is known of the group before anything is said or set.

use std::time::Duration;

use housepipe_kafka_source::{GroupInfo, GroupOffsets, GroupPosition, SourceConfig};

use super::error::OffsetsError;
use crate::error::PipeError;
use crate::pipe::{RunOptions, source_config};
use crate::pipe_file::PipeFile;

/// Time in which the topic must be found, in milliseconds.
const TOPIC_TIMEOUT_MS: u64 = 8_000;

/// The group and its positions in every partition, in their order.
pub(super) struct Facts {
    pub(super) group: GroupInfo,
    pub(super) positions: Vec<GroupPosition>,
}

impl Facts {
    pub(super) fn ask(offsets: &GroupOffsets<'_>) -> Result<Facts, OffsetsError> {
        Ok(Facts { group: offsets.group()?, positions: offsets.positions()? })
    }
}

/// Does `work` with the pipe's group, on a thread that may wait.
pub(super) async fn with_group<T: Send + 'static>(
    config: SourceConfig,
    work: impl FnOnce(&GroupOffsets<'_>) -> Result<T, OffsetsError> + Send + 'static,
) -> Result<T, OffsetsError> {
    let done = tokio::task::spawn_blocking(move || {
        let offsets = GroupOffsets::open(&config, Duration::from_millis(TOPIC_TIMEOUT_MS))?;
        work(&offsets)
    });
    done.await.map_err(|_| PipeError::WorkerPanicked)?
}

/// How the group of the pipe is reached.
pub(super) fn config_of(file: &PipeFile) -> SourceConfig {
    source_config(file, &RunOptions::default())
}
