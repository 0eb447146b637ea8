//! What this process has used of the machine.

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
    Usage { cpu_seconds, peak_rss_bytes: u64::try_from(usage.max_rss()).unwrap_or(0) * unit }
}
