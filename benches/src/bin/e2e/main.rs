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

mod recovery;

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::Parser;
use housepipe_benches::{ServerCpu, Shape, median, topic};
use housepipe_kafka_source::SourceConfig;
use housepipe_kafka_source::seed::{self, SeedRecord, TopicAdmin};
use housepipe_local_stack::{ClickhouseOptions, DATABASE, KafkaOptions, Lines, Stack, prepare};
use serde::Serialize;

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
    /// How the pipe delivers.
    #[arg(long, default_value = "at_least_once", value_parser = ["at_least_once", "exactly_once"])]
    delivery: String,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
    /// Flags for `housepipe run`.
    #[arg(last = true)]
    flags: Vec<String>,
}

#[derive(Serialize)]
struct Row {
    corpus: &'static str,
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
    recovery: Recovery,
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
        rows.push(measure(args, *shape, &binary, &stack)?);
    }
    let first_row_seconds = first_row(args, &binary, &stack)?;
    let (shape, row) = args.corpus.iter().zip(&rows).next().context("no corpus")?;
    eprintln!("{}: killing the pipe in the middle", row.corpus);
    let recovery = recovery::measure(args, *shape, &binary, &stack, row.records)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&Report { rows, first_row_seconds, recovery })?);
    } else {
        print_table(&rows);
        println!(
            "\nFrom the start of `housepipe run` to the first row in a query, group join included: {first_row_seconds:.2} s"
        );
        let Recovery { session_timeout_s, first_row_seconds, read_again, batch_rows } = recovery;
        println!(
            "From a kill with -9 to the first new row, another process started at once: {first_row_seconds:.2} s, of which \
             {session_timeout_s} s are the session timeout; {read_again:.0} records were read again (batches of {batch_rows} rows)"
        );
    }
    Ok(())
}

/// Seconds from the start of the process until a query sees a row, for a topic with a few records: the median of the
/// runs. It includes the join of a new consumer group.
#[expect(clippy::disallowed_methods, reason = "a table has no event for its first row")]
fn first_row(args: &Args, binary: &PathBuf, stack: &Stack) -> anyhow::Result<f64> {
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
            pipe_file(args, stack, Shape::Events, &table).replace("topic: events", "topic: first_row"),
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

fn measure(args: &Args, shape: Shape, binary: &PathBuf, stack: &Stack) -> anyhow::Result<Row> {
    let name = shape.name();
    let config = SourceConfig::new(stack.kafka.bootstrap(), name, "unused");
    eprintln!("{name}: filling {} MB", args.megabytes);
    let (records, bytes) = topic::fill(&config, shape, args.partitions, args.megabytes)?;
    let mut samples = Vec::new();
    for run in 0..args.runs {
        let sample = load(args, shape, binary, stack, run, records)?;
        eprintln!(
            "{name}: run {}: {:.0} rows per core-second, {:.0} rows/s",
            run + 1,
            sample.rows_per_core_second,
            sample.rows_per_second
        );
        samples.push(sample);
    }
    let over = |value: fn(&Sample) -> f64| median(samples.iter().map(value).collect());
    Ok(Row {
        corpus: name,
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
    })
}

struct Sample {
    rows_per_core_second: f64,
    rows_per_second: f64,
    pipe_cpu_us: f64,
    clickhouse_cpu_us: f64,
    peak_rss_mib: f64,
    inserts: u64,
}

fn load(
    args: &Args,
    shape: Shape,
    binary: &PathBuf,
    stack: &Stack,
    run: usize,
    records: u64,
) -> anyhow::Result<Sample> {
    let table = format!("{}_{run}", shape.name());
    let file = std::env::temp_dir().join(format!("housepipe-bench-{}-{table}.yaml", std::process::id()));
    std::fs::write(&file, pipe_file(args, stack, shape, &table))?;
    let server = ServerCpu::of(stack)?;
    let output = Command::new(binary)
        .args(["--json", "--quiet", "--log", "warn", "run", "--until-caught-up"])
        .args(&args.flags)
        .arg(&file)
        .output()?;
    ensure!(output.status.success(), "housepipe failed:\n{}", String::from_utf8_lossy(&output.stderr));
    wait_for_merges(stack, &table)?;
    let clickhouse_cpu = server.seconds_since()?;
    std::fs::remove_file(&file)?;
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let number = |key: &str| summary[key].as_f64().with_context(|| format!("the summary has no `{key}`"));
    let in_table: u64 = stack.clickhouse.query(&format!("SELECT count() FROM {table}"))?.trim().parse()?;
    ensure!(in_table == records, "{in_table} rows in the table, {records} records in the topic");
    stack.clickhouse.query(&format!("DROP TABLE {table} SYNC"))?;
    stack.clickhouse.query(&format!("DROP TABLE {table}_clickpipes_error SYNC"))?;
    let per_row = |seconds: f64| seconds * 1e6 / records as f64;
    Ok(Sample {
        rows_per_core_second: number("rows_per_core_second")?,
        rows_per_second: number("rows_per_second")?,
        pipe_cpu_us: per_row(number("cpu_seconds")?),
        clickhouse_cpu_us: per_row(clickhouse_cpu),
        peak_rss_mib: number("peak_rss_bytes")? / f64::from(1 << 20),
        inserts: summary["inserts"].as_u64().unwrap_or(0),
    })
}

/// Merges belong to the cost of a load; they are over when none runs for the table in several looks.
#[expect(clippy::disallowed_methods, reason = "the server has no event for the end of its merges")]
fn wait_for_merges(stack: &Stack, table: &str) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(120);
    let mut quiet = 0;
    while quiet < 5 {
        if Instant::now() > deadline {
            bail!("merges of {table} still run after two minutes");
        }
        std::thread::sleep(Duration::from_millis(100));
        let running =
            stack.clickhouse.query(&format!("SELECT count() FROM system.merges WHERE table = '{table}'"))?;
        quiet = if running.trim() == "0" { quiet + 1 } else { 0 };
    }
    Ok(())
}

fn pipe_file(args: &Args, stack: &Stack, shape: Shape, table: &str) -> String {
    format!(
        "name: {}\nsource: {{ type: kafka, brokers: '{}', topic: {}, consumer_group: {} }}\n\
         destination:\n  url: {}\n  database: {DATABASE}\n  table: {table}\n  managed_table: {{ order_by: [{}] }}\n  columns: \"{}\"\n\
         delivery: {}\n",
        table.replace('_', "-"),
        stack.kafka.bootstrap(),
        shape.name(),
        table,
        stack.clickhouse.url(),
        shape.order_by(),
        shape.corpus().columns(),
        args.delivery,
    )
}

fn print_table(rows: &[Row]) {
    println!(
        "| corpus | records | MB | rows per core-second | rows/s | pipe µs/row | ClickHouse µs/row | both µs/row | peak MiB | inserts |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for row in rows {
        println!(
            "| {} | {} | {:.0} | {:.0} | {:.0} | {:.2} | {:.2} | {:.2} | {:.0} | {} |",
            row.corpus,
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
