//! `cargo xtask test-arm`: the transform's tests on AArch64, emulated, for what only that processor runs.

use std::path::Path;

use anyhow::{Context, bail};

use crate::run::{cargo, show, succeed};

const TARGET: &str = "aarch64-unknown-linux-gnu";
const LINKER: &str = "aarch64-linux-gnu-gcc";
const EMULATOR: &str = "qemu-aarch64";
/// Where Debian's cross packages put the C library of the target.
const C_LIBRARY: &str = "/usr/aarch64-linux-gnu";

/// Runs the tests of housepipe-transform under the emulator. Everything in `args` goes to the tests.
pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    if cfg!(target_arch = "aarch64") {
        bail!("this machine is AArch64 itself; run `cargo xtask test unit`");
    }
    let missing = missing()?;
    if !missing.is_empty() {
        bail!("the tests for AArch64 need more than this machine has:\n  {}", missing.join("\n  "));
    }
    let mut command = cargo();
    command
        .args(["test", "--locked", "--package", "housepipe-transform", "--lib", "--tests"])
        .args(["--target", TARGET, "--"])
        .args(args)
        .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", LINKER)
        .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", format!("{EMULATOR} -L {C_LIBRARY}"));
    println!("$ {}", show(&command));
    succeed(&mut command)
}

/// What is not there, each with the way to get it.
fn missing() -> anyhow::Result<Vec<String>> {
    let mut missing = Vec::new();
    for (program, package) in [(LINKER, "gcc-aarch64-linux-gnu"), (EMULATOR, "qemu-user")] {
        if !is_on_path(program) {
            missing.push(format!("{program}: apt-get install {package}"));
        }
    }
    if !Path::new(C_LIBRARY).join("lib").is_dir() {
        missing.push(format!("{C_LIBRARY}/lib: apt-get install libc6-dev-arm64-cross"));
    }
    if !has_std()? {
        missing.push(format!(
            "Rust's standard library for {TARGET}: rustup target add {TARGET}, or RUSTC set to a compiler that has it"
        ));
    }
    Ok(missing)
}

fn is_on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Whether the compiler that cargo will call has the target's standard library.
fn has_std() -> anyhow::Result<bool> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = std::process::Command::new(&rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .with_context(|| format!("cannot run {}", rustc.display()))?;
    if !output.status.success() {
        bail!("{} does not know {TARGET}", rustc.display());
    }
    let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    // The folder may be there without the library.
    let mut files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    Ok(files.any(|file| file.file_name().to_string_lossy().starts_with("libstd-")))
}
