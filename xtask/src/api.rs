//! `cargo xtask api`: Schemathesis, which calls a running service (`tests/src/bin/api/`).

use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;

use crate::run::{built_with_tests, release_binary, root, show, succeed, target_folder};

/// Calls of the test command, at least.
pub(crate) const SMOKE_EXAMPLES: u64 = 1_000;
/// Their seed. It is always the same, so that CI is no lottery.
pub(crate) const SEED: u64 = 1;

/// What Schemathesis is and needs, with versions.
const REQUIREMENTS: &str = include_str!("../schemathesis.txt");

/// Makes at least `examples` calls against services of its own, and fails where one finds something.
pub(crate) fn run(examples: u64, seed: u64) -> anyhow::Result<()> {
    let (tools, binary) = (tools()?, release_binary()?);
    let mut command = Command::new(built_with_tests("api")?);
    command
        .current_dir(root())
        .args(["--examples", &examples.to_string(), "--seed", &seed.to_string(), "--tools"])
        .arg(tools)
        .env("HOUSEPIPE_BINARY", binary);
    succeed(&mut command)
}

/// The folder with Schemathesis, which is installed where it is missing.
fn tools() -> anyhow::Result<PathBuf> {
    let folder = target_folder()?.join("tools");
    let (tools, stamp) = (folder.join("schemathesis"), folder.join("schemathesis.txt"));
    if std::fs::read_to_string(&stamp).is_ok_and(|stamp| stamp == REQUIREMENTS) {
        return Ok(tools);
    }
    println!("missing: Schemathesis, which calls the API; installing it takes less than a minute");
    if tools.exists() {
        std::fs::remove_dir_all(&tools)?;
    }
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target"])
        .arg(&tools)
        .arg("--requirement")
        .arg(root().join("xtask/schemathesis.txt"));
    succeed(&mut pip).with_context(|| format!("cannot install Schemathesis; by hand: {}", show(&pip)))?;
    std::fs::write(&stamp, REQUIREMENTS)?;
    Ok(tools)
}
