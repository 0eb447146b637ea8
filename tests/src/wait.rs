//! Waiting for a condition.

use std::time::{Duration, Instant};

/// Longest wait for anything, in seconds; far longer than it takes on a slow and busy machine.
const PATIENCE_S: u64 = 90;

/// Time between two looks, in milliseconds.
const LOOK_EVERY_MS: u64 = 20;

/// Returns as soon as `holds` does.
///
/// # Panics
/// Where it does not within 90 seconds, with `what`.
#[expect(
    clippy::disallowed_methods,
    reason = "conditions of other processes can only be looked at again and again"
)]
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(PATIENCE_S);
    while !holds() {
        assert!(Instant::now() < deadline, "waited {PATIENCE_S} s in vain for: {what}");
        std::thread::sleep(Duration::from_millis(LOOK_EVERY_MS));
    }
}
