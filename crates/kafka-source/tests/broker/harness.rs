//! A broker for all tests, topics to read, and a member of a group that writes down what happens to it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use housepipe_kafka_source::seed::{Producer, SeedRecord, TopicAdmin};
use housepipe_kafka_source::{Assignment, Offset, PartitionId, PartitionReader, Source, SourceConfig};
use housepipe_local_stack::{Kafka, KafkaOptions, Silent, Wanted, prepare_wanted};

/// How long a condition may take to come true; a machine under load is slow.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A broker of one's own, for tests that stop it.
pub(crate) fn own_broker() -> Kafka {
    own_broker_with(KafkaOptions::default())
}

/// The same with these options.
pub(crate) fn own_broker_with(options: KafkaOptions) -> Kafka {
    let parts = prepare_wanted(&Wanted::pinned(), &mut Silent).expect("the parts of the local stack");
    Kafka::start(&parts, &options).expect("a broker")
}

/// The broker that the other tests share. It ends with this process.
pub(crate) fn broker() -> &'static Kafka {
    static BROKER: OnceLock<Kafka> = OnceLock::new();
    BROKER.get_or_init(own_broker)
}

/// A new topic with `partitions` partitions, and a group that nobody used.
pub(crate) fn topic_on(broker: &Kafka, partitions: usize) -> SourceConfig {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let name = format!("topic-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let config = SourceConfig::new(broker.bootstrap(), &name, format!("group-of-{name}"));
    TopicAdmin::create_topic(&config, &name, partitions).expect("a new topic");
    config
}

pub(crate) fn topic(partitions: usize) -> SourceConfig {
    topic_on(broker(), partitions)
}

/// The payload of the record at `number` of `partition`.
pub(crate) fn payload(partition: i32, number: usize) -> Vec<u8> {
    format!("{partition}/{number}").into_bytes()
}

/// Adds the records `numbers` to each partition; the number is the timestamp, too.
pub(crate) fn fill(config: &SourceConfig, partitions: usize, numbers: std::ops::Range<usize>) {
    let producer = Producer::connect(config).expect("a producer");
    for number in numbers {
        for partition in (0..).take(partitions) {
            let record = SeedRecord {
                partition: Some(PartitionId(partition)),
                payload: Some(&payload(partition, number)),
                timestamp_ms: Some(timestamp_ms(number)),
                ..SeedRecord::default()
            };
            producer.send(record).expect("room for a record");
        }
    }
    producer.flush(PATIENCE).expect("every record acknowledged");
}

/// One second between records, from the start of 2026.
pub(crate) fn timestamp_ms(number: usize) -> i64 {
    1_767_225_600_000 + 1_000 * i64::try_from(number).expect("a small number")
}

/// What a member saw.
#[derive(Default)]
pub(crate) struct Journal {
    pub(crate) readers: Mutex<Vec<PartitionReader>>,
    /// Position behind what was read, by partition; committed when the partition is revoked.
    pub(crate) positions: Mutex<BTreeMap<PartitionId, Offset>>,
    pub(crate) revoked: Mutex<Vec<PartitionId>>,
    pub(crate) lost: Mutex<Vec<PartitionId>>,
    /// Readers of partitions that were taken away, kept on purpose.
    pub(crate) stale: Mutex<Vec<PartitionReader>>,
}

impl Journal {
    fn take_away(&self, partitions: &[PartitionId]) {
        let mut readers = self.readers.lock().unwrap();
        let (gone, kept) = readers.drain(..).partition(|reader| partitions.contains(&reader.partition()));
        *readers = kept;
        self.stale.lock().unwrap().extend::<Vec<_>>(gone);
    }
}

impl Assignment for Journal {
    fn assigned(&self, readers: Vec<PartitionReader>) {
        self.readers.lock().unwrap().extend(readers);
    }

    fn revoked(&self, partitions: &[PartitionId]) -> Vec<(PartitionId, Offset)> {
        self.take_away(partitions);
        self.revoked.lock().unwrap().extend_from_slice(partitions);
        let mut positions = self.positions.lock().unwrap();
        partitions.iter().filter_map(|partition| Some((*partition, positions.remove(partition)?))).collect()
    }

    fn lost(&self, partitions: &[PartitionId]) {
        self.take_away(partitions);
        self.lost.lock().unwrap().extend_from_slice(partitions);
        self.positions.lock().unwrap().retain(|partition, _| !partitions.contains(partition));
    }
}

/// A record as a test remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) offset: i64,
    pub(crate) payload: Vec<u8>,
    pub(crate) timestamp_ms: Option<i64>,
}

/// A member of the group, driven by hand.
pub(crate) struct Member {
    pub(crate) source: Source,
    pub(crate) journal: Arc<Journal>,
    pub(crate) seen: BTreeMap<PartitionId, Vec<Seen>>,
    pub(crate) ends: BTreeMap<PartitionId, Offset>,
}

impl Member {
    pub(crate) fn join(config: &SourceConfig) -> Member {
        let journal = Arc::new(Journal::default());
        let source = Source::open(config, journal.clone()).expect("a source");
        Member { source, journal, seen: BTreeMap::new(), ends: BTreeMap::new() }
    }

    /// Polls once and reads what is there.
    pub(crate) fn turn(&mut self) {
        if let Err(error) = self.source.poll(Duration::from_millis(20)) {
            assert!(error.retryable(), "{error}");
        }
        for reader in self.journal.readers.lock().unwrap().iter_mut() {
            let partition = reader.partition();
            let fetched = reader.read(500).expect("a read");
            for record in fetched.records() {
                self.seen.entry(partition).or_default().push(Seen {
                    offset: record.offset.0,
                    payload: record.payload.unwrap_or_default().to_vec(),
                    timestamp_ms: record.timestamp_ms,
                });
            }
            if let Some(next) = fetched.next_offset() {
                self.journal.positions.lock().unwrap().insert(partition, next);
            }
            if let Some(end) = fetched.end_of_partition() {
                self.ends.insert(partition, end);
            }
        }
    }

    /// Turns until `condition` holds.
    pub(crate) fn until(&mut self, what: &str, condition: impl Fn(&Member) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !condition(self) {
            assert!(
                Instant::now() < deadline,
                "{what} did not come; last error: {}",
                self.source.health().last_error()
            );
            self.turn();
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.seen.values().map(Vec::len).sum()
    }

    pub(crate) fn positions(&self) -> Vec<(PartitionId, Offset)> {
        self.journal
            .positions
            .lock()
            .unwrap()
            .iter()
            .map(|(partition, offset)| (*partition, *offset))
            .collect()
    }

    pub(crate) fn offsets(&self, partition: i32) -> Vec<i64> {
        self.seen
            .get(&PartitionId(partition))
            .map_or_else(Vec::new, |all| all.iter().map(|seen| seen.offset).collect())
    }
}
