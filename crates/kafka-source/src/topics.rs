//! The topics of a cluster, how much is in them, and how fast they grow.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode as Code;

use crate::certificate::diagnose;
use crate::log::{self, Place};
use crate::reason::{is_decisive, meaning};
use crate::topic::Probe;
use crate::{SourceConfig, SourceError};

/// The first wait for an answer, in milliseconds; doubled each time, so that a slow broker is heard too.
const FIRST_WAIT_MS: u64 = 250;

/// Topics that are listed, at most.
const TOPICS_MAX: usize = 10_000;

/// Partitions that one question asks for, at most: its answer is held in memory.
const PARTITIONS_AT_ONCE_MAX: usize = 2_000;

/// How names begin that Kafka keeps for itself.
const INTERNAL: &str = "__";

/// A topic that the brokers have listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedTopic {
    /// Its name.
    pub name: String,
    /// Its partitions.
    pub partitions: usize,
}

impl ListedTopic {
    /// Whether Kafka keeps it for itself, as it does the offsets of groups.
    pub fn is_internal(&self) -> bool {
        self.name.starts_with(INTERNAL)
    }
}

/// How much is in a topic, and how fast it grows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TopicActivity {
    /// Offsets from the first one that is left up to the end, over all partitions. Records that were compacted away, and the marks of
    /// transactions, count as well.
    pub records: u64,
    /// Of these, those from the first record of the window on, by the records' own timestamps.
    pub recent: u64,
}

/// The topics that the user may see, by their names; at most 10,000, and none of those that Kafka keeps for itself. The
/// topic of `config` is not looked at. Nothing is joined or written.
///
/// # Errors
/// As [`describe_topic`](crate::describe_topic), but for what it says of the topic.
pub fn list_topics(config: &SourceConfig, timeout: Duration) -> Result<Vec<ListedTopic>, SourceError> {
    let mut topics = Cluster::ask(config, timeout)?.topics;
    topics.retain(|topic| !topic.is_internal());
    topics.truncate(TOPICS_MAX);
    Ok(topics)
}

/// A cluster, and what it says of its topics.
///
/// ```no_run
/// use std::time::{Duration, SystemTime};
/// use housepipe_kafka_source::{Cluster, SourceConfig};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let config = SourceConfig::new("localhost:9092", "any", "any");
/// let cluster = Cluster::ask(&config, Duration::from_secs(8))?;
/// let minute_ago = SystemTime::now() - Duration::from_secs(60);
/// let since_ms = i64::try_from(minute_ago.duration_since(SystemTime::UNIX_EPOCH)?.as_millis())?;
/// for (topic, activity) in cluster.activities(cluster.topics(), since_ms, Duration::from_secs(8)) {
///     println!("{}: {:?}", topic.name, activity.map(|activity| activity.recent / 60));
/// }
/// # Ok(()) }
/// ```
pub struct Cluster<'a> {
    probe: Probe<'a>,
    brokers: usize,
    topics: Vec<ListedTopic>,
}

