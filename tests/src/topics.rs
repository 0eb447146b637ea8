//! What happens to a topic while somebody reads it.

use housepipe_kafka_source::seed::{Producer, SeedRecord, TopicAdmin};
use housepipe_kafka_source::{Offset, PartitionId, SourceConfig, fetch};
use housepipe_local_stack::Stack;

use crate::stack::{FIRST_TIMESTAMP_MS, FLUSH_MAX, config};
use crate::{create_topic, wait_until};

/// Deletes a topic and creates it anew, empty.
///
/// # Panics
/// Where the broker does not.
pub fn recreate_topic(stack: &Stack, topic: &str, partitions: i32) {
    delete_topic(stack, topic);
    create_topic(stack, topic, partitions);
}

/// Deletes a topic, and waits until its name is free.
///
/// # Panics
/// Where the broker does not.
pub fn delete_topic(stack: &Stack, topic: &str) {
    let config = config(stack, topic);
    TopicAdmin::delete_topic(&config, topic).unwrap_or_else(|error| panic!("topic {topic}: {error}"));
    wait_until("the end of a topic", || TopicAdmin::delete_topic(&config, topic).is_err());
}

/// Adds partitions until there are `partitions`.
///
/// # Panics
/// Where the broker refuses.
pub fn grow_topic(stack: &Stack, topic: &str, partitions: usize) {
    TopicAdmin::grow_topic(&config(stack, topic), partitions)
        .unwrap_or_else(|error| panic!("topic {topic}: {error}"));
}

/// Deletes the records of partition 0 below `before`, as retention would.
///
/// # Panics
/// Where the broker refuses.
pub fn delete_records(stack: &Stack, topic: &str, before: i64) {
    TopicAdmin::delete_records(&config(stack, topic), PartitionId(0), Offset(before))
        .unwrap_or_else(|error| panic!("topic {topic}: {error}"));
}

/// A topic of one partition that is compacted, each of whose segments holds what one [`Compacted::write`] wrote.
pub struct Compacted {
    config: SourceConfig,
    producer: Producer,
    segments: i64,
}

/// Milliseconds between two segments, by the timestamps of their records.
const SEGMENT_MS: i64 = 3_600_000;

impl Compacted {
    /// Creates the topic.
    ///
    /// # Panics
    /// Where the broker refuses.
    pub fn new(stack: &Stack, topic: &str) -> Compacted {
        let config = config(stack, topic);
        let settings =
            [("cleanup.policy", "compact"), ("segment.ms", "60000"), ("min.cleanable.dirty.ratio", "0.0")];
        TopicAdmin::create_topic_with(&config, topic, 1, &settings)
            .unwrap_or_else(|error| panic!("topic {topic}: {error}"));
        let producer = Producer::connect(&config).unwrap_or_else(|error| panic!("producer: {error}"));
        Compacted { config, producer, segments: 0 }
    }

    /// Writes records of a key each; one without a value is a tombstone. The two calls before this one may be
    /// compacted then, the one by the other.
    ///
    /// # Panics
    /// Where the broker does not take them.
    pub fn write(&mut self, records: &[(String, Option<String>)]) {
        self.segments += 1;
        let timestamp_ms = Some(FIRST_TIMESTAMP_MS + self.segments * SEGMENT_MS);
        for (key, value) in records {
            let (key, payload) = (Some(key.as_bytes()), value.as_ref().map(String::as_bytes));
            let partition = Some(PartitionId(0));
            self.producer
                .send(SeedRecord { partition, key, payload, timestamp_ms, ..SeedRecord::default() })
                .unwrap_or_else(|error| panic!("send: {error}"));
        }
        self.producer.flush(FLUSH_MAX).unwrap_or_else(|error| panic!("flush: {error}"));
    }

    /// Waits until the record at `offset` is gone.
    ///
    /// # Panics
    /// Where it stays.
    pub fn wait_until_gone(&self, offset: i64) {
        wait_until("compaction", || {
            let found = fetch(&self.config, PartitionId(0), &[Offset(offset)], FLUSH_MAX);
            found.unwrap_or_else(|error| panic!("{error}")).is_empty()
        });
    }
}

/// Writes into partition 0 in transactions.
pub struct Transactions(Producer);

/// How a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionEnd {
    /// Its records are read.
    Commit,
    /// Its records are never read.
    Abort,
}

impl Transactions {
    /// A writer with a name that nobody else has.
    ///
    /// # Panics
    /// Where the broker does not take it.
    pub fn new(stack: &Stack, topic: &str, name: &str) -> Transactions {
        let producer = Producer::transactional(&config(stack, topic), &format!("{topic}-{name}"));
        Transactions(producer.unwrap_or_else(|error| panic!("{error}")))
    }

    /// Begins a transaction and writes records in it; they have arrived when this returns.
    ///
    /// # Panics
    /// Where the broker does not take them.
    pub fn begin<R: AsRef<[u8]>>(&self, records: impl IntoIterator<Item = R>) {
        self.0.begin().unwrap_or_else(|error| panic!("{error}"));
        for record in records {
            let (partition, payload) = (Some(PartitionId(0)), Some(record.as_ref()));
            self.0
                .send(SeedRecord { partition, payload, ..SeedRecord::default() })
                .unwrap_or_else(|error| panic!("send: {error}"));
        }
        self.0.flush(FLUSH_MAX).unwrap_or_else(|error| panic!("flush: {error}"));
    }

    /// Ends the open transaction.
    ///
    /// # Panics
    /// Where the broker does not.
    pub fn end(&self, end: TransactionEnd) {
        match end {
            TransactionEnd::Commit => self.0.commit(),
            TransactionEnd::Abort => self.0.abort(),
        }
        .unwrap_or_else(|error| panic!("{error}"));
    }
}
