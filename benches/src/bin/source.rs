//! Kafka into nothing: what fetching, reading and encoding cost, without any insert.
//!
//! Fills a topic, then reads it as often as asked with the library's source, a worker for each core, each time as a new
//! consumer group, and encodes every record with the transform; rows are dropped. CPU is that of all threads of the
//! process, told apart by thread and by stage. Every run is checked: each record was read and has a row.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the output is the result, the remarks are progress"
)]

// The allocator of the binary.
#[cfg(target_os = "linux")]
#[path = "../../../crates/cli/src/allocator.rs"]
mod allocator;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Parser;
use housepipe_benches::threads::{self, Cpu};
use housepipe_benches::workers::Workers;
use housepipe_benches::{Shape, median, topic};
use housepipe_kafka_source::{PartitionReader, Source, SourceConfig};
use housepipe_local_stack::{ClickhouseOptions, KafkaOptions, Lines, Stack, prepare};
use housepipe_transform::{Columns, Encoder, Plan, PlanOptions};
use serde::Serialize;

/// Measures Kafka to nothing: fetch, read and encode, without an insert.
#[derive(Parser)]
struct Args {
    /// What to read.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Shape::Events, Shape::Logs])]
    corpus: Vec<Shape>,
    /// Megabytes of JSON in the topic.
    #[arg(long, default_value_t = 1000)]
    megabytes: u64,
    /// Runs of each corpus; medians are printed.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Partitions of the topic.
    #[arg(long, default_value_t = 4)]
    partitions: u16,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    corpus: &'static str,
    records: u64,
    megabytes: f64,
    megabytes_per_core_second: f64,
    megabytes_per_second: f64,
    fetch_ns: f64,
    read_ns: f64,
    encode_ns: f64,
    other_ns: f64,
    runs: usize,
}

/// Records read from one partition before the next has its turn, as the pipe does it.
const CHUNK_RECORDS: usize = 1_000;
/// Rows are dropped once there are so many bytes of them: what a batch of the pipe holds.
const ROWS_BYTES_MAX: usize = 16 << 20;
/// Time for one run.
const RUN_MAX: Duration = Duration::from_secs(300);

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> anyhow::Result<()> {
    let parts = prepare(&mut Lines::default())?;
    let stack =
        Stack::start_with(&parts, &ClickhouseOptions::default(), &KafkaOptions::default().with_throughput())?;
    let rows: Vec<Row> =
        args.corpus.iter().map(|shape| measure(args, *shape, &stack)).collect::<anyhow::Result<_>>()?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&rows)?);
    } else {
        print_table(&rows);
    }
    Ok(())
}

fn measure(args: &Args, shape: Shape, stack: &Stack) -> anyhow::Result<Row> {
    let name = shape.name();
    eprintln!("{name}: filling {} MB", args.megabytes);
    let config = SourceConfig::new(stack.kafka.bootstrap(), name, "unused");
    let (records, bytes) = topic::fill(&config, shape, args.partitions, args.megabytes)?;
    let mut samples = Vec::new();
    for run in 0..args.runs {
        let config = SourceConfig::new(stack.kafka.bootstrap(), name, format!("{name}-{run}"));
        let sample = read_all(&config, shape, records)?;
        eprintln!("{name}: run {}: {:.0} MB per core-second", run + 1, bytes as f64 / 1e6 / sample.all_s);
        samples.push(sample);
    }
    let ns =
        |seconds: fn(&Sample) -> f64| median(samples.iter().map(seconds).collect()) * 1e9 / records as f64;
    let megabytes = bytes as f64 / 1e6;
    Ok(Row {
        corpus: name,
        records,
        megabytes,
        megabytes_per_core_second: megabytes / median(samples.iter().map(|s| s.all_s).collect()),
        megabytes_per_second: megabytes / median(samples.iter().map(|s| s.wall_s).collect()),
        fetch_ns: ns(|s| s.fetch_s),
        read_ns: ns(|s| s.read_s),
        encode_ns: ns(|s| s.encode_s),
        other_ns: ns(|s| s.all_s - s.fetch_s - s.read_s - s.encode_s),
        runs: samples.len(),
    })
}

/// CPU seconds of one run, and its wall time.
struct Sample {
    wall_s: f64,
    all_s: f64,
    /// The threads of librdkafka.
    fetch_s: f64,
    read_s: f64,
    encode_s: f64,
}

