//! `cargo xtask test`: everything that must hold, stage by stage, with the time of each.

use std::time::{Duration, Instant};

use clap::builder::{PossibleValue, PossibleValuesParser};
use housepipe_local_stack::{Clickhouse, ClickhouseOptions};

use crate::first_failures::succeed_or_quote;
use crate::run::{
    cargo, faults_with, release_binary, root, show, test_binary_with_failpoints, with_release_binary,
};
use crate::{deploy, disk, fuzz, setup, test_targets};

/// Packages whose integration tests run against real servers, each by itself.
const PARTS: [&str; 4] =
    ["housepipe-schema-registry", "housepipe-kafka-source", "housepipe-ch-sink", "housepipe-service"];

/// Further ones; they have stages of their own.
const STACK: &str = "housepipe-local-stack";
const END_TO_END: &str = "housepipe-tests";

/// Random pairs of columns and record that are compared with ClickHouse.
const RANDOM_CASES: &str = "50000";

/// Their seed. It is always the same, so that CI is not a lottery: a change that passes here passes there. Other seeds
/// are for `cargo xtask conformance --seed`.
const RANDOM_SEED: &str = "1";

/// Stages that neither build the project nor start a server, or that get the tools themselves.
const NEED_NO_TOOLS: [&str; 2] = ["setup", "format"];

/// The stage beside which the release binary is built, in a run of all of them: it waits for servers most of the time.
const BUILDS_AHEAD: &str = "parts";

/// One stage: its name, what it shows, and how it runs.
struct Stage {
    name: &'static str,
    shows: &'static str,
    run: fn() -> anyhow::Result<()>,
}

const STAGES: [Stage; 13] = [
    Stage { name: "setup", shows: "tools and servers are here", run: set_up },
    Stage { name: "format", shows: "the code is formatted", run: format },
    Stage { name: "lint", shows: "clippy is content, warnings count", run: lint },
    Stage { name: "unit", shows: "unit, property and case tests; examples in the docs", run: unit },
    Stage {
        name: "fuzz",
        shows: "the laws of the transform hold for corpora and new inputs",
        run: fuzz::smoke,
    },
    Stage { name: "docs", shows: "every link of the API docs resolves", run: docs },
    Stage { name: "stack", shows: "the local stack starts, dies and leaves nothing", run: local_stack },
    Stage { name: "conformance", shows: "rows equal those of ClickHouse itself", run: conformance },
    Stage {
        name: "parts",
        shows: "source, sink, registry client and store against real servers",
        run: parts,
    },
    Stage { name: "end-to-end", shows: "the release binary against real servers", run: end_to_end },
    Stage { name: "api", shows: "the API answers as it is described, whatever it is asked", run: api },
    Stage { name: "deploy", shows: "the files of deploy/ are what their programs take", run: deploy::check },
    Stage { name: "faults", shows: "servers and pipes that break lose and double nothing", run: faults },
];

/// Reads the name of a stage, and lists the stages in the help.
pub(crate) fn stage_names() -> PossibleValuesParser {
    PossibleValuesParser::new(STAGES.iter().map(|stage| PossibleValue::new(stage.name).help(stage.shows)))
}

/// Runs `wanted` stages, or all; stops at the first that fails.
pub(crate) fn run(wanted: &[String]) -> anyhow::Result<()> {
    // The stage `setup` does this itself, in a run of all stages as the first.
    if !wanted.is_empty() && wanted.iter().any(|name| !NEED_NO_TOOLS.contains(&name.as_str())) {
        setup::tools_for_tests()?;
    }
    disk::tell()?;
    let mut done: Vec<(&str, Duration)> = Vec::new();
    for stage in
        STAGES.iter().filter(|stage| wanted.is_empty() || wanted.iter().any(|name| name == stage.name))
    {
        println!("\n== {}: {}", stage.name, stage.shows);
        let started = Instant::now();
        let builds_ahead = wanted.is_empty() && stage.name == BUILDS_AHEAD;
        let result = if builds_ahead { with_release_binary(stage.run) } else { (stage.run)() };
        let took = started.elapsed();
        println!("== {} {} after {took:.1?}", stage.name, if result.is_ok() { "passed" } else { "FAILED" });
        if let Err(error) = result {
            print_times(&done);
            println!("{} passed, 1 failed", done.len());
            disk::tell()?;
            return Err(error
                .context(format!("stage `{}` failed; again: cargo xtask test {}", stage.name, stage.name)));
        }
        done.push((stage.name, took));
    }
    print_times(&done);
    println!("{} passed, 0 failed", done.len());
    Ok(())
}

