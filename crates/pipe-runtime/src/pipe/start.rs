//! The start of a pipe, in two parts: a look at both ends, which creates what is missing and holds no memory for records; then its threads, with
//! the memory that they are given.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use housepipe_ch_sink::Sink;
use housepipe_kafka_source::{Source, SourceConfig};
use tokio::runtime::Handle;
use tracing::{Instrument, Span};

use super::membership::{self, Dispatcher};
use super::memory::Shares;
use super::provision::{self, Provisioned};
use super::shared::{PanicWatch, Setup, Shared};
use super::starts::LookPlace;
use super::state::Phase;
use super::system_writer::SystemWriter;
use super::windows::Windows;
use super::{Pipe, RunOptions, blocks, record, sink_config, source_config, starts, worker};
use crate::check::unencrypted;
use crate::delivery::Terms;
use crate::error::{PipeError, explain};
use crate::pipe_file::{DeliveryMode, PipeFile};
use crate::schemas::Schemas;
use crate::server_start::{SETTLING, is_settled};

/// Time to ask for the topic before the start, at most, in milliseconds.
const TOPIC_TIMEOUT_MS: u64 = 8_000;

/// Seconds after the commit of a range in which its insert may begin: more than an answer to a commit is waited for.
fn fence_s(session_timeout_ms: u32) -> u64 {
    FENCE_S.max(u64::from(session_timeout_ms).div_ceil(1_000) + FENCE_S)
}

/// The least of them, and those beside a member's session.
const FENCE_S: u64 = 30;

/// Told what a start is about to wait for.
pub(super) type Telling<'a> = dyn Fn(&'static str) + Send + Sync + 'a;

/// What the first part of a start has found, where everything that was missing is there by now.
pub(crate) struct Looked<'a> {
    file: &'a PipeFile,
    started: Instant,
    sink: Sink,
    source: SourceConfig,
    partitions: usize,
    schemas: Option<Schemas>,
    provisioned: Provisioned,
    /// Those of exactly-once mode.
    terms: Option<Terms>,
    windows: Windows,
    /// The table has rows.
    found_rows: bool,
}

/// Names the pipe in whatever is logged of it, also where only errors are: several may run in one process.
fn span_of(file: &PipeFile) -> Span {
    tracing::error_span!("pipe", name = %file.name)
}

impl<'a> Looked<'a> {
    /// The first part of a start. Where it is dropped, a statement that was sent may be carried out still.
    ///
    /// # Errors
    /// As [`Pipe::start`].
    pub(crate) async fn at(
        file: &'a PipeFile,
        options: &RunOptions,
        place: LookPlace,
        tell: impl Fn(&'static str) + Send + Sync,
    ) -> Result<Looked<'a>, PipeError> {
        Looked::look(file, options, place, &tell).instrument(span_of(file)).await
    }

    async fn look(
        file: &'a PipeFile,
        options: &RunOptions,
        place: LookPlace,
        tell: &Telling<'_>,
    ) -> Result<Looked<'a>, PipeError> {
        let started = Instant::now();
        let sink = Sink::new(&sink_config(file))?;
        let source = source_config(file, options);
        if let Some(risk) = unencrypted(&file.source.security)
            && !file.source.is_on_this_machine()
        {
            tracing::warn!(brokers = file.source.brokers, "{risk}");
        }
        // The topic and the schema first: a mistake in their names must not leave tables behind.
        tell("the brokers and the topic");
        let topic = starts::check(&source, Duration::from_millis(TOPIC_TIMEOUT_MS), place).await?;
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
        let partitions = topic.partitions;
        Ok(Looked {
            file,
            started,
            sink,
            source,
            partitions,
            schemas,
            provisioned,
            terms,
            windows,
            found_rows,
        })
    }

    /// Whether so much time has passed since that the ends may be other ones by now, in milliseconds.
    pub(crate) fn is_older_than(&self, ms: u64) -> bool {
        self.started.elapsed() > Duration::from_millis(ms)
    }

    /// The second part: takes the memory, joins the group and reads. `options` may give it another share of memory than the first part knew.
    ///
    /// # Errors
    /// As [`Pipe::start`].
    pub(crate) async fn start(
        self,
        options: RunOptions,
        tell: impl Fn(&'static str) + Send + Sync,
    ) -> Result<Pipe, PipeError> {
        let span = span_of(self.file);
        self.begin(options, &tell).instrument(span).await
    }

    async fn begin(self, options: RunOptions, tell: &Telling<'_>) -> Result<Pipe, PipeError> {
        let Looked {
            file,
            started,
            sink,
            mut source,
            partitions,
            schemas,
            provisioned,
            terms,
            windows,
            found_rows,
        } = self;
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let wanted = if options.workers == 0 { cores } else { options.workers };
        let worker_count = wanted.clamp(1, partitions.max(1));
        let inserts_in_flight_max = options.inserts_in_flight_max.max(1);
        let shares = Shares::of(
            options.memory_bytes_max,
            options.prefetch_bytes_max,
            file.batch.bytes_max,
            worker_count,
            inserts_in_flight_max,
            terms.is_some(),
        );
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
