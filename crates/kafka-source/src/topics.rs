//! The topics of a cluster.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;

use crate::certificate::diagnose;
use crate::reason::is_decisive;
use crate::topic::Probe;
use crate::{SourceConfig, SourceError};

/// The first wait for an answer, in milliseconds; doubled each time, so that a slow broker is heard too.
const FIRST_WAIT_MS: u64 = 250;

/// Topics that are listed, at most.
const TOPICS_MAX: usize = 10_000;

/// A topic that the brokers have listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedTopic {
    /// Its name.
    pub name: String,
    /// Its partitions.
    pub partitions: usize,
}

/// The topics that the user may see, by their names; at most 10,000, and none of those that Kafka keeps for itself. The
/// topic of `config` is not looked at. Nothing is joined or written.
///
/// # Errors
/// As [`describe_topic`](crate::describe_topic), but for what it says of the topic.
pub fn list_topics(config: &SourceConfig, timeout: Duration) -> Result<Vec<ListedTopic>, SourceError> {
    let probe = Probe::connect(config)?;
    let started = Instant::now();
    let mut wait = Duration::from_millis(FIRST_WAIT_MS);
    loop {
        let left = timeout.saturating_sub(started.elapsed());
        let trouble = match probe.consumer.fetch_metadata(None, wait.min(left)) {
            Ok(metadata) => {
                let mut topics: Vec<ListedTopic> = metadata
                    .topics()
                    .iter()
                    .filter(|topic| topic.error().is_none() && !topic.name().starts_with("__"))
                    .map(|topic| ListedTopic {
                        name: topic.name().to_owned(),
                        partitions: topic.partitions().len(),
                    })
                    .collect();
                topics.sort_by(|a, b| a.name.cmp(&b.name));
                topics.truncate(TOPICS_MAX);
                return Ok(topics);
            }
            Err(error) => probe.why(&error),
        };
        if is_decisive(&trouble) || left.is_zero() || probe.is_hopeless(started.elapsed(), &trouble) {
            return Err(diagnose(config, trouble));
        }
        wait *= 2;
        probe.pause();
    }
}
