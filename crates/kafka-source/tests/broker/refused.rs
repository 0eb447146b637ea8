//! What a coordinator refuses for good is told, instead of being asked for without an end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use housepipe_kafka_source::{Domain, PartitionId, Source, SourceConfig, SourceError};
use housepipe_local_stack::KafkaOptions;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::harness::{Journal, Member, PATIENCE, fill, own_broker_with, topic_on};

/// What the group's coordinator says to a member that wants to join.
fn answer_to(config: &SourceConfig) -> SourceError {
    let source = Source::open(config, Arc::new(Journal::default())).expect("a source");
    let deadline = Instant::now() + PATIENCE;
    loop {
        match source.poll(Duration::from_millis(20)) {
            Err(error) if !error.retryable() => return error,
            _ => assert!(Instant::now() < deadline, "nothing was told; last: {:?}", source.health()),
        }
    }
}

#[test]
fn a_join_that_is_refused_for_good_is_told() {
    let broker = own_broker_with(
        KafkaOptions::default().with_settings("group.min.session.timeout.ms=6000\ngroup.max.size=1"),
    );
    let mut config = topic_on(&broker, 1);
    config.session_timeout_ms = 2_000;
    let error = answer_to(&config);
    assert!(matches!(error, SourceError::SessionTimeoutRefused { session_timeout_ms: 2_000, .. }), "{error}");
    for words in [config.group.as_str(), "2000 ms", "group.min.session.timeout.ms", "--session-timeout"] {
        assert!(error.to_string().contains(words), "no `{words}` in: {error}");
    }
    assert_eq!(error.domain(), Domain::User);

    config.session_timeout_ms = 6_000;
    let mut member = Member::join(&config);
    member.until("its partition", |member| !member.source.assigned().is_empty());
    let error = answer_to(&config);
    assert!(matches!(error, SourceError::GroupFull { .. }), "{error}");
    assert!(error.to_string().contains("group.max.size"), "{error}");
}

#[test]
fn a_group_of_members_with_another_strategy_is_told() {
    let broker = own_broker_with(KafkaOptions::default());
    let config = topic_on(&broker, 1);
    let other: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &config.brokers)
        .set("group.id", &config.group)
        .set("partition.assignment.strategy", "range")
        .create()
        .unwrap();
    other.subscribe(&[&config.topic]).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while other.assignment().unwrap().count() == 0 {
        assert!(Instant::now() < deadline, "the other program has no partition");
        drop(other.poll(Duration::from_millis(50)));
    }
    let error = answer_to(&config);
    assert!(matches!(error, SourceError::GroupOfOthers { .. }), "{error}");
    assert!(error.to_string().contains("`consumer_group` of its own"), "{error}");
}

#[test]
fn commits_that_are_not_allowed_are_told_at_the_end() {
    // Less than the id of the topic needs that stands with each commit.
    let broker = own_broker_with(KafkaOptions::default().with_settings("offset.metadata.max.bytes=10"));
    let config = topic_on(&broker, 1);
    fill(&config, 1, 0..10);
    let mut member = Member::join(&config);
    member.until("every record", |member| member.count() == 10);
    let error = member.source.close().expect("a refusal");
    assert!(matches!(error, SourceError::CommitNotAllowed { .. }), "{error}");
    assert!(error.to_string().contains("offset.metadata.max.bytes"), "{error}");
    let after = housepipe_kafka_source::group_committed(&config, PATIENCE).unwrap();
    assert_eq!(after, [(PartitionId(0), None)]);
}
