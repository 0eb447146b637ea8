//! `cargo xtask bench`: the harness in `benches/`.

use crate::{run, setup};

/// Builds the harness, for `e2e` and `service` the release binary too, and measures.
pub(crate) fn run(what: &str, args: &[String]) -> anyhow::Result<()> {
    setup::tools()?;
    let mut command = run::cargo();
    command.args([
        "run",
        "--release",
        "--locked",
        "--quiet",
        "--package",
        "housepipe-benches",
        "--bin",
        what,
    ]);
    if what == "validation" {
        // It needs no Kafka either, and is built for every processor, as what users run is.
        command.arg("--no-default-features");
    } else if what == "e2e" || what == "service" {
        command.env("HOUSEPIPE_BINARY", run::release_binary()?);
    } else if what == "transform" {
        // The transform needs no Kafka, and librdkafka takes minutes to build.
        command.arg("--no-default-features");
        // Some peers choose their instructions when they are built: they get those of this processor. Ours chooses when
        // it runs. What is built with other flags has a folder of its own, or both would be built again and again.
        command.env("RUSTFLAGS", "-C target-cpu=native");
        command.env("CARGO_TARGET_DIR", run::target_folder()?.join("native"));
    }
    run::succeed(command.arg("--").args(args))
}
