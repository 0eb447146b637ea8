//! JSON Schema validation on one core: ours, the transform of the same records, and what a program without ours would do.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the output is the result, the remarks are progress"
)]

use std::process::ExitCode;

use clap::Parser;
use housepipe_benches::transform::allocations::Counting;
use housepipe_benches::transform::corpora::SEED;
use housepipe_benches::transform::machine::{Machine, pin};
use housepipe_benches::transform::measure::{Effort, measure};
use housepipe_benches::transform::run::Size;
use housepipe_benches::validation::{OURS, cases, check_equal_verdicts, dataset, schemas};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const EXAMPLES: &str = "\
Examples:
  cargo xtask bench validation               everything, about a minute
  cargo xtask bench validation -- --quick    a smoke run; its figures mean nothing

Reading the tables:
  All ways take turns, once a round, and the median of the rounds counts. `by ours` is the ratio of the medians: compare
  ratios, for absolute figures move with the machine and its neighbours. The verdicts of all ways were compared before,
  on the records and on spoilt ones.";

/// Measures JSON Schema validation on one core, beside the transform of the same records.
#[derive(Parser)]
#[command(name = "cargo xtask bench validation --", after_help = EXAMPLES)]
struct Args {
    /// A smoke run of seconds.
    #[arg(long)]
    quick: bool,
    /// Rounds over all ways.
    #[arg(long)]
    rounds: Option<usize>,
    /// The seed of the records.
    #[arg(long, default_value_t = SEED)]
    seed: u64,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(args: &Args) -> anyhow::Result<()> {
    let mut effort = if args.quick { Effort::QUICK } else { Effort::FULL };
    effort.rounds = args.rounds.unwrap_or(effort.rounds).max(1);
    let size = if args.quick { Size::QUICK } else { Size::L2 };
    let machine = Machine::here(pin());
    println!(
        "{}, {} rounds, {}",
        machine.cpu,
        effort.rounds,
        if machine.pinned { "on one core" } else { "not bound" }
    );
    for known in schemas::all() {
        eprintln!("{}", known.name);
        let dataset = dataset(&known, args.seed, size.bytes)?;
        let accepted = check_equal_verdicts(&known, &dataset)?;
        let mut cases = cases(&known, &dataset)?;
        let timings = measure(&mut cases, dataset.bytes(), dataset.len(), effort);
        println!(
            "\n## {}: {} records of {} bytes, {accepted} accepted at once\n",
            known.name,
            dataset.len(),
            dataset.bytes() / dataset.len().max(1)
        );
        println!(
            "| way | ns a record | best | GB/s | allocations a record | by ours |\n|---|---:|---:|---:|---:|---:|"
        );
        let ours = timings
            .iter()
            .find(|timing| timing.case == OURS)
            .map_or(f64::NAN, |timing| timing.median_ns_record);
        for timing in &timings {
            let best = timing.median_ns_record * timing.median_gb_s / timing.best_gb_s;
            println!(
                "| {} | {:.0} | {best:.0} | {:.2} | {:.2} | {:.2} |",
                timing.case,
                timing.median_ns_record,
                timing.median_gb_s,
                timing.allocations_record.unwrap_or(f64::NAN),
                timing.median_ns_record / ours
            );
        }
    }
    Ok(())
}
