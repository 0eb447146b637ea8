//! What a member of the group needs of the brokers, tried without joining: a fetch from the leader of each partition, and the
//! coordinator's word that the user may read as the group.
//!
//! What the brokers tell of a topic shows neither. It comes from whichever broker the client has reached, and it takes other rights: to
//! describe is less than to read, and a broker may name an address that leads nowhere from here.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::{Message, Offset as Raw};

use crate::connections::{BrokerId, Connection};
use crate::group_offsets::GROUP_REQUEST;
use crate::queue::GroupQuestion;
use crate::reason::{meaning, of_code};
use crate::topic::{Found, Probe, ProbeContext};
use crate::{GroupInfo, PartitionId, SourceConfig, SourceError, TopicInfo};

/// Time for the leaders and the coordinator, at least, in milliseconds, however late the topic was found.
const TRIAL_MS_MIN: u64 = 2_000;

/// Time that a broker is given which is not reached and may be about to come back, in milliseconds.
const PATIENCE_MS: u64 = 2_000;

/// Longest wait for one event, so that the other answers and the deadline are looked at, in milliseconds.
const POLL_MS: u64 = 50;

/// What a broker is of which no more is known than that the others name it.
const ANY_BROKER: &str = "a broker of the cluster";

/// Leaders without an answer of which it is told, at most.
const SILENT_LEADERS_MAX: usize = 3;

/// What a member of the group would find.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Preflight {
    /// The topic.
    pub topic: TopicInfo,
    /// What keeps it from being read; nothing where the leader of each partition has answered a fetch.
    pub reading: Vec<SourceError>,
    /// The group, where the user may read as it, as far as the broker tells.
    pub group: Result<GroupInfo, SourceError>,
}

/// Finds the topic, fetches from a partition of each of its leaders, and asks the group's coordinator. Nothing is joined or written,
/// and no record is kept.
///
/// # Errors
/// As [`describe_topic`](crate::describe_topic), within `timeout`, and [`SourceError::AdvertisedUnreachable`] where no broker can be
/// asked any more once they have named each other. What the leaders and the coordinator refuse, or that they are not
/// reached, stands in what is returned, within `timeout` or two seconds, whichever is later.
///
/// ```no_run
/// use std::time::Duration;
/// use housepipe_kafka_source::{SourceConfig, preflight};
///
/// # fn main() -> Result<(), housepipe_kafka_source::SourceError> {
/// let config = SourceConfig::new("localhost:9092", "orders", "orders-loader");
/// let found = preflight(&config, Duration::from_secs(8))?;
/// for error in found.reading.iter().chain(found.group.as_ref().err()) {
///     println!("{error}");
/// }
/// # Ok(()) }
/// ```
pub fn preflight(config: &SourceConfig, timeout: Duration) -> Result<Preflight, SourceError> {
    let started = Instant::now();
    let probe = Probe::watched(config)?;
    let found = probe.find(timeout).map_err(|error| where_they_are_named(&probe, error))?;
    let topic = found.info;
    let left = timeout.saturating_sub(started.elapsed()).max(Duration::from_millis(TRIAL_MS_MIN));
    let mut trial = Trial::begin(&probe, found)?;
    trial.run(left);
    let (reading, group) = trial.finish();
    Ok(Preflight { topic, reading, group })
}

/// A leader that has not answered yet.
struct Leader {
    id: BrokerId,
    /// The partitions that it leads.
    partitions: usize,
}

/// The questions, and what was answered so far.
struct Trial<'p, 'c> {
    probe: &'p Probe<'c>,
    began: Instant,
    /// Partitions of the topic.
    partitions: usize,
    /// By the partition that is read of it.
    waiting: BTreeMap<PartitionId, Leader>,
    reading: Vec<SourceError>,
    /// None where it could not be asked.
    question: Option<GroupQuestion<'p, ProbeContext>>,
    group: Option<Result<GroupInfo, SourceError>>,
    /// The coordinator's last answer, where it may become another one.
    not_yet: Option<Code>,
}

impl<'p, 'c> Trial<'p, 'c> {
    fn begin(probe: &'p Probe<'c>, found: Found) -> Result<Trial<'p, 'c>, SourceError> {
        let config = probe.config;
        let mut trial = Trial {
            probe,
            began: Instant::now(),
            partitions: found.info.partitions,
            waiting: BTreeMap::new(),
            reading: Vec::new(),
            question: None,
            group: None,
            not_yet: None,
        };
        for (leader, partitions) in found.leaders {
            let Some(first) = partitions.first().copied() else { continue };
            match leader {
                Some(id) => {
                    trial.waiting.insert(first, Leader { id, partitions: partitions.len() });
                }
                None => trial.reading.push(no_fetch(config, format!("partition {first} has no leader"))),
            }
        }
        trial.fetch()?;
        match GroupQuestion::ask(&probe.consumer, &config.group) {
            Ok(question) => trial.question = Some(question),
            Err(code) => trial.group = Some(Err(of_code(config, code, GROUP_REQUEST))),
        }
        Ok(trial)
    }

    /// From the ends, so that next to nothing comes, and the news of an end is the answer.
    fn fetch(&self) -> Result<(), SourceError> {
        let internal = |error: KafkaError| SourceError::Internal { reason: error.to_string() };
        let mut list = TopicPartitionList::with_capacity(self.waiting.len());
        for partition in self.waiting.keys() {
            list.add_partition_offset(&self.probe.config.topic, partition.0, Raw::End).map_err(internal)?;
        }
        self.probe.consumer.assign(&list).map_err(internal)
    }

