//! Kafka to ClickHouse, end to end: the release binary against real servers on this machine.
//!
//! Fills a topic once per corpus, then loads it into a fresh table as often as asked, each time with a new consumer
//! group. Every run is checked: the table holds every record exactly as often as the summary says. CPU is that of the
//! whole `housepipe` process; that of ClickHouse includes the merges that follow the inserts.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the output is the result, the remarks are progress"
)]

mod load;
mod recovery;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::{Parser, ValueEnum};
use housepipe_benches::{Shape, median, topic};
use housepipe_kafka_source::SourceConfig;
use housepipe_kafka_source::seed::{self, SeedRecord, TopicAdmin};
use housepipe_local_stack::{ClickhouseOptions, DATABASE, KafkaOptions, Lines, Stack, prepare};
use serde::Serialize;

use load::Sample;
use recovery::Recovery;

/// Measures Kafka to ClickHouse with the release binary.
#[derive(Parser)]
struct Args {
    /// What to load.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Shape::Events, Shape::Logs])]
    corpus: Vec<Shape>,
    /// Megabytes of JSON in the topic.
    #[arg(long, default_value_t = 600)]
    megabytes: u64,
    /// Runs of each corpus; medians are printed.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Partitions of the topic.
    #[arg(long, default_value_t = 4)]
    partitions: u16,
    /// How the pipe delivers. Of several, each is loaded in turns in every run, and all are compared with the first.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Delivery::AtLeastOnce])]
    delivery: Vec<Delivery>,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
    /// Flags for `housepipe run`.
    #[arg(last = true)]
    flags: Vec<String>,
}

impl Args {
    /// What is measured once only is measured with it.
    fn first_delivery(&self) -> anyhow::Result<Delivery> {
        self.delivery.first().copied().context("no delivery")
    }
}

/// The pipe file's `delivery`.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[value(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
enum Delivery {
    AtLeastOnce,
    ExactlyOnce,
}

impl std::fmt::Display for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::AtLeastOnce => "at_least_once",
            Self::ExactlyOnce => "exactly_once",
        })
    }
}

#[derive(Serialize)]
struct Row {
    corpus: &'static str,
    delivery: Delivery,
    records: u64,
    megabytes: f64,
    rows_per_core_second: f64,
    rows_per_second: f64,
    pipe_cpu_us_per_row: f64,
    clickhouse_cpu_us_per_row: f64,
    both_cpu_us_per_row: f64,
    peak_rss_mib: f64,
    inserts: u64,
    runs: usize,
}

#[derive(Serialize)]
struct Report {
    rows: Vec<Row>,
    first_row_seconds: f64,
    recovery: Vec<Recovery>,
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
    let binary = std::env::var_os("HOUSEPIPE_BINARY")
        .map(PathBuf::from)
        .context("start this with `cargo xtask bench e2e`")?;
    let parts = prepare(&mut Lines::default())?;
    let stack =
        Stack::start_with(&parts, &ClickhouseOptions::default(), &KafkaOptions::default().with_throughput())?;
    let mut rows = Vec::new();
    for shape in &args.corpus {
        rows.extend(measure(args, *shape, &binary, &stack)?);
    }
    let first_row_seconds = first_row(args, &binary, &stack)?;
    let (shape, records) = args
        .corpus
        .first()
        .zip(rows.first())
        .map(|(shape, row)| (*shape, row.records))
        .context("no corpus")?;
    let mut recovery = Vec::new();
    for delivery in &args.delivery {
        eprintln!("{}, {delivery}: killing the pipe in the middle", shape.name());
        recovery.push(recovery::measure(args.runs, shape, *delivery, &binary, &stack, records)?);
    }
    let report = Report { rows, first_row_seconds, recovery };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print(&report);
    }
    Ok(())
}

