//! Records come whole, in order, and at their end.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use housepipe_kafka_source::seed::{Producer, SeedRecord, TopicAdmin};
use housepipe_kafka_source::{Offset, PartitionId, SourceConfig};

use crate::harness::{Member, PATIENCE, broker, fill, payload, timestamp_ms, topic};

#[test]
fn every_record_of_four_partitions_comes_in_order() {
    let config = topic(4);
    fill(&config, 4, 0..5_000);
    let mut member = Member::join(&config);
    member.until("the end of four partitions", |member| member.ends.len() == 4);
    for partition in 0..4 {
        let seen = &member.seen[&PartitionId(partition)];
        assert_eq!(seen.len(), 5_000);
        for (number, record) in seen.iter().enumerate() {
            assert_eq!(usize::try_from(record.offset).unwrap(), number);
            assert_eq!(record.payload, payload(partition, number));
            assert_eq!(record.timestamp_ms, Some(timestamp_ms(number)));
        }
        assert_eq!(member.ends[&PartitionId(partition)], Offset(5_000));
    }
    let tells_end = |member: &Member, it| member.source.end_offset(PartitionId(it)) == Some(Offset(5_000));
    member.until("the ends of their logs", |member| (0..4).all(|it| tells_end(member, it)));
    let starts = (0..4).map(|it| member.source.start_offset(PartitionId(it)));
    assert_eq!(starts.collect::<Vec<_>>(), [Some(Offset(0)); 4], "fetches have told, and nobody was asked");
    assert_eq!(member.positions(), (0..4).map(|n| (PartitionId(n), Offset(5_000))).collect::<Vec<_>>());
}

/// As while records cannot be stored: nothing more is read, and nothing more is fetched.
#[test]
fn the_end_of_a_log_is_known_where_nothing_is_fetched() {
    let mut config = topic(2);
    config.prefetch_bytes_max = 1;
    fill(&config, 2, 0..5_000);
    let member = Member::join(&config);
    let partitions = [PartitionId(0), PartitionId(1)];
    let deadline = Instant::now() + PATIENCE;
    let turn_until = |what: &str, holds: &dyn Fn() -> bool| {
        while !holds() {
            assert!(Instant::now() < deadline, "{what} did not come");
            member.source.poll(Duration::from_millis(20)).unwrap();
            member.source.look_at_ends(&partitions, &partitions);
        }
    };
    let ends = || partitions.map(|partition| member.source.end_offset(partition).map(|end| end.0));
    turn_until("the first ends", &|| ends() == [Some(5_000); 2]);
    for round in 1..3 {
        let more = 5_000 + round * 100;
        fill(&config, 2, more - 100..more);
        let end = Some(i64::try_from(more).unwrap());
        turn_until("the ends of what is not fetched", &|| ends() == [end; 2]);
    }
    turn_until("the beginnings", &|| {
        partitions.iter().all(|it| member.source.start_offset(*it) == Some(Offset(0)))
    });
    assert!(member.seen.is_empty());
}

/// What is in an open transaction can be read by nobody yet.
#[test]
fn a_log_ends_before_an_open_transaction() {
    let config = topic(1);
    fill(&config, 1, 0..5);
    let producer = Producer::transactional(&config, &config.topic).unwrap();
    let write = |records: usize| {
        producer.begin().unwrap();
        for number in 0..records {
            let (partition, payload) = (Some(PartitionId(0)), payload(0, number));
            let record = SeedRecord { partition, payload: Some(&payload), ..SeedRecord::default() };
            producer.send(record).unwrap();
        }
        producer.flush(PATIENCE).unwrap();
    };
    write(77);
    let mut member = Member::join(&config);
    let end = |member: &Member| member.source.end_offset(PartitionId(0)).map(|end| end.0);
    member.until("an end", |member| end(member).is_some());
    assert_eq!(end(&member), Some(5));
    producer.commit().unwrap();
    // Behind its records is its marker.
    member.until("the end behind it", |member| end(member) == Some(83));
    write(3);
    member.until("its records", |member| member.count() == 82);
    assert_eq!(end(&member), Some(83));
    producer.abort().unwrap();
    member.until("the end behind what was aborted", |member| end(member) == Some(87));
}

#[test]
fn keys_headers_and_tombstones_come_as_they_were_sent() {
    let config = topic(1);
    let producer = Producer::connect(&config).unwrap();
    let record = SeedRecord {
        partition: Some(PartitionId(0)),
        key: Some(b"key"),
        headers: &[
            ("trace", Some(b"\x00\xff")),
            ("trace", Some(b"again")),
            ("empty", Some(b"")),
            ("none", None),
        ],
        ..SeedRecord::default()
    };
    producer.send(record).unwrap();
    producer.send(SeedRecord { payload: Some(b""), ..record }).unwrap();
    producer.flush(PATIENCE).unwrap();
    let mut member = Member::join(&config);
    member.until("an assignment", |member| !member.journal.readers.lock().unwrap().is_empty());
    let mut found = Vec::new();
    let deadline = std::time::Instant::now() + PATIENCE;
    while found.len() < 2 {
        assert!(std::time::Instant::now() < deadline, "the records did not come");
        member.source.poll(std::time::Duration::from_millis(20)).unwrap();
        for reader in member.journal.readers.lock().unwrap().iter_mut() {
            found.extend(reader.read(10).unwrap().records().map(|record| record.to_owned(PartitionId(0))));
        }
    }
    let headers = vec![
        ("trace".to_owned(), Some(b"\x00\xff".to_vec())),
        ("trace".to_owned(), Some(b"again".to_vec())),
        ("empty".to_owned(), Some(Vec::new())),
        ("none".to_owned(), None),
    ];
    assert_eq!(found[0].key.as_deref(), Some(&b"key"[..]));
    assert_eq!(found[0].payload, None);
    assert_eq!(found[0].headers, headers);
    assert_eq!(found[1].payload.as_deref(), Some(&b""[..]));
}

