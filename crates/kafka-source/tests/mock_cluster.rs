//! Looks at topics of brokers that are slow or refuse to give records, which a broker of librdkafka's own plays: a real one does neither
//! when it is asked to.
#![allow(clippy::unwrap_used, reason = "a test that panics says where")]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use housepipe_kafka_source::seed::{Producer, SeedRecord};
use housepipe_kafka_source::{
    Assignment, Offset, PartitionId, PartitionReader, Source, SourceConfig, SourceError, fetch, sample,
};
use rdkafka::mocking::{MockCluster, MockCoordinator};
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

const TOPIC: &str = "clicks";

/// The promise: every cause is told within this time.
const TOLD_WITHIN: Duration = Duration::from_secs(10);

/// As long as a command may wait for records at most.
const LONG: Duration = Duration::from_secs(60);

type Cluster = MockCluster<'static, DefaultProducerContext>;

/// A broker with a topic of `partitions` partitions, the last of which has `batches` batches of one record.
fn cluster(partitions: i32, batches: i64) -> (Cluster, SourceConfig) {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, partitions, 1).unwrap();
    let config = SourceConfig::new(cluster.bootstrap_servers(), TOPIC, "g");
    let producer = Producer::connect(&config).unwrap();
    for number in 0..batches {
        let record = SeedRecord {
            partition: Some(PartitionId(partitions - 1)),
            payload: Some(b"{}"),
            timestamp_ms: Some(1_767_225_600_000 + number),
            ..SeedRecord::default()
        };
        producer.send(record).unwrap();
        producer.flush(LONG).unwrap();
    }
    (cluster, config)
}

fn refuse(cluster: &Cluster, error: RDKafkaRespErr, times: usize) {
    cluster.request_errors(RDKafkaApiKey::Fetch, &vec![error; times]);
}

#[test]
fn the_ends_of_a_hundred_partitions_take_a_few_round_trips() {
    let (cluster, config) = cluster(100, 3);
    cluster.broker_round_trip_time(-1, Duration::from_millis(100)).unwrap();
    // One after the other they would take ten seconds by themselves.
    let sampled = sample(&config, 1, Duration::from_secs(10)).unwrap();
    assert_eq!(sampled.cut_short, None);
    let places: Vec<_> = sampled.records.iter().map(|record| (record.partition.0, record.offset.0)).collect();
    assert_eq!(places, [(99, 2)]);
}

#[test]
fn what_was_read_at_the_deadline_is_returned_and_said_to_be_a_part() {
    let (cluster, config) = cluster(1, 100);
    // It gives out one batch at a time.
    cluster.broker_round_trip_time(-1, Duration::from_millis(200)).unwrap();
    let sampled = sample(&config, 1_000, Duration::from_secs(6)).unwrap();
    let count = sampled.records.len();
    assert!((1..100).contains(&count), "{count}");
    let mut records = sampled.records.iter().zip(0..);
    assert!(
        records.all(|(record, offset)| record.offset == Offset(offset)),
        "from the oldest that is wanted"
    );
    let error = sampled.cut_short.unwrap();
    assert!(
        matches!(&error, SourceError::Request { reason, .. } if reason == "it took too long"),
        "{error:?}"
    );
    // Nothing at all is an error.
    cluster.broker_round_trip_time(-1, Duration::from_secs(20)).unwrap();
    assert!(sample(&config, 1_000, Duration::from_secs(2)).is_err());
}

#[test]
fn a_log_that_does_not_have_what_it_says_is_told_at_once() {
    let (cluster, config) = cluster(1, 3);
    let out_of_range = RDKafkaRespErr::RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE;
    // The first time it is asked for its ends again, and read.
    refuse(&cluster, out_of_range, 1);
    let sampled = sample(&config, 3, LONG).unwrap();
    assert_eq!((sampled.records.len(), sampled.cut_short), (3, None));

    refuse(&cluster, out_of_range, 100);
    let started = Instant::now();
    for error in [
        sample(&config, 3, LONG).unwrap_err(),
        fetch(&config, PartitionId(0), &[Offset(1)], LONG).unwrap_err(),
    ] {
        assert!(error.to_string().contains("out of range"), "{error}");
        assert!(matches!(error, SourceError::Request { .. }), "{error:?}");
    }
    assert!(started.elapsed() < TOLD_WITHIN, "{:?}", started.elapsed());
}

#[test]
fn damaged_records_are_told_at_once_with_their_partition() {
    let (cluster, config) = cluster(2, 3);
    let damaged = RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_MSG;
    refuse(&cluster, damaged, 100);
    let started = Instant::now();
    for error in [
        sample(&config, 3, LONG).unwrap_err(),
        fetch(&config, PartitionId(1), &[Offset(1)], LONG).unwrap_err(),
    ] {
        assert!(matches!(error, SourceError::DamagedRecords { partition: PartitionId(1), .. }), "{error:?}");
    }
    assert!(started.elapsed() < TOLD_WITHIN, "{:?}", started.elapsed());
}

/// Keeps readers and reads nothing.
#[derive(Default)]
struct Keeper(Mutex<Vec<PartitionReader>>);

impl Assignment for Keeper {
    fn assigned(&self, readers: Vec<PartitionReader>) {
        self.0.lock().unwrap().extend(readers);
    }

    fn revoked(&self, _: &[PartitionId]) -> Vec<(PartitionId, Offset)> {
        self.0.lock().unwrap().clear();
        Vec::new()
    }

    fn lost(&self, _: &[PartitionId]) {
        self.0.lock().unwrap().clear();
    }
}

#[test]
fn a_broker_that_does_not_answer_keeps_no_end_of_another_one_from_being_known() {
    let cluster = MockCluster::new(2).unwrap();
    cluster.create_topic(TOPIC, 2, 1).unwrap();
    cluster.coordinator(MockCoordinator::Group("g".to_owned()), 1).unwrap();
    cluster.partition_leader(TOPIC, 0, Some(2)).unwrap();
    cluster.partition_leader(TOPIC, 1, Some(1)).unwrap();
    let mut config = SourceConfig::new(cluster.bootstrap_servers(), TOPIC, "g");
    config.prefetch_bytes_max = 1;
    let producer = Producer::connect(&config).unwrap();
    let fill = |records: usize| {
        for _ in 0..records {
            let (partition, payload) = (Some(PartitionId(1)), Some(&b"{}"[..]));
            producer.send(SeedRecord { partition, payload, ..SeedRecord::default() }).unwrap();
        }
        producer.flush(LONG).unwrap();
    };
    fill(5_000);
    let source = Source::open(&config, Arc::new(Keeper::default())).unwrap();
    let all = [0, 1].map(PartitionId);
    let end_comes = |end: i64| {
        let deadline = Instant::now() + 3 * LONG;
        while source.end_offset(PartitionId(1)) != Some(Offset(end)) {
            let last = source.end_offset(PartitionId(1));
            assert!(Instant::now() < deadline, "{end} is not told, but {last:?}");
            // The broker that does not answer is told of as well.
            let _ = source.poll(Duration::from_millis(20));
            source.look_at_ends(&all, &[]);
        }
    };
    end_comes(5_000);
    // It takes longer than anybody waits.
    cluster.broker_round_trip_time(2, LONG).unwrap();
    // As much is fetched ahead as may be, so fetches tell no more ends.
    fill(10);
    end_comes(5_010);
}
