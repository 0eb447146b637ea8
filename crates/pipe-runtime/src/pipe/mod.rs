//! A running pipe: its threads, its snapshots, its end.
//!
//! ```text
//! membership thread ── partitions ──► worker threads ── sealed batches ──► insert tasks (tokio)
//!        ▲ commits                         ▲ spare buffers                        │
//!        └───────────── ledger ◄───────────┴──────────── settled ◄────────────────┘
//! ```

mod attempt;
mod batch;
mod blocks;
mod committer;
mod deliver_part;
mod exactly_once;
mod guard;
mod inserter;
mod isolate;
pub(crate) mod lag;
pub(crate) mod look_back;
mod measure;
mod membership;
mod memory;
mod orders;
mod part;
mod persist;
mod position;
mod progress;
pub(crate) mod provision;
pub(crate) mod record;
mod recovery;
mod replay_slot;
mod reread;
mod schema_task;
mod shared;
mod start;
pub(crate) mod starts;
mod state;
mod system_log;
mod system_writer;
mod tally;
mod windows;
mod worker;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use housepipe_ch_sink::SinkConfig;
use housepipe_kafka_source::{GonePolicy, SourceConfig};
use tracing::Instrument;

pub(crate) use exactly_once::fresh_lineage;
pub use measure::{Horizon, RunMetrics};
pub use progress::{Counters, PartitionProgress, Recoveries};
pub(crate) use record::CODE_NO_VALUE;
pub(crate) use start::Looked;
pub(crate) use starts::LookPlace;
pub use state::PipeState;
pub use tally::{Latency, Moves, Tally, Totals};

use crate::error::PipeError;
use crate::pipe_file::{DeliveryMode, PipeFile};
use crate::summary::{Snapshot, Summary};
use crate::usage;
use shared::Shared;
use state::Phase;
use system_writer::SystemWriter;

/// How a pipe runs; the pipe file says what it does.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// End once every partition that this process was given was read to its end.
    pub until_caught_up: bool,
    /// Worker threads; 0 takes one per core, and never more than the topic has partitions.
    pub workers: usize,
    /// Inserts under way at the same time, at most. Each holds one batch in memory.
    pub inserts_in_flight_max: usize,
    /// Memory for records and batches, in bytes. A batch is closed earlier than the pipe file says where the budget would
    /// not hold as many as may exist at the same time. A single record may exceed it by its own size.
    pub memory_bytes_max: usize,
    /// Of these, records fetched ahead and not yet read by the workers, over all partitions; a quarter of the budget at
    /// most.
    pub prefetch_bytes_max: usize,
    /// Time that a graceful stop may take, in milliseconds, from the moment in which somebody asks for it.
    pub stop_deadline_ms: u64,
    /// Time after which the group gives the partitions of a member that was killed to others, in milliseconds: a pipe
    /// that is started again waits this long, at most. Brokers take 6 s and more, unless they are set up otherwise. None takes
    /// that of the brokers' vendor.
    pub session_timeout_ms: Option<u32>,
}

impl Default for RunOptions {
    fn default() -> Self {
        RunOptions {
            until_caught_up: false,
            workers: 0,
            inserts_in_flight_max: 2,
            memory_bytes_max: 256 << 20,
            prefetch_bytes_max: 24 << 20,
            stop_deadline_ms: 30_000,
            session_timeout_ms: None,
        }
    }
}

/// A pipe that runs until it is told to stop.
pub struct Pipe {
    shared: Arc<Shared>,
    membership: thread::JoinHandle<()>,
    options: RunOptions,
    started: Instant,
    name: String,
    /// None without an error table.
    system_writer: Option<SystemWriter>,
}

/// Stops a pipe from elsewhere, and looks at it.
#[derive(Clone)]
pub struct PipeHandle {
    shared: Arc<Shared>,
    started: Instant,
    name: String,
    /// For records and batches.
    memory_bytes_max: usize,
}

impl Pipe {
    /// Checks both ends, creates missing tables and starts reading.
    ///
    /// Must be called within a tokio runtime with time and IO; inserts run on it, CPU work does not.
    ///
    /// # Errors
    /// [`PipeError`], within about 10 seconds, where the topic, the table, the credentials or the columns are wrong.
    pub async fn start(file: &PipeFile, options: RunOptions) -> Result<Pipe, PipeError> {
        let place = LookPlace::take().await;
        Looked::at(file, &options, place, |_| ()).await?.start(options, |_| ()).await
    }

    /// A handle that outlives this value, for signal handlers and progress displays.
    pub fn handle(&self) -> PipeHandle {
        PipeHandle {
            shared: Arc::clone(&self.shared),
            started: self.started,
            name: self.name.clone(),
            memory_bytes_max: self.options.memory_bytes_max,
        }
    }

    /// Waits for the end: after a stop, after a failure, or, where the options say so, once caught up.
    ///
    /// A pipe that is dropped without this goes on until [`PipeHandle::stop`].
    ///
    /// # Errors
    /// [`PipeError`] where the pipe failed, or a stop ran into its deadline. The summary of what was done comes in
    /// either case.
    pub async fn finished(self) -> (Summary, Result<(), PipeError>) {
        let span = self.shared.span.clone();
        self.ended().instrument(span).await
    }

