//! `cargo xtask api`: Schemathesis calls a running service with whatever its description allows, and with what it forbids.
//!
//! What it looks for: server errors, answers, headers and bodies that the description does not have, malformed requests that are taken and
//! well-formed ones that are refused as malformed, calls without a token that are answered.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use crate::run::{release_binary, root, show, succeed, target_folder};
use crate::served::Served;

/// Calls of the test command, at least.
pub(crate) const SMOKE_EXAMPLES: u64 = 1_000;
/// Their seed. It is always the same, so that CI is no lottery.
pub(crate) const SEED: u64 = 1;

/// What Schemathesis is and needs, with versions.
const REQUIREMENTS: &str = include_str!("../schemathesis.txt");

/// Calls at once.
const WORKERS: &str = "2";
/// Time for an answer, in seconds: longer than any call may take.
const ANSWER_S_MAX: &str = "40";

/// What it looks for and we do not: that every document of the described form is a pipe file, which the parser alone can say (422); and that a
/// missing `If-Match` is answered by 400, where RFC 6585 has 428. Both statuses are described.
const CHECKS_LEFT_OUT: &str = "positive_data_acceptance,missing_required_header";

/// A stream of events has no end, which Schemathesis would wait for.
const ENDLESS: &str = "/api/v1/events/stream";

/// Makes at least `examples` calls against a service of its own, and fails where one finds something.
pub(crate) fn run(examples: u64, seed: u64) -> anyhow::Result<()> {
    let tools = tools()?;
    let service = Served::start(&release_binary()?)?;
    let report = service.folder.path().join("report.json");
    let calls = calls_described()?;
    let mut command = Command::new("python3");
    command
        .args(["-m", "schemathesis.cli", "run"])
        .arg(format!("{}/api/v1/openapi.json", service.url))
        .args(["--exclude-path", ENDLESS, "--workers", WORKERS, "--request-timeout", ANSWER_S_MAX])
        .args(["--max-examples", &asked_of_each(examples, calls).to_string(), "--seed", &seed.to_string()])
        .args([
            "--checks",
            "all",
            "--exclude-checks",
            CHECKS_LEFT_OUT,
            "--continue-on-failure",
            "--no-shrink",
            "--report",
            "json",
            "--report-json-path",
        ])
        .arg(&report)
        .env("PYTHONPATH", &tools)
        .current_dir(service.folder.path());
    println!("$ {}", show(&command));
    // Not in what is printed.
    command.args(["--header", &format!("Authorization: Bearer {}", service.token)]);
    let status = command.status().context("cannot run python3")?;
    let report = std::fs::read_to_string(&report).context("Schemathesis has written no report")?;
    let report: Value = serde_json::from_str(&report).context("the report of Schemathesis is no JSON")?;
    let made = report["test_cases"]["generated"].as_u64().unwrap_or_default();
    ensure!(is_ready(service.address()), "the service does not answer any more");
    if !status.success() {
        bail!("Schemathesis found something; again: cargo xtask api --examples {examples} --seed {seed}");
    }
    ensure!(made >= examples, "Schemathesis made {made} calls of {examples}");
    println!("{made} calls, nothing found");
    Ok(())
}

/// Some have fewer ways to be called than are asked for, which the others make up for.
fn asked_of_each(examples: u64, calls: u64) -> u64 {
    (examples + examples / 4).div_ceil(calls)
}

/// Calls that the description has, those left out that have no end.
fn calls_described() -> anyhow::Result<u64> {
    let text = std::fs::read_to_string(root().join("testdata/goldens/openapi.json"))?;
    let description: Value = serde_json::from_str(&text)?;
    let paths = description["paths"].as_object().context("the description has no paths")?;
    let count: usize = paths
        .iter()
        .filter(|(path, _)| *path != ENDLESS)
        .filter_map(|(_, methods)| methods.as_object())
        .map(serde_json::Map::len)
        .sum();
    Ok(u64::try_from(count.max(1))?)
}

/// The folder with Schemathesis, which is installed where it is missing.
fn tools() -> anyhow::Result<PathBuf> {
    let folder = target_folder()?.join("tools");
    let (tools, stamp) = (folder.join("schemathesis"), folder.join("schemathesis.txt"));
    if std::fs::read_to_string(&stamp).is_ok_and(|stamp| stamp == REQUIREMENTS) {
        return Ok(tools);
    }
    println!("missing: Schemathesis, which calls the API; installing it takes less than a minute");
    if tools.exists() {
        std::fs::remove_dir_all(&tools)?;
    }
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target"])
        .arg(&tools)
        .arg("--requirement")
        .arg(root().join("xtask/schemathesis.txt"));
    succeed(&mut pip).with_context(|| format!("cannot install Schemathesis; by hand: {}", show(&pip)))?;
    std::fs::write(&stamp, REQUIREMENTS)?;
    Ok(tools)
}

/// Whether the service answers still, and its store.
fn is_ready(address: &str) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        write!(stream, "GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}
