//! Waiting for a condition, with a deadline.

use std::time::{Duration, Instant};

/// Pause between two questions. Short beside what we wait for: a server takes seconds, a stop tens of milliseconds.
const PAUSE: Duration = Duration::from_millis(10);

/// Asks `condition` again and again until it gives a value or `deadline` is past; it is asked at least once.
pub(crate) fn until<T>(deadline: Instant, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    loop {
        if let Some(value) = condition() {
            return Some(value);
        }
        if Instant::now() >= deadline {
            return None;
        }
        pause();
    }
}

/// Gives the other side a moment.
#[expect(clippy::disallowed_methods, reason = "the pause between two polls, under the deadline of `until`")]
fn pause() {
    std::thread::sleep(PAUSE);
}

/// The last `lines_max` lines of a log, for an error message; empty where it cannot be read.
pub(crate) fn log_tail(log: &std::path::Path, lines_max: usize) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(lines_max)..].join("\n")
}
