//! The files of `deploy/`, read as the programs do that they are for, and held against the binary that they start.

mod chart;
mod command_line;
mod compose;
mod container;
mod unit;
mod wiring;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use housepipe_local_stack::Checkers;
use serde_json::Value;

use crate::run::{release_binary, root, show};
use crate::setup;

/// A file of `deploy/`.
fn file(name: &str) -> PathBuf {
    root().join("deploy").join(name)
}

fn text(name: &str) -> anyhow::Result<String> {
    let path = file(name);
    std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// Checks all of them.
pub(crate) fn check() -> anyhow::Result<()> {
    let checkers = setup::checkers(&file("checks"))?;
    let binary = match std::env::var_os("HOUSEPIPE_BINARY") {
        Some(binary) => PathBuf::from(binary),
        None => release_binary()?,
    };
    let mut lines = container::check(&checkers)?;
    lines.extend(compose::check(&checkers)?);
    lines.extend(chart::check(&checkers)?);
    lines.extend(unit::check(&binary)?);
    command_line::check(&binary, &lines)?;
    container::check_health(&binary)
}

/// What `deploy/checks` prints for `words`.
fn checked(checkers: &Checkers, words: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<Value> {
    let mut command = Command::new(&checkers.program);
    command.args(words).envs(environment.iter().copied());
    let output = command.output().with_context(|| format!("cannot run {}", checkers.program.display()))?;
    if !output.status.success() {
        bail!("{}\n{}", show(&command), String::from_utf8_lossy(&output.stderr).trim_end());
    }
    serde_json::from_slice(&output.stdout).with_context(|| format!("{} prints no JSON", show(&command)))
}

/// Whether `value` is what the JSON says.
fn is_json(value: &Value, json: &str) -> bool {
    serde_json::from_str::<Value>(json).is_ok_and(|wanted| wanted == *value)
}

/// Runs `command` and gives what it wrote; an error with it where it did not succeed.
fn output(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| format!("cannot run {:?}", command.get_program()))?;
    let written = [output.stdout, output.stderr].concat();
    let written = String::from_utf8_lossy(&written).trim_end().to_owned();
    if !output.status.success() {
        bail!("{} ended with {}\n{written}", show(command), output.status);
    }
    Ok(written)
}

/// Tells that a file is as it should be.
fn tell(what: &Path, how: &str) {
    let what = what.strip_prefix(root()).unwrap_or(what);
    println!("{}: {how}", what.display());
}
