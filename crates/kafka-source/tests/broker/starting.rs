//! Where a group without offsets starts, and what happens to a position that is gone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use housepipe_kafka_source::seed::TopicAdmin;
use housepipe_kafka_source::{
    GonePolicy, GroupOffsets, Offset, PartitionCommit, PartitionId, Source, SourceConfig, SourceError,
    StartOffset, group_committed,
};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::topic_partition_list::TopicPartitionList;

use crate::harness::{Journal, Member, PATIENCE, fill, timestamp_ms, topic};

fn starting(start: StartOffset) -> SourceConfig {
    let mut config = topic(2);
    config.start = start;
    fill(&config, 2, 0..100);
    config
}

#[test]
fn earliest_reads_everything() {
    let config = starting(StartOffset::Earliest);
    let mut member = Member::join(&config);
    member.until("both ends", |member| member.ends.len() == 2);
    assert_eq!(member.offsets(1), (0..100).collect::<Vec<_>>());
}

#[test]
fn latest_reads_what_comes_and_survives_a_member_that_never_committed() {
    let config = starting(StartOffset::Latest);
    let mut member = Member::join(&config);
    member.until("both ends", |member| member.ends.len() == 2);
    assert_eq!(member.count(), 0);
    fill(&config, 2, 100..110);
    member.until("what came", |member| member.count() == 20);
    // It ends without having stored anything: the next one must not start at the end of today.
    member.journal.positions.lock().unwrap().clear();
    member.source.close();
    let mut next = Member::join(&config);
    next.until("both ends", |member| member.ends.len() == 2);
    assert_eq!(next.offsets(0), (100..110).collect::<Vec<_>>());
    assert_eq!(next.offsets(1), (100..110).collect::<Vec<_>>());
}

#[test]
fn a_timestamp_starts_at_the_first_record_that_is_not_earlier() {
    let config = starting(StartOffset::Timestamp { unix_ms: timestamp_ms(69) + 1 });
    let mut member = Member::join(&config);
    member.until("both ends", |member| member.ends.len() == 2);
    assert_eq!(member.offsets(0), (70..100).collect::<Vec<_>>());
    assert_eq!(member.offsets(1), (70..100).collect::<Vec<_>>());
}

#[test]
fn a_timestamp_behind_all_records_starts_at_the_end() {
    let config = starting(StartOffset::Timestamp { unix_ms: timestamp_ms(1_000) });
    let mut member = Member::join(&config);
    member.until("both ends", |member| member.ends.len() == 2);
    assert_eq!(member.count(), 0);
    fill(&config, 2, 100..101);
    member.until("what came", |member| member.count() == 2);
}

fn start_of<const N: usize>(starts: [(i32, StartOffset); N]) -> BTreeMap<PartitionId, StartOffset> {
    starts.map(|(partition, start)| (PartitionId(partition), start)).into()
}

#[test]
fn each_partition_may_start_elsewhere() {
    let mut config = topic(4);
    config.start = StartOffset::Timestamp { unix_ms: timestamp_ms(80) };
    config.start_of =
        start_of([(0, StartOffset::At(Offset(33))), (1, StartOffset::Latest), (2, StartOffset::Earliest)]);
    fill(&config, 4, 0..100);
    let mut member = Member::join(&config);
    member.until("all ends", |member| member.ends.len() == 4);
    let read: Vec<Vec<i64>> = (0..4).map(|partition| member.offsets(partition)).collect();
    assert_eq!(read, [33..100, 100..100, 0..100, 80..100].map(Iterator::collect::<Vec<_>>));
    let begins = [Some(33), Some(100), None, Some(80)].map(|begins| begins.map(Offset));
    assert_eq!(begins_of(&member), begins, "each reader tells where it has begun");
    // It ends without having stored anything, and the file says something else by then: the group goes on where it began.
    member.journal.positions.lock().unwrap().clear();
    member.source.close();
    config.start_of = start_of([(0, StartOffset::At(Offset(99)))]);
    let mut next = Member::join(&config);
    next.until("all ends", |member| member.ends.len() == 4);
    assert_eq!(next.offsets(0), (33..100).collect::<Vec<_>>());
    let begins = [33, 100, 80, 80].map(|begins| Some(Offset(begins)));
    assert_eq!(begins_of(&next), begins, "as it was committed, and where nothing was, as the file says now");
}

/// Where the readers begin, in the order of the partitions.
fn begins_of(member: &Member) -> Vec<Option<Offset>> {
    let readers = member.journal.readers.lock().unwrap();
    let begins: BTreeMap<PartitionId, Option<Offset>> =
        readers.iter().map(|reader| (reader.partition(), reader.begins())).collect();
    begins.into_values().collect()
}

/// Of another topic with the same name, nothing is behind the offset that the group has.
#[test]
fn a_reader_that_is_refused_begins_nowhere() {
    let mut config = starting(StartOffset::Earliest);
    config.gone = GonePolicy::Fail;
    let committer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &config.brokers)
        .set("group.id", &config.group)
        .create()
        .unwrap();
    let mut offsets = TopicPartitionList::new();
    let mut of_partition = offsets.add_partition(&config.topic, 0);
    of_partition.set_offset(rdkafka::Offset::Offset(100)).unwrap();
    // As a member of a former topic has written it.
    of_partition.set_metadata("@00000000000000000000000000000001:100");
    committer.commit(&offsets, CommitMode::Sync).unwrap();
    let next = Member::join(&config);
    let deadline = Instant::now() + PATIENCE;
    while begins_of(&next).len() < 2 {
        assert!(Instant::now() < deadline);
        if let Err(error) = next.source.poll(Duration::from_millis(20)) {
            assert!(error.retryable(), "{error}");
        }
    }
    assert_eq!(begins_of(&next), [None, None]);
    let mut readers = next.journal.readers.lock().unwrap();
    let refused = readers.iter_mut().find(|reader| reader.partition() == PartitionId(0)).unwrap();
    assert_eq!(refused.committed().map(|committed| committed.offset), Some(Offset(100)));
    let error = refused.read(10).map(drop);
    drop(readers);
    assert!(matches!(error, Err(SourceError::TopicMadeAnew { .. })), "{error:?}");
}

