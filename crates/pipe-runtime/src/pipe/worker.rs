//! A worker: an OS thread that owns some partitions, encodes their records in place and seals batches.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError};
use housepipe_kafka_source::{Fetched, Offset, PartitionId, PartitionReader, Record, SourceError};
use housepipe_transform::{Encoder, Plan};

use super::batch::BatchBuilder;
use super::progress::Chunk;
use super::record;
use super::replay_slot::ReplaySlot;
use super::schema_task;
use super::shared::Shared;
use crate::delivery::{Cut, Epoch, Pending};
use crate::error::explain;
use crate::pipe_file::LiveSettings;
use crate::schemas::Judge;

/// Records taken from one partition before the next has its turn.
const CHUNK_RECORDS_MAX: usize = 1_000;

/// What a record is taken to need before one was seen, in bytes; so the first chunk is small.
const FIRST_RECORD_BYTES: usize = 1 << 20;

/// Longest sleep of a worker that has nothing to do, in milliseconds; arrivals and orders wake it earlier.
const IDLE_MS_MAX: u64 = 500;

/// The first batch after the start waits this long at most, in milliseconds: the first rows, and the first error of
/// a wrong set-up, should show at once.
const FIRST_BATCH_WAIT_MS_MAX: u64 = 200;

/// Empty buffers that a worker keeps for the next batches, at most.
const BUFFERS_KEPT_MAX: usize = 2;

/// What a worker is told.
pub(super) enum Order {
    /// Read these from now on.
    Take(Vec<Share>),
    /// Stop reading these, close the batch that holds their records (or drop it, see [`Shared::is_exactly_once`]), then
    /// answer.
    Release(Vec<PartitionId>, Sender<()>),
}

/// A partition that a worker is given.
pub(super) struct Share {
    pub(super) reader: PartitionReader,
    pub(super) epoch: Epoch,
    /// The first batch has to end exactly here: it may have been inserted by the partition's last owner.
    pub(super) replay: Option<Pending>,
}

pub(super) struct Worker {
    shared: Arc<Shared>,
    orders: Receiver<Order>,
    partitions: Vec<Owned>,
    encoder: Encoder,
    /// Checks records against their schemas; none where the pipe does not.
    judge: Option<Judge>,
    /// The open batches: one for all partitions, or one for each, in their order.
    open: Vec<Open>,
    /// Buffers for the next batches.
    buffers: Vec<BatchBuilder>,
    /// The partition that reads first in the next round.
    turn: usize,
    /// As they are in this round.
    live: LiveSettings,
    sealed_one: bool,
}

struct Owned {
    reader: PartitionReader,
    epoch: Epoch,
    /// Nothing more to read at the moment, and the end of the log was seen.
    at_end: bool,
    replay: Option<Pending>,
    /// Once records of it are there.
    slot: Option<ReplaySlot>,
}

/// A batch in the making.
#[derive(Default)]
struct Open {
    builder: BatchBuilder,
    /// Mean size of the records of the last chunk in the batch, in bytes: keeps the next chunk from passing the limit
    /// far.
    record_bytes: Option<usize>,
    /// Close the batch whatever its size, for this reason.
    flush: Option<Cut>,
}

impl Worker {
    pub(super) fn new(shared: Arc<Shared>, plan: Arc<Plan>, orders: Receiver<Order>) -> Worker {
        let open = if shared.is_exactly_once() { Vec::new() } else { vec![Open::default()] };
        let judge = shared.setup.schemas.clone().map(Judge::new);
        let live = shared.live();
        Worker {
            shared,
            orders,
            partitions: Vec::new(),
            encoder: Encoder::new(plan),
            judge,
            open,
            buffers: Vec::new(),
            turn: 0,
            live,
            sealed_one: false,
        }
    }

    /// Works until the pipe stops and everything that was read is sealed.
    pub(super) fn run(mut self) {
        loop {
            let channel_open = self.obey();
            self.live = self.shared.live();
            let stopping = self.shared.is_stopping();
            if stopping {
                self.drop_replays();
            }
            let mut busy = false;
            for open in 0..self.open.len() {
                if let Some(cut) = self.must_seal(open, stopping) {
                    busy |= self.seal(open, cut);
                }
            }
            if !busy && !stopping && channel_open {
                busy = self.read_round();
            }
            let is_empty = self.open.iter().all(|open| open.builder.is_empty());
            if self.shared.is_aborted() || ((stopping || !channel_open) && is_empty) {
                self.report_unknown_keys();
                return;
            }
            if !busy {
                thread::park_timeout(self.patience());
            }
        }
    }

