//! A worker: an OS thread that owns some partitions, encodes their records in place and seals batches.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError};
use housepipe_kafka_source::{Offset, PartitionId, PartitionReader, Record};
use housepipe_transform::{Encoder, Plan};

use super::batch::BatchBuilder;
use super::progress::Chunk;
use super::record;
use super::shared::Shared;
use crate::delivery::Epoch;

/// Records taken from one partition before the next has its turn.
const CHUNK_RECORDS_MAX: usize = 1_000;

/// What a record is taken to need before one was seen, in bytes; so the first chunk is small.
const FIRST_RECORD_BYTES: usize = 1 << 20;

/// Longest sleep of a worker that has nothing to do, in milliseconds; arrivals and orders wake it earlier.
const IDLE_MS_MAX: u64 = 500;

/// The first batch after the start waits this long at most, in milliseconds: the first rows, and the first error of
/// a wrong set-up, should show at once.
const FIRST_BATCH_WAIT_MS_MAX: u64 = 200;

/// What the membership thread tells a worker.
pub(super) enum Order {
    /// Read these from now on.
    Take(Vec<(PartitionReader, Epoch)>),
    /// Stop reading these, close the batch that holds their records, then answer.
    Release(Vec<PartitionId>, Sender<()>),
}

pub(super) struct Worker {
    shared: Arc<Shared>,
    orders: Receiver<Order>,
    partitions: Vec<Owned>,
    encoder: Encoder,
    builder: BatchBuilder,
    /// The partition that reads first in the next round.
    turn: usize,
    /// Mean size of the records of the last chunk in the batch, in bytes: keeps the next chunk from passing the limit far.
    record_bytes: usize,
    /// Close the batch whatever its size.
    flush: bool,
    sealed_one: bool,
}

struct Owned {
    reader: PartitionReader,
    epoch: Epoch,
    /// Nothing more to read at the moment, and the end of the log was seen.
    at_end: bool,
}

impl Worker {
    pub(super) fn new(shared: Arc<Shared>, plan: Arc<Plan>, orders: Receiver<Order>) -> Worker {
        Worker {
            shared,
            orders,
            partitions: Vec::new(),
            encoder: Encoder::new(plan),
            builder: BatchBuilder::default(),
            turn: 0,
            record_bytes: FIRST_RECORD_BYTES,
            flush: false,
            sealed_one: false,
        }
    }

    /// Works until the pipe stops and everything that was read is sealed.
    pub(super) fn run(mut self) {
        loop {
            let channel_open = self.obey();
            let stopping = self.shared.is_stopping();
            let mut busy = false;
            if self.must_seal(stopping) {
                busy = self.seal();
            } else if !stopping && channel_open {
                busy = self.read_round();
            }
            if self.shared.is_aborted() || ((stopping || !channel_open) && self.builder.is_empty()) {
                self.report_unknown_keys();
                return;
            }
            if !busy {
                thread::park_timeout(self.patience());
            }
        }
    }

