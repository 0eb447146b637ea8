//! Whether the topic has the places where the pipe file lets partitions start.

use std::time::Duration;

use housepipe_kafka_source::{GroupOffsets, SourceConfig, TopicInfo, describe_topic};

use tokio::sync::Semaphore;

use crate::error::PipeError;

/// Looks at topics that are under way at once in this process, at most. Each holds a thread and a client until it ends, also where whoever
/// asked for it does not wait any more: a start that is not wanted any more.
const LOOKS_MAX: usize = 64;

static LOOKS: Semaphore = Semaphore::const_new(LOOKS_MAX);

/// Finds the topic; where the pipe file names partitions, also their starts.
pub(crate) async fn check(config: &SourceConfig, timeout: Duration) -> Result<TopicInfo, PipeError> {
    let config = config.clone();
    // It is never closed.
    let look = LOOKS.acquire().await.ok();
    let found = tokio::task::spawn_blocking(move || {
        let _until_it_ends = look;
        let topic = describe_topic(&config, timeout)?;
        if !config.start_of.is_empty() {
            GroupOffsets::open(&config, timeout)?.check_starts()?;
        }
        Ok(topic)
    });
    found.await.map_err(|_| PipeError::WorkerPanicked)?
}
