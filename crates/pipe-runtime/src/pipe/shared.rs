//! What the threads and tasks of one pipe share.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant, SystemTime};

use housepipe_ch_sink::{BlockMark, ErrorRow, ErrorTable, ServerClock, Sink};
use housepipe_kafka_source::{Offset, PartitionId, SourceConfig};
use housepipe_schema_registry::SchemaId;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tracing::{Instrument, Span};

use super::batch::BatchBuilder;
use super::exactly_once::Deliveries;
use super::inserter;
use super::orders::Orders;
use super::progress::SharedProgress;
use super::record::Labels;
use super::replay_slot::{ReplaySlot, ReplaySlots};
use super::state::{Phase, PipeState, StateCell};
use super::system_log::{SystemCode, SystemEvent, SystemLog};
use super::windows::Windows;
use crate::delivery::{
    BatchId, BatchToken, Cut, Judged, JudgedBatch, Moment, RejectRule, RejectVerdict, Sealed, Terms,
};
use crate::error::{PipeError, explain};
use crate::pipe_file::LiveSettings;
use crate::schemas::Schemas;
use crate::server_start::is_settled;
use crate::target::Target;

#[derive(Default)]
struct Spares {
    buffers: Vec<BatchBuilder>,
    /// Buffers in use beyond their number: of ranges that are read again, as many as there are slots for at most.
    borrowed: usize,
}

pub(super) struct Shared {
    /// Names the pipe in what is logged on behalf of callers from outside.
    pub(super) span: Span,
    pub(super) setup: Setup,
    /// What may change while the pipe runs.
    live: Mutex<LiveSettings>,
    pub(super) progress: SharedProgress,
    pub(super) state: StateCell,
    /// What happened to the pipe itself, for the error table.
    pub(super) system_log: Arc<SystemLog>,
    pub(super) orders: Orders,
    /// The partitions' delivery in exactly-once mode.
    pub(super) deliveries: Option<Deliveries>,
    /// The membership has to be ended and begun anew.
    leaves_group: AtomicBool,
    /// ClickHouse's clock, as last heard, and when it was asked for that.
    server_clock: Mutex<Option<(ServerClock, Instant)>>,
    /// The blocks that the tables had given out when they were last looked at.
    blocks: Mutex<Option<BlockMark>>,
    /// In exactly-once mode, what has to remember tokens, as last read.
    windows: Mutex<Arc<Windows>>,
    /// A random number of this run, for tokens.
    run: u64,
    runtime: Handle,
    /// Empty buffers. A worker needs one to seal, so their number bounds the inserts in flight, and memory.
    spares: Mutex<Spares>,
    /// Ranges that are read again at once: as many as inserts may be in flight.
    pub(super) replay_slots: ReplaySlots,
    /// Threads to wake when a buffer came back or the phase changed.
    sleepers: Mutex<Vec<Thread>>,
    /// Why records wait for schemas.
    registry_troubles: Mutex<BTreeMap<SchemaId, PipeState>>,
    phase: watch::Sender<Phase>,
    /// Whether somebody has asked for the stop.
    pub(super) stop_asked: watch::Sender<bool>,
    failure: Mutex<Option<PipeError>>,
}

/// Time after which an answer does not tell the time any more.
const CLOCK_ANSWER_MAX: Duration = Duration::from_secs(5);

/// What is settled before the pipe runs and does not change any more.
pub(super) struct Setup {
    /// At which a batch is closed.
    pub(super) batch_bytes_max: usize,
    pub(super) labels: Labels,
    /// None where records are not checked against schemas.
    pub(super) schemas: Option<Schemas>,
    pub(super) target: Target,
    pub(super) error_table: Option<ErrorTable>,
    pub(super) sink: Sink,
    pub(super) source: SourceConfig,
    /// End once the lag has reached zero.
    pub(super) until_caught_up: bool,
    pub(super) inserts_in_flight_max: usize,
    /// Memory of all open batches of a worker, in bytes, where each partition has one of its own.
    pub(super) open_bytes_max: usize,
    /// The table had rows when the pipe was started.
    pub(super) found_rows: bool,
}

