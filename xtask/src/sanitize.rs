//! `cargo xtask sanitize` and `cargo xtask miri`: the tests of the transform where memory is watched.

use std::process::Command;

use anyhow::bail;

use crate::run::{cargo, root, show, succeed, target_folder};
use crate::setup;

/// Runs the tests of the transform and the corpora of the fuzz targets under AddressSanitizer.
pub(crate) fn address() -> anyhow::Result<()> {
    if !setup::has_address_sanitizer()? {
        bail!("this toolchain brings no AddressSanitizer for {}; rustup's toolchains do", setup::host()?);
    }
    let mut command = cargo();
    command
        .args(["test", "--locked", "--package", "housepipe-transform", "--package", "housepipe-fuzz"])
        .args(["--lib", "--tests", "--target", &setup::host()?, "--target-dir"])
        .arg(target_folder()?.join("sanitize"))
        .env("RUSTFLAGS", "-Zsanitizer=address")
        // The frames of a sanitized build without optimisation are too large for the tests of bounded stacks.
        .env("CARGO_PROFILE_DEV_OPT_LEVEL", "1");
    println!("$ RUSTFLAGS=-Zsanitizer=address {}", show(&command));
    succeed(setup::unlocked(&mut command))
}

/// Runs the unit tests of the transform in Miri, where a nightly toolchain has it.
pub(crate) fn miri() -> anyhow::Result<()> {
    let has_miri = Command::new("rustup")
        .args(["run", "nightly", "cargo", "miri", "--version"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !has_miri {
        bail!("Miri is not here; `rustup toolchain install nightly --component miri` installs it");
    }
    let mut command = Command::new("rustup");
    command
        .args([
            "run",
            "nightly",
            "cargo",
            "miri",
            "test",
            "--locked",
            "--package",
            "housepipe-transform",
            "--lib",
        ])
        .arg("--target-dir")
        .arg(target_folder()?.join("miri"))
        .current_dir(root());
    println!("$ {}", show(&command));
    succeed(&mut command)
}
