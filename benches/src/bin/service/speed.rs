//! The same topic through `housepipe run` and through the service, in turns.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use housepipe_benches::{ServerCpu, Shape, median, topic};
use housepipe_kafka_source::SourceConfig;
use housepipe_local_stack::Stack;
use housepipe_tests::Served;
use serde::Serialize;
use serde_json::json;

use crate::{Args, document};

/// How often the rows are counted, in milliseconds.
const LOOK_MS: u64 = 10;
/// Partitions of the topic.
const PARTITIONS: u16 = 4;
/// Time for one load, in seconds.
const LOAD_S_MAX: u64 = 600;

/// Medians of the loads.
#[derive(Serialize)]
pub(crate) struct Speed {
    records: u64,
    runs: usize,
    run_seconds: f64,
    service_seconds: f64,
    run_cpu_seconds: f64,
    service_cpu_seconds: f64,
    /// Rows a second of the service, as a share of those of `run`.
    share_of_speed: f64,
}

impl Speed {
    pub(crate) fn print(&self) {
        println!(
            "{} records, median of {}: `run` {:.2} s with {:.2} CPU s, the service {:.2} s with {:.2} CPU s: {:.2} of the speed",
            self.records,
            self.runs,
            self.run_seconds,
            self.run_cpu_seconds,
            self.service_seconds,
            self.service_cpu_seconds,
            self.share_of_speed
        );
    }
}

pub(crate) fn measure(args: &Args, stack: &Stack) -> anyhow::Result<Speed> {
    let config = SourceConfig::new(stack.kafka.bootstrap(), "speed", "unused");
    eprintln!("speed: filling {} MB", args.speed_megabytes);
    let (records, _) = topic::fill(&config, Shape::Events, PARTITIONS, args.speed_megabytes)?;
    let served = Served::start();
    let (mut of_run, mut of_service) = (Vec::new(), Vec::new());
    for run in 0..args.runs {
        of_run.push(load_by_run(stack, &format!("speed_run_{run}"), records)?);
        of_service.push(load_by_service(stack, &served, &format!("speed_service_{run}"), records)?);
        let (run_s, service_s) = (of_run[run].0, of_service[run].0);
        eprintln!("speed: {} of {}: run {run_s:.2} s, service {service_s:.2} s", run + 1, args.runs);
    }
    let middle =
        |samples: &[(f64, f64)], of: fn(&(f64, f64)) -> f64| median(samples.iter().map(of).collect());
    let (run_seconds, service_seconds) = (middle(&of_run, |s| s.0), middle(&of_service, |s| s.0));
    Ok(Speed {
        records,
        runs: args.runs,
        run_seconds,
        service_seconds,
        run_cpu_seconds: middle(&of_run, |s| s.1),
        service_cpu_seconds: middle(&of_service, |s| s.1),
        share_of_speed: run_seconds / service_seconds,
    })
}

/// Seconds and CPU seconds from the start of the process until all rows are there.
fn load_by_run(stack: &Stack, table: &str, records: u64) -> anyhow::Result<(f64, f64)> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("pipe.yaml");
    // JSON is YAML.
    std::fs::write(&file, document(stack, "speed", table).to_string())?;
    let binary = std::env::var_os("HOUSEPIPE_BINARY").context("no binary")?;
    let started = Instant::now();
    let mut process = Command::new(binary).args(["--quiet", "--log", "warn", "run"]).arg(&file).spawn()?;
    let cpu = ServerCpu::of_process(process.id())?;
    let waited = wait_for(stack, table, records);
    let (seconds, cpu) = (started.elapsed().as_secs_f64(), cpu.seconds_since()?);
    process.kill()?;
    process.wait()?;
    waited?;
    drop_tables(stack, table)?;
    Ok((seconds, cpu))
}

/// The same from the call that defines the pipe.
fn load_by_service(stack: &Stack, served: &Served, table: &str, records: u64) -> anyhow::Result<(f64, f64)> {
    let cpu = ServerCpu::of_process(served.pid())?;
    let started = Instant::now();
    let new = json!({ "pipe": document(stack, "speed", table) });
    let created = served.call("POST", "/api/v1/pipes", &[], Some(&new)).expect(201).body;
    wait_for(stack, table, records)?;
    let (seconds, cpu) = (started.elapsed().as_secs_f64(), cpu.seconds_since()?);
    let id = created["id"].as_str().context("no id")?;
    served.call("DELETE", &format!("/api/v1/pipes/{id}"), &[], None).expect(202);
    housepipe_tests::wait_until("the pipe to be gone", || {
        served.call("GET", &format!("/api/v1/pipes/{id}"), &[], None).status == 404
    });
    drop_tables(stack, table)?;
    Ok((seconds, cpu))
}

#[expect(clippy::disallowed_methods, reason = "a table has no event for its last row")]
fn wait_for(stack: &Stack, table: &str, records: u64) -> anyhow::Result<()> {
    let started = Instant::now();
    loop {
        // The table is made by the pipe; until then the query fails.
        let count = stack.clickhouse.query(&format!("SELECT count() FROM {table}"));
        let count = count.ok().and_then(|count| count.trim().parse::<u64>().ok()).unwrap_or(0);
        ensure!(count <= records, "{count} rows of {records} records");
        if count == records {
            return Ok(());
        }
        ensure!(
            started.elapsed() < Duration::from_secs(LOAD_S_MAX),
            "{count} of {records} rows came in time"
        );
        std::thread::sleep(Duration::from_millis(LOOK_MS));
    }
}

fn drop_tables(stack: &Stack, table: &str) -> anyhow::Result<()> {
    for table in [table.to_owned(), format!("{table}_clickpipes_error")] {
        stack.clickhouse.query(&format!("DROP TABLE {table} SYNC"))?;
    }
    Ok(())
}