impl Shared {
    /// `terms` are those of exactly-once mode; none is at-least-once. What happens comes out of the receiver.
    pub(super) fn new(
        setup: Setup,
        live: LiveSettings,
        terms: Option<Terms>,
        windows: Windows,
        runtime: Handle,
    ) -> (Arc<Shared>, mpsc::Receiver<SystemEvent>) {
        let (system_log, events) = SystemLog::new(setup.labels.clone());
        let system_log = Arc::new(system_log);
        let buffers = (0..setup.inserts_in_flight_max).map(|_| BatchBuilder::default()).collect();
        let replay_slots = ReplaySlots::new(setup.inserts_in_flight_max);
        let shared = Arc::new(Shared {
            span: Span::current(),
            replay_slots,
            setup,
            progress: SharedProgress::new(RejectRule::new(live.stop_ratio, live.warn_ratio)),
            live: Mutex::new(live),
            state: StateCell::new(Arc::clone(&system_log)),
            system_log,
            orders: Orders::default(),
            deliveries: terms.map(Deliveries::new),
            leaves_group: AtomicBool::new(false),
            server_clock: Mutex::new(None),
            blocks: Mutex::new(None),
            windows: Mutex::new(Arc::new(windows)),
            run: RandomState::new().hash_one(SystemTime::now()),
            runtime,
            spares: Mutex::new(Spares { buffers, borrowed: 0 }),
            sleepers: Mutex::new(Vec::new()),
            registry_troubles: Mutex::default(),
            phase: watch::Sender::new(Phase::Running),
            stop_asked: watch::Sender::new(false),
            failure: Mutex::new(None),
        });
        (shared, events)
    }

    /// What may change while the pipe runs, as it is now.
    pub(super) fn live(&self) -> LiveSettings {
        *self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on with other settings: the rule judges the next batch by them, the workers close the next one, and who waits looks at the
    /// deadlines with his next try.
    pub(super) fn take_over(&self, live: LiveSettings) {
        *self.live.lock().unwrap_or_else(PoisonError::into_inner) = live;
        self.progress.lock().reject_rule.change(live.stop_ratio, live.warn_ratio);
        self.wake_all();
    }

    /// The tokens of a batch.
    pub(super) fn token(&self, batch: BatchId) -> BatchToken {
        let Labels { pipe, topic } = &self.setup.labels;
        BatchToken::of_run(pipe, topic, self.run, batch)
    }

    pub(super) fn phase(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    /// Read no more; settle what was read.
    pub(super) fn is_stopping(&self) -> bool {
        *self.phase.borrow() >= Phase::Stopping
    }

    /// Drop everything; what is not committed is read again by the next run.
    pub(super) fn is_aborted(&self) -> bool {
        *self.phase.borrow() >= Phase::Aborted
    }

    /// Moves on to `phase`; phases never go back.
    pub(super) fn advance(&self, phase: Phase) {
        self.phase.send_if_modified(|current| {
            let forward = *current < phase;
            *current = (*current).max(phase);
            forward
        });
        self.wake_all();
    }

    /// Ends the pipe with `error`; the first error counts.
    pub(super) fn fail(&self, error: PipeError) {
        let reason = explain(&error);
        tracing::error!(error = reason, "the pipe stops as failed; its offsets are kept");
        let message = format!("the pipe stops as failed; its offsets are kept: {reason}");
        self.system_log.tell(SystemCode::PipeFailed, &message);
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.advance(Phase::Aborted);
    }

    pub(super) fn take_failure(&self) -> Option<PipeError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn add_sleeper(&self, thread: Thread) {
        self.sleepers.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
    }

    pub(super) fn wake_all(&self) {
        for thread in self.sleepers.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            thread.unpark();
        }
        self.progress.notify();
    }

    pub(super) fn take_spare(&self) -> Option<BatchBuilder> {
        self.spares.lock().unwrap_or_else(PoisonError::into_inner).buffers.pop()
    }

    /// A buffer, also where none is left.
    pub(super) fn take_spare_or_borrow(&self) -> Option<BatchBuilder> {
        let mut spares = self.spares.lock().unwrap_or_else(PoisonError::into_inner);
        let spare = spares.buffers.pop();
        spares.borrowed += usize::from(spare.is_none());
        Some(spare.unwrap_or_default())
    }

    pub(super) fn give_back(&self, buffers: BatchBuilder) {
        let mut spares = self.spares.lock().unwrap_or_else(PoisonError::into_inner);
        match spares.borrowed {
            0 => spares.buffers.push(buffers),
            _ => spares.borrowed -= 1,
        }
        drop(spares);
        self.wake_all();
    }

    /// Whether each partition has batches of its own, which are prepared before they are inserted.
    pub(super) fn is_exactly_once(&self) -> bool {
        self.deliveries.is_some()
    }

    /// Runs a task beside the threads.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(task.in_current_span());
    }

