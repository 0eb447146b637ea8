//! How long rows fail to come after a pipe was killed, and how much is read again.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use housepipe_benches::{Shape, median};
use housepipe_local_stack::Stack;
use serde::Serialize;

use crate::{Delivery, pipe_file};

/// The group gives the partitions of a member that was killed to others after so many seconds.
const SESSION_TIMEOUT_S: u32 = 6;
/// Time for a row to come, and for a run to end.
const WAIT_MAX: Duration = Duration::from_secs(120);
/// An insert that was under way at the kill is done within this time.
const AFTERMATH: Duration = Duration::from_millis(1_500);

/// Medians over the runs.
#[derive(Serialize)]
pub(crate) struct Recovery {
    pub(crate) delivery: Delivery,
    pub(crate) session_timeout_s: u32,
    /// From the kill to the first new row.
    pub(crate) first_row_seconds: f64,
    /// Records that the second process read although their rows were stored.
    pub(crate) read_again: f64,
    /// Rows of one batch at most, which is what may be under way for a partition.
    pub(crate) batch_rows: u64,
}

/// Kills a pipe in the middle of a topic of `records`, and starts another at once.
pub(crate) fn measure(
    runs: usize,
    shape: Shape,
    delivery: Delivery,
    binary: &Path,
    stack: &Stack,
    records: u64,
) -> anyhow::Result<Recovery> {
    let (mut seconds, mut again) = (Vec::new(), Vec::new());
    let batch_rows = records / 40;
    for run in 0..runs {
        let table = format!("{}_{delivery}_recovery_{run}", shape.name());
        let file = std::env::temp_dir().join(format!("housepipe-bench-{}-{table}.yaml", std::process::id()));
        let pipe = pipe_file(stack, shape, delivery, &table);
        std::fs::write(&file, format!("{pipe}batch: {{ max_rows: {batch_rows} }}\n"))?;
        let mut first = start(binary, &file, &["--session-timeout", &SESSION_TIMEOUT_S.to_string()])?;
        wait_for_more(stack, &table, records / 4, &mut first)?;
        first.kill()?;
        first.wait()?;
        let killed = Instant::now();
        let timeout = SESSION_TIMEOUT_S.to_string();
        let mut second = start(binary, &file, &["--session-timeout", &timeout, "--until-caught-up"])?;
        pause(AFTERMATH);
        let stored = count(stack, &table);
        wait_for_more(stack, &table, stored, &mut second)?;
        seconds.push(killed.elapsed().as_secs_f64());
        let output = second.wait_with_output()?;
        ensure!(
            output.status.success(),
            "the second run failed:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let summary: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        let read = summary["read"].as_u64().context("the summary has no `read`")?;
        again.push((read + stored).saturating_sub(records) as f64);
        std::fs::remove_file(&file)?;
        stack.clickhouse.query(&format!("DROP TABLE {table} SYNC"))?;
    }
    Ok(Recovery {
        delivery,
        session_timeout_s: SESSION_TIMEOUT_S,
        first_row_seconds: median(seconds),
        read_again: median(again),
        batch_rows,
    })
}

fn start(binary: &Path, file: &Path, flags: &[&str]) -> anyhow::Result<Child> {
    let mut command = Command::new(binary);
    command.args(["--json", "--quiet", "--log", "error", "run"]).args(flags).arg(file);
    Ok(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?)
}

/// Waits until the table has more than `rows`.
fn wait_for_more(stack: &Stack, table: &str, rows: u64, pipe: &mut Child) -> anyhow::Result<()> {
    let since = Instant::now();
    while count(stack, table) <= rows {
        ensure!(since.elapsed() < WAIT_MAX, "no row came within {WAIT_MAX:?}");
        ensure!(pipe.try_wait()?.is_none() || count(stack, table) > rows, "the pipe has ended");
        pause(Duration::from_millis(10));
    }
    Ok(())
}

/// Rows of the table; none where it is not there yet.
fn count(stack: &Stack, table: &str) -> u64 {
    let answer = stack.clickhouse.query(&format!("SELECT count() FROM {table}"));
    answer.ok().and_then(|count| count.trim().parse().ok()).unwrap_or(0)
}

#[expect(clippy::disallowed_methods, reason = "a table has no event for its rows")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}
