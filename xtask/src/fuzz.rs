//! `cargo xtask fuzz`: libFuzzer over the targets of `fuzz/`.

use anyhow::Context;

use crate::run::{cargo, root, show, succeed, target_folder};
use crate::setup;

/// The targets, as `fuzz/Cargo.toml` has them.
pub(crate) const TARGETS: [&str; 4] = ["encode", "paths", "types", "lines"];

/// Seconds for each target in the test command: enough to see that everything works, and now and then a finding.
const SMOKE_SECONDS: u64 = 5;
/// Memory of a run, at most; the laws themselves bound what a record may cost.
const MEMORY_MIB_MAX: u64 = 2_048;
/// Inputs are no longer than this.
const INPUT_BYTES_MAX: usize = 4_096;

/// Replays the corpora on the compiler at hand, then lets libFuzzer look for more for a few seconds.
pub(crate) fn smoke() -> anyhow::Result<()> {
    replay()?;
    targets(&TARGETS, SMOKE_SECONDS)
}

/// Runs one target, or all.
pub(crate) fn run(target: Option<&str>, seconds: u64) -> anyhow::Result<()> {
    match target {
        Some(target) => targets(&[target], seconds),
        None => targets(&TARGETS, seconds),
    }
}

fn replay() -> anyhow::Result<()> {
    let mut command = cargo();
    command.args(["test", "--locked", "--package", "housepipe-fuzz"]);
    println!("$ {}", show(&command));
    succeed(&mut command)
}

fn targets(names: &[&str], seconds: u64) -> anyhow::Result<()> {
    setup::cargo_fuzz()?;
    let sanitizer = if setup::has_address_sanitizer()? { "address" } else { "none" };
    let output = target_folder()?.join("fuzz");
    for name in names {
        // What is found goes where libFuzzer writes: into the first folder. The committed ones are only read.
        let found = output.join("found").join(name);
        std::fs::create_dir_all(&found).with_context(|| format!("cannot create {}", found.display()))?;
        let mut command = cargo();
        command
            .args(["fuzz", "run", "--sanitizer", sanitizer, "--target-dir"])
            .arg(&output)
            .arg(name)
            .arg(&found)
            .arg(root().join("fuzz/corpus").join(name))
            .arg("--")
            .arg(format!("-dict={}", root().join("fuzz/json.dict").display()))
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-rss_limit_mb={MEMORY_MIB_MAX}"))
            .arg(format!("-max_len={INPUT_BYTES_MAX}"))
            .args(["-verbosity=0", "-print_final_stats=1"])
            // What links users' binaries best would take minutes for each target, and finds nothing more.
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
        println!("$ {}", show(&command));
        succeed(setup::unlocked(&mut command)).with_context(|| {
            format!(
                "the law `{name}` does not hold; look at the input that is named above with \
                 `cargo run --package housepipe-fuzz --bin {name} -- INPUT`"
            )
        })?;
    }
    Ok(())
}
