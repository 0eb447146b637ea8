//! A broker that dies and comes back.

use crate::harness::{Member, fill, own_broker, topic_on};

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
