//! Whether the topic has the places where the pipe file lets partitions start.

use std::time::Duration;

use housepipe_kafka_source::{GroupOffsets, SourceConfig, TopicInfo, describe_topic};

use crate::error::PipeError;

/// Finds the topic; where the pipe file names partitions, also their starts.
pub(crate) async fn check(config: &SourceConfig, timeout: Duration) -> Result<TopicInfo, PipeError> {
    let config = config.clone();
    let found = tokio::task::spawn_blocking(move || {
        let topic = describe_topic(&config, timeout)?;
        if !config.start_of.is_empty() {
            GroupOffsets::open(&config, timeout)?.check_starts()?;
        }
        Ok(topic)
    });
    found.await.map_err(|_| PipeError::WorkerPanicked)?
}
