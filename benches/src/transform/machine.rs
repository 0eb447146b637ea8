//! Where the figures come from: processor, SIMD tier, versions.

use std::collections::BTreeMap;

use housepipe_transform::Tier;
use serde::Serialize;

/// Crates whose versions a figure depends on.
const CRATES: [&str; 4] = ["housepipe-transform", "sonic-rs", "simd-json", "serde_json"];
/// As built.
const LOCK: &str = include_str!("../../../Cargo.lock");

/// The processor and the software.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// As the kernel names it.
    pub cpu: String,
    /// Our fastest SIMD tier on it.
    pub tier: &'static str,
    /// All of our tiers on it.
    pub tiers: Vec<&'static str>,
    /// Whether the measuring thread stays on one core.
    pub pinned: bool,
    /// Crates, from the lock file of the build.
    pub versions: BTreeMap<String, String>,
}

impl Machine {
    /// This machine.
    #[must_use]
    pub fn here(pinned: bool) -> Machine {
        let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        Machine {
            cpu: model.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned()),
            tier: Tier::best().name(),
            tiers: Tier::all().into_iter().map(Tier::name).collect(),
            pinned,
            versions: versions(LOCK),
        }
    }
}

/// `name = ` and `version = ` stand on lines of their own, one after the other.
fn versions(lock: &str) -> BTreeMap<String, String> {
    let value = |line: &str, key: &str| -> Option<String> {
        Some(line.strip_prefix(key)?.strip_prefix(" = \"")?.trim_end_matches('"').to_owned())
    };
    let lines: Vec<&str> = lock.lines().collect();
    lines
        .windows(2)
        .filter_map(|pair| Some((value(pair[0], "name")?, value(pair[1], "version")?)))
        .filter(|(name, _)| CRATES.contains(&name.as_str()))
        .collect()
}

/// Keeps this thread on the core that it is on; says whether that worked.
pub fn pin() -> bool {
    use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
    let this = nix::unistd::Pid::from_raw(0);
    let Ok(allowed) = sched_getaffinity(this) else { return false };
    // The last core: the first serves most interrupts.
    let last = (0..CpuSet::count()).rev().find(|core| allowed.is_set(*core).unwrap_or(false));
    let mut one = CpuSet::new();
    last.is_some_and(|core| one.set(core).is_ok()) && sched_setaffinity(this, &one).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_versions_of_the_build() {
        let found = versions(LOCK);
        assert!(CRATES.iter().all(|name| found.contains_key(*name)), "{found:?}");
    }
}