    /// The server has told its clock, to a question that was `asked` then. An answer that was long on its way tells a former
    /// time: a process that was frozen meanwhile would not see how late it is.
    pub(super) fn know_server_clock(&self, clock: ServerClock, asked: Instant) {
        let mut known = self.server_clock.lock().unwrap_or_else(PoisonError::into_inner);
        match known.as_mut().filter(|_| asked.elapsed() > CLOCK_ANSWER_MAX) {
            Some((known, _)) => known.started_unix_s = clock.started_unix_s,
            None => *known = Some((clock, asked)),
        }
    }

    /// What has to remember tokens.
    pub(super) fn windows(&self) -> Arc<Windows> {
        Arc::clone(&self.windows.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn know_windows(&self, windows: Windows) {
        *self.windows.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(windows);
    }

    pub(super) fn know_blocks(&self, blocks: Option<BlockMark>) {
        *self.blocks.lock().unwrap_or_else(PoisonError::into_inner) = blocks;
    }

    /// The present moment, by ClickHouse's clock: what its start and its parts are compared with, by every process of the
    /// pipe, whatever their own clocks say.
    pub(super) fn now(&self) -> Moment {
        let blocks = *self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        Moment {
            unix_s: self.now_unix_s(),
            blocks,
            server_start_unix_s: self.server_start_unix_s(),
            windows: self.windows().mark(),
        }
    }

    /// None of a server that has run for a moment only: the next one may be taken for it.
    fn server_start_unix_s(&self) -> Option<u64> {
        let now_unix_s = self.now_unix_s();
        let clock = self.server_clock.lock().unwrap_or_else(PoisonError::into_inner);
        clock
            .map(|(clock, _)| clock.started_unix_s)
            .filter(|start| is_settled(ServerClock::noted(now_unix_s, *start)))
    }

    fn now_unix_s(&self) -> u64 {
        let clock = self.server_clock.lock().unwrap_or_else(PoisonError::into_inner);
        match *clock {
            Some((clock, heard)) => clock.now_unix_s.saturating_add(heard.elapsed().as_secs()),
            None => SystemTime::now()
                .duration_since(SystemTime::UNIX_EPOCH)
                .map_or(0, |elapsed| elapsed.as_secs()),
        }
    }

    /// Ends the membership as soon as that is possible, and begins a new one.
    pub(super) fn leave_group(&self) {
        self.leaves_group.store(true, Ordering::Release);
    }

    /// Whether the membership has to end; asked once.
    pub(super) fn takes_leave(&self) -> bool {
        self.leaves_group.swap(false, Ordering::AcqRel)
    }

    /// Something has succeeded at the destination that had failed before.
    pub(super) fn is_well(&self) {
        self.system_log.destination_works();
        self.show_state();
    }

    /// Records wait for a schema, for this reason.
    pub(super) fn registry_fails(&self, id: SchemaId, trouble: PipeState) {
        self.state.set_beside(trouble.clone());
        self.registry_troubles.lock().unwrap_or_else(PoisonError::into_inner).insert(id, trouble);
    }

    /// Nobody waits for the schema any more.
    pub(super) fn registry_works(&self, id: SchemaId) {
        let former = self.registry_troubles.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        if former.is_some_and(|trouble| self.state.get() == trouble) {
            self.show_state();
        }
    }

    /// Shows what is left of what was wrong.
    fn show_state(&self) {
        if self.is_stopping() {
            return;
        }
        let halted = self.progress.lock().halted.first_key_value().map(|(at, reason)| halted(*at, reason));
        let registry = || {
            let troubles = self.registry_troubles.lock().unwrap_or_else(PoisonError::into_inner);
            troubles.first_key_value().map(|(_, trouble)| trouble.clone())
        };
        // The error table was told of the partition when it stopped.
        self.state.show(halted.or_else(registry).unwrap_or(PipeState::Running));
    }

    /// A partition is not read any more, while the others go on. Its group stands at `offset`.
    pub(super) fn halt(&self, partition: PartitionId, offset: Offset, reason: String) {
        tracing::error!(partition = partition.0, reason, "a partition stops; its offset is kept");
        let message = format!("a partition stops; its offset is kept: {reason}");
        self.system_log.tell_of(SystemCode::PartitionStopped, partition, offset, &message);
        self.state.show(halted(partition, &reason));
        self.progress.lock().halted.insert(partition, reason);
        self.progress.notify();
    }

    /// Seals `full`, a batch of one partition, and hands it to the partition's delivery; with its slot where it was read
    /// again.
    pub(super) fn submit_range(
        self: &Arc<Self>,
        full: BatchBuilder,
        cut: Cut,
        is_replay: bool,
        slot: Option<ReplaySlot>,
    ) {
        let Some(deliveries) = &self.deliveries else { return };
        let Some(span) = full.open_spans().first().copied() else { return };
        // What is read again was judged before it was loaded for the first time.
        let judged = match is_replay {
            true => None,
            false => match self.may_load(&full) {
                Some(judged) => Some(judged),
                None => return,
            },
        };
        let id = self.progress.lock().seal(full.open_spans());
        let mut batch = full.seal(id);
        batch.judged = judged;
        let sealed = Sealed {
            start: span.start,
            end: span.end,
            rows: u32::try_from(batch.row_count()).unwrap_or(u32::MAX),
            rejects: u32::try_from(batch.rejected).unwrap_or(u32::MAX),
            cut,
            attempt: 0,
            first: None,
        };
        deliveries.sealed(self, span.partition, span.epoch, sealed, batch, slot);
    }

    /// Seals `full` and inserts it in the background.
    pub(super) fn submit(self: &Arc<Self>, full: BatchBuilder) {
        let Some(judged) = self.may_load(&full) else { return };
        let id = self.progress.lock().seal(full.open_spans());
        let mut batch = full.seal(id);
        batch.judged = Some(judged);
        self.runtime.spawn(inserter::deliver(Arc::clone(self), batch).in_current_span());
    }

    /// Judges a batch by the rejects in it; where they are too many, the pipe fails.
    fn may_load(&self, full: &BatchBuilder) -> Option<JudgedBatch> {
        let (records, rejected) = (full.records() as u64, full.rejects().len() as u64);
        let mut progress = self.progress.lock();
        let Judged { verdict, batch } = progress.reject_rule.judge(records, rejected);
        let is_first_warning = progress.is_first_warning(verdict);
        drop(progress);
        match verdict {
            RejectVerdict::Stop(rejected) => {
                let example = full.rejects().first().map_or_else(String::new, describe);
                self.fail(PipeError::TooManyRejected { rejected, example });
                return None;
            }
            RejectVerdict::Warn(rejected) if is_first_warning => {
                tracing::warn!("{rejected}; they are kept in the error table, if there is one");
            }
            RejectVerdict::Warn(_) | RejectVerdict::Load => {}
        }
        Some(batch)
    }
}

/// The state of a pipe of which a partition has stopped.
fn halted(partition: PartitionId, reason: &str) -> PipeState {
    PipeState::Misconfigured { reason: format!("partition {partition} has stopped: {reason}") }
}

/// A reject in a few words.
fn describe(row: &ErrorRow) -> String {
    let column = if row.column.is_empty() { String::new() } else { format!(" in column `{}`", row.column) };
    format!("; such as {}{column}: {}", row.code, row.message)
}

/// Ends the pipe when the code that holds it panics: a batch or a partition that nobody works on any more would
/// otherwise hold everything up in silence.
pub(super) struct PanicWatch(Arc<Shared>);

impl PanicWatch {
    pub(super) fn new(shared: Arc<Shared>) -> PanicWatch {
        PanicWatch(shared)
    }
}

impl Drop for PanicWatch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail(PipeError::WorkerPanicked);
        }
    }
}