    /// Until everybody has answered, or `timeout` has passed, or those that have not are known to be out of reach.
    fn run(&mut self, timeout: Duration) {
        let patience = Duration::from_millis(PATIENCE_MS);
        while !self.waiting.is_empty() || self.group.is_none() {
            let elapsed = self.began.elapsed();
            if elapsed >= timeout || (elapsed >= patience && self.is_hopeless()) {
                return;
            }
            let probe = self.probe;
            if let Some(event) = probe.consumer.poll(Duration::from_millis(POLL_MS)) {
                self.take(event);
            }
            self.hear();
        }
    }

    fn take(&mut self, event: KafkaResult<BorrowedMessage<'_>>) {
        let config = self.probe.config;
        match event {
            Ok(message) => {
                self.waiting.remove(&PartitionId(message.partition()));
            }
            Err(KafkaError::PartitionEOF(number)) => {
                self.waiting.remove(&PartitionId(number));
            }
            Err(error) => match error.rdkafka_error_code() {
                Some(code @ Code::TopicAuthorizationFailed) => {
                    // It holds for the topic, so the other leaders would say no more.
                    self.waiting.clear();
                    self.reading = vec![meaning(config, code, "")];
                }
                Some(code @ Code::GroupAuthorizationFailed) => {
                    self.group = Some(Err(meaning(config, code, "")));
                }
                // librdkafka goes on trying; at the end its words stand behind a broker that was not reached.
                _ => {}
            },
        }
    }

    /// Looks for the coordinator's answer.
    fn hear(&mut self) {
        if self.group.is_some() {
            return;
        }
        let config = self.probe.config;
        let Some(question) = &self.question else { return };
        match question.answer(&config.topic, Duration::ZERO) {
            None => {}
            Some(Ok(group)) if group.may_read == Some(false) => {
                self.group = Some(Err(meaning(config, Code::GroupAuthorizationFailed, "")));
            }
            Some(Ok(group)) => self.group = Some(Ok(group)),
            Some(Err(
                code @ (Code::CoordinatorLoadInProgress
                | Code::CoordinatorNotAvailable
                | Code::NotCoordinator
                | Code::BrokerTransportFailure),
            )) => {
                question.ask_again();
                self.not_yet = Some(code);
            }
            Some(Err(code)) => self.group = Some(Err(of_code(config, code, GROUP_REQUEST))),
        }
    }

    /// Whether each broker that has not answered is known to be out of reach, and why.
    fn is_hopeless(&self) -> bool {
        let context = self.probe.consumer.context();
        let (connections, words) = (context.connections(), context.words());
        let is_lost = |connection: Option<&Connection>| {
            connection.is_some_and(|found| !found.is_up && words.about(&found.address).is_some())
        };
        self.waiting.values().all(|leader| is_lost(connections.broker(leader.id)))
            && (self.group.is_some() || is_lost(connections.coordinator.as_ref()))
    }

    /// What is told of those that have not answered by now.
    fn finish(mut self) -> (Vec<SourceError>, Result<GroupInfo, SourceError>) {
        let silent: Vec<SourceError> =
            self.waiting.values().take(SILENT_LEADERS_MAX).map(|leader| self.of_silent(leader)).collect();
        self.reading.extend(silent);
        let group = self.group.take().unwrap_or_else(|| Err(self.of_silent_coordinator()));
        (self.reading, group)
    }

    fn of_silent(&self, leader: &Leader) -> SourceError {
        let role = format!("the leader of {} of {} partition(s)", leader.partitions, self.partitions);
        let connection = self.probe.consumer.context().connections().broker(leader.id).cloned();
        match connection {
            Some(Connection { address, is_up: true }) => {
                let reason = format!("{address}, {role}, is connected, and sends nothing");
                no_fetch(self.probe.config, reason)
            }
            Some(Connection { address, is_up: false }) => self.unreached(address, role),
            // The client has not begun to connect.
            None => self.unreached(format!("broker {}", leader.id.0), role),
        }
    }

    fn of_silent_coordinator(&self) -> SourceError {
        let config = self.probe.config;
        let connection = self.probe.consumer.context().connections().coordinator.clone();
        match connection {
            Some(Connection { address, is_up: false }) => {
                self.unreached(address, format!("the coordinator of the group `{}`", config.group))
            }
            Some(_) => of_code(config, self.not_yet.unwrap_or(Code::OperationTimedOut), GROUP_REQUEST),
            // The brokers have named none: the topic that keeps the offsets is being made, or cannot be.
            None => of_code(config, self.not_yet.unwrap_or(Code::CoordinatorNotAvailable), GROUP_REQUEST),
        }
    }

    fn unreached(&self, address: String, role: String) -> SourceError {
        let said = self.probe.consumer.context().words().about(&address).map(str::to_owned);
        let reason =
            said.unwrap_or_else(|| format!("no connection came about within {:.0?}", self.began.elapsed()));
        SourceError::AdvertisedUnreachable {
            brokers: self.probe.config.brokers.clone(),
            address,
            role,
            reason,
        }
    }
}

/// Once the brokers have named each other, librdkafka gives up the address that it was given. A question that comes only then has
/// no answer where the others lead nowhere.
fn where_they_are_named(probe: &Probe<'_>, error: SourceError) -> SourceError {
    let context = probe.consumer.context();
    let Some(address) = context.connections().lost().map(|lost| lost.address.clone()) else { return error };
    match error {
        SourceError::Unreachable { brokers, reason }
            if !brokers.split(',').any(|given| given.trim() == address) =>
        {
            let reason = context.words().about(&address).map_or(reason, str::to_owned);
            SourceError::AdvertisedUnreachable { brokers, address, role: ANY_BROKER.to_owned(), reason }
        }
        error => error,
    }
}

fn no_fetch(config: &SourceConfig, reason: String) -> SourceError {
    SourceError::Request { brokers: config.brokers.clone(), request: "a fetch of records", reason }
}
