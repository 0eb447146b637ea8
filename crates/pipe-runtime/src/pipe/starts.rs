//! Whether the topic has the places where the pipe file lets partitions start.

use std::collections::BTreeMap;
use std::time::Duration;

use housepipe_kafka_source::{GroupOffsets, Offset, PartitionId, SourceConfig, TopicInfo, describe_topic};

use crate::error::PipeError;

/// A topic, and where the partitions start that the pipe file names and for which the group has no offset.
pub(crate) struct Found {
    pub(crate) partitions: usize,
    pub(crate) brokers: usize,
    pub(crate) starts: BTreeMap<PartitionId, Offset>,
}

/// Finds the topic; where the pipe file names partitions, also their starts.
pub(crate) async fn check(config: &SourceConfig, timeout: Duration) -> Result<Found, PipeError> {
    let config = config.clone();
    let found = tokio::task::spawn_blocking(move || {
        let TopicInfo { partitions, brokers, .. } = describe_topic(&config, timeout)?;
        let starts = if config.start_of.is_empty() {
            BTreeMap::new()
        } else {
            GroupOffsets::open(&config, timeout)?.check_starts()?
        };
        Ok(Found { partitions, brokers, starts })
    });
    found.await.map_err(|_| PipeError::WorkerPanicked)?
}
