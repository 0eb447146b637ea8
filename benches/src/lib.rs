//! What the benchmarks share: the corpora, the CPU time of a server, medians.

#[cfg(feature = "e2e")]
pub mod threads;
#[cfg(feature = "e2e")]
pub mod topic;
pub mod transform;
pub mod validation;
#[cfg(feature = "e2e")]
pub mod workers;

use anyhow::Context;
use clap::ValueEnum;
use housepipe_local_stack::Stack;
use housepipe_local_stack::corpus::{Corpus, Events, Logs};

/// Which records a benchmark loads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shape {
    /// 12 columns, about 280 bytes, mostly numbers.
    Events,
    /// 38 columns, about 1.3 KB, mostly strings.
    Logs,
}

impl Shape {
    /// Its name, also that of its topic.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Events => "events",
            Shape::Logs => "logs",
        }
    }

    /// Its records.
    pub fn corpus(self) -> Box<dyn Corpus> {
        match self {
            Shape::Events => Box::new(Events::new(SEED)),
            Shape::Logs => Box::new(Logs::new(SEED)),
        }
    }

    /// The sorting key of its table.
    pub fn order_by(self) -> &'static str {
        match self {
            Shape::Events => "event, ts",
            Shape::Logs => "app_name, timestamp",
        }
    }
}

/// The corpora are the same in every run.
const SEED: u64 = 1;

/// CPU seconds of the stack's ClickHouse since a moment.
pub struct ServerCpu {
    pid: u32,
    before: f64,
}

impl ServerCpu {
    /// Starts counting now.
    ///
    /// # Errors
    /// Where the server is not one of this machine, so that its time cannot be read.
    pub fn of(stack: &Stack) -> anyhow::Result<ServerCpu> {
        let pid = stack
            .clickhouse
            .pid()
            .context("the CPU time of a ClickHouse of your own cannot be read; unset CLICKHOUSE_URL")?;
        ServerCpu::of_process(pid)
    }

    /// Starts counting the time of this process now.
    ///
    /// # Errors
    /// Where there is no such process.
    pub fn of_process(pid: u32) -> anyhow::Result<ServerCpu> {
        Ok(ServerCpu { pid, before: cpu_seconds(pid)? })
    }

    /// User and system seconds of all its threads since [`ServerCpu::of`].
    ///
    /// # Errors
    /// Where the server has ended.
    pub fn seconds_since(&self) -> anyhow::Result<f64> {
        Ok(cpu_seconds(self.pid)? - self.before)
    }
}

/// From `/proc/<pid>/stat`, whose fields 14 and 15 are clock ticks of 10 ms (`proc(5)`; the kernel's USER_HZ is 100).
fn cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .context("the server's CPU time cannot be read")?;
    let fields: Vec<&str> =
        stat.rsplit_once(')').context("an odd /proc stat")?.1.split_whitespace().collect();
    let ticks =
        |index: usize| -> anyhow::Result<f64> { Ok(fields.get(index).context("short stat")?.parse()?) };
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}

/// The middle value; of an even number of values the upper one of the two in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert!(median(vec![]).is_nan());
    }

    #[test]
    fn reads_its_own_cpu_time() {
        assert!(cpu_seconds(std::process::id()).unwrap() >= 0.0);
    }
}
