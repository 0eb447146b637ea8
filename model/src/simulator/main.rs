//! A seeded simulator of exactly-once delivery: larger worlds than the model checker goes through, everything that may go
//! wrong at once, and simulated time.
//!
//! The core, the metadata's text and the tokens are those of the product ([`housepipe_runtime::delivery`]); around them is
//! a driver by the rules of the product's one, a broker and a ClickHouse. A seed makes the world and all that happens in
//! it: one thread, one generator of numbers, one queue of events, no clock.

#![expect(clippy::print_stdout, reason = "its output is what it is for")]

mod clickhouse;
mod clock;
mod delivery;
mod driver;
mod event;
mod guard;
mod kafka;
mod membership;
mod mishaps;
mod mistake;
mod oracle;
mod process;
mod questions;
mod random;
mod report;
mod setting;
mod task;
mod topic;
mod worker;
mod world;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::{Parser, ValueEnum};
use mistake::Mistake;
use report::Totals;
use world::{Stats, World};

/// Simulates exactly-once delivery: no record lost, none twice, whatever goes wrong.
///
/// First `--seeds` runs by the rules; then each driver with a mistake, which has to be found.
#[derive(Debug, Parser)]
#[command(name = "simulate", max_term_width = 110)]
struct Cli {
    /// Runs, each with a seed of its own
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first seed; mistakes are looked for in the same runs each time
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only a driver with this mistake, until it is found
    #[arg(long, value_enum)]
    mistake: Option<Mistake>,
    /// Runs in which a mistake has to be found
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    mistake_seeds: u64,
    /// Print every event of a run, of one seed
    #[arg(long)]
    trace: bool,
    /// Print the figures as one line of JSON, and nothing else
    #[arg(long)]
    json: bool,
    /// Threads, each with runs of its own
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

/// What one run was.
#[derive(Debug)]
struct Run {
    stats: Stats,
    halts: BTreeMap<&'static str, u64>,
    violation: Option<String>,
}

/// Runs one seed. A panic is a violation as well.
fn simulate(seed: u64, mistake: Option<Mistake>, traces: bool) -> Run {
    let run = catch_unwind(AssertUnwindSafe(|| {
        let mut world = World::new(seed, mistake, traces);
        world.run();
        Run { violation: world.oracle.violation, halts: world.oracle.halts, stats: world.stats }
    }));
    run.unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().map(String::as_str);
        let words = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
        let violation = Some(format!("a panic: {words}"));
        Run { stats: Stats::default(), halts: BTreeMap::new(), violation }
    })
}

/// The first seed of `seeds`, from `first` on, in which the mistake shows, and how.
fn find(mistake: Mistake, first: u64, seeds: u64) -> Option<(u64, String)> {
    (first..first + seeds).find_map(|seed| Some((seed, simulate(seed, Some(mistake), false).violation?)))
}

/// Violations of which each is told; a simulator that is wrong has thousands.
const VIOLATIONS_MAX: usize = 10;

/// Seeds between two lines of progress.
const PROGRESS_SEEDS: u64 = 10_000;

/// Runs all seeds on some threads.
fn simulate_all(cli: &Cli) -> (Totals, Vec<(u64, String)>) {
    let next = AtomicU64::new(0);
    let all = Mutex::new((Totals::default(), Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..cli.threads.max(1) {
            scope.spawn(|| {
                let (mut totals, mut violations) = (Totals::default(), Vec::new());
                loop {
                    let done = next.fetch_add(1, Ordering::Relaxed);
                    if done >= cli.seeds || violations.len() >= VIOLATIONS_MAX {
                        break;
                    }
                    if done > 0 && done.is_multiple_of(PROGRESS_SEEDS) && !cli.json {
                        report::line(&format!("  {done} of {} seeds", cli.seeds));
                    }
                    let seed = cli.seed.wrapping_add(done);
                    let run = simulate(seed, None, cli.trace);
                    totals.add(seed, &run.stats, &run.halts);
                    violations.extend(run.violation.map(|what| (seed, what)));
                }
                if let Ok(mut all) = all.lock() {
                    all.0.merge(&totals);
                    all.1.append(&mut violations);
                }
            });
        }
    });
    let (totals, mut violations) = all.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    violations.sort();
    (totals, violations)
}

fn main() -> ExitCode {
    let mut cli = Cli::parse();
    if cli.trace {
        (cli.seeds, cli.threads) = (1, 1);
    }
    if let (Some(mistake), true) = (cli.mistake, cli.trace) {
        let run = simulate(cli.seed, Some(mistake), true);
        println!("{}", run.violation.as_deref().unwrap_or("nothing is wrong"));
        return ExitCode::from(u8::from(run.violation.is_some()));
    }
    let (mut totals, mut violations) = (Totals::default(), Vec::new());
    if cli.mistake.is_none() {
        let began = Instant::now();
        (totals, violations) = simulate_all(&cli);
        if !cli.json {
            println!("{} seeds in {:.1} s\n{}", totals.seeds, began.elapsed().as_secs_f64(), totals.table());
        }
    }
    for (seed, what) in violations.iter().filter(|_| !cli.json) {
        println!("seed {seed}: {what}\n  cargo xtask simulate --seeds 1 --seed {seed} --trace");
    }
    let mistakes: Vec<Mistake> = match cli.mistake {
        Some(mistake) => vec![mistake],
        None if violations.is_empty() && !cli.trace => Mistake::value_variants().to_vec(),
        None => Vec::new(),
    };
    let mut missed = Vec::new();
    for mistake in mistakes {
        let name = mistake.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        match find(mistake, mistake.first_seed(), cli.mistake_seeds) {
            Some((seed, what)) if !cli.json => println!("{name}: found with seed {seed}: {what}"),
            Some(_) => {}
            None => {
                if !cli.json {
                    println!("{name}: not found in {} seeds", cli.mistake_seeds);
                }
                missed.push(name);
            }
        }
    }
    if cli.json {
        println!("{}", totals.json(&violations, &missed));
    }
    if violations.is_empty() && missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs of the short form, and runs in which it has to find a mistake.
    const SEEDS: u64 = 300;
    const MISTAKE_SEEDS: u64 = 2_000;

    #[test]
    fn no_record_is_lost_and_none_is_loaded_twice() {
        let mut totals = Totals::default();
        for seed in 1..=SEEDS {
            let run = simulate(seed, None, false);
            assert_eq!(run.violation, None, "seed {seed}");
            totals.add(seed, &run.stats, &run.halts);
        }
        // Where nothing of this came there was nothing to see.
        let stats = &totals.stats;
        assert_eq!(stats.mishaps.len(), 8, "{:?}", stats.mishaps);
        assert!(stats.replays > 0 && stats.prepared_again > 0 && stats.sessions_unknown > 0, "{stats:?}");
        assert!(stats.looked_back > 0, "{stats:?}");
        assert!(stats.dropped > 0 && stats.refusals > 0 && stats.leaves > 0 && stats.lost > 0, "{stats:?}");
        assert!(totals.halts.len() > 1 && stats.mends > 0, "{:?}", totals.halts);
    }

    #[test]
    fn every_mistake_is_found() {
        for mistake in Mistake::value_variants() {
            assert!(find(*mistake, mistake.first_seed(), MISTAKE_SEEDS).is_some(), "{mistake:?}");
        }
    }

    #[test]
    fn a_seed_makes_the_same_run_each_time() {
        let run = |seed| format!("{:?}", simulate(seed, None, false));
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
    }
}
