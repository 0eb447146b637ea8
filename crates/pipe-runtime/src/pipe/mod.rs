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

use housepipe_ch_sink::{Sink, SinkConfig};
use housepipe_kafka_source::{GonePolicy, Source, SourceConfig};
use tokio::runtime::Handle;
use tracing::{Instrument, Span};

pub(crate) use exactly_once::fresh_lineage;
pub use measure::{Horizon, RunMetrics};
pub use progress::{Counters, PartitionProgress, Recoveries};
pub(crate) use record::CODE_NO_VALUE;
pub use state::PipeState;
pub use tally::{Latency, Moves, Tally, Totals};

use crate::check::unencrypted;
use crate::delivery::Terms;
use crate::error::{PipeError, explain};
use crate::pipe_file::{DeliveryMode, PipeFile};
use crate::schemas::Schemas;
use crate::server_start::{SETTLING, is_settled};
use crate::summary::{Snapshot, Summary};
use crate::usage;
use membership::Dispatcher;
use memory::Shares;
use shared::{PanicWatch, Setup, Shared};
use state::Phase;
use system_writer::SystemWriter;
use windows::Windows;

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

/// Told what a start is about to wait for.
type Telling<'a> = dyn Fn(&'static str) + Send + Sync + 'a;

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
        Pipe::start_telling(file, options, |_| ()).await
    }

    /// The same, and tells what it is about to wait for. Where it is dropped, a statement that was sent may be carried out still.
    ///
    /// # Errors
    /// As [`Pipe::start`].
    pub async fn start_telling(
        file: &PipeFile,
        options: RunOptions,
        tell: impl Fn(&'static str) + Send + Sync,
    ) -> Result<Pipe, PipeError> {
        // Whatever is logged of it names it, also where only errors are: several may run in one process.
        Pipe::started(file, options, &tell).instrument(tracing::error_span!("pipe", name = %file.name)).await
    }

    /// The same within its span, which all its threads and tasks take over from whoever starts them.
    async fn started(file: &PipeFile, options: RunOptions, tell: &Telling<'_>) -> Result<Pipe, PipeError> {
        let started = Instant::now();
        let sink = Sink::new(&sink_config(file))?;
        let source = source_config(file, &options);
        if let Some(risk) = unencrypted(&file.source.security)
            && !file.source.is_on_this_machine()
        {
            tracing::warn!(brokers = file.source.brokers, "{risk}");
        }
        // The topic and the schema first: a mistake in their names must not leave tables behind.
        tell("the brokers and the topic");
        let topic = starts::check(&source, Duration::from_millis(TOPIC_TIMEOUT_MS)).await?;
        let schemas = match &file.schema_registry {
            Some(registry) => {
                tell("the schema registry");
                Some(Schemas::open(registry).await?)
            }
            None => None,
        };
        let provisioned = provision::provision(file, &sink, schemas.as_ref(), tell).await?;
        let (terms, windows) = match file.delivery {
            DeliveryMode::AtLeastOnce => (None, Windows::default()),
            DeliveryMode::ExactlyOnce => {
                tell("what clickhouse says of the inserts that it remembers");
                let windows = provision::token_windows(file, &sink).await?;
                provision::look_back(file, &sink, &provisioned).await?;
                (
                    Some(Terms { plan: provisioned.range_hash, fence_s: fence_s(source.session_timeout_ms) }),
                    windows,
                )
            }
        };
        let found_rows = terms.is_some() && has_rows(&sink, &file.destination.table).await;
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let wanted = if options.workers == 0 { cores } else { options.workers };
        let worker_count = wanted.clamp(1, topic.partitions.max(1));
        let inserts_in_flight_max = options.inserts_in_flight_max.max(1);
        let shares = Shares::of(
            options.memory_bytes_max,
            options.prefetch_bytes_max,
            file.batch.bytes_max,
            worker_count,
            inserts_in_flight_max,
            terms.is_some(),
        );
        let mut source = source;
        source.prefetch_bytes_max = shares.prefetch_bytes_max;
        let (shared, events) = Shared::new(
            Setup {
                batch_bytes_max: shares.batch_bytes_max,
                labels: record::Labels { pipe: file.name.to_string(), topic: file.source.topic.clone() },
                schemas,
                target: provisioned.target,
                error_table: provisioned.error_table,
                sink,
                source: source.clone(),
                until_caught_up: options.until_caught_up,
                inserts_in_flight_max,
                open_bytes_max: shares.open_bytes_max,
                found_rows,
            },
            file.live_settings(),
            terms,
            windows,
            Handle::current(),
        );
        tell("clickhouse to have run for long enough");
        know_server(&shared).await?;
        if shared.is_exactly_once() {
            blocks::look(&shared).await?;
            blocks::watch(&shared);
        }
        let unstarted = Unstarted(&shared);
        let mut workers = Vec::new();
        for index in 0..worker_count {
            workers.push(spawn_worker(index, &shared, &provisioned.plan)?);
        }
        let dispatcher = Dispatcher::new(Arc::clone(&shared));
        let assignment = Arc::clone(&dispatcher);
        tell("the consumer group");
        let opened = tokio::task::spawn_blocking(move || Source::open(&source, assignment)).await;
        let source = opened.map_err(|_| PipeError::WorkerPanicked)??;
        let (for_membership, span) = (Arc::clone(&shared), Span::current());
        let membership = thread::Builder::new()
            .name("housepipe-group".to_owned())
            .spawn(move || span.in_scope(|| membership::run(&for_membership, source, &dispatcher, workers)))
            .map_err(PipeError::Thread)?;
        unstarted.has_started();
        let system_writer = match &shared.setup.error_table {
            Some(table) => {
                let sink = shared.setup.sink.clone();
                Some(SystemWriter::spawn(&shared.system_log, sink, table.clone(), events))
            }
            None => {
                shared.system_log.end();
                None
            }
        };
        let name = file.name.to_string();
        Ok(Pipe { shared, membership, options, started, name, system_writer })
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

/// Ends what a start has begun, where the start comes to nothing: the workers would wait for orders for ever.
struct Unstarted<'a>(&'a Arc<Shared>);

impl Unstarted<'_> {
    fn has_started(self) {
        std::mem::forget(self);
    }
}

