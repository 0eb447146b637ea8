//! `cargo xtask bench`: the harness in `benches/`.

use crate::{run, setup};

/// Builds the release binary and the harness, and measures.
pub(crate) fn run(what: &str, args: &[String]) -> anyhow::Result<()> {
    setup::tools()?;
    let binary = run::release_binary()?;
    run::succeed(
        run::cargo()
            .args([
                "run",
                "--release",
                "--locked",
                "--quiet",
                "--package",
                "housepipe-benches",
                "--bin",
                what,
                "--",
            ])
            .args(args)
            .env("HOUSEPIPE_BINARY", binary),
    )
}
