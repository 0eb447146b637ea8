//! The offsets of a group, looked at and set by somebody who is no member.

use std::time::{Duration, Instant};

use housepipe_kafka_source::seed::TopicAdmin;
use housepipe_kafka_source::{
    GroupOffsets, GroupProtocol, GroupState, LogRange, Offset, PartitionCommit, PartitionId, SourceConfig,
    SourceError, StartOffset,
};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::topic_partition_list::TopicPartitionList;

use crate::harness::{Member, PATIENCE, fill, timestamp_ms, topic};

fn commit(partition: i32, offset: i64, metadata: &str) -> PartitionCommit {
    PartitionCommit {
        partition: PartitionId(partition),
        offset: Offset(offset),
        metadata: metadata.to_owned(),
    }
}

fn open(config: &SourceConfig) -> GroupOffsets<'_> {
    GroupOffsets::open(config, PATIENCE).unwrap()
}

/// What is committed for each partition: the offset and the text.
fn committed(config: &SourceConfig) -> Vec<Option<(i64, String)>> {
    let text = |metadata: Vec<u8>| String::from_utf8(metadata).unwrap();
    open(config)
        .positions()
        .unwrap()
        .into_iter()
        .map(|position| position.committed.map(|committed| (committed.offset.0, text(committed.metadata))))
        .collect()
}

/// What the coordinator says to a commit of somebody who is no member.
fn commit_as_a_stranger(config: &SourceConfig) -> RDKafkaErrorCode {
    let stranger: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &config.brokers)
        .set("group.id", &config.group)
        .create()
        .unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&config.topic, 0, rdkafka::Offset::Offset(0)).unwrap();
    stranger.commit(&list, CommitMode::Sync).unwrap_err().rdkafka_error_code().unwrap()
}

#[test]
fn a_group_that_nobody_used_is_absent_and_may_be_set() {
    let config = topic(2);
    fill(&config, 2, 0..100);
    TopicAdmin::delete_records(&config, PartitionId(1), Offset(40)).unwrap();
    let group = open(&config);
    let info = group.group().unwrap();
    assert_eq!((info.state, info.members.len(), info.is_active()), (GroupState::Absent, 0, false));
    let positions = group.positions().unwrap();
    let logs: Vec<LogRange> = positions.iter().map(|position| position.log).collect();
    let range = |start, end| LogRange { start: Offset(start), end: Offset(end) };
    assert_eq!(logs, [range(0, 100), range(40, 100)]);
    assert!(positions.iter().all(|position| position.committed.is_none() && !position.is_of_former_topic));
    group.set(&[commit(1, 60, ""), commit(0, 7, "a text")]).unwrap();
    assert_eq!(committed(&config), [Some((7, "a text".to_owned())), Some((60, String::new()))]);
    assert_eq!(group.group().unwrap().state, GroupState::Empty);
    // A member goes on there.
    let mut member = Member::join(&config);
    member.until("both ends", |member| member.ends.len() == 2);
    assert_eq!(member.offsets(0), (7..100).collect::<Vec<_>>());
    assert_eq!(member.offsets(1), (60..100).collect::<Vec<_>>());
}

#[test]
fn a_group_with_a_member_keeps_its_offsets() {
    let config = topic(2);
    fill(&config, 2, 0..10);
    let mut member = Member::join(&config);
    member.until("both ends", |member| member.ends.len() == 2);
    member.source.commit_sync(&member.positions()).unwrap();
    let info = open(&config).group().unwrap();
    assert_eq!((info.state, info.protocol), (GroupState::Stable, GroupProtocol::Classic));
    assert_eq!(info.members.len(), 1);
    assert_eq!(info.members[0].client_id, "housepipe");
    assert_eq!(info.members[0].partitions, [PartitionId(0), PartitionId(1)]);
    let refused = open(&config).set(&[commit(0, 0, "")]).unwrap_err();
    let SourceError::GroupActive { who, .. } = &refused else { panic!("{refused:?}") };
    assert!(who.starts_with("1 active member (housepipe at /127.0.0.1"), "{who}");
    assert_eq!(committed(&config), [Some((10, String::new())), Some((10, String::new()))]);
    // The coordinator would say so as well, to one who has not seen the member come.
    assert_eq!(commit_as_a_stranger(&config), RDKafkaErrorCode::UnknownMemberId);
    // It is the member's to leave.
    member.source.close();
    open(&config).set(&[commit(0, 0, "")]).unwrap();
    assert_eq!(committed(&config), [Some((0, String::new())), Some((10, String::new()))]);
}