impl<'a> Cluster<'a> {
    /// Asks the brokers of `config` who they are and which topics they have, those that Kafka keeps for itself included.
    ///
    /// # Errors
    /// As [`list_topics`].
    pub fn ask(config: &'a SourceConfig, timeout: Duration) -> Result<Cluster<'a>, SourceError> {
        let probe = Probe::connect(config)?;
        let started = Instant::now();
        let mut wait = Duration::from_millis(FIRST_WAIT_MS);
        loop {
            let left = timeout.saturating_sub(started.elapsed());
            let trouble = match probe.consumer.fetch_metadata(None, wait.min(left)) {
                Ok(metadata) => {
                    let seen = metadata.topics().iter().filter(|topic| topic.error().is_none());
                    let mut topics: Vec<ListedTopic> = seen
                        .map(|topic| ListedTopic {
                            name: topic.name().to_owned(),
                            partitions: topic.partitions().len(),
                        })
                        .collect();
                    topics.sort_by(|a, b| a.name.cmp(&b.name));
                    return Ok(Cluster { brokers: metadata.brokers().len(), topics, probe });
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

    /// Brokers of the cluster.
    pub fn brokers(&self) -> usize {
        self.brokers
    }

    /// The topics that the user may see, by their names.
    pub fn topics(&self) -> &[ListedTopic] {
        &self.topics
    }

    /// How much is in each of these topics, and how much of it is as late as `since_ms` (milliseconds since 1970) or later; or why that is not
    /// known of one. Three requests to each broker for some thousand partitions, one behind the other; what is not answered within `timeout`
    /// stays unknown.
    pub fn activities<'t>(
        &self,
        topics: impl IntoIterator<Item = &'t ListedTopic>,
        since_ms: i64,
        timeout: Duration,
    ) -> Vec<(&'t ListedTopic, Result<TopicActivity, SourceError>)> {
        let deadline = Instant::now() + timeout;
        let mut told = Vec::new();
        let mut batch = Vec::new();
        let mut partitions = 0;
        for topic in topics {
            if partitions + topic.partitions > PARTITIONS_AT_ONCE_MAX && !batch.is_empty() {
                told.extend(self.of_batch(std::mem::take(&mut batch), since_ms, deadline));
                partitions = 0;
            }
            partitions += topic.partitions;
            batch.push(topic);
        }
        told.extend(self.of_batch(batch, since_ms, deadline));
        told
    }

    fn of_batch<'t>(
        &self,
        topics: Vec<&'t ListedTopic>,
        since_ms: i64,
        deadline: Instant,
    ) -> Vec<(&'t ListedTopic, Result<TopicActivity, SourceError>)> {
        let places: Vec<(&str, i32)> = topics
            .iter()
            .flat_map(|topic| (0_i32..).take(topic.partitions).map(|number| (topic.name.as_str(), number)))
            .collect();
        let ask = |place| {
            let left = deadline.saturating_duration_since(Instant::now());
            log::asked_of_topics(&self.probe.consumer, self.probe.config, &places, place, left)
        };
        let answers = ask(Place::End)
            .and_then(|ends| Ok((ends, ask(Place::Start)?)))
            .and_then(|(ends, starts)| Ok((ends, starts, ask(Place::Time { unix_ms: since_ms })?)));
        let (ends, starts, since) = match answers {
            Ok(answers) => answers,
            Err(error) => return topics.into_iter().map(|topic| (topic, Err(error.clone()))).collect(),
        };
        let mut sums: BTreeMap<&str, Result<TopicActivity, Code>> = BTreeMap::new();
        for (((at, end), start), since) in places.iter().zip(&ends).zip(&starts).zip(&since) {
            let sum = sums.entry(at.0).or_insert_with(|| Ok(TopicActivity::default()));
            let partition = of_partition(*end, *start, *since);
            *sum = match (*sum, partition) {
                (Ok(sum), Ok(partition)) => Ok(TopicActivity {
                    records: sum.records + partition.records,
                    recent: sum.recent + partition.recent,
                }),
                (Err(code), _) | (_, Err(code)) => Err(code),
            };
        }
        let config = self.probe.config;
        let of = |topic: &ListedTopic| match sums.get(topic.name.as_str()).copied() {
            Some(sum) => sum.map_err(|code| {
                let config = SourceConfig { topic: topic.name.clone(), ..config.clone() };
                meaning(&config, code, "")
            }),
            // It has no partitions.
            None => Ok(TopicActivity::default()),
        };
        topics.into_iter().map(|topic| (topic, of(topic))).collect()
    }
}

/// What one partition adds, out of the three answers.
fn of_partition(
    end: Result<Option<i64>, Code>,
    start: Result<Option<i64>, Code>,
    since: Result<Option<i64>, Code>,
) -> Result<TopicActivity, Code> {
    let (end, start) = (end?.unwrap_or(0), start?.unwrap_or(0));
    // None is as late, or those that were are gone already.
    let since = since?.unwrap_or(end).max(start);
    let distance = |from: i64| u64::try_from(end.saturating_sub(from)).unwrap_or(0);
    Ok(TopicActivity { records: distance(start), recent: distance(since) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_counts_what_is_left_of_it_and_what_is_recent() {
        let of = |end, start, since| of_partition(Ok(Some(end)), Ok(Some(start)), Ok(since)).unwrap();
        assert_eq!(of(100, 40, Some(90)), TopicActivity { records: 60, recent: 10 });
        assert_eq!(of(100, 40, None), TopicActivity { records: 60, recent: 0 });
        assert_eq!(of(100, 95, Some(90)), TopicActivity { records: 5, recent: 5 });
        // Retention may come between the answers.
        assert_eq!(of(100, 120, Some(90)), TopicActivity::default());
        assert_eq!(
            of_partition(Err(Code::TopicAuthorizationFailed), Ok(None), Ok(None)),
            Err(Code::TopicAuthorizationFailed)
        );
    }

    #[test]
    fn what_kafka_keeps_for_itself_is_known_by_its_name() {
        let topic = |name: &str| ListedTopic { name: name.to_owned(), partitions: 1 };
        assert!(topic("__consumer_offsets").is_internal());
        assert!(!topic("_schemas").is_internal() && !topic("clicks").is_internal());
    }
}
