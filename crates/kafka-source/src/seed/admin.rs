//! What operators do to topics: creating, deleting, emptying and growing them.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::admin::{AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::topic_partition_list::TopicPartitionList;

use crate::admin::{admin, block_on};
use crate::reason::of_call;
use crate::token::TokenKeeper;
use crate::{Offset, PartitionId, SourceConfig, SourceError, client};

/// Time for an administrative request, in milliseconds.
const ADMIN_TIMEOUT_MS: u64 = 15_000;

/// In place of a number of replicas: what `default.replication.factor` of the brokers says; since Kafka 2.4.
const BROKERS_DEFAULT: i32 = -1;

/// Makes, empties and deletes topics. The broker and credentials come from the configuration.
pub struct TopicAdmin;

/// What the broker says of each topic that a request named.
type Answers = KafkaResult<Vec<Result<String, (String, Code)>>>;

impl TopicAdmin {
    /// Creates the topic `name`, with as many replicas as the brokers give a topic by default.
    ///
    /// # Errors
    /// [`SourceError::Request`] where the broker refuses, for instance because the topic exists.
    pub fn create_topic(config: &SourceConfig, name: &str, partitions: usize) -> Result<(), SourceError> {
        TopicAdmin::create_topic_with(config, name, partitions, &[])
    }

    /// The same with settings of the topic, such as `cleanup.policy`.
    ///
    /// # Errors
    /// As [`TopicAdmin::create_topic`].
    pub fn create_topic_with(
        config: &SourceConfig,
        name: &str,
        partitions: usize,
        settings: &[(&str, &str)],
    ) -> Result<(), SourceError> {
        let partitions = i32::try_from(partitions).unwrap_or(i32::MAX);
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(BROKERS_DEFAULT));
        let topic = settings.iter().fold(topic, |topic, (key, value)| topic.set(key, value));
        let (admin, _tokens) = admin(config)?;
        let made = block_on(admin.create_topics([&topic], &options()));
        outcome(config, made, "the creation of a topic")
    }

    /// Deletes the topic `name` with all of its records. The broker does so a little later.
    ///
    /// # Errors
    /// [`SourceError`] where the broker refuses, for instance because there is no such topic.
    pub fn delete_topic(config: &SourceConfig, name: &str) -> Result<(), SourceError> {
        let (admin, _tokens) = admin(config)?;
        let deleted = block_on(admin.delete_topics(&[name], &options()));
        outcome(config, deleted, "the deletion of a topic")
    }

    /// Adds partitions to the configured topic until it has `partitions`.
    ///
    /// # Errors
    /// [`SourceError::Request`] where the broker refuses, for instance because it has as many.
    pub fn grow_topic(config: &SourceConfig, partitions: usize) -> Result<(), SourceError> {
        let more = NewPartitions::new(&config.topic, partitions);
        let (admin, _tokens) = admin(config)?;
        let grown = block_on(admin.create_partitions([&more], &options()));
        outcome(config, grown, "the addition of partitions")
    }

    /// Sets the configured group's offset as a tool does, with no text behind it. Nobody may be in the group.
    ///
    /// # Errors
    /// [`SourceError::Request`] where the broker refuses.
    pub fn set_offset(
        config: &SourceConfig,
        partition: PartitionId,
        offset: Offset,
    ) -> Result<(), SourceError> {
        const REQUEST: &str = "a commit";
        let consumer: BaseConsumer = client::base(config)?
            .set("group.id", &config.group)
            .create()
            .map_err(|error| of_call(config, &error, "the set-up of a client"))?;
        let consumer = Arc::new(consumer);
        let _tokens = TokenKeeper::begin(config, &consumer)?;
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&config.topic, partition.0, rdkafka::Offset::Offset(offset.0))
            .map_err(|error| of_call(config, &error, REQUEST))?;
        consumer.commit(&list, CommitMode::Sync).map_err(|error| of_call(config, &error, REQUEST))
    }

    /// Deletes the records of `partition` of the configured topic below `before`.
    ///
    /// # Errors
    /// [`SourceError::Request`] where the broker refuses.
    pub fn delete_records(
        config: &SourceConfig,
        partition: PartitionId,
        before: Offset,
    ) -> Result<(), SourceError> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&config.topic, partition.0, rdkafka::Offset::Offset(before.0))
            .map_err(|error| of_call(config, &error, "the deletion of records"))?;
        let (admin, _tokens) = admin(config)?;
        block_on(admin.delete_records(&list, &options()))
            .map(drop)
            .map_err(|error| of_call(config, &error, "the deletion of records"))
    }
}

fn options() -> AdminOptions {
    let timeout = Some(Duration::from_millis(ADMIN_TIMEOUT_MS));
    AdminOptions::new().request_timeout(timeout).operation_timeout(timeout)
}

fn outcome(config: &SourceConfig, answers: Answers, request: &'static str) -> Result<(), SourceError> {
    let answers = answers.map_err(|error| of_call(config, &error, request))?;
    match answers.into_iter().find_map(Result::err) {
        Some((_, code)) => {
            let brokers = config.brokers.clone();
            Err(SourceError::Request { brokers, request, reason: code.to_string() })
        }
        None => Ok(()),
    }
}
