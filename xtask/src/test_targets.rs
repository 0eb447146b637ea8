//! Which tests a stage runs.
//!
//! A dependency is built once for each set of features that is wanted of it, and these depend on the packages that a command selects.
//! All stages therefore select the same packages, and choose among their targets.

use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::run::{cargo, metadata};

/// `cargo test` over all packages but those that only the fuzzer builds.
pub(crate) fn selected() -> Command {
    let mut command = cargo();
    command.args(["test", "--locked", "--workspace", "--all-features", "--exclude", "housepipe-fuzz"]);
    command
}

/// Tests at once where they wait for servers most of the time, at least.
const WAITING_MIN: usize = 7;

/// The same for tests that wait for servers: more at once than there are cores, where these are few.
pub(crate) fn selected_waiting() -> Command {
    let mut command = selected();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if std::env::var_os("RUST_TEST_THREADS").is_none() {
        command.env("RUST_TEST_THREADS", cores.max(WAITING_MIN).to_string());
    }
    command
}

/// `--test NAME` for every integration test of the packages that are `wanted`.
pub(crate) fn integration(wanted: impl Fn(&str) -> bool) -> anyhow::Result<Vec<String>> {
    let metadata = metadata()?;
    let (mut chosen, mut others) = (Vec::new(), Vec::new());
    for package in metadata["packages"].as_array().context("`cargo metadata` names no packages")? {
        let name = package["name"].as_str().unwrap_or_default();
        if name == "housepipe-fuzz" {
            continue;
        }
        let list = if wanted(name) { &mut chosen } else { &mut others };
        list.extend(integration_tests(package));
    }
    for name in &chosen {
        // Cargo would run both.
        ensure!(
            !others.contains(name),
            "two integration tests are called `{name}`, of packages in different stages"
        );
    }
    ensure!(!chosen.is_empty(), "no package of this stage has an integration test");
    chosen.sort_unstable();
    chosen.dedup();
    Ok(chosen.into_iter().flat_map(|name| ["--test".to_owned(), name]).collect())
}

fn integration_tests(package: &Value) -> impl Iterator<Item = String> {
    let targets = package["targets"].as_array().into_iter().flatten();
    targets
        .filter(|target| {
            target["kind"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "test"))
        })
        .filter_map(|target| Some(target["name"].as_str()?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tests_of_a_package_are_found() {
        let names = integration(|package| package == "housepipe-tests").unwrap();
        assert_eq!(names, ["--test", "e2e"]);
        assert!(integration(|package| package == "nobody").is_err());
        let all: Vec<String> = integration(|_| true).unwrap();
        assert!(all.contains(&"properties".to_owned()) && !all.contains(&"corpus".to_owned()), "{all:?}");
    }
}
