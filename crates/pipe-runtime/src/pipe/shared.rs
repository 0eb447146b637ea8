//! What the threads and tasks of one pipe share.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Thread;
use std::time::SystemTime;

use housepipe_ch_sink::{ErrorRow, ErrorTable, Sink};
use housepipe_kafka_source::SourceConfig;
use housepipe_transform::RowFormat;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::batch::BatchBuilder;
use super::inserter;
use super::progress::SharedProgress;
use super::record::Labels;
use super::state::{Phase, StateCell};
use crate::delivery::{BatchId, BatchToken, RejectRule, RejectVerdict};
use crate::error::{PipeError, explain};
use crate::pipe_file::BatchLimits;

/// Where rows go.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) table: String,
    pub(super) columns: Vec<String>,
    pub(super) format: RowFormat,
    pub(super) error_table: Option<ErrorTable>,
}

pub(super) struct Shared {
    pub(super) setup: Setup,
    pub(super) progress: SharedProgress,
    pub(super) state: StateCell,
    /// A random number of this run, for tokens.
    run: u64,
    runtime: Handle,
    /// Empty buffers. A worker needs one to seal, so their number bounds the inserts in flight, and memory.
    spares: Mutex<Vec<BatchBuilder>>,
    /// Threads to wake when a buffer came back or the phase changed.
    sleepers: Mutex<Vec<Thread>>,
    phase: watch::Sender<Phase>,
    failure: Mutex<Option<PipeError>>,
}

/// What is settled before the pipe runs and does not change any more.
pub(super) struct Setup {
    pub(super) limits: BatchLimits,
    /// As it is at the start.
    pub(super) reject_rule: RejectRule,
    pub(super) labels: Labels,
    pub(super) target: Target,
    pub(super) sink: Sink,
    pub(super) source: SourceConfig,
    /// End once the lag has reached zero.
    pub(super) until_caught_up: bool,
    pub(super) destination_deadline_ms: u64,
    pub(super) source_deadline_ms: u64,
    pub(super) inserts_in_flight_max: usize,
}

impl Shared {
    pub(super) fn new(setup: Setup, runtime: Handle) -> Arc<Shared> {
        let rule = setup.reject_rule.clone();
        let spares = (0..setup.inserts_in_flight_max).map(|_| BatchBuilder::default()).collect();
        Arc::new(Shared {
            setup,
            progress: SharedProgress::new(rule),
            state: StateCell::default(),
            run: RandomState::new().hash_one(SystemTime::now()),
            runtime,
            spares: Mutex::new(spares),
            sleepers: Mutex::new(Vec::new()),
            phase: watch::Sender::new(Phase::Running),
            failure: Mutex::new(None),
        })
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
        tracing::error!(error = explain(&error), "the pipe stops as failed; its offsets are kept");
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.advance(Phase::Aborted);
    }

    pub(super) fn take_failure(&self) -> Option<PipeError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn add_sleeper(&self, thread: Thread) {
        self.sleepers.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
    }

    fn wake_all(&self) {
        for thread in self.sleepers.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            thread.unpark();
        }
        self.progress.notify();
    }

    pub(super) fn take_spare(&self) -> Option<BatchBuilder> {
        self.spares.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    pub(super) fn give_back(&self, buffers: BatchBuilder) {
        self.spares.lock().unwrap_or_else(PoisonError::into_inner).push(buffers);
        self.wake_all();
    }

    /// Seals `full` and inserts it in the background.
    pub(super) fn submit(self: &Arc<Self>, full: BatchBuilder) {
        let (records, rejected) = (full.records() as u64, full.rejects().len() as u64);
        let mut progress = self.progress.lock();
        let verdict = progress.reject_rule.judge(records, rejected);
        let is_first_warning = progress.is_first_warning(verdict);
        let id = progress.seal(full.open_spans());
        drop(progress);
        match verdict {
            RejectVerdict::Stop(rejected) => {
                let example = full.rejects().first().map_or_else(String::new, describe);
                self.fail(PipeError::TooManyRejected { rejected, example });
                return;
            }
            RejectVerdict::Warn(rejected) if is_first_warning => {
                tracing::warn!("{rejected}; they are kept in the error table, if there is one");
            }
            RejectVerdict::Warn(_) | RejectVerdict::Load => {}
        }
        let batch = full.seal(id);
        self.runtime.spawn(inserter::deliver(Arc::clone(self), batch));
    }
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