    async fn ended(self) -> (Summary, Result<(), PipeError>) {
        let Pipe { shared, membership, options, started, name, system_writer } = self;
        let mut ended = tokio::task::spawn_blocking(move || membership.join().is_err());
        let panicked = tokio::select! {
            panicked = &mut ended => panicked.unwrap_or(true),
            () = overdue(&shared, options.stop_deadline_ms) => {
                // The threads drop what they hold; a broker that does not answer must not hold up the end.
                match tokio::time::timeout(Duration::from_millis(ABORT_MS_MAX), &mut ended).await {
                    Ok(panicked) => panicked.unwrap_or(true),
                    Err(_) => {
                        tracing::warn!("leaving the consumer group takes too long and is left to the end of the process");
                        false
                    }
                }
            }
        };
        if panicked {
            shared.fail(PipeError::WorkerPanicked);
        }
        let summary = Summary::new(snapshot(&shared, started, name), usage::of_this_process());
        if let Some(writer) = system_writer {
            writer.finish(&shared.system_log).await;
        }
        (summary, shared.take_failure().map_or(Ok(()), Err))
    }
}

/// Comes back once a stopping pipe has used up its time, or was aborted. One that stops by itself, since it is caught up, has the
/// time that inserts have; nobody waits for it to end.
async fn overdue(shared: &Shared, stop_deadline_ms: u64) {
    let mut phase = shared.phase();
    // The sender lives in `shared`, so a wait ends by a phase only.
    let _ = phase.wait_for(|phase| *phase >= Phase::Stopping).await;
    shared.state.set(PipeState::Stopping);
    let mut asked = shared.stop_asked.subscribe();
    let deadline = async {
        // As above.
        let _ = asked.wait_for(|asked| *asked).await;
        tokio::time::sleep(Duration::from_millis(stop_deadline_ms)).await;
    };
    tokio::select! {
        _ = phase.wait_for(|phase| *phase >= Phase::Aborted) => {}
        () = deadline => {
            let in_flight = shared.progress.lock().counters.in_flight;
            if in_flight > 0 {
                shared.fail(PipeError::StopDeadline { in_flight });
            }
        }
    }
}

/// Time that an aborted pipe may take to leave the group, in milliseconds.
const ABORT_MS_MAX: u64 = 3_000;

impl PipeHandle {
    /// Reads no more, stores what was read, commits, and ends.
    pub fn stop(&self) {
        let _entered = self.shared.span.enter();
        self.shared.stop_asked.send_replace(true);
        self.shared.advance(Phase::Stopping);
    }

    /// Ends now. What is not committed is read again by the next run.
    pub fn abort(&self) {
        let _entered = self.shared.span.enter();
        let in_flight = self.shared.progress.lock().counters.in_flight;
        self.shared.fail(PipeError::Aborted { in_flight });
    }

    /// Runs on as `file` says, which is one that the file that it runs by [can become](PipeFile::can_become).
    pub(crate) fn take_over(&self, file: &PipeFile) {
        let _entered = self.shared.span.enter();
        self.shared.take_over(file.live_settings());
        tracing::info!("the pipe goes on with what has changed in its file");
    }

    /// Whether it was told to stop.
    pub fn is_stopping(&self) -> bool {
        self.shared.is_stopping()
    }

    /// What it is doing at this moment.
    pub fn state(&self) -> PipeState {
        self.shared.state.get()
    }

    /// How the pipe stands at this moment.
    pub fn snapshot(&self) -> Snapshot {
        snapshot(&self.shared, self.started, self.name.clone())
    }
}

impl std::fmt::Debug for PipeHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PipeHandle").field("name", &self.name).finish_non_exhaustive()
    }
}

fn snapshot(shared: &Shared, started: Instant, name: String) -> Snapshot {
    let progress = shared.progress.lock();
    Snapshot {
        pipe: name,
        state: shared.state.get(),
        wall_seconds: started.elapsed().as_secs_f64(),
        counters: progress.counters,
        rejected_by_code: progress.reject_codes.clone(),
        partitions: progress.partitions(),
        last_insert_age_seconds: progress.last_insert.map(|at| at.elapsed().as_secs_f64()),
    }
}

/// How the sink reaches the file's destination.
pub(crate) fn sink_config(file: &PipeFile) -> SinkConfig {
    let destination = &file.destination;
    let mut config = SinkConfig::new(&destination.url, &destination.database);
    config.username.clone_from(&destination.username);
    config.password.clone_from(&destination.password);
    config.compression = destination.compression;
    config
}

/// How the source reaches the file's topic.
pub(crate) fn source_config(file: &PipeFile, options: &RunOptions) -> SourceConfig {
    let source = &file.source;
    let mut config = SourceConfig::new(&source.brokers, &source.topic, &source.consumer_group);
    config.start = source.starts.others;
    config.start_of.clone_from(&source.starts.partitions);
    config.gone = match file.delivery {
        DeliveryMode::AtLeastOnce => GonePolicy::Earliest,
        // Going on elsewhere could load records twice: a broker that lost the end of its log has others there.
        DeliveryMode::ExactlyOnce => GonePolicy::Fail,
    };
    config.security = source.security.clone();
    config.raw = source.unsafe_librdkafka.clone();
    config.prefetch_bytes_max = options.prefetch_bytes_max;
    let of_vendor = source.preset.vendor.session_timeout_ms();
    config.session_timeout_ms = options.session_timeout_ms.unwrap_or(of_vendor);
    config.client_id = format!("housepipe-{}", file.name);
    config
}
