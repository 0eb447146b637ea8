//! `cargo xtask api`: Schemathesis calls a running service with whatever its description allows, and with what it forbids.
//!
//! What it looks for: server errors, answers, headers and bodies that the description does not have, malformed requests that are taken and
//! well-formed ones that are refused as malformed, calls without a token that are answered. It looks at a new service with its state in a
//! file, and at one with its state in PostgreSQL whose pipes load a topic of a real Kafka into a real ClickHouse, and are removed in the end.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program of developers, its terminal is its output"
)]

mod pipes;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::Parser;
use housepipe_tests::{Served, own_postgres};
use pipes::Pipes;
use serde_json::Value;

/// Calls at once.
const WORKERS: &str = "2";
/// Time for an answer, in seconds: longer than any call may take.
const ANSWER_S_MAX: &str = "40";

/// What it looks for and we do not: that every document of the described form is a pipe file, which the parser alone can say (422); and that a
/// missing `If-Match` is answered by 400, where RFC 6585 has 428. Both statuses are described.
const CHECKS_LEFT_OUT: &str = "positive_data_acceptance,missing_required_header";

/// A stream of events has no end, which Schemathesis would wait for.
const ENDLESS: &str = "/api/v1/events/stream";

/// Has Schemathesis call a service with whatever its description allows and forbids.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask api", max_term_width = 110)]
struct Cli {
    /// Calls, at least, of all rounds together.
    #[arg(long)]
    examples: u64,
    /// What decides them.
    #[arg(long)]
    seed: u64,
    /// The folder with Schemathesis.
    #[arg(long, value_name = "FOLDER")]
    tools: PathBuf,
}

/// One of the looks.
struct Round<'a> {
    what: &'static str,
    service: &'a Served,
    /// Pipes that are there before.
    pipes: Option<&'a Pipes>,
    calls: Calls,
    examples: u64,
}

/// Which calls are made. Schemathesis finds the ids of pipes by itself, and would remove them before the others have met them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Calls {
    All,
    AllButRemove,
    Remove,
}

/// The call that removes a pipe.
const REMOVE: &str = "remove_pipe";

/// Calls that remove pipes which are there: one in so many.
const REMOVE_SHARE: u64 = 20;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // An end of the process in the middle would leave the services behind.
    match look(&cli) {
        Ok(made) => {
            println!("{made} calls, nothing found");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            eprintln!("again: cargo xtask api --examples {} --seed {}", cli.examples, cli.seed);
            ExitCode::FAILURE
        }
    }
}

/// Takes all looks, and tells how many calls they made; what was found is an error. Calls wait more than they work, so the services are looked at at
/// the same time.
fn look(cli: &Cli) -> Result<u64, String> {
    let half = cli.examples.div_ceil(2);
    std::thread::scope(|scope| {
        let new = scope.spawn(|| look_at_new(cli, half));
        let with_pipes = look_at_pipes(cli, half);
        let new = new.join().unwrap_or_else(|_| Err("the look at a new service panicked".to_owned()));
        match (new, with_pipes) {
            (Ok(new), Ok(with_pipes)) => Ok(new + with_pipes),
            (Err(new), Err(with_pipes)) => Err(format!("{new}\n{with_pipes}")),
            (Err(error), Ok(_)) | (Ok(_), Err(error)) => Err(error),
        }
    })
}

fn look_at_new(cli: &Cli, examples: u64) -> Result<u64, String> {
    let service = Served::start();
    run(cli, &Round { what: "a new service", service: &service, pipes: None, calls: Calls::All, examples })
}

fn look_at_pipes(cli: &Cli, examples: u64) -> Result<u64, String> {
    let postgres = own_postgres();
    let state = postgres.new_database().map_err(|error| format!("PostgreSQL: {error}"))?;
    let service = Served::start_on(&state, None);
    let pipes = Pipes::make(&service);
    let removed = cli.examples.div_ceil(REMOVE_SHARE);
    let mut made = 0;
    for (what, calls, examples) in [
        ("a service with pipes", Calls::AllButRemove, examples.saturating_sub(removed)),
        ("pipes that go", Calls::Remove, removed),
    ] {
        made += run(cli, &Round { what, service: &service, pipes: Some(&pipes), calls, examples })?;
    }
    pipes.were_met(&service).map_err(|error| format!("a service with pipes: {error}"))?;
    Ok(made)
}