/// Seconds from the start of the process until a query sees a row, for a topic with a few records: the median of the
/// runs. It includes the join of a new consumer group.
#[expect(clippy::disallowed_methods, reason = "a table has no event for its first row")]
fn first_row(args: &Args, binary: &Path, stack: &Stack) -> anyhow::Result<f64> {
    let topic = "first_row";
    let config = SourceConfig::new(stack.kafka.bootstrap(), topic, "unused");
    TopicAdmin::create_topic(&config, topic, args.partitions.into())?;
    let (corpus, mut record) = (Shape::Events.corpus(), Vec::new());
    let producer = seed::Producer::connect(&config)?;
    for index in 0..1_000 {
        corpus.write(index, &mut record);
        producer.send(SeedRecord { payload: Some(&record), ..SeedRecord::default() })?;
    }
    producer.flush(Duration::from_secs(30))?;
    let mut seconds = Vec::new();
    for run in 0..args.runs {
        let table = format!("{topic}_{run}");
        let file = std::env::temp_dir().join(format!("housepipe-bench-{}-{table}.yaml", std::process::id()));
        std::fs::write(
            &file,
            pipe_file(stack, Shape::Events, args.first_delivery()?, &table)
                .replace("topic: events", "topic: first_row"),
        )?;
        let started = Instant::now();
        let mut pipe = Command::new(binary).args(["--quiet", "--log", "error", "run"]).arg(&file).spawn()?;
        let seen = loop {
            // The table is made by the pipe; until then the query fails.
            let count = stack.clickhouse.query(&format!("SELECT count() FROM {table}"));
            if count.is_ok_and(|count| count.trim() != "0") {
                break Some(started.elapsed());
            }
            if started.elapsed() > Duration::from_secs(60) || pipe.try_wait()?.is_some() {
                break None;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        pipe.kill()?;
        pipe.wait()?;
        std::fs::remove_file(&file)?;
        seconds.push(seen.context("no row came")?.as_secs_f64());
    }
    Ok(median(seconds))
}

/// A row for each way to deliver.
fn measure(args: &Args, shape: Shape, binary: &Path, stack: &Stack) -> anyhow::Result<Vec<Row>> {
    let name = shape.name();
    let config = SourceConfig::new(stack.kafka.bootstrap(), name, "unused");
    eprintln!("{name}: filling {} MB", args.megabytes);
    let (records, bytes) = topic::fill(&config, shape, args.partitions, args.megabytes)?;
    let mut samples: Vec<Vec<Sample>> = args.delivery.iter().map(|_| Vec::new()).collect();
    for run in 0..args.runs {
        for (delivery, samples) in args.delivery.iter().zip(&mut samples) {
            let sample = load::load(&args.flags, shape, *delivery, binary, stack, run, records)?;
            eprintln!(
                "{name}, {delivery}: run {}: {:.2} CPU µs/row, {:.0} rows/s",
                run + 1,
                sample.pipe_cpu_us,
                sample.rows_per_second
            );
            samples.push(sample);
        }
    }
    let row = |delivery: &Delivery, samples: &Vec<Sample>| {
        let over = |value: fn(&Sample) -> f64| median(samples.iter().map(value).collect());
        Row {
            corpus: name,
            delivery: *delivery,
            records,
            megabytes: bytes as f64 / 1e6,
            rows_per_core_second: over(|s| s.rows_per_core_second),
            rows_per_second: over(|s| s.rows_per_second),
            pipe_cpu_us_per_row: over(|s| s.pipe_cpu_us),
            clickhouse_cpu_us_per_row: over(|s| s.clickhouse_cpu_us),
            both_cpu_us_per_row: over(|s| s.pipe_cpu_us + s.clickhouse_cpu_us),
            peak_rss_mib: over(|s| s.peak_rss_mib),
            inserts: samples.first().map_or(0, |s| s.inserts),
            runs: samples.len(),
        }
    };
    Ok(args.delivery.iter().zip(&samples).map(|(delivery, samples)| row(delivery, samples)).collect())
}

fn pipe_file(stack: &Stack, shape: Shape, delivery: Delivery, table: &str) -> String {
    format!(
        "name: {}\nsource: {{ type: kafka, brokers: '{}', topic: {}, consumer_group: {} }}\n\
         destination:\n  url: {}\n  database: {DATABASE}\n  table: {table}\n  managed_table: {{ order_by: [{}] }}\n  columns: \"{}\"\n\
         delivery: {delivery}\n",
        table.replace('_', "-"),
        stack.kafka.bootstrap(),
        shape.name(),
        table,
        stack.clickhouse.url(),
        shape.order_by(),
        shape.corpus().columns(),
    )
}

fn print(report: &Report) {
    print_table(&report.rows);
    for row in &report.rows {
        let first = report.rows.iter().find(|first| first.corpus == row.corpus);
        let Some(first) = first.filter(|first| first.delivery != row.delivery) else { continue };
        println!(
            "\n{}: {} takes {:.2} times the CPU and {:.2} times the time of {}",
            row.corpus,
            row.delivery,
            row.pipe_cpu_us_per_row / first.pipe_cpu_us_per_row,
            first.rows_per_second / row.rows_per_second,
            first.delivery
        );
    }
    println!(
        "\nFrom the start of `housepipe run` to the first row in a query, group join included: {:.2} s",
        report.first_row_seconds
    );
    for Recovery { delivery, session_timeout_s, first_row_seconds, read_again, batch_rows } in
        &report.recovery
    {
        println!(
            "{delivery}: from a kill with -9 to the first new row, another process started at once: {first_row_seconds:.2} s, of \
             which {session_timeout_s} s are the session timeout; {read_again:.0} records were read again (batches of \
             {batch_rows} rows)"
        );
    }
}

fn print_table(rows: &[Row]) {
    println!(
        "| corpus | delivery | records | MB | rows per core-second | rows/s | pipe µs/row | ClickHouse µs/row | both µs/row | peak MiB | inserts |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for row in rows {
        println!(
            "| {} | {} | {} | {:.0} | {:.0} | {:.0} | {:.2} | {:.2} | {:.2} | {:.0} | {} |",
            row.corpus,
            row.delivery,
            row.records,
            row.megabytes,
            row.rows_per_core_second,
            row.rows_per_second,
            row.pipe_cpu_us_per_row,
            row.clickhouse_cpu_us_per_row,
            row.both_cpu_us_per_row,
            row.peak_rss_mib,
            row.inserts
        );
    }
}
