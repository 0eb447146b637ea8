//! The service beside a single pipe, and under many: how fast it loads a topic, what a pipe costs that rests, how long calls of the API take
//! while pipes load at full speed, and how soon all run again after a kill.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the output is the result, the remarks are progress"
)]

mod crowd;
mod speed;

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use housepipe_benches::Shape;
use housepipe_local_stack::{ClickhouseOptions, DATABASE, KafkaOptions, Lines, Stack, prepare};
use serde::Serialize;
use serde_json::{Value, json};

/// Measures `housepipe serve` with the release binary.
#[derive(Parser)]
struct Args {
    /// Pipes that are defined.
    #[arg(long, default_value_t = 1_000)]
    pipes: usize,
    /// How many of them load.
    #[arg(long, default_value_t = 50)]
    active: usize,
    /// Megabytes of JSON in the topic that each of them loads.
    #[arg(long, default_value_t = 200)]
    megabytes: u64,
    /// Seconds in which calls of the API are timed.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Megabytes of JSON in the topic that the service and `housepipe run` load in turns.
    #[arg(long, default_value_t = 600)]
    speed_megabytes: u64,
    /// Loads of each; medians are printed.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    speed: speed::Speed,
    crowd: crowd::Crowd,
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
    std::env::var_os("HOUSEPIPE_BINARY").context("start this with `cargo xtask bench service`")?;
    let parts = prepare(&mut Lines::default())?;
    let kafka = KafkaOptions::default().with_throughput();
    let stack = Stack::start_with(&parts, &ClickhouseOptions::default(), &kafka)?;
    let speed = speed::measure(args, &stack)?;
    let crowd = crowd::measure(args, &stack)?;
    let report = Report { speed, crowd };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        report.speed.print();
        report.crowd.print();
    }
    Ok(())
}

/// The pipe from `topic` into a table of its own, as the API takes it.
fn document(stack: &Stack, topic: &str, table: &str) -> Value {
    json!({
        "name": table.replace('_', "-"),
        "source": { "type": "kafka", "brokers": stack.kafka.bootstrap(), "topic": topic },
        "destination": {
            "url": stack.clickhouse.url(), "database": DATABASE, "table": table,
            "managed_table": { "order_by": Shape::Events.order_by().split(", ").collect::<Vec<_>>() },
            "columns": Shape::Events.corpus().columns(),
        }
    })
}
