//! Rights that are missing are told by name: that of the topic, and that of the group.

use std::sync::Arc;
use std::time::{Duration, Instant};

use housepipe_kafka_source::{
    Domain, GroupOffsets, GroupState, SaslMechanism, Source, SourceConfig, SourceError, describe_topic,
    preflight, sample,
};
use housepipe_local_stack::{KafkaOptions, USER_PLAIN};

use crate::causes::{TOLD_WITHIN, sasl_on, told};
use crate::harness::{Journal, Member, PATIENCE, fill, own_broker_with, topic_on};

#[test]
fn what_no_acl_allows_is_told_first_of_the_topic_and_then_of_the_group() {
    let broker = own_broker_with(KafkaOptions::default().with_acl());
    let plain = topic_on(&broker, 1);
    fill(&plain, 1, 0..10);
    let user = USER_PLAIN;
    let config = sasl_on(&broker, &plain, SaslMechanism::Plain, user.name, user.password);

    let error = told(&config);
    assert!(matches!(error, SourceError::TopicDenied { .. }), "{error:?}");
    for words in [broker.bootstrap_sasl_ssl(), &config.topic, "READ and DESCRIBE"] {
        assert!(error.to_string().contains(words), "no `{words}` in: {error}");
    }
    // A topic that is not there looks the same to somebody without rights.
    let mut missing = config.clone();
    missing.topic = "no-such-topic".to_owned();
    assert!(matches!(told(&missing), SourceError::TopicDenied { .. }));

    broker.allow_topic(user.name, &config.topic).unwrap();
    until_allowed(|| describe_topic(&config, TOLD_WITHIN).map(drop));
    let sampled = sample(&config, 5, TOLD_WITHIN).unwrap();
    assert_eq!((sampled.records.len(), sampled.cut_short), (5, None), "that takes no right to the group");
    let error = of_the_group(&config);
    assert!(matches!(error, SourceError::GroupDenied { .. }), "{error:?}");
    assert_eq!((error.domain(), error.retryable()), (Domain::User, false));
    for words in [broker.bootstrap_sasl_ssl(), &config.group, "READ on the group"] {
        assert!(error.to_string().contains(words), "no `{words}` in: {error}");
    }
    let asked = Instant::now();
    let error = GroupOffsets::open(&config, TOLD_WITHIN).unwrap().group().unwrap_err();
    assert!(matches!(error, SourceError::GroupDenied { .. }), "{error:?}");
    assert!(asked.elapsed() < TOLD_WITHIN, "{:?}", asked.elapsed());

    broker.allow_group(user.name, &config.group).unwrap();
    until_allowed(|| GroupOffsets::open(&config, TOLD_WITHIN)?.group().map(drop));
    let mut member = Member::join(&config);
    member.until("ten records", |member| member.count() == 10);
}

#[test]
fn a_right_to_describe_is_none_to_read() {
    let broker = own_broker_with(KafkaOptions::default().with_acl());
    let plain = topic_on(&broker, 2);
    fill(&plain, 2, 0..10);
    let user = USER_PLAIN;
    let config = sasl_on(&broker, &plain, SaslMechanism::Plain, user.name, user.password);
    broker.allow_describe_topic(user.name, &config.topic).unwrap();
    broker.allow_describe_group(user.name, &config.group).unwrap();
    until_allowed(|| GroupOffsets::open(&config, TOLD_WITHIN)?.group().map(drop));
    let told = GroupOffsets::open(&config, TOLD_WITHIN).unwrap().group().unwrap();
    assert_eq!((told.state, told.may_read), (GroupState::Absent, Some(false)));

    let asked = Instant::now();
    let found = preflight(&config, TOLD_WITHIN).unwrap();
    assert!(asked.elapsed() < TOLD_WITHIN, "{:?}", asked.elapsed());
    assert_eq!(found.topic.partitions, 2);
    assert!(matches!(&found.reading[..], [SourceError::TopicDenied { .. }]), "{found:?}");
    assert!(matches!(&found.group, Err(SourceError::GroupDenied { .. })), "{found:?}");

    broker.allow_topic(user.name, &config.topic).unwrap();
    broker.allow_group(user.name, &config.group).unwrap();
    until_allowed(|| {
        let found = preflight(&config, TOLD_WITHIN)?;
        found.reading.into_iter().next().map_or(found.group.map(drop), Err)
    });
    let mut member = Member::join(&config);
    member.until("twenty records", |member| member.count() == 20);
    // Of a group that is there it is told as well.
    let told = GroupOffsets::open(&config, TOLD_WITHIN).unwrap().group().unwrap();
    assert_eq!((told.members.len(), told.may_read), (1, Some(true)));
}

/// A broker hears of a right a moment after the controller has it.
fn until_allowed(ask: impl Fn() -> Result<(), SourceError>) {
    let deadline = Instant::now() + PATIENCE;
    while let Err(error) = ask() {
        assert!(Instant::now() < deadline, "{error}");
    }
}

/// What a member is told that joins.
fn of_the_group(config: &SourceConfig) -> SourceError {
    let started = Instant::now();
    let source = Source::open(config, Arc::new(Journal::default())).expect("a source");
    loop {
        match source.poll(Duration::from_millis(20)) {
            Err(error) if !error.retryable() => return error,
            _ => assert!(started.elapsed() < TOLD_WITHIN, "nothing was told; last: {:?}", source.health()),
        }
    }
}