fn print_times(done: &[(&str, Duration)]) {
    println!("\nstage          seconds");
    for (name, took) in done {
        println!("{name:<12} {:>9.1}", took.as_secs_f64());
    }
    println!("{:<12} {:>9.1}\n", "all", done.iter().map(|(_, took)| took.as_secs_f64()).sum::<f64>());
}

fn set_up() -> anyhow::Result<()> {
    setup::tools_for_tests()?;
    setup::pinned_parts().map(drop)
}

fn format() -> anyhow::Result<()> {
    step(cargo().args(["fmt", "--all", "--check"]))
}

fn lint() -> anyhow::Result<()> {
    step(cargo().args([
        "clippy",
        "--locked",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--",
        "-D",
        "warnings",
    ]))
}

fn docs() -> anyhow::Result<()> {
    step(
        cargo()
            .args(["doc", "--locked", "--workspace", "--no-deps", "--all-features"])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )
}

fn unit() -> anyhow::Result<()> {
    let needs_no_server =
        |package: &str| !PARTS.contains(&package) && ![STACK, END_TO_END].contains(&package);
    step(
        test_targets::selected().args(["--lib", "--bins"]).args(test_targets::integration(needs_no_server)?),
    )?;
    step(test_targets::selected().arg("--doc"))
}

fn local_stack() -> anyhow::Result<()> {
    step(test_targets::selected().args(test_targets::integration(|package| package == STACK)?))
}

fn conformance() -> anyhow::Result<()> {
    let clickhouse = Clickhouse::start(&setup::pinned_parts()?, &ClickhouseOptions::default())?;
    step(
        cargo()
            .args([
                "test",
                "--locked",
                "--release",
                "--package",
                "housepipe-transform",
                "--test",
                "conversion",
                "--test",
                "time_zones",
            ])
            .env("CLICKHOUSE_URL", clickhouse.url())
            // Without it, the comparison would pass where the server is not found.
            .env("HOUSEPIPE_NEEDS_CLICKHOUSE", "1"),
    )?;
    println!("random records: {RANDOM_CASES} with the seed {RANDOM_SEED}");
    let args = ["--cases", RANDOM_CASES, "--seed", RANDOM_SEED].map(str::to_owned);
    step(crate::conformance::command(&args).env("CLICKHOUSE_URL", clickhouse.url()))
}

fn parts() -> anyhow::Result<()> {
    step(
        test_targets::selected_waiting().args(test_targets::integration(|package| PARTS.contains(&package))?),
    )
}

fn end_to_end() -> anyhow::Result<()> {
    let (with_failpoints, binary) = (test_binary_with_failpoints()?, release_binary()?);
    step(
        test_targets::selected_waiting()
            .args(test_targets::integration(|package| package == END_TO_END)?)
            .env("HOUSEPIPE_BINARY", binary)
            .env("HOUSEPIPE_FAILPOINTS_BINARY", with_failpoints),
    )
}

/// The short form of the calls that Schemathesis thinks of.
fn api() -> anyhow::Result<()> {
    crate::api::run(crate::api::SMOKE_EXAMPLES, crate::api::SEED)
}

/// The short form of the fault matrix.
fn faults() -> anyhow::Result<()> {
    faults_with(&test_binary_with_failpoints()?, &["--seeds", "1"].map(str::to_owned))
}

/// Runs a command of a stage and names it.
fn step(command: &mut std::process::Command) -> anyhow::Result<()> {
    println!("$ {}   (in {})", show(command), root().display());
    succeed_or_quote(command)
}