    /// Carries out what the membership thread ordered; false once it is gone.
    fn obey(&mut self) -> bool {
        loop {
            match self.orders.try_recv() {
                Ok(Order::Take(readers)) => {
                    let me = thread::current();
                    for (reader, epoch) in readers {
                        let me = me.clone();
                        reader.set_waker(Arc::new(move || me.unpark()));
                        self.partitions.push(Owned { reader, epoch, at_end: false });
                    }
                }
                Ok(Order::Release(released, done)) => {
                    self.partitions.retain(|owned| !released.contains(&owned.reader.partition()));
                    self.turn = 0;
                    self.flush = !self.builder.is_empty();
                    // The membership thread may have given up waiting; then nobody needs the answer.
                    let _ = done.send(());
                }
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    /// Reads one chunk of every partition, or less where the batch is full; true where anything came.
    fn read_round(&mut self) -> bool {
        let mut any = false;
        for step in 0..self.partitions.len() {
            let index = (self.turn + step) % self.partitions.len();
            match self.read_chunk(index) {
                Ok(read) => any |= read,
                Err(error) => {
                    self.shared.fail(error.into());
                    return false;
                }
            }
            if self.is_full() {
                self.turn = index + 1;
                break;
            }
        }
        any
    }

    fn read_chunk(&mut self, index: usize) -> Result<bool, housepipe_kafka_source::SourceError> {
        let limits = self.shared.setup.limits;
        let by_rows = limits.rows_max.saturating_sub(self.builder.records());
        let by_bytes = limits.bytes_max.saturating_sub(self.builder.bytes()) / self.record_bytes.max(1) + 1;
        let room = by_rows.min(by_bytes).min(CHUNK_RECORDS_MAX);
        let Owned { reader, epoch, at_end } = &mut self.partitions[index];
        let partition = reader.partition();
        let fetched = reader.read(room)?;
        let mut chunk = Chunk { records: 0, kept: 0, bytes: 0, next: Offset(0), last_timestamp_ms: None };
        let mut first = None;
        let (before, bytes_before) = (self.builder.records(), self.builder.bytes());
        let records: Vec<Record<'_>> = fetched.records().collect();
        if let Some(record) = records.first() {
            first = Some(record.offset);
            self.builder.begin_run(partition, Instant::now());
        }
        for record in &records {
            chunk.records += 1;
            chunk.bytes += record.payload.map_or(0, <[u8]>::len) as u64;
            chunk.last_timestamp_ms = record.timestamp_ms.or(chunk.last_timestamp_ms);
        }
        let labels = &self.shared.setup.labels;
        record::encode(&mut self.encoder, &mut self.builder, labels, partition, &records);
        let end = fetched.end_of_partition();
        *at_end = end.is_some() || (*at_end && first.is_none());
        if let (Some(first), Some(next)) = (first, fetched.next_offset()) {
            let kept = self.builder.records() - before;
            chunk.kept = kept as u64;
            self.record_bytes = (self.builder.bytes() - bytes_before) / kept.max(1);
            chunk.next = next;
            self.builder.extend_span(partition, *epoch, first, next);
            self.shared.progress.lock().chunk_read(partition, *epoch, &chunk);
        }
        if let Some(end) = end {
            // Behind a gap at the end (compaction, transactions) no record comes that would move the position.
            self.shared.progress.lock().reached_end(partition, end);
        }
        Ok(first.is_some())
    }

    fn is_full(&self) -> bool {
        self.builder.records() >= self.shared.setup.limits.rows_max
            || self.builder.bytes() >= self.shared.setup.limits.bytes_max
    }

    fn must_seal(&self, stopping: bool) -> bool {
        !self.builder.is_empty() && (self.is_full() || self.flush || stopping || self.left().is_zero())
    }

    /// Time until the open batch has waited long enough.
    fn left(&self) -> Duration {
        let Some(opened_at) = self.builder.opened_at() else { return Duration::from_millis(IDLE_MS_MAX) };
        let idle = self.partitions.iter().all(|owned| owned.at_end);
        if idle && (self.shared.setup.until_caught_up || !self.sealed_one) {
            return Duration::ZERO;
        }
        let wait_ms = match self.sealed_one {
            true => self.shared.setup.limits.wait_max_ms,
            false => self.shared.setup.limits.wait_max_ms.min(FIRST_BATCH_WAIT_MS_MAX),
        };
        Duration::from_millis(wait_ms).saturating_sub(opened_at.elapsed())
    }

    fn patience(&self) -> Duration {
        let idle = Duration::from_millis(IDLE_MS_MAX);
        // A sealable batch without a spare buffer waits for the wake-up of the next acknowledged insert.
        if self.must_seal(self.shared.is_stopping()) { idle } else { self.left().min(idle) }
    }

    /// Hands the batch over for insertion; false where no spare buffer is there, which is the back-pressure:
    /// the worker reads no further, and librdkafka stops fetching once its queues are full.
    fn seal(&mut self) -> bool {
        let Some(spare) = self.shared.take_spare() else { return false };
        let full = std::mem::replace(&mut self.builder, spare);
        self.flush = false;
        self.sealed_one = true;
        self.shared.submit(full);
        true
    }

    fn report_unknown_keys(&self) {
        let unknown = self.encoder.unknown_keys();
        if unknown.total() > 0 {
            let sample: Vec<String> =
                unknown.iter().take(10).map(|(key, count)| format!("{key} ({count})")).collect();
            tracing::info!(
                total = unknown.total(),
                keys = sample.join(", "),
                "keys without a column were skipped"
            );
        }
    }
}