impl Drop for Unstarted<'_> {
    fn drop(&mut self) {
        self.0.orders.end();
        self.0.advance(Phase::Aborted);
    }
}

/// Asks for the server's clock; in exactly-once mode until it has run for so long that it may be inserted into.
async fn know_server(shared: &Shared) -> Result<(), PipeError> {
    let needs_start = shared.is_exactly_once() && shared.setup.target.is_of_one_server();
    loop {
        let asked = Instant::now();
        let clock = shared.setup.sink.server_clock().await?;
        shared.know_server_clock(clock, asked);
        if !needs_start || is_settled(clock) {
            return Ok(());
        }
        tokio::time::sleep(SETTLING).await;
    }
}

/// Whether the table has rows, as far as that can be seen: it only decides whether somebody is told of a start from nothing.
async fn has_rows(sink: &Sink, table: &str) -> bool {
    sink.has_rows(table).await.unwrap_or_else(|error| {
        tracing::debug!(error = explain(&error), "whether the table has rows could not be asked");
        false
    })
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

/// Seconds after the commit of a range in which its insert may begin: more than an answer to a commit is waited for.
fn fence_s(session_timeout_ms: u32) -> u64 {
    FENCE_S.max(u64::from(session_timeout_ms).div_ceil(1_000) + FENCE_S)
}

/// The least of them, and those beside a member's session.
const FENCE_S: u64 = 30;

/// Time that an aborted pipe may take to leave the group, in milliseconds.
const ABORT_MS_MAX: u64 = 3_000;

/// Time to ask for the topic before the start, at most, in milliseconds.
const TOPIC_TIMEOUT_MS: u64 = 8_000;

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

fn spawn_worker(
    index: usize,
    shared: &Arc<Shared>,
    plan: &Arc<housepipe_transform::Plan>,
) -> Result<thread::JoinHandle<()>, PipeError> {
    let (orders, inbox) = crossbeam_channel::unbounded();
    let worker = worker::Worker::new(Arc::clone(shared), Arc::clone(plan), inbox);
    let (watched, span) = (Arc::clone(shared), Span::current());
    let join = thread::Builder::new()
        .name(format!("housepipe-worker-{index}"))
        .spawn(move || {
            let _entered = span.entered();
            let _watch = PanicWatch::new(watched);
            worker.run();
        })
        .map_err(PipeError::Thread)?;
    let thread = join.thread().clone();
    shared.add_sleeper(thread.clone());
    shared.orders.add(orders, thread);
    Ok(join)
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