/// What the workers have done so far.
#[derive(Default)]
struct Done {
    rows: AtomicU64,
    rejected: AtomicU64,
    read_ns: AtomicU64,
    encode_ns: AtomicU64,
    stop: AtomicBool,
}

fn read_all(config: &SourceConfig, shape: Shape, records: u64) -> anyhow::Result<Sample> {
    let columns: Columns = shape.corpus().columns().parse()?;
    let plan = Arc::new(Plan::compile(&columns, &PlanOptions::default())?);
    let done = Arc::new(Done::default());
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let (started, before) = (Instant::now(), threads::cpu()?);
    let mut senders = Vec::new();
    let mut workers = Vec::new();
    for _ in 0..cores {
        let (sender, readers) = sync_channel(1_000);
        let (plan, done) = (Arc::clone(&plan), Arc::clone(&done));
        senders.push(sender);
        workers.push(thread::spawn(move || work(&readers, &plan, &done)));
    }
    let source = Source::open(config, Arc::new(Workers(senders)))?;
    while done.rows.load(Ordering::Relaxed) < records {
        ensure!(started.elapsed() < RUN_MAX, "not every record was read within {RUN_MAX:?}");
        ensure!(!workers.iter().any(thread::JoinHandle::is_finished), "a worker has ended");
        source.poll(Duration::from_millis(10))?;
    }
    let (wall_s, used) = (started.elapsed().as_secs_f64(), threads::cpu()?.since(&before));
    done.stop.store(true, Ordering::Relaxed);
    for worker in workers {
        worker.join().ok().context("a worker panicked")??;
    }
    source.close();
    let (rows, rejected) = (done.rows.load(Ordering::Relaxed), done.rejected.load(Ordering::Relaxed));
    ensure!(rows == records && rejected == 0, "{rows} rows and {rejected} rejects of {records} records");
    let seconds = |ns: &AtomicU64| ns.load(Ordering::Relaxed) as f64 / 1e9;
    let Cpu { all_s, librdkafka_s: fetch_s } = used;
    Ok(Sample { wall_s, all_s, fetch_s, read_s: seconds(&done.read_ns), encode_s: seconds(&done.encode_ns) })
}

fn work(inbox: &Receiver<PartitionReader>, plan: &Arc<Plan>, done: &Done) -> anyhow::Result<()> {
    let mut encoder = Encoder::new(Arc::clone(plan));
    let (mut readers, mut rows) = (Vec::new(), Vec::new());
    while !done.stop.load(Ordering::Relaxed) {
        for reader in inbox.try_iter() {
            let me = thread::current();
            reader.set_waker(Arc::new(move || me.unpark()));
            readers.push(reader);
        }
        let mut any = false;
        for reader in &mut readers {
            let began = threads::own_cpu_ns()?;
            let fetched = reader.read(CHUNK_RECORDS)?;
            let bodies: Vec<&[u8]> =
                fetched.records().map(|record| record.payload.unwrap_or_default()).collect();
            let read = threads::own_cpu_ns()?;
            let mut rejected = 0;
            let count = encoder.encode_batch(&bodies, &mut rows, |_, _| rejected += 1);
            if rows.len() > ROWS_BYTES_MAX {
                std::hint::black_box(&rows);
                rows.clear();
            }
            let encoded = threads::own_cpu_ns()?;
            any |= !bodies.is_empty();
            done.rows.fetch_add(count as u64, Ordering::Relaxed);
            done.rejected.fetch_add(rejected, Ordering::Relaxed);
            done.read_ns.fetch_add(read - began, Ordering::Relaxed);
            done.encode_ns.fetch_add(encoded - read, Ordering::Relaxed);
        }
        if !any {
            thread::park_timeout(Duration::from_millis(20));
        }
    }
    Ok(())
}

fn print_table(rows: &[Row]) {
    println!(
        "| corpus | records | MB | MB per core-second | MB/s | fetch ns/record | read | encode | other |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|");
    for row in rows {
        println!(
            "| {} | {} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} |",
            row.corpus,
            row.records,
            row.megabytes,
            row.megabytes_per_core_second,
            row.megabytes_per_second,
            row.fetch_ns,
            row.read_ns,
            row.encode_ns,
            row.other_ns
        );
    }
}