/// Takes one look.
fn run(cli: &Cli, round: &Round<'_>) -> Result<u64, String> {
    println!("{}: is called", round.what);
    calls_of(cli, round).map_err(|error| format!("{}: {error}", round.what))
}

/// Makes the calls of one round, and tells how many; what was found is an error.
fn calls_of(cli: &Cli, round: &Round<'_>) -> Result<u64, String> {
    let folder = tempfile::tempdir().map_err(|error| format!("a folder: {error}"))?;
    let report = folder.path().join("report.json");
    let mut command = Command::new("python3");
    command.args(["-m", "schemathesis.cli"]);
    if let Some(pipes) = round.pipes {
        let config = folder.path().join("schemathesis.toml");
        std::fs::write(&config, pipes.config()).map_err(|error| format!("{}: {error}", config.display()))?;
        command.arg("--config-file").arg(config);
    }
    let calls = if round.calls == Calls::Remove { 1 } else { calls_described(round.service) };
    command
        .arg("run")
        .arg(format!("http://{}/api/v1/openapi.json", round.service.address()))
        .args(["--exclude-path", ENDLESS, "--workers", WORKERS, "--request-timeout", ANSWER_S_MAX])
        .args(["--max-examples", &asked_of_each(round.examples, calls).to_string()])
        .args(["--seed", &cli.seed.to_string(), "--checks", "all", "--exclude-checks", CHECKS_LEFT_OUT])
        .args(["--continue-on-failure", "--no-shrink", "--report", "json", "--report-json-path"])
        .arg(&report)
        .arg("--header")
        .arg(format!("Authorization: Bearer {}", round.service.token()))
        .env("PYTHONPATH", &cli.tools)
        .current_dir(folder.path());
    match round.calls {
        Calls::All => &mut command,
        Calls::AllButRemove => command.args(["--exclude-operation-id", REMOVE]),
        Calls::Remove => command.args(["--include-operation-id", REMOVE]),
    };
    let output = command.output().map_err(|error| format!("cannot run python3: {error}"))?;
    // As a whole, since others write at the same time.
    let [said, complained] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    println!("\n{}:\n{said}{complained}", round.what);
    let text = std::fs::read_to_string(&report).map_err(|_| "Schemathesis has written no report")?;
    let report: Value =
        serde_json::from_str(&text).map_err(|error| format!("its report is no JSON: {error}"))?;
    let made = report["test_cases"]["generated"].as_u64().unwrap_or_default();
    let ready = round.service.call("GET", "/readyz", &[], None).status;
    match (output.status.success(), ready, made >= round.examples) {
        (false, ..) => Err("Schemathesis found something".to_owned()),
        (_, ready, _) if ready != 200 => Err(format!("the service is not ready any more: {ready}")),
        (.., false) => Err(format!("Schemathesis made {made} calls of {}", round.examples)),
        _ => Ok(made),
    }
}

/// Some have fewer ways to be called than are asked for, which the others make up for.
fn asked_of_each(examples: u64, calls: u64) -> u64 {
    (examples + examples / 4).div_ceil(calls)
}

/// Calls that the description has, those left out that have no end.
fn calls_described(service: &Served) -> u64 {
    let description = service.call("GET", "/api/v1/openapi.json", &[], None).expect(200).body;
    let paths: BTreeMap<String, BTreeMap<String, Value>> =
        serde_json::from_value(description["paths"].clone()).unwrap_or_default();
    let calls: usize =
        paths.iter().filter(|(path, _)| *path != ENDLESS).map(|(_, methods)| methods.len()).sum();
    u64::try_from(calls.max(1)).unwrap_or(u64::MAX)
}
