//! Servers, topics and queries.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use housepipe_kafka_source::seed::{self, SeedRecord, TopicAdmin};
use housepipe_kafka_source::{PartitionId, SourceConfig};
use housepipe_local_stack::corpus::Corpus;
use housepipe_local_stack::{
    ClickhouseOptions, Kafka, KafkaOptions, Parts, Postgres, Registry, RegistryOptions, Silent, Stack,
    Wanted, prepare_wanted,
};

/// Timestamp of the first record of each call, 2026-01-01 UTC; the others follow a millisecond apart, so that "newest"
/// means the same in every run.
pub(crate) const FIRST_TIMESTAMP_MS: i64 = 1_767_225_600_000;

/// Time to hand records to the broker.
pub(crate) const FLUSH_MAX: Duration = Duration::from_secs(60);

/// The stack that the tests of this binary share. It ends with the process.
///
/// # Panics
/// Where it does not start.
pub fn shared_stack() -> &'static Stack {
    static STACK: OnceLock<Stack> = OnceLock::new();
    STACK.get_or_init(own_stack)
}

/// A stack for a test that stops or kills servers.
///
/// # Panics
/// Where it does not start.
pub fn own_stack() -> Stack {
    own_stack_with(KafkaOptions::default())
}

/// The same with a broker of these options.
///
/// # Panics
/// Where it does not start.
pub fn own_stack_with(kafka: KafkaOptions) -> Stack {
    Stack::start_with(&pinned_parts(), &ClickhouseOptions::default(), &kafka)
        .unwrap_or_else(|error| panic!("the stack: {error}"))
}

/// A schema registry for a test, without credentials.
///
/// # Panics
/// Where it does not start.
pub fn own_registry() -> Registry {
    let parts = prepare_wanted(&Wanted::pinned().with_registry(), &mut Silent)
        .unwrap_or_else(|error| panic!("the parts of the registry: {error}"));
    Registry::start(&parts, RegistryOptions::default())
        .unwrap_or_else(|error| panic!("the registry: {error}"))
}

/// A PostgreSQL for a test.
///
/// # Panics
/// Where it does not start.
pub fn own_postgres() -> Postgres {
    let parts = prepare_wanted(&Wanted::pinned().with_postgres(), &mut Silent)
        .unwrap_or_else(|error| panic!("the parts of PostgreSQL: {error}"));
    Postgres::start(&parts).unwrap_or_else(|error| panic!("PostgreSQL: {error}"))
}

/// Three brokers, of which one may be away.
///
/// # Panics
/// Where they do not start.
pub fn own_cluster() -> Kafka {
    Kafka::start_cluster(&pinned_parts()).unwrap_or_else(|error| panic!("the brokers: {error}"))
}

/// The pinned servers, also where the environment names others, which a test must not kill or fill.
fn pinned_parts() -> Parts {
    prepare_wanted(&Wanted::pinned(), &mut Silent)
        .unwrap_or_else(|error| panic!("the parts of the stack: {error}"))
}

/// `name` with a number that no other test of this process has: for topics, tables and pipes.
pub fn unique(name: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{name}_{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn config(stack: &Stack, topic: &str) -> SourceConfig {
    SourceConfig::new(stack.kafka.bootstrap(), topic, "tests")
}

/// Creates a topic.
///
/// # Panics
/// Where the broker refuses.
pub fn create_topic(stack: &Stack, topic: &str, partitions: i32) {
    create_topic_with(stack, topic, partitions, &[]);
}

/// The same with settings of the topic.
///
/// # Panics
/// Where the broker refuses.
pub(crate) fn create_topic_with(stack: &Stack, topic: &str, partitions: i32, settings: &[(&str, &str)]) {
    let count = usize::try_from(partitions).unwrap_or_else(|error| panic!("{error}"));
    TopicAdmin::create_topic_with(&config(stack, topic), topic, count, settings)
        .unwrap_or_else(|error| panic!("topic {topic}: {error}"));
}

/// Writes `records` round robin over `partitions`, in their order in each.
///
/// # Panics
/// Where the broker does not take them.
pub fn produce<R: AsRef<[u8]>>(
    stack: &Stack,
    topic: &str,
    partitions: i32,
    records: impl IntoIterator<Item = R>,
) {
    produce_from(stack, topic, partitions, 0, records);
}

/// The same, the first of them into the partition `first`.
pub(crate) fn produce_from<R: AsRef<[u8]>>(
    stack: &Stack,
    topic: &str,
    partitions: i32,
    first: usize,
    records: impl IntoIterator<Item = R>,
) {
    let producer =
        seed::Producer::connect(&config(stack, topic)).unwrap_or_else(|error| panic!("producer: {error}"));
    for ((index, timestamp), record) in (0..partitions).cycle().skip(first).zip(0..).zip(records) {
        producer
            .send(SeedRecord {
                partition: Some(PartitionId(index)),
                payload: Some(record.as_ref()),
                timestamp_ms: Some(FIRST_TIMESTAMP_MS + timestamp),
                ..SeedRecord::default()
            })
            .unwrap_or_else(|error| panic!("send: {error}"));
    }
    producer.flush(FLUSH_MAX).unwrap_or_else(|error| panic!("flush: {error}"));
}

/// Creates a topic and fills it with the first `count` records of `corpus`.
pub fn fill(stack: &Stack, topic: &str, partitions: i32, corpus: &dyn Corpus, count: u64) {
    create_topic(stack, topic, partitions);
    produce(
        stack,
        topic,
        partitions,
        (0..count).map(|index| {
            let mut record = Vec::new();
            corpus.write(index, &mut record);
            record
        }),
    );
}

/// The answer to `sql`, without its last newline.
///
/// # Panics
/// Where ClickHouse refuses.
pub fn query(stack: &Stack, sql: &str) -> String {
    stack.clickhouse.query(sql).unwrap_or_else(|error| panic!("{sql}: {error}")).trim_end().to_owned()
}

/// The answer to `sql` as a number.
///
/// # Panics
/// Where it is none.
pub fn query_number(stack: &Stack, sql: &str) -> u64 {
    let answer = query(stack, sql);
    answer.parse().unwrap_or_else(|_| panic!("{sql}: {answer}"))
}
