//! Places where a test may end the process as a power cut would, or freeze it.
//!
//! With the feature `failpoints`, `HOUSEPIPE_FAILPOINT=name` ends the process at the first time that it passes the place
//! of that name, `name:3` at the third time; `name:3:freeze` freezes it there instead, until somebody sends SIGCONT. Without
//! the feature, which no release has, there is nothing here.

/// Ends the process here, or freezes it, where the environment says so.
#[cfg(feature = "failpoints")]
pub fn failpoint(name: &str) {
    use nix::sys::signal::{Signal, kill};
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    struct Wanted {
        name: String,
        count: u64,
        signal: Signal,
    }

    static WANTED: OnceLock<Option<Wanted>> = OnceLock::new();
    static PASSED: AtomicU64 = AtomicU64::new(0);
    let wanted = WANTED.get_or_init(|| {
        let wanted = std::env::var("HOUSEPIPE_FAILPOINT").ok()?;
        let mut words = wanted.split(':');
        let name = words.next()?.to_owned();
        let count = words.next().map_or(Some(1), |count| count.parse().ok())?;
        // As by kill -9: nothing is flushed, nobody is told.
        let signal = if words.next() == Some("freeze") { Signal::SIGSTOP } else { Signal::SIGKILL };
        Some(Wanted { name, count, signal })
    });
    if let Some(Wanted { name: wanted, count, signal }) = wanted
        && wanted == name
        && PASSED.fetch_add(1, Ordering::Relaxed) + 1 == *count
    {
        let _ = kill(nix::unistd::Pid::this(), *signal);
    }
}

/// Nothing.
#[cfg(not(feature = "failpoints"))]
pub const fn failpoint(_name: &str) {}
