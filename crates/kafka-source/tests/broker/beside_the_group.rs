//! Looking at a topic without joining a group.

use housepipe_kafka_source::seed::{Producer, SeedRecord};
use housepipe_kafka_source::{
    Offset, OwnedRecord, PartitionId, SourceConfig, SourceError, describe_topic, fetch, group_committed,
    list_topics, sample,
};

use crate::harness::{Member, PATIENCE, broker, fill, payload, timestamp_ms, topic};

/// The newest `count` records, all of which come.
fn newest(config: &SourceConfig, count: usize) -> Vec<OwnedRecord> {
    let sampled = sample(config, count, PATIENCE).unwrap();
    assert_eq!(sampled.cut_short, None);
    sampled.records
}

#[test]
fn a_topic_is_described() {
    let config = topic(3);
    let info = describe_topic(&config, PATIENCE).unwrap();
    assert_eq!((info.partitions, info.brokers), (3, 1));
}

#[test]
fn topics_are_listed_with_their_partitions() {
    let (one, three) = (topic(1), topic(3));
    let partitions = |config: &SourceConfig| {
        let listed = list_topics(&one, PATIENCE).unwrap();
        assert!(
            listed.is_sorted_by(|a, b| a.name < b.name) && listed.iter().all(|it| !it.name.starts_with("__"))
        );
        listed.iter().find(|it| it.name == config.topic).map(|it| it.partitions)
    };
    assert_eq!((partitions(&one), partitions(&three)), (Some(1), Some(3)));
    let nowhere = SourceConfig::new("127.0.0.1:1", "any", "any");
    assert!(matches!(list_topics(&nowhere, PATIENCE), Err(SourceError::Unreachable { .. })));
}

#[test]
fn a_sample_reads_on_in_the_partition_that_has_the_newest_records() {
    let config = topic(4);
    fill(&config, 4, 0..30);
    // From here on partition 0 alone.
    fill(&config, 1, 30..200);
    let sampled = newest(&config, 100);
    let places: Vec<_> = sampled.iter().map(|record| (record.partition.0, record.offset.0)).collect();
    assert_eq!(places, (100..200).map(|offset| (0, offset)).collect::<Vec<_>>());
    // More than it has: the newest of the others, too, of which those of a moment are ordered by partition.
    let sampled = newest(&config, 174);
    let places: Vec<_> = sampled.iter().take(4).map(|record| (record.partition.0, record.offset.0)).collect();
    assert_eq!(places, [(0, 29), (1, 29), (2, 29), (3, 29)]);
}

#[test]
fn a_sample_has_the_newest_records_and_leaves_no_trace() {
    let config = topic(3);
    assert_eq!(newest(&config, 5), Vec::new());
    fill(&config, 3, 0..40);
    let mut sampled: Vec<_> =
        newest(&config, 6).into_iter().map(|r| (r.partition.0, r.offset.0, r.payload)).collect();
    sampled.sort();
    let expected: Vec<_> = (0..3)
        .flat_map(|partition| {
            [38, 39].map(|number: i64| {
                (partition, number, Some(payload(partition, usize::try_from(number).unwrap())))
            })
        })
        .collect();
    assert_eq!(sampled, expected);
    assert_eq!(newest(&config, 1_000).len(), 120);
    assert!(group_committed(&config, PATIENCE).unwrap().iter().all(|(_, offset)| offset.is_none()));
    // The group is untouched: its first member reads everything.
    let mut member = Member::join(&config);
    member.until("every record", |member| member.count() == 120);
}

#[test]
fn a_sample_of_many_partitions_with_large_records_is_whole() {
    let config = topic(50);
    let producer = Producer::connect(&config).unwrap();
    let value = vec![b'x'; 200_000];
    for number in 0..3 {
        for partition in 0..50 {
            let record = SeedRecord {
                partition: Some(PartitionId(partition)),
                payload: Some(&value),
                timestamp_ms: Some(timestamp_ms(number)),
                ..SeedRecord::default()
            };
            producer.send(record).unwrap();
        }
    }
    producer.flush(PATIENCE).unwrap();
    let sampled = newest(&config, 75);
    let offsets: Vec<_> = sampled.iter().map(|record| record.offset.0).collect();
    assert_eq!(offsets, [[1; 25].as_slice(), &[2; 50]].concat());
    assert!(sampled.iter().all(|record| record.payload.as_ref() == Some(&value)));
    let one = newest(&config, 1);
    assert_eq!((one.len(), one[0].partition, one[0].offset), (1, PartitionId(49), Offset(2)));
}

#[test]
fn single_records_are_fetched_again_by_their_offsets() {
    let config = topic(2);
    fill(&config, 2, 0..20_000);
    let wanted =
        [Offset(19_999), Offset(0), Offset(7), Offset(7), Offset(15_000), Offset(20_000), Offset(999_999)];
    let found = fetch(&config, PartitionId(1), &wanted, PATIENCE).unwrap();
    let offsets: Vec<_> = found.iter().map(|record| record.offset.0).collect();
    assert_eq!(offsets, [0, 7, 15_000, 19_999]);
    for record in &found {
        assert_eq!(record.partition, PartitionId(1));
        assert_eq!(record.payload, Some(payload(1, usize::try_from(record.offset.0).unwrap())));
    }
    assert_eq!(fetch(&config, PartitionId(1), &[], PATIENCE).unwrap(), Vec::new());
    assert!(!broker().bootstrap().is_empty());
}

/// Markers of transactions take offsets and never come, as records do that compaction has removed.
#[test]
fn a_record_behind_one_that_is_gone_is_fetched() {
    let config = topic(1);
    let producer = Producer::transactional(&config, &config.topic).unwrap();
    for number in 0..3 {
        producer.begin().unwrap();
        let payload = payload(0, number);
        producer
            .send(SeedRecord {
                partition: Some(PartitionId(0)),
                payload: Some(&payload),
                ..SeedRecord::default()
            })
            .unwrap();
        producer.commit().unwrap();
    }
    // Records at 0, 2 and 4, each with the marker of its transaction behind it.
    for (wanted, expected) in [(&[1, 2][..], &[2][..]), (&[1, 2, 3, 4], &[2, 4]), (&[0, 1, 3, 5], &[0])] {
        let wanted: Vec<_> = wanted.iter().copied().map(Offset).collect();
        let found = fetch(&config, PartitionId(0), &wanted, PATIENCE).unwrap();
        let offsets: Vec<_> = found.iter().map(|record| record.offset.0).collect();
        assert_eq!(offsets, expected, "of {wanted:?}");
    }
}
