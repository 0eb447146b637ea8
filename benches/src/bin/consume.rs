//! Taking records out of librdkafka: the library's source beside rdkafka's `BaseConsumer::poll`.
//!
//! Fills a topic, then reads it whole with one and the other in turns, each time as a new consumer group, each on one thread.
//! What is compared is the CPU time of that thread a record: librdkafka's own threads do the same for both, and are told beside
//! it. Every run is checked: both have seen each record, and the same bytes.

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
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Parser;
use housepipe_benches::threads;
use housepipe_benches::workers::Workers;
use housepipe_benches::{Shape, median, topic};
use housepipe_kafka_source::{PartitionReader, Source, SourceConfig};
use housepipe_local_stack::{ClickhouseOptions, KafkaOptions, Lines, Stack, prepare};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Message};
use serde::Serialize;

/// Measures what taking a record out of librdkafka costs, beside `BaseConsumer::poll`.
#[derive(Parser)]
struct Args {
    /// What to read.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Shape::Events, Shape::Logs])]
    corpus: Vec<Shape>,
    /// Megabytes of JSON in the topic.
    #[arg(long, default_value_t = 500)]
    megabytes: u64,
    /// Runs of each; medians are printed.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Partitions of the topic.
    #[arg(long, default_value_t = 4)]
    partitions: u16,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

/// Records read from one partition before the next has its turn, as the pipe does it.
const CHUNK_RECORDS: usize = 1_000;
/// Time for one run.
const RUN_MAX: Duration = Duration::from_secs(300);
/// The longest wait for a record, in milliseconds.
const WAIT_MS: u64 = 20;

/// One corpus: nanoseconds of CPU a record.
#[derive(Serialize)]
struct Row {
    corpus: &'static str,
    records: u64,
    source_ns: f64,
    poll_ns: f64,
    ratio: f64,
    source_librdkafka_ns: f64,
    poll_librdkafka_ns: f64,
}

/// What one run has used, and what it has seen.
struct Sample {
    reading_s: f64,
    librdkafka_s: f64,
    records: u64,
    bytes: u64,
}

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
        return Ok(());
    }
    println!(
        "| corpus | records | source, ns a record | `BaseConsumer::poll` | ratio | librdkafka beside the source | beside `poll` |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|");
    for row in &rows {
        println!(
            "| {} | {} | {:.0} | {:.0} | {:.2} | {:.0} | {:.0} |",
            row.corpus,
            row.records,
            row.source_ns,
            row.poll_ns,
            row.ratio,
            row.source_librdkafka_ns,
            row.poll_librdkafka_ns
        );
    }
    Ok(())
}

fn measure(args: &Args, shape: Shape, stack: &Stack) -> anyhow::Result<Row> {
    let name = shape.name();
    eprintln!("{name}: filling {} MB", args.megabytes);
    let config = SourceConfig::new(stack.kafka.bootstrap(), name, "unused");
    let (records, bytes) = topic::fill(&config, shape, args.partitions, args.megabytes)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for run in 0..args.runs {
        let group = |who| format!("{name}-{who}-{run}");
        for (who, samples) in [("source", &mut ours), ("poll", &mut theirs)] {
            let sample = match who {
                "source" => {
                    by_source(&SourceConfig::new(stack.kafka.bootstrap(), name, group(who)), records)?
                }
                _ => by_poll(stack.kafka.bootstrap(), name, &group(who), records)?,
            };
            ensure!(
                (sample.records, sample.bytes) == (records, bytes),
                "{who} has seen {} records of {} bytes, and {records} of {bytes} are there",
                sample.records,
                sample.bytes
            );
            eprintln!(
                "{name}: run {}, {who}: {:.0} ns a record",
                run + 1,
                sample.reading_s * 1e9 / records as f64
            );
            samples.push(sample);
        }
    }
    let ns = |samples: &[Sample], seconds: fn(&Sample) -> f64| {
        median(samples.iter().map(seconds).collect()) * 1e9 / records as f64
    };
    let (source_ns, poll_ns) = (ns(&ours, |s| s.reading_s), ns(&theirs, |s| s.reading_s));
    Ok(Row {
        corpus: name,
        records,
        source_ns,
        poll_ns,
        ratio: source_ns / poll_ns,
        source_librdkafka_ns: ns(&ours, |s| s.librdkafka_s),
        poll_librdkafka_ns: ns(&theirs, |s| s.librdkafka_s),
    })
}

/// With rdkafka, by its defaults but for what a group has to be told.
fn by_poll(brokers: &str, topic: &str, group: &str, records: u64) -> anyhow::Result<Sample> {
    let before = threads::cpu()?;
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", group)
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .create()?;
    let own_before = threads::own_cpu_ns()?;
    consumer.subscribe(&[topic])?;
    let started = Instant::now();
    let mut sample = Sample { reading_s: 0.0, librdkafka_s: 0.0, records: 0, bytes: 0 };
    while sample.records < records {
        ensure!(started.elapsed() < RUN_MAX, "not every record was read within {RUN_MAX:?}");
        if let Some(message) = consumer.poll(Duration::from_millis(WAIT_MS)) {
            let message = message?;
            sample.records += 1;
            sample.bytes += message.payload().map_or(0, <[u8]>::len) as u64;
        }
    }
    sample.reading_s = (threads::own_cpu_ns()? - own_before) as f64 / 1e9;
    sample.librdkafka_s = threads::cpu()?.since(&before).librdkafka_s;
    Ok(sample)
}

/// With the library's source; the thread that keeps the membership alive counts, too.
fn by_source(config: &SourceConfig, records: u64) -> anyhow::Result<Sample> {
    let before = threads::cpu()?;
    let (sender, inbox) = sync_channel::<PartitionReader>(1_000);
    let stop = Arc::new(AtomicBool::new(false));
    let reading = {
        let stop = Arc::clone(&stop);
        thread::spawn(move || -> anyhow::Result<(u64, u64, u64)> {
            let own_before = threads::own_cpu_ns()?;
            let (mut readers, mut seen, mut bytes) = (Vec::new(), 0u64, 0u64);
            while seen < records && !stop.load(Ordering::Relaxed) {
                for reader in inbox.try_iter() {
                    let me = thread::current();
                    reader.set_waker(Arc::new(move || me.unpark()));
                    readers.push(reader);
                }
                let seen_before = seen;
                for reader in &mut readers {
                    for record in reader.read(CHUNK_RECORDS)?.records() {
                        seen += 1;
                        bytes += record.payload.map_or(0, <[u8]>::len) as u64;
                    }
                }
                if seen == seen_before {
                    thread::park_timeout(Duration::from_millis(WAIT_MS));
                }
            }
            Ok((seen, bytes, threads::own_cpu_ns()? - own_before))
        })
    };
    let source = Source::open(config, Arc::new(Workers(vec![sender])))?;
    let (started, own_before) = (Instant::now(), threads::own_cpu_ns()?);
    while !reading.is_finished() {
        if started.elapsed() >= RUN_MAX {
            stop.store(true, Ordering::Relaxed);
        }
        source.poll(Duration::from_millis(WAIT_MS))?;
    }
    let polling_ns = threads::own_cpu_ns()? - own_before;
    let librdkafka_s = threads::cpu()?.since(&before).librdkafka_s;
    let (records, bytes, reading_ns) = reading.join().ok().context("the reading thread panicked")??;
    source.close();
    Ok(Sample { reading_s: (polling_ns + reading_ns) as f64 / 1e9, librdkafka_s, records, bytes })
}
