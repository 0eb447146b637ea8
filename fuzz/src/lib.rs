//! Laws of the transform that hold for every input, as functions of bytes.
//!
//! libFuzzer calls them with inputs of its own (`cargo xtask fuzz`), an ordinary test with those of `fuzz/corpus`.
#![expect(clippy::panic, reason = "a law that does not hold is reported by a panic, as a test does")]

#[path = "../../crates/transform/tests/support/counting.rs"]
mod counting;
mod encode;
mod input;
mod lines;
mod mutate;
mod note;
mod paths;
mod plans;
mod record;
mod types;

use counting::Counting;

/// Counts what the laws bound.
#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A law, and the folder of its corpus.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The name of the target and of its folder.
    pub name: &'static str,
    /// Panics where the law does not hold for the input.
    pub check: fn(&[u8]),
}

/// Every target.
pub const TARGETS: [Target; 4] = [
    Target { name: "encode", check: encode::check },
    Target { name: "paths", check: paths::check },
    Target { name: "types", check: types::check },
    Target { name: "lines", check: lines::check },
];

/// The target of this name.
///
/// # Panics
/// Where there is none.
#[must_use]
pub fn target(name: &str) -> Target {
    match TARGETS.into_iter().find(|target| target.name == name) {
        Some(target) => target,
        None => panic!("there is no target `{name}`"),
    }
}

/// Checks the law for the files that the command line names: how a finding is looked at without libFuzzer.
///
/// # Panics
/// Where a file cannot be read, or the law does not hold for it.
pub fn replay(target: Target) {
    for path in std::env::args_os().skip(1) {
        match std::fs::read(&path) {
            Ok(data) => (target.check)(&data),
            Err(error) => panic!("{}: {error}", path.display()),
        }
    }
}