    /// Carries out what was ordered; false once nobody orders any more.
    fn obey(&mut self) -> bool {
        loop {
            match self.orders.try_recv() {
                Ok(Order::Take(shares)) => {
                    let me = thread::current();
                    for Share { reader, epoch, replay } in shares {
                        let me = me.clone();
                        reader.set_waker(Arc::new(move || me.unpark()));
                        self.partitions.push(Owned { reader, epoch, at_end: false, replay, slot: None });
                        if self.shared.is_exactly_once() {
                            self.open.push(Open::default());
                        }
                    }
                }
                Ok(Order::Release(released, done)) => {
                    self.release(&released);
                    // Whoever asked may have given up waiting; then nobody needs the answer.
                    let _ = done.send(());
                }
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn release(&mut self, released: &[PartitionId]) {
        for index in (0..self.partitions.len()).rev() {
            if !released.contains(&self.partitions[index].reader.partition()) {
                continue;
            }
            self.partitions.remove(index);
            if self.shared.is_exactly_once() {
                // The next owner reads it, and cuts it as this one would have.
                let dropped = self.open.remove(index).builder.records() as u64;
                self.shared.progress.lock().give_back(dropped);
            }
        }
        self.turn = 0;
        if !self.shared.is_exactly_once() {
            for open in self.open.iter_mut().filter(|open| !open.builder.is_empty()) {
                open.flush = Some(Cut::Drain);
            }
        }
    }

    /// The open batch for the records of a partition.
    fn open_of(&self, index: usize) -> usize {
        if self.shared.is_exactly_once() { index } else { 0 }
    }

    /// Reads one chunk of every partition, or less where the batch is full; true where anything came.
    ///
    /// Where each partition has a batch of its own, one is read until its batch is full or nothing more is there: few
    /// batches are large at the same time.
    fn read_round(&mut self) -> bool {
        let mut any = false;
        for step in 0..self.partitions.len() {
            let index = (self.turn + step) % self.partitions.len();
            if self.is_full(self.open_of(index)) {
                continue;
            }
            match self.read_chunk(index) {
                Ok(read) => any |= read,
                Err(error) => {
                    self.fail(index, error);
                    return any;
                }
            }
            if self.is_full(self.open_of(index)) {
                self.turn = index + 1;
                break;
            }
            if any && self.shared.is_exactly_once() {
                self.turn = index;
                break;
            }
        }
        self.bound_memory();
        any
    }

    /// A partition cannot be read on.
    fn fail(&mut self, index: usize, error: SourceError) {
        let is_of_position = matches!(
            error,
            SourceError::PositionGone { .. }
                | SourceError::LogTruncated { .. }
                | SourceError::TopicMadeAnew { .. }
        );
        if self.shared.is_exactly_once() && is_of_position {
            let partition = self.partitions[index].reader.partition();
            self.release(&[partition]);
            let deliveries = self.shared.deliveries.as_ref();
            let range = deliveries.and_then(|deliveries| deliveries.range_read_again(partition));
            let may_be_loaded =
                range.map_or_else(String::new, |range| format!("; {range} may be loaded already"));
            let offset = deliveries.and_then(|deliveries| deliveries.committed_offset(partition));
            let stands =
                offset.map_or_else(String::new, |offset| format!("; the group stands at offset {offset}"));
            let reason =
                format!("{}; `housepipe offsets set` does that{stands}{may_be_loaded}", explain(&error));
            self.shared.halt(partition, offset.unwrap_or(Offset(-1)), reason);
        } else {
            self.shared.fail(error.into());
        }
    }

    fn read_chunk(&mut self, index: usize) -> Result<bool, SourceError> {
        let at = self.open_of(index);
        let (rows_max, bytes_max) = (self.live.rows_max, self.shared.setup.batch_bytes_max);
        let open = &mut self.open[at];
        let builder = &mut open.builder;
        let by_rows = rows_max.saturating_sub(builder.records());
        let record_bytes = open.record_bytes.unwrap_or(FIRST_RECORD_BYTES);
        let by_bytes = bytes_max.saturating_sub(builder.bytes()) / record_bytes.max(1) + 1;
        let judge = &mut self.judge;
        let Owned { reader, epoch, at_end, replay, slot } = &mut self.partitions[index];
        // A range that is read again has the length that it had.
        let room =
            if replay.is_some() { CHUNK_RECORDS_MAX } else { by_rows.min(by_bytes).min(CHUNK_RECORDS_MAX) };
        let (partition, epoch) = (reader.partition(), *epoch);
        let mut fetched = reader.read(room)?;
        let mut whole_range = None;
        if let Some(pending) = replay {
            let within = fetched.records().take_while(|record| record.offset < pending.end).count();
            let is_behind =
                within < fetched.len() || fetched.next_offset().is_some_and(|next| next >= pending.end);
            whole_range = is_behind.then_some(*pending);
            fetched.leave_behind(within);
        }
        if let Some(judge) = judge
            && let Some(at) = ask_for_schemas(&self.shared, judge, &fetched)
        {
            // A record whose schema is not at hand waits, and those behind it. Those before it are taken, also of a range that is
            // read again: there may be more schemas in it than are kept.
            fetched.leave_behind(at);
            whole_range = None;
        }
        if replay.is_some() && slot.is_none() && !fetched.is_empty() {
            *slot = ReplaySlot::take(&self.shared);
            if slot.is_none() {
                fetched.leave_behind(0);
                return Ok(false);
            }
        }
        let (before, bytes_before) = (builder.records(), builder.bytes());
        let records: Vec<Record<'_>> = fetched.records().collect();
        let first = records.first().map(|record| record.offset);
        if first.is_some() {
            // Of many partitions, those that wait for a few records hold no large buffer meanwhile.
            let wants_large = !*at_end || !self.shared.is_exactly_once();
            if builder.is_empty()
                && wants_large
                && let Some(spare) = self.buffers.pop()
            {
                *builder = spare;
            }
            builder.begin_run(partition, Instant::now());
        }
        let labels = &self.shared.setup.labels;
        let bytes_max = if replay.is_some() { usize::MAX } else { bytes_max };
        let encoder = &mut self.encoder;
        let taken = record::encode(encoder, judge.as_mut(), builder, labels, partition, &records, bytes_max);
        let taken_records = &records[..taken];
        let mut chunk = Chunk {
            records: taken as u64,
            kept: 0,
            bytes: taken_records.iter().map(|record| record.payload.map_or(0, <[u8]>::len) as u64).sum(),
            first: first.unwrap_or(Offset(0)),
            next: Offset(0),
            first_timestamp_ms: taken_records.first().and_then(|record| record.timestamp_ms),
            last_timestamp_ms: taken_records.iter().rev().find_map(|record| record.timestamp_ms),
        };
        drop(records);
        let is_whole = taken == fetched.len();
        fetched.leave_behind(taken);
        let end = fetched.end_of_partition();
        *at_end = end.is_some() || (*at_end && first.is_none());
        if let (Some(first), Some(next)) = (first, fetched.next_offset()) {
            let kept = builder.records() - before;
            chunk.kept = kept as u64;
            open.record_bytes = Some((builder.bytes() - bytes_before) / kept.max(1));
            chunk.next = next;
            builder.extend_span(partition, epoch, first, next);
            self.shared.progress.lock().chunk_read(partition, epoch, &chunk);
        }
        if let Some(pending) = whole_range.filter(|_| is_whole) {
            builder.extend_span(partition, epoch, pending.end, pending.end);
            open.flush = Some(pending.cut);
        }
        if let Some(end) = end {
            // Behind a gap at the end (compaction, transactions) no record comes that would move the position.
            self.shared.progress.lock().reached_end(partition, epoch, end);
        }
        Ok(first.is_some())
    }

    fn is_full(&self, open: usize) -> bool {
        let Open { builder, flush, .. } = &self.open[open];
        if self.is_replaying(open) {
            return flush.is_some();
        }
        builder.records() >= self.live.rows_max || builder.bytes() >= self.shared.setup.batch_bytes_max
    }

    /// Whether the batch is a range that is read again: it ends where it ended.
    fn is_replaying(&self, open: usize) -> bool {
        self.shared.is_exactly_once() && self.partitions[open].replay.is_some()
    }

    /// A range that is not whole yet is the next owner's to read again.
    fn drop_replays(&mut self) {
        for at in 0..self.open.len() {
            if self.is_replaying(at) && self.open[at].flush.is_none() {
                let dropped = std::mem::take(&mut self.open[at].builder).records() as u64;
                self.shared.progress.lock().give_back(dropped);
            }
        }
    }

    /// Where batches of many partitions together hold more than one may, the largest is closed.
    fn bound_memory(&mut self) {
        if self.open.len() < 2 {
            return;
        }
        let held: usize = self.open.iter().map(|open| open.builder.held_bytes()).sum();
        if held <= self.shared.setup.open_bytes_max {
            return;
        }
        let replays: Vec<bool> = (0..self.open.len()).map(|open| self.is_replaying(open)).collect();
        let candidates = self
            .open
            .iter_mut()
            .zip(replays)
            .filter(|(open, is_replay)| !is_replay && !open.builder.is_empty());
        if let Some((largest, _)) = candidates.max_by_key(|(open, _)| open.builder.held_bytes()) {
            largest.flush.get_or_insert(Cut::Memory);
        }
    }

    /// Why the batch is to be closed now, if it is.
    fn must_seal(&self, open: usize, stopping: bool) -> Option<Cut> {
        let Open { builder, flush, .. } = &self.open[open];
        if builder.is_empty() {
            return None;
        }
        if self.is_replaying(open) {
            return *flush;
        }
        match *flush {
            _ if self.is_full(open) => Some(Cut::Size),
            Some(cut) => Some(cut),
            None if stopping => Some(Cut::Drain),
            None => self.left(open).is_zero().then_some(Cut::Time),
        }
    }

    /// Time until the open batch has waited long enough.
    fn left(&self, open: usize) -> Duration {
        // A range that is read again waits for its records alone.
        let opened_at = self.open[open].builder.opened_at().filter(|_| !self.is_replaying(open));
        let Some(opened_at) = opened_at else {
            return Duration::from_millis(IDLE_MS_MAX);
        };
        let idle = match self.shared.is_exactly_once() {
            true => self.partitions[open].at_end,
            false => self.partitions.iter().all(|owned| owned.at_end),
        };
        if idle && (self.shared.setup.until_caught_up || !self.sealed_one) {
            return Duration::ZERO;
        }
        let wait_ms = match self.sealed_one {
            true => self.live.wait_max_ms,
            false => self.live.wait_max_ms.min(FIRST_BATCH_WAIT_MS_MAX),
        };
        Duration::from_millis(wait_ms).saturating_sub(opened_at.elapsed())
    }

    fn patience(&self) -> Duration {
        let idle = Duration::from_millis(IDLE_MS_MAX);
        let stopping = self.shared.is_stopping();
        // A sealable batch without a spare buffer waits for the wake-up of the next acknowledged insert.
        let left = (0..self.open.len()).filter(|open| self.must_seal(*open, stopping).is_none());
        left.map(|open| self.left(open)).min().unwrap_or(idle).min(idle)
    }

    /// Hands the batch over for insertion; false where no spare buffer is there, which is the back-pressure:
    /// the worker reads no further, and librdkafka stops fetching once its queues are full.
    fn seal(&mut self, at: usize, cut: Cut) -> bool {
        // What is read again must not wait for others: ClickHouse forgets it meanwhile.
        let spare = match self.is_replaying(at) {
            true => self.shared.take_spare_or_borrow(),
            false => self.shared.take_spare(),
        };
        let Some(spare) = spare else { return false };
        let open = &mut self.open[at];
        let full = std::mem::take(&mut open.builder);
        open.flush = None;
        self.sealed_one = true;
        if self.buffers.len() < BUFFERS_KEPT_MAX {
            self.buffers.push(spare);
        }
        if self.shared.is_exactly_once() {
            let owned = &mut self.partitions[at];
            let (is_replay, slot) = (owned.replay.take().is_some(), owned.slot.take());
            self.shared.submit_range(full, cut, is_replay, slot);
        } else {
            self.shared.submit(full);
        }
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

/// Has the registry asked for what is not known of the records' schemas; the first record that waits for it.
fn ask_for_schemas(shared: &Arc<Shared>, judge: &Judge, fetched: &Fetched<'_>) -> Option<usize> {
    let (mut first, mut lacking, mut doubted) = (None, BTreeSet::new(), BTreeSet::new());
    for (at, record) in fetched.records().enumerate() {
        if let Some(id) = judge.lacks(record.payload) {
            // In the order of the records: those behind the first one go on once it does.
            let is_first = *first.get_or_insert(at) == at;
            if lacking.insert(id) {
                schema_task::ask(shared, judge.schemas(), id, is_first);
            }
        } else {
            doubted.extend(judge.doubts(record.payload));
        }
    }
    doubted.into_iter().for_each(|id| schema_task::doubt(shared, judge.schemas(), id));
    first
}
