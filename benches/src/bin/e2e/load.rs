//! One load of a whole topic into a fresh table, checked and counted.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use housepipe_benches::{ServerCpu, Shape};
use housepipe_local_stack::Stack;

use crate::{Delivery, pipe_file};

/// What one load took.
pub(crate) struct Sample {
    pub(crate) rows_per_core_second: f64,
    pub(crate) rows_per_second: f64,
    pub(crate) pipe_cpu_us: f64,
    pub(crate) clickhouse_cpu_us: f64,
    pub(crate) peak_rss_mib: f64,
    pub(crate) inserts: u64,
}

/// Loads the topic of `shape`, which has `records`, into a table made for it, and drops the table.
pub(crate) fn load(
    flags: &[String],
    shape: Shape,
    delivery: Delivery,
    binary: &Path,
    stack: &Stack,
    run: usize,
    records: u64,
) -> anyhow::Result<Sample> {
    let table = format!("{}_{delivery}_{run}", shape.name());
    let file = std::env::temp_dir().join(format!("housepipe-bench-{}-{table}.yaml", std::process::id()));
    std::fs::write(&file, pipe_file(stack, shape, delivery, &table))?;
    let server = ServerCpu::of(stack)?;
    let output = Command::new(binary)
        .args(["--json", "--quiet", "--log", "warn", "run", "--until-caught-up"])
        .args(flags)
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
