//! Rights that are missing are told by name: that of the topic, and that of the group.

use std::sync::Arc;
use std::time::{Duration, Instant};

use housepipe_kafka_source::{
    Domain, GroupOffsets, SaslMechanism, Source, SourceConfig, SourceError, describe_topic,
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