#[test]
fn a_waker_is_called_when_records_come() {
    let config = topic(1);
    let mut member = Member::join(&config);
    member.until("the end of the empty partition", |member| member.ends.len() == 1);
    let (woken, wakes) = mpsc::channel();
    for reader in member.journal.readers.lock().unwrap().iter() {
        let woken = woken.clone();
        // A wake-up after the test has its answer goes nowhere.
        reader.set_waker(Arc::new(move || {
            let _ = woken.send(());
        }));
    }
    assert!(wakes.try_recv().is_err(), "nothing is there to wake up for");
    fill(&config, 1, 0..1);
    wakes.recv_timeout(PATIENCE).expect("a wake-up");
    member.until("the record", |member| member.count() == 1);
}

#[test]
fn records_that_are_left_come_again_and_the_end_is_told_behind_them() {
    let config = topic(1);
    fill(&config, 1, 0..20);
    let member = Member::join(&config);
    let has_reader = |member: &Member| !member.journal.readers.lock().unwrap().is_empty();
    let deadline = Instant::now() + PATIENCE;
    while !has_reader(&member) {
        member.source.poll(Duration::from_millis(20)).unwrap();
        assert!(Instant::now() < deadline);
    }
    let mut reader = member.journal.readers.lock().unwrap().pop().unwrap();
    let (mut offsets, mut end, mut reads) = (Vec::new(), None, 0);
    while end.is_none() {
        assert!(Instant::now() < deadline, "{offsets:?}");
        member.source.poll(Duration::from_millis(5)).unwrap();
        // Of each read, the first three records are taken.
        let mut fetched = reader.read(7).unwrap();
        fetched.leave_behind(3);
        assert!(fetched.len() <= 3);
        let taken: Vec<i64> = fetched.records().map(|record| record.offset.0).collect();
        if let Some(last) = taken.last() {
            assert_eq!(fetched.next_offset(), Some(Offset(last + 1)));
            reads += 1;
        }
        end = fetched.end_of_partition();
        offsets.extend(taken);
    }
    assert_eq!(offsets, (0..20).collect::<Vec<_>>());
    assert_eq!(end, Some(Offset(20)));
    assert!(reads >= 7, "{reads} reads of at most three records");
    // Left whole, they come again.
    fill(&config, 1, 20..22);
    let mut seen = 0;
    while seen < 3 {
        assert!(Instant::now() < deadline);
        member.source.poll(Duration::from_millis(5)).unwrap();
        let mut fetched = reader.read(7).unwrap();
        if fetched.len() == 2 {
            assert_eq!(fetched.end_of_partition(), Some(Offset(22)));
            fetched.leave_behind(0);
            assert_eq!((fetched.next_offset(), fetched.end_of_partition()), (None, None));
            seen += 1;
        }
    }
    assert_eq!(reader.read(7).unwrap().end_of_partition(), Some(Offset(22)));
}

#[test]
fn records_of_every_compression_come_as_they_were_sent() {
    for compression in ["gzip", "snappy", "lz4", "zstd"] {
        let broker = broker();
        let mut config = SourceConfig::new(broker.bootstrap(), format!("in-{compression}"), compression);
        // The broker writes what it is sent in the topic's compression.
        let settings = [("compression.type", compression)];
        TopicAdmin::create_topic_with(&config, &config.topic, 1, &settings).unwrap();
        let text = |number: usize| format!("{number} {}", "all work and no play ".repeat(50)).into_bytes();
        let producer = Producer::connect(&config).unwrap();
        for number in 0..1_000 {
            let record = SeedRecord {
                partition: Some(PartitionId(0)),
                payload: Some(&text(number)),
                ..SeedRecord::default()
            };
            producer.send(record).unwrap();
        }
        producer.flush(PATIENCE).unwrap();
        let log = broker.folder().join(format!("data/{}-0/00000000000000000000.log", config.topic));
        let stored = std::fs::metadata(&log).unwrap().len();
        assert!(stored < 500_000, "{stored} bytes are stored of a million: not in {compression}");

        config.group = format!("group-{compression}");
        let mut member = Member::join(&config);
        member.until("the end of the partition", |member| member.ends.len() == 1);
        let seen = &member.seen[&PartitionId(0)];
        assert_eq!(seen.len(), 1_000, "{compression}");
        for (number, record) in seen.iter().enumerate() {
            assert_eq!((record.offset, &record.payload), (i64::try_from(number).unwrap(), &text(number)));
        }
    }
}
