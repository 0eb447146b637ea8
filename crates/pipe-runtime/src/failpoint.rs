//! Places where a test may end the process as a power cut would.
//!
//! With the feature `failpoints`, `HOUSEPIPE_FAILPOINT=name` ends the process at the first time that it passes the place
//! of that name, `name:3` at the third time. Without the feature, which no release has, there is nothing here.

/// Ends the process here where the environment says so.
#[cfg(feature = "failpoints")]
pub(crate) fn failpoint(name: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static WANTED: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static PASSED: AtomicU64 = AtomicU64::new(0);
    let wanted = WANTED.get_or_init(|| {
        let wanted = std::env::var("HOUSEPIPE_FAILPOINT").ok()?;
        let (name, count) = wanted.split_once(':').unwrap_or((&wanted, "1"));
        Some((name.to_owned(), count.parse().ok()?))
    });
    if let Some((wanted, count)) = wanted
        && wanted == name
        && PASSED.fetch_add(1, Ordering::Relaxed) + 1 == *count
    {
        // As by kill -9: nothing is flushed, nobody is told.
        let _ = nix::sys::signal::kill(nix::unistd::Pid::this(), nix::sys::signal::Signal::SIGKILL);
    }
}

/// Nothing.
#[cfg(not(feature = "failpoints"))]
pub(crate) const fn failpoint(_name: &str) {}
