//! Compares the transform with a real ClickHouse on random columns and records, hostile ones among them.
//!
//! `cargo xtask conformance` starts a server and runs this. Everything follows from the seed.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program of developers, its terminal is its output"
)]

mod cells;
mod compare;
mod documents;
mod group;
mod known;
mod mixed;
mod moments;
mod numbers;
mod random;
mod reference;
mod report;
mod run;
mod shape;
mod shrink;
mod subject;
mod suited;
mod types;
mod values;
mod zones;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Parser;
use housepipe_transform::{Engine, Path, Tier};

use crate::run::Plan;

/// Compares the transform with ClickHouse on random columns and records.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask conformance", max_term_width = 110)]
struct Cli {
    /// Pairs of columns and record to compare, rounded up to whole groups of 100.
    #[arg(long, default_value_t = 50_000)]
    cases: u64,
    /// What everything random follows from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Stop after so many seconds, where the cases take longer.
    #[arg(long)]
    seconds: Option<u64>,
    /// Only types whose text this regular expression finds.
    #[arg(long, value_name = "REGEX")]
    types: Option<regex::Regex>,
    /// The path that is compared with the exact one.
    #[arg(long, default_value = "lockstep", value_parser = ["exact", "general", "lockstep"])]
    engine: String,
    /// The instructions that it uses; the best that the processor has when absent.
    #[arg(long)]
    tier: Option<String>,
    /// Only the group of this index, as a finding names it.
    #[arg(long, value_name = "INDEX")]
    only: Option<u64>,
    /// Also writes the report to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Appends the findings to this file of conversion cases; without a name to the project's own.
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "testdata/conversion/found.toml")]
    write: Option<PathBuf>,
    /// Connections to ClickHouse, each with a thread.
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// The server, as `http://host:port`.
    #[arg(long, env = "CLICKHOUSE_URL", hide_env_values = true)]
    clickhouse_url: String,
}

fn main() -> ExitCode {
    match start() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn start() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    let path = match cli.engine.as_str() {
        "exact" => Path::Exact,
        "general" => Path::General,
        _ => Path::Lockstep,
    };
    let tier = match &cli.tier {
        None => Tier::best(),
        Some(name) => match Tier::by_name(name) {
            Some(tier) => tier,
            None => {
                let tiers: Vec<&str> = Tier::all().into_iter().map(Tier::name).collect();
                bail!("this processor has no tier `{name}`; it has {}", tiers.join(", "));
            }
        },
    };
    let plan = Plan {
        url: cli.clickhouse_url,
        seed: cli.seed,
        groups: match cli.only {
            Some(index) => index..index.saturating_add(1),
            None => 0..cli.cases.div_ceil(group::RECORDS_PER_GROUP as u64),
        },
        time_max: cli.seconds.map(Duration::from_secs),
        types: cli.types,
        engine: Engine::new(path, tier),
        connections: cli.connections.max(1),
    };
    eprintln!("seed {}, engine {}, tier {tier}", plan.seed, cli.engine);
    let report = run::run(&plan)?;
    println!("{report}");
    if let Some(file) = cli.json {
        let text = serde_json::to_string_pretty(&report.to_json())?;
        std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    if let Some(file) = cli.write {
        report.append_cases(&file).with_context(|| format!("cannot append to {}", file.display()))?;
    }
    if report.pairs == 0 {
        bail!("no pair was compared, which says nothing");
    }
    Ok(if report.findings == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
