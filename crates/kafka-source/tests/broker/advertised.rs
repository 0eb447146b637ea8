//! Brokers that answer, and name addresses that lead nowhere: what a container or a private network does with `advertised.listeners`.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use housepipe_kafka_source::{Domain, Preflight, SourceConfig, SourceError, preflight};
use housepipe_local_stack::KafkaOptions;

use crate::causes::TOLD_WITHIN;
use crate::harness::{fill, own_broker_with, topic, topic_on};

/// A port on which nobody listens.
const CLOSED: u16 = 1;

/// What is found at a broker that names this port of the loopback; of a topic with two partitions.
fn found_behind(port: u16) -> (SourceConfig, Result<Preflight, SourceError>) {
    let broker = own_broker_with(KafkaOptions::default().behind(port));
    let mut config = topic_on(&broker, 2);
    // A broker that was just started has to make the groups' own topic first, which takes a busy machine longer than is waited for below.
    let has_coordinator =
        || preflight(&config, Duration::from_secs(8)).is_ok_and(|found| found.group.is_ok());
    assert!((0..10).any(|_| has_coordinator()), "the broker has no coordinator for the group");
    config.brokers = broker.bootstrap_behind().to_owned();
    let asked = Instant::now();
    let found = preflight(&config, Duration::from_secs(8));
    assert!(asked.elapsed() < TOLD_WITHIN, "{:?}", asked.elapsed());
    (config, found)
}

/// The errors of the one leader, and of the coordinator. The address that was given may be left before it tells of the topic, and then
/// there is one error of both.
fn errors(found: Result<Preflight, SourceError>) -> Vec<SourceError> {
    let found = match found {
        Ok(found) => found,
        Err(error) => return vec![error],
    };
    assert_eq!((found.topic.partitions, found.topic.brokers), (2, 1));
    let [leader] = <[SourceError; 1]>::try_from(found.reading).unwrap();
    vec![leader, found.group.unwrap_err()]
}

fn says(error: &SourceError, words: &[&str]) {
    assert!(matches!(error, SourceError::AdvertisedUnreachable { .. }), "{error:?}");
    assert_eq!(error.domain(), Domain::External);
    for words in words {
        assert!(error.to_string().contains(words), "no `{words}` in: {error}");
    }
}

#[test]
fn an_address_where_nobody_listens_is_told_with_what_should_be_there() {
    let (config, found) = found_behind(CLOSED);
    let address = format!("127.0.0.1:{CLOSED}");
    let errors = errors(found);
    let common = [config.brokers.as_str(), address.as_str(), "`advertised.listeners`", "Connection refused"];
    for error in &errors {
        says(error, &common);
    }
    if let [leader, coordinator] = &errors[..] {
        says(leader, &["the leader of 2 of 2 partition(s)"]);
        let role = format!("the coordinator of the group `{}`", config.group);
        says(coordinator, &[role.as_str()]);
    }
}

#[test]
fn an_address_that_swallows_everything_is_told_in_time() {
    // The system answers for it, and nobody takes the connections.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let (_, found) = found_behind(port);
    let address = format!("127.0.0.1:{port}");
    for error in errors(found) {
        says(&error, &[address.as_str()]);
    }
}

#[test]
fn a_leader_that_answers_is_no_error_with_and_without_records() {
    let config = topic(3);
    for records in [0, 10] {
        fill(&config, 2, 0..records);
        let found = preflight(&config, TOLD_WITHIN).unwrap();
        assert!(found.reading.is_empty(), "{found:?}");
        // Without ACLs everybody may.
        assert_eq!(found.group.unwrap().may_read, Some(true));
    }
}