#[test]
fn a_start_that_the_topic_does_not_have_is_refused() {
    let mut config = topic(2);
    fill(&config, 2, 0..100);
    TopicAdmin::delete_records(&config, PartitionId(1), Offset(60)).unwrap();
    config.start_of = start_of([(2, StartOffset::Earliest)]);
    let journal = Arc::new(Journal::default());
    let error = Source::open(&config, journal.clone()).err().unwrap();
    assert!(
        matches!(
            error,
            SourceError::StartOfUnknownPartition { partition: PartitionId(2), partitions: 2, .. }
        ),
        "{error:?}"
    );
    // Either end of the log will do, and nothing beyond it.
    for (offset, is_fine) in [(59, false), (60, true), (100, true), (101, false)] {
        config.start_of = start_of([(1, StartOffset::At(Offset(offset)))]);
        let checked = GroupOffsets::open(&config, PATIENCE).unwrap().check_starts();
        assert_eq!(checked.is_ok(), is_fine, "{offset}: {checked:?}");
        if !is_fine {
            let source = Source::open(&config, journal.clone()).unwrap();
            let deadline = Instant::now() + PATIENCE;
            let error = loop {
                assert!(Instant::now() < deadline);
                match source.poll(Duration::from_millis(20)) {
                    Err(error) if !error.retryable() => break error,
                    _ => {}
                }
            };
            let (log_start, log_end) = (Offset(60), Offset(100));
            let expected = SourceError::StartOutOfRange {
                topic: config.topic.clone(),
                partition: PartitionId(1),
                start: Offset(offset),
                log_start,
                log_end,
            };
            assert_eq!(error, expected);
        }
    }
    // Once the group has an offset the start says nothing, also where retention has passed it.
    let group = GroupOffsets::open(&config, PATIENCE).unwrap();
    let (partition, offset) = (PartitionId(1), Offset(70));
    group.set(&[PartitionCommit { partition, offset, metadata: String::new() }]).unwrap();
    assert_eq!(group.check_starts().unwrap(), BTreeMap::new());
    let mut member = Member::join(&config);
    member.until("both ends", |member| member.ends.len() == 2);
    assert_eq!(member.offsets(1), (70..100).collect::<Vec<_>>());
}

#[test]
fn an_existing_group_ignores_the_start() {
    let mut config = starting(StartOffset::Earliest);
    let mut member = Member::join(&config);
    member.until("both ends", |member| member.ends.len() == 2);
    member.source.commit_sync(&[(PartitionId(0), Offset(30)), (PartitionId(1), Offset(90))]).unwrap();
    member.journal.positions.lock().unwrap().clear();
    member.source.close();
    config.start = StartOffset::Latest;
    let mut next = Member::join(&config);
    next.until("both ends", |member| member.ends.len() == 2);
    assert_eq!(next.offsets(0), (30..100).collect::<Vec<_>>());
    assert_eq!(next.offsets(1), (90..100).collect::<Vec<_>>());
}

#[test]
fn a_position_that_is_gone_moves_to_the_earliest_record_that_is_left() {
    let config = starting(StartOffset::Earliest);
    let mut member = Member::join(&config);
    member.until("both ends", |member| member.ends.len() == 2);
    member.source.commit_sync(&[(PartitionId(0), Offset(10)), (PartitionId(1), Offset(10))]).unwrap();
    member.journal.positions.lock().unwrap().clear();
    member.source.close();
    TopicAdmin::delete_records(&config, PartitionId(0), Offset(60)).unwrap();
    let mut next = Member::join(&config);
    next.until("both ends", |member| member.ends.len() == 2);
    assert_eq!(next.offsets(0), (60..100).collect::<Vec<_>>());
    assert_eq!(next.offsets(1), (10..100).collect::<Vec<_>>());
    let committed = group_committed(&config, PATIENCE).unwrap();
    assert_eq!(
        committed[0],
        (PartitionId(0), Some(Offset(10))),
        "nothing is committed that was not asked for"
    );
}

#[test]
fn a_position_that_is_gone_ends_the_reading_where_that_is_asked_for() {
    let mut config = starting(StartOffset::Earliest);
    config.gone = GonePolicy::Fail;
    let mut member = Member::join(&config);
    member.until("both ends", |member| member.ends.len() == 2);
    member.source.commit_sync(&[(PartitionId(0), Offset(10)), (PartitionId(1), Offset(10))]).unwrap();
    member.journal.positions.lock().unwrap().clear();
    member.source.close();
    TopicAdmin::delete_records(&config, PartitionId(0), Offset(60)).unwrap();
    let next = Member::join(&config);
    let deadline = Instant::now() + PATIENCE;
    let error = loop {
        assert!(Instant::now() < deadline);
        next.source.poll(Duration::from_millis(20)).unwrap();
        let mut readers = next.journal.readers.lock().unwrap();
        let gone = readers.iter_mut().find(|reader| reader.partition() == PartitionId(0));
        if let Some(Err(error)) = gone.map(|reader| reader.read(10).map(drop)) {
            break error;
        }
    };
    assert!(
        matches!(error, SourceError::PositionGone { partition: PartitionId(0), position: Offset(10), .. }),
        "{error:?}"
    );
    assert!(!error.retryable());
}
