//! A broker that dies and comes back.

use std::time::{Duration, Instant};

use housepipe_kafka_source::{Offset, PartitionId, SourceError, fetch, sample};
use housepipe_local_stack::KafkaOptions;

use crate::causes::TOLD_WITHIN;
use crate::harness::{Member, fill, own_broker, own_broker_with, topic_on};

#[test]
fn reading_goes_on_after_the_broker_was_killed() {
    let mut broker = own_broker();
    let config = topic_on(&broker, 2);
    fill(&config, 2, 0..500);
    let mut member = Member::join(&config);
    member.until("the first records", |member| member.count() == 1_000);
    assert!(member.source.health().is_reachable());
    broker.kill().unwrap();
    member.until("the news that no broker answers", |member| !member.source.health().is_reachable());
    assert!(member.source.health().unreachable_for().is_some());
    assert!(!member.source.health().last_error().is_empty());
    broker.restart().unwrap();
    fill(&config, 2, 500..700);
    member.until("the news that the broker is back", |member| member.source.health().is_reachable());
    member.until("the records from after the outage", |member| {
        (0..2).all(|partition| member.offsets(partition).last() == Some(&699))
    });
    for partition in 0..2 {
        let mut offsets = member.offsets(partition);
        offsets.sort_unstable();
        offsets.dedup();
        assert_eq!(offsets, (0..700).collect::<Vec<_>>(), "nothing is missing");
    }
}

#[test]
fn a_leader_that_is_not_reached_is_told_by_whoever_reads_long_before_the_deadline() {
    const LONG: Duration = Duration::from_secs(60);
    // Nobody listens where the broker says that it is.
    let broker = own_broker_with(KafkaOptions::default().behind(1));
    let mut config = topic_on(&broker, 2);
    fill(&config, 2, 0..10);
    config.brokers = broker.bootstrap_behind().to_owned();
    let sampled = || sample(&config, 5, LONG).map(drop);
    let fetched = || fetch(&config, PartitionId(1), &[Offset(3)], LONG).map(drop);
    let looks: [&dyn Fn() -> Result<(), SourceError>; 2] = [&sampled, &fetched];
    for look in looks {
        let started = Instant::now();
        let error = look().unwrap_err();
        assert!(started.elapsed() < TOLD_WITHIN, "{error} after {:?}", started.elapsed());
        assert!(
            matches!(&error, SourceError::AdvertisedUnreachable { address, .. } if address == "127.0.0.1:1"),
            "{error:?}"
        );
        assert!(error.to_string().contains("Connection refused") && error.retryable(), "{error}");
    }
}
