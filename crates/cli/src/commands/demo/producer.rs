//! Fills the demo's topic from a thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::anyhow;
use housepipe_kafka_source::seed::{self, SeedRecord, TopicAdmin};
use housepipe_kafka_source::{PartitionId, SourceConfig};
use housepipe_local_stack::corpus::{Corpus, Events};

use super::FLUSH_MAX;

/// The demo's events are the same in every run.
const SEED: u64 = 1;

/// Produces events until it is told to stop, or all are there.
pub(super) struct Producer {
    stop: Arc<AtomicBool>,
    failed: Arc<AtomicBool>,
    thread: JoinHandle<anyhow::Result<u64>>,
}

/// How many records, and how fast.
struct Work {
    partitions: u16,
    rows: Option<u64>,
    bad_records: u64,
    per_second: Option<u32>,
}

impl Producer {
    /// Creates the topic and starts to produce.
    pub(super) fn start(
        brokers: &str,
        topic: &str,
        partitions: u16,
        rows: Option<u64>,
        bad_records: u64,
        per_second: Option<u32>,
    ) -> anyhow::Result<Producer> {
        let config = SourceConfig::new(brokers, topic, "housepipe-demo");
        TopicAdmin::create_topic(&config, topic, usize::from(partitions))?;
        let producer = seed::Producer::connect(&config)?;
        let (stop, failed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (should_stop, has_failed) = (Arc::clone(&stop), Arc::clone(&failed));
        let work = Work { partitions, rows, bad_records, per_second };
        let thread = thread::Builder::new().name("housepipe-demo-producer".to_owned()).spawn(move || {
            let result = produce(&producer, &work, &should_stop);
            has_failed.store(result.is_err(), Ordering::Release);
            result
        })?;
        Ok(Producer { stop, failed, thread })
    }

    /// Whether it gave up; [`Producer::finish`] says why.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Ends it and says how many records it produced.
    pub(super) fn finish(self) -> anyhow::Result<u64> {
        self.stop.store(true, Ordering::Release);
        self.thread.thread().unpark();
        self.thread.join().map_err(|_| anyhow!("the demo's producer panicked"))?
    }
}

fn produce(producer: &seed::Producer, work: &Work, stop: &AtomicBool) -> anyhow::Result<u64> {
    let events = Events::new(SEED);
    let total = work.rows.map(|rows| rows + work.bad_records);
    // Bad records are spread evenly over the good ones.
    let bad_every = total
        .zip(work.bad_records.into())
        .map(|(total, bad): (u64, u64)| total.checked_div(bad).unwrap_or(u64::MAX));
    let started = Instant::now();
    let (mut record, mut produced, mut bad) = (Vec::new(), 0u64, 0u64);
    while total.is_none_or(|total| produced < total) && !stop.load(Ordering::Acquire) {
        if let Some(per_second) = work.per_second {
            wait_for_turn(started, produced, per_second);
        }
        let is_bad = bad < work.bad_records && bad_every.is_some_and(|every| produced % every == every - 1);
        events.write(produced, &mut record);
        if is_bad {
            bad += 1;
            spoil(&mut record);
        }
        let partition = PartitionId(i32::try_from(produced % u64::from(work.partitions))?);
        producer.send(SeedRecord {
            partition: Some(partition),
            payload: Some(&record),
            ..SeedRecord::default()
        })?;
        produced += 1;
    }
    producer.flush(FLUSH_MAX)?;
    Ok(produced)
}

/// Records that are produced between two looks at the clock.
const PACE_EVERY: u64 = 100;

/// Holds the rate: after every [`PACE_EVERY`] records it waits until their time has come.
fn wait_for_turn(started: Instant, produced: u64, per_second: u32) {
    if !produced.is_multiple_of(PACE_EVERY) {
        return;
    }
    #[expect(clippy::cast_precision_loss, reason = "a pace, not an amount")]
    let due = Duration::from_secs_f64(produced as f64 / f64::from(per_second));
    let ahead = due.saturating_sub(started.elapsed());
    if !ahead.is_zero() {
        // `finish` unparks, so a slow pace does not hold up the end.
        thread::park_timeout(ahead);
    }
}

/// Makes an event that no table of events can hold: its user id becomes a word.
fn spoil(record: &mut Vec<u8>) {
    const KEY: &[u8] = b"\"user_id\":";
    if let Some(at) = record.windows(KEY.len()).position(|window| window == KEY) {
        let value = at + KEY.len();
        let end = record[value..]
            .iter()
            .position(|byte| *byte == b',')
            .map_or(record.len(), |length| value + length);
        record.splice(value..end, b"\"nobody\"".iter().copied());
    }
}
