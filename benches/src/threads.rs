//! CPU time of this process, by thread.

use anyhow::Context;
use nix::time::{ClockId, clock_gettime};

/// CPU seconds, user and system.
#[derive(Debug, Clone, Copy)]
pub struct Cpu {
    /// All threads, those that have ended included.
    pub all_s: f64,
    /// The threads of librdkafka, which are named `rdk:…`.
    pub librdkafka_s: f64,
}

impl Cpu {
    /// What was used since `before`, when no thread of librdkafka has ended in between.
    pub fn since(&self, before: &Cpu) -> Cpu {
        Cpu { all_s: self.all_s - before.all_s, librdkafka_s: self.librdkafka_s - before.librdkafka_s }
    }
}

/// What this process has used so far. Of single threads Linux tells clock ticks of 10 ms (`proc(5)`).
///
/// # Errors
/// Where `/proc` cannot be read.
pub fn cpu() -> anyhow::Result<Cpu> {
    let mut librdkafka_s = 0.0;
    for task in std::fs::read_dir("/proc/self/task").context("the threads cannot be listed")? {
        // A thread may end while it is looked at.
        let Ok(stat) = std::fs::read_to_string(task?.path().join("stat")) else { continue };
        let (name, fields) = stat.rsplit_once(')').context("an odd /proc stat")?;
        if name.contains("(rdk:") {
            let fields: Vec<&str> = fields.split_whitespace().collect();
            for field in &fields[11..13] {
                librdkafka_s += field.parse::<f64>()? / 100.0;
            }
        }
    }
    Ok(Cpu { all_s: nanoseconds(ClockId::CLOCK_PROCESS_CPUTIME_ID)? as f64 / 1e9, librdkafka_s })
}

/// CPU time of the calling thread, in nanoseconds.
///
/// # Errors
/// Where the operating system does not tell.
pub fn own_cpu_ns() -> anyhow::Result<u64> {
    nanoseconds(ClockId::CLOCK_THREAD_CPUTIME_ID)
}

fn nanoseconds(clock: ClockId) -> anyhow::Result<u64> {
    let time = clock_gettime(clock)?;
    Ok(u64::try_from(time.tv_sec())? * 1_000_000_000 + u64::try_from(time.tv_nsec())?)
}
