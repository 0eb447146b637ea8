//! What a machine needs before anything can be built or run.

use anyhow::bail;
use housepipe_local_stack::{Lines, Parts, Wanted, prepare_wanted, requirements};

/// The oldest toolchain that the project is built with, from the workspace's `rust-version`.
const RUST_MIN: &str = env!("CARGO_PKG_RUST_VERSION");

/// Makes sure that the tools are there for the servers that the environment asks for.
pub(crate) fn tools() -> anyhow::Result<()> {
    tools_for(&Wanted::from_environment())
}

/// Makes sure that the tools are there for tests.
pub(crate) fn tools_for_tests() -> anyhow::Result<()> {
    tools_for(&Wanted::pinned())
}

/// Installs what can be installed without a question, names the rest.
fn tools_for(wanted: &Wanted) -> anyhow::Result<()> {
    let missing = requirements::check_wanted(wanted)?;
    if missing.is_empty() {
        return Ok(());
    }
    for tool in &missing {
        eprintln!("missing: {} ({})", tool.what, tool.why);
    }
    Ok(requirements::install(&missing, &mut Lines::default())?)
}

/// Makes sure that the toolchain is new enough. Cargo itself refuses an older one for each package; this says it first.
pub(crate) fn toolchain() -> anyhow::Result<()> {
    let output = std::process::Command::new("rustc").arg("--version").output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = text.split_whitespace().nth(1).unwrap_or_default();
    if parts_of(version) < parts_of(RUST_MIN) {
        bail!("rustc {version} is older than {RUST_MIN}; run `rustup update stable`");
    }
    Ok(())
}

fn parts_of(version: &str) -> Vec<u32> {
    version.split(['.', '-']).take(3).map(|part| part.parse().unwrap_or(0)).collect()
}

/// Makes sure that ClickHouse and Kafka are in the cache: the pinned ones, which tests run against whatever servers the
/// environment names.
pub(crate) fn pinned_parts() -> anyhow::Result<Parts> {
    Ok(prepare_wanted(&Wanted::pinned(), &mut Lines::default())?)
}
