//! What a machine needs before anything can be built or run.

use std::path::Path;
use std::process::Command;

use anyhow::Context;
use housepipe_local_stack::{
    Checkers, Lines, Parts, Wanted, missing_for_checkers, prepare_checkers, prepare_wanted, requirements,
};

use crate::run::{cargo, succeed};

/// Makes sure that the tools are there for the servers that the environment asks for.
pub(crate) fn tools() -> anyhow::Result<()> {
    tools_for(&Wanted::from_environment())
}

/// Makes sure that the tools are there for tests.
pub(crate) fn tools_for_tests() -> anyhow::Result<()> {
    tools_for(&wanted_for_tests())?;
    // Asked for now, and not after half an hour.
    install(&missing_for_checkers())
}

/// Installs what can be installed without a question, names the rest.
fn tools_for(wanted: &Wanted) -> anyhow::Result<()> {
    install(&requirements::check_wanted(wanted)?)
}

fn install(missing: &[requirements::Missing]) -> anyhow::Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    for tool in missing {
        eprintln!("missing: {} ({})", tool.what, tool.why);
    }
    Ok(requirements::install(missing, &mut Lines::default())?)
}

/// Makes sure that what reads the files of `deploy/` is in the cache, built of the Go module in the folder `module`.
pub(crate) fn checkers(module: &Path) -> anyhow::Result<Checkers> {
    install(&missing_for_checkers())?;
    Ok(prepare_checkers(module, &mut Lines::default())?)
}

/// The pinned servers, which tests run against whatever servers the environment names, a schema registry, PostgreSQL, and a
/// reader of metrics.
fn wanted_for_tests() -> Wanted {
    Wanted::pinned().with_registry().with_postgres().with_metrics_reader()
}

/// Makes sure that all that tests run against is in the cache.
pub(crate) fn pinned_parts() -> anyhow::Result<Parts> {
    Ok(prepare_wanted(&wanted_for_tests(), &mut Lines::default())?)
}

/// The version of cargo-fuzz that is installed where there is none.
const CARGO_FUZZ: &str = "cargo-fuzz@0.13.2";

/// Makes sure that `cargo fuzz` is there. It is built without optimisation: it only starts other programs.
pub(crate) fn cargo_fuzz() -> anyhow::Result<()> {
    if cargo().args(["fuzz", "--version"]).output().is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    println!(
        "missing: cargo-fuzz (runs the fuzz targets under libFuzzer); installing it takes less than a minute"
    );
    succeed(cargo().args(["install", "--locked", "--debug", CARGO_FUZZ]))
        .with_context(|| format!("cannot install cargo-fuzz; by hand: cargo install --locked {CARGO_FUZZ}"))
}

/// Lets a stable compiler take the flags of sanitizers and of coverage, which it has and hides. Nothing that is
/// shipped is built so.
pub(crate) fn unlocked(command: &mut Command) -> &mut Command {
    // Thin LTO would double the time of a build that is thrown away.
    command.env("RUSTC_BOOTSTRAP", "1").env("CARGO_PROFILE_RELEASE_LTO", "off")
}

/// The platform that the compiler builds for, such as `x86_64-unknown-linux-gnu`.
pub(crate) fn host() -> anyhow::Result<String> {
    let text = rustc(&["--version", "--verbose"])?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("`rustc --version --verbose` names no host")
}

/// Whether the toolchain brings the runtime of AddressSanitizer.
pub(crate) fn has_address_sanitizer() -> anyhow::Result<bool> {
    let sysroot = rustc(&["--print", "sysroot"])?;
    let folder = Path::new(sysroot.trim()).join("lib/rustlib").join(host()?).join("lib");
    let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    Ok(entries.flatten().any(|entry| entry.file_name().to_string_lossy().contains("_rt.asan")))
}

fn rustc(arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("rustc").args(arguments).output().context("cannot run rustc")?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
