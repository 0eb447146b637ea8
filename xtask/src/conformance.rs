//! `cargo xtask conformance`: the comparison with ClickHouse in `conformance/`.

use housepipe_local_stack::{Clickhouse, ClickhouseOptions};

use crate::{run, setup};

/// Builds the comparison and runs it on the server that `CLICKHOUSE_URL` names, or on one of its own.
pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    if let Ok(url) = std::env::var("CLICKHOUSE_URL") {
        return run::succeed(command(args).env("CLICKHOUSE_URL", url));
    }
    if args.iter().any(|arg| arg == "--help" || arg == "-h") {
        return run::succeed(&mut command(args));
    }
    setup::tools()?;
    let clickhouse = Clickhouse::start(&setup::pinned_parts()?, &ClickhouseOptions::default())?;
    run::succeed(command(args).env("CLICKHOUSE_URL", clickhouse.url()))
}

/// The command that compares.
pub(crate) fn command(args: &[String]) -> std::process::Command {
    let mut command = run::cargo();
    command
        .args(["run", "--release", "--locked", "--quiet", "--package", "housepipe-conformance", "--"])
        .args(args);
    command
}
