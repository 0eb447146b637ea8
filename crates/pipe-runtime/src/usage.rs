//! What this process has used of the machine.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// CPU and memory of the whole process since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// User and system time of all threads, in seconds.
    pub cpu_seconds: f64,
    /// The most memory it held at once, in bytes.
    pub peak_rss_bytes: u64,
}

/// Asks the operating system; zeros where it does not answer.
pub fn of_this_process() -> Usage {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else { return Usage::default() };
    #[expect(clippy::cast_precision_loss, reason = "microseconds of CPU time fit a double")]
    let cpu_seconds = (usage.user_time() + usage.system_time()).num_microseconds() as f64 / 1e6;
    // Linux counts in KiB, Apple's systems in bytes.
    let unit = if cfg!(target_vendor = "apple") { 1 } else { 1024 };
    let since_fork = u64::try_from(usage.max_rss()).unwrap_or(0) * unit;
    Usage { cpu_seconds, peak_rss_bytes: own_peak_rss_bytes().unwrap_or(since_fork) }
}

/// When this process was started: as the system tells it, and otherwise when that was asked for first.
pub(crate) fn started() -> SystemTime {
    static STARTED: OnceLock<SystemTime> = OnceLock::new();
    *STARTED.get_or_init(|| {
        let now = SystemTime::now();
        age().and_then(|age| now.checked_sub(age)).unwrap_or(now)
    })
}

/// Time since the process was started, from `starttime` of `proc(5)`, which counts from the system's own start.
fn age() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program is in brackets, and may have any letters.
    let (_, behind_name) = stat.rsplit_once(')')?;
    let started_ticks: f64 = behind_name.split_whitespace().nth(STARTTIME)?.parse().ok()?;
    let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
    let up_s: f64 = uptime.split_whitespace().next()?.parse().ok()?;
    Duration::try_from_secs_f64(up_s - started_ticks / TICKS_PER_SECOND).ok()
}

/// Where `starttime` stands behind the program's name, counted from 0.
const STARTTIME: usize = 19;

/// Linux counts so on every platform that it tells programs about (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// Memory that the process holds at this moment, in bytes; none where the system does not tell.
pub(crate) fn resident_bytes() -> Option<u64> {
    status_bytes("VmRSS:")
}

/// A size in `/proc/self/status`, in bytes.
fn status_bytes(key: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// The peak of this program. Linux's `getrusage` counts what the process was before it became this program, that is the
/// memory of whoever has started it (`exec_mmap` in the kernel's `fs/exec.c` keeps its high-water mark); the line `VmHWM`
/// of `proc(5)` does not.
fn own_peak_rss_bytes() -> Option<u64> {
    status_bytes("VmHWM:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_that_of_this_program() {
        let usage = of_this_process();
        assert!(usage.peak_rss_bytes > 1 << 20, "{usage:?}");
        if cfg!(target_os = "linux") {
            assert!(own_peak_rss_bytes().is_some_and(|later| later >= usage.peak_rss_bytes), "{usage:?}");
        }
    }
}
