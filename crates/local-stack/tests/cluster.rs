//! Several brokers: what one of them did, another does when it is gone.
#![allow(clippy::unwrap_used, reason = "test code, though outside of a #[test] function")]

mod support;

use std::net::TcpStream;

use housepipe_local_stack::{Broker, Kafka};
use support::{create_replicated_topic, has_topic, parts, soon, wait_for};

const GROUP: &str = "a-group";

/// The id of the group's coordinator, once it is one that `is_wanted`.
fn coordinator(kafka: &Kafka, what: &str, is_wanted: impl Fn(u16) -> bool) -> u16 {
    let mut found = None;
    wait_for(what, soon(60), || {
        found = kafka.coordinator(GROUP).map(Broker::id).filter(|id| is_wanted(*id));
        found.is_some()
    });
    found.unwrap()
}

#[test]
fn a_group_moves_to_another_broker_and_back() {
    let kafka = Kafka::start_cluster(&parts()).unwrap();
    let addresses: Vec<&str> = kafka.bootstrap().split(',').collect();
    assert_eq!(addresses.len(), 3);
    // A topic on three brokers needs three that are there.
    create_replicated_topic(addresses[0], "everywhere", 3);

    let first = coordinator(&kafka, "a coordinator", |_| true);
    let broker = kafka.brokers().iter().find(|broker| broker.id() == first).unwrap();
    for end in [Broker::kill, Broker::stop] {
        end(broker).unwrap();
        assert_eq!(broker.pid(), None);
        assert!(TcpStream::connect(addresses[usize::from(first) - 1]).is_err());
        let second = coordinator(&kafka, "another coordinator", |id| id != first);
        assert!(has_topic(addresses[usize::from(second) - 1], "everywhere"));

        broker.restart().unwrap();
        assert!(has_topic(addresses[usize::from(first) - 1], "everywhere"));
        coordinator(&kafka, "the first coordinator", |id| id == first);
    }
}

#[test]
fn what_is_done_to_a_cluster_is_done_to_each_broker() {
    let mut kafka = Kafka::start_cluster(&parts()).unwrap();
    let addresses: Vec<String> = kafka.bootstrap().split(',').map(str::to_owned).collect();
    kafka.kill().unwrap();
    assert!(kafka.brokers().iter().all(|broker| broker.pid().is_none()));
    assert!(kafka.coordinator(GROUP).is_none());
    kafka.restart().unwrap();
    create_replicated_topic(&addresses[2], "everywhere", 3);
    kafka.stop().unwrap();
    assert!(addresses.iter().all(|address| TcpStream::connect(address).is_err()));
}
