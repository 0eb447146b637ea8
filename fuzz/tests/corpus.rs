//! The laws hold for every input of the corpora: what libFuzzer found once stays tested without it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are test code too")]

use std::path::{Path, PathBuf};

use housepipe_fuzz::TARGETS;

/// The inputs of a target.
fn inputs(name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
}

#[test]
fn the_laws_hold_for_the_corpora() {
    for target in TARGETS {
        let inputs = inputs(target.name);
        assert!(inputs.len() >= 50, "only {} inputs for {}", inputs.len(), target.name);
        for path in inputs {
            let data = std::fs::read(&path).unwrap();
            if let Err(panic) = std::panic::catch_unwind(|| (target.check)(&data)) {
                eprintln!("cargo run --package housepipe-fuzz --bin {} -- {}", target.name, path.display());
                std::panic::resume_unwind(panic);
            }
        }
    }
}

#[test]
fn the_corpora_stay_small() {
    for target in TARGETS {
        let inputs = inputs(target.name);
        assert!(inputs.len() <= 400, "{} inputs for {}", inputs.len(), target.name);
        let bytes: u64 = inputs.iter().map(|path| path.metadata().unwrap().len()).sum();
        assert!(bytes <= 500_000, "{bytes} bytes for {}", target.name);
    }
}
