//! `cargo xtask faults`: the fault matrix on real servers, in both modes, and a table of what was found.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program of developers, its terminal is its output"
)]

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Instant;

use clap::Parser;
use housepipe_tests::faults::{self, Found, Mode, ROWS, Row};
use housepipe_tests::own_stack;

/// Breaks what a pipe depends on, in every way of the fault matrix, and looks for lost and doubled records.
///
/// Each run starts with a topic of numbered records and ends with a look at every row. The exit code is 1 where one run
/// found what its mode does not allow; the command that repeats it is printed.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask faults", max_term_width = 110)]
struct Cli {
    /// Runs of each row in each mode.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only this row of the matrix; all of them where absent.
    #[arg(long, value_name = "NAME", value_parser = ROWS.iter().map(|row| row.name).collect::<Vec<_>>())]
    row: Option<String>,
    /// Only this mode; both where absent.
    #[arg(long, value_parser = ["at_least_once", "exactly_once"])]
    mode: Option<String>,
    /// Instead of the matrix: write so many records while three replicas are killed with -9 every few seconds.
    #[arg(long, value_name = "RECORDS")]
    soak: Option<u64>,
    /// Runs at the same time, each with servers of its own.
    #[arg(long, default_value_t = 3)]
    stacks: usize,
}

struct Task {
    row: &'static Row,
    mode: Mode,
    seed: u64,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Some(records) = cli.soak {
        return soak(&cli, records);
    }
    // A run that fails says so by itself; the panics of its thread are part of that.
    std::panic::set_hook(Box::new(|_| {}));
    let mut tasks = Vec::new();
    for seed in cli.seed..cli.seed.saturating_add(cli.seeds) {
        for row in ROWS.iter().filter(|row| cli.row.as_ref().is_none_or(|name| name == row.name)) {
            for mode in [Mode::AtLeastOnce, Mode::ExactlyOnce] {
                if cli.mode.as_ref().is_none_or(|name| name == mode.name()) {
                    tasks.push(Task { row, mode, seed });
                }
            }
        }
    }
    let total = tasks.len();
    tasks.reverse();
    let (tasks, found) = (Mutex::new(tasks), Mutex::new(Vec::new()));
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..cli.stacks.clamp(1, total.max(1)) {
            scope.spawn(|| {
                let mut stack = own_stack();
                loop {
                    let Some(task) = lock(&tasks).pop() else { return };
                    let result = faults::run(task.row, &mut stack, task.mode, task.seed);
                    let mut found = lock(&found);
                    if !result.is_right(task.mode) {
                        eprintln!("{}", complaint(&task, &result));
                    }
                    found.push((task, result));
                    eprintln!("{} of {total} runs in {:.0} s", found.len(), started.elapsed().as_secs_f64());
                }
            });
        }
    });
    let found = found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    print_table(&found);
    let wrong = found.iter().filter(|(task, result)| !result.is_right(task.mode)).count();
    println!("\n{total} runs in {:.0} s, {wrong} wrong", started.elapsed().as_secs_f64());
    if wrong == 0 && found.len() == total { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn soak(cli: &Cli, records: u64) -> ExitCode {
    let stack = own_stack();
    let mut is_right = true;
    for mode in [Mode::AtLeastOnce, Mode::ExactlyOnce] {
        if cli.mode.as_ref().is_some_and(|name| name != mode.name()) {
            continue;
        }
        let started = Instant::now();
        let found = faults::soak(&stack, records, mode, cli.seed);
        println!(
            "{} with {records} records in {:.0} s, {}: {:?}, the last record in its place after {:.1} s",
            mode.name(),
            started.elapsed().as_secs_f64(),
            found.note,
            found.verdict.unwrap_or_default(),
            found.calm.as_secs_f64()
        );
        if let Some(trouble) = &found.trouble {
            println!("{trouble}");
        }
        is_right &= found.is_right(mode);
    }
    if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn complaint(task: &Task, found: &Found) -> String {
    format!(
        "WRONG: {} {} seed {}: {:?} {}\n  again: cargo xtask faults --row {} --mode {} --seed {}",
        task.row.name,
        task.mode.name(),
        task.seed,
        found.verdict,
        found.trouble.as_deref().unwrap_or_default(),
        task.row.name,
        task.mode.name(),
        task.seed
    )
}

/// Sums of one row and mode.
#[derive(Default)]
struct Sum {
    runs: u64,
    produced: u64,
    lost: u64,
    duplicated: u64,
    other: u64,
    stuck: u64,
    calm_s: f64,
}

fn print_table(found: &[(Task, Found)]) {
    let mut sums: BTreeMap<(usize, &str), Sum> = BTreeMap::new();
    for (task, result) in found {
        let place = ROWS.iter().position(|row| row.name == task.row.name).unwrap_or(ROWS.len());
        let sum = sums.entry((place, task.mode.name())).or_default();
        sum.runs += 1;
        sum.produced += result.produced;
        sum.calm_s = sum.calm_s.max(result.calm.as_secs_f64());
        match result.verdict {
            Some(verdict) => {
                sum.lost += verdict.lost;
                sum.duplicated += verdict.duplicated;
                sum.other += verdict.phantom + verdict.corrupted + verdict.misplaced;
            }
            None => sum.stuck += 1,
        }
    }
    println!(
        "| fault | mode | runs | records | lost | duplicated | phantom, corrupted, misplaced | stuck | slowest calm |"
    );
    println!("|---|---|---:|---:|---:|---:|---:|---:|---:|");
    for ((place, mode), sum) in sums {
        let what = ROWS.get(place).map_or("", |row| row.what);
        let Sum { runs, produced, lost, duplicated, other, stuck, calm_s } = sum;
        println!(
            "| {what} | {mode} | {runs} | {produced} | {lost} | {duplicated} | {other} | {stuck} | {calm_s:.1} s |"
        );
    }
}