/// Housepipe's own members do not speak it, others may, and so may a later version.
#[test]
fn members_of_the_newer_protocol_are_seen_as_well() {
    let config = topic(1);
    fill(&config, 1, 0..10);
    let member: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &config.brokers)
        .set("group.id", &config.group)
        .set("client.id", "newer")
        .set("group.protocol", "consumer")
        .set("auto.offset.reset", "earliest")
        .create()
        .unwrap();
    member.subscribe(&[&config.topic]).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while member.assignment().unwrap().count() == 0 {
        assert!(Instant::now() < deadline, "no assignment came");
        drop(member.poll(Duration::from_millis(50)));
    }
    let info = open(&config).group().unwrap();
    assert_eq!(info.protocol, GroupProtocol::Consumer);
    assert_eq!((info.members.len(), info.members[0].client_id.as_str()), (1, "newer"));
    assert_eq!(info.members[0].partitions, [PartitionId(0)]);
    let refused = open(&config).set(&[commit(0, 5, "")]).unwrap_err();
    assert!(matches!(refused, SourceError::GroupActive { .. }), "{refused:?}");
    assert_eq!(commit_as_a_stranger(&config), RDKafkaErrorCode::UnknownMemberId);
    assert_eq!(committed(&config), [None]);
    member.unsubscribe();
    drop(member);
    // The group stays one of the newer protocol, and is empty.
    let deadline = Instant::now() + PATIENCE;
    while open(&config).group().unwrap().is_active() {
        assert!(Instant::now() < deadline, "the member did not leave");
    }
    open(&config).set(&[commit(0, 5, "")]).unwrap();
    assert_eq!(committed(&config), [Some((5, String::new()))]);
}

#[test]
fn starts_are_told_before_anybody_joins() {
    let mut config = topic(4);
    fill(&config, 4, 0..100);
    let by_time = |number| StartOffset::Timestamp { unix_ms: timestamp_ms(number) };
    config.start = StartOffset::At(Offset(11));
    config.start_of = [(1, StartOffset::Latest), (2, by_time(30)), (3, by_time(1_000))]
        .map(|(partition, start)| (PartitionId(partition), start))
        .into();
    let group = open(&config);
    let starts: Vec<i64> = group
        .starts(&group.positions().unwrap())
        .unwrap()
        .into_values()
        .map(|start| start.unwrap().0)
        .collect();
    assert_eq!(starts, [11, 100, 30, 100]);
    let checked: Vec<(i32, i64)> =
        group.check_starts().unwrap().into_iter().map(|(partition, start)| (partition.0, start.0)).collect();
    assert_eq!(checked, [(1, 100), (2, 30), (3, 100)]);
}

#[test]
fn the_next_record_tells_its_time() {
    let config = topic(3);
    fill(&config, 2, 0..50);
    let group = open(&config);
    let places = [(PartitionId(0), Offset(7)), (PartitionId(1), Offset(49)), (PartitionId(2), Offset(0))];
    let found = group.timestamps(&places, PATIENCE).unwrap();
    let expected = [(PartitionId(0), timestamp_ms(7)), (PartitionId(1), timestamp_ms(49))];
    assert_eq!(found.into_iter().collect::<Vec<_>>(), expected);
}
