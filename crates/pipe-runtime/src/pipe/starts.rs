//! Whether the topic has the places where the pipe file lets partitions start.

use std::time::Duration;

use housepipe_kafka_source::{GroupOffsets, SourceConfig, TopicInfo, describe_topic};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::PipeError;

/// Looks at topics that are under way at once in this process, at most. Each holds a thread and a client until it ends, also where whoever
/// asked for it does not wait any more: a start that is not wanted any more.
const LOOKS_MAX: usize = 64;

static LOOKS: Semaphore = Semaphore::const_new(LOOKS_MAX);

/// A place among the looks that are under way.
pub(crate) struct LookPlace(
    #[expect(dead_code, reason = "it is held, and given back")] Option<SemaphorePermit<'static>>,
);

impl LookPlace {
    /// Waits for one.
    pub(crate) async fn take() -> LookPlace {
        // They are never closed.
        LookPlace(LOOKS.acquire().await.ok())
    }
}

/// Finds the topic; where the pipe file names partitions, also their starts.
pub(crate) async fn check(
    config: &SourceConfig,
    timeout: Duration,
    place: LookPlace,
) -> Result<TopicInfo, PipeError> {
    let config = config.clone();
    let found = tokio::task::spawn_blocking(move || {
        let _until_it_ends = place;
        let topic = describe_topic(&config, timeout)?;
        if !config.start_of.is_empty() {
            GroupOffsets::open(&config, timeout)?.check_starts()?;
        }
        Ok(topic)
    });
    found.await.map_err(|_| PipeError::WorkerPanicked)?
}
