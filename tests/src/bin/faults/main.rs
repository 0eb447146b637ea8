//! `cargo xtask faults`: the fault matrix on real servers, in both modes, and a table of what was found.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program of developers, its terminal is its output"
)]

mod record;
mod table;

use std::collections::VecDeque;
use std::ops::Range;
use std::panic::catch_unwind;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use clap::Parser;
use housepipe_tests::faults::{self, Backlog, Ground, Mode, ROWS, Row};
use housepipe_tests::own_stack;
use record::{Record, Records};

/// Breaks what a pipe depends on, in every way of the fault matrix, and looks for lost and doubled records.
///
/// Each run starts with a topic of numbered records and ends with a look at every row. The exit code is 1 where one run
/// found what its mode does not allow, or did not come to its end; the command that repeats it is printed.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask faults", max_term_width = 110)]
struct Cli {
    /// Runs of each row in each mode.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only this row of the matrix; all of them where absent.
    #[arg(long, value_name = "NAME", value_parser = ROWS.iter().map(|row| row.name).collect::<Vec<_>>())]
    row: Option<String>,
    /// Only this mode; both where absent.
    #[arg(long, value_parser = Mode::ALL.map(Mode::name))]
    mode: Option<String>,
    /// Instead of the matrix: write so many records while three replicas are killed with -9 every few seconds.
    #[arg(long, value_name = "RECORDS")]
    soak: Option<u64>,
    /// Instead of the matrix: have a pipe with little memory load a backlog of 100 times that, beside a ClickHouse that stands
    /// still again and again, and look at its memory too. Linux only.
    #[arg(long, conflicts_with = "soak")]
    backlog: bool,
    /// The memory of that pipe, in MiB; 16 is the least that a pipe takes. The backlog of 64 MiB needs 7 GB of disk.
    #[arg(long, value_name = "MIB", requires = "backlog", default_value_t = 16,
          value_parser = clap::value_parser!(u64).range(16..=1_024))]
    memory_mib: u64,
    /// The compression of that backlog's topic. What a pipe fetches ahead is bounded by its size on the wire.
    #[arg(long, value_name = "TYPE", requires = "backlog", default_value = "uncompressed",
          value_parser = ["uncompressed", "gzip", "snappy", "lz4", "zstd"])]
    compression: String,
    /// Records of that backlog differ little from each other: zstd makes them a 27th of their size, and others a sixth.
    #[arg(long, requires = "backlog")]
    alike: bool,
    /// Runs at the same time, each with servers of its own.
    #[arg(long, default_value_t = 3)]
    stacks: usize,
    /// Keeps what each run found in this file, a line of JSON for each. Runs that it has are not made again, so that a long
    /// matrix can be ended and gone on with; a seed makes the same run only in the same version.
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,
}

impl Cli {
    fn modes(&self) -> impl Iterator<Item = Mode> {
        Mode::ALL.into_iter().filter(|mode| self.mode.as_ref().is_none_or(|name| name == mode.name()))
    }

    fn seeds(&self) -> Range<u64> {
        self.seed..self.seed.saturating_add(self.seeds)
    }

    /// Every run that is asked for.
    fn tasks(&self) -> VecDeque<Task> {
        let rows: Vec<&'static Row> =
            ROWS.iter().filter(|row| self.row.as_ref().is_none_or(|name| name == row.name)).collect();
        let of_row = |row: &'static Row, seed| {
            let modes = self.modes().filter(|mode| row.modes.contains(mode));
            modes.map(move |mode| Task { row, mode, seed })
        };
        self.seeds().flat_map(|seed| rows.iter().flat_map(move |row| of_row(row, seed))).collect()
    }
}

#[derive(Debug, Clone, Copy)]
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
    if cli.backlog {
        return backlog(&cli);
    }
    let records = match Records::open(cli.results.as_deref()) {
        Ok(records) => records,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    let mut tasks = cli.tasks();
    let total = tasks.len();
    if total == 0 {
        eprintln!("error: this row has no runs in this mode");
        return ExitCode::from(2);
    }
    let done = records.take_known(&mut tasks);
    if !done.is_empty() {
        eprintln!("{} of {total} runs are in the file already", done.len());
    }
    let stacks = cli.stacks.clamp(1, tasks.len().max(1));
    let (tasks, found) = (Mutex::new(tasks), Mutex::new(done));
    let began = Instant::now();
    let keep = |record: Record| {
        if let Some(wrong) = record.complaint() {
            eprintln!("{wrong}");
        }
        if let Err(error) = records.keep(&record) {
            eprintln!("the result was not kept: {error}");
        }
        let mut found = lock(&found);
        found.push(record);
        eprintln!("{} of {total} runs in {:.0} s", found.len(), began.elapsed().as_secs_f64());
    };
    std::thread::scope(|scope| {
        for _ in 0..stacks {
            scope.spawn(|| work(&tasks, keep));
        }
    });
    let done = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    table::print(&done);
    let wrong = done.iter().filter(|record| !record.is_right()).count();
    println!("\n{} of {total} runs, {wrong} wrong; {:.0} s", done.len(), began.elapsed().as_secs_f64());
    if wrong == 0 && done.len() == total { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs that the same servers are used for, at most: a broker that has the logs of hundreds of topics takes minutes to start
/// again behind a kill.
const RUNS_OF_SERVERS_MAX: usize = 25;

/// Makes runs on servers of its own until none is left. Whatever breaks in one of them is its result; where the servers
/// themselves cannot be had, the runs are left to the others.
fn work(tasks: &Mutex<VecDeque<Task>>, keep: impl Fn(Record)) {
    loop {
        let Ok(mut ground) = catch_unwind(Ground::prepare) else {
            eprintln!("the servers of one of the stacks did not start; its runs are left to the others");
            return;
        };
        for _ in 0..RUNS_OF_SERVERS_MAX {
            let Some(Task { row, mode, seed }) = lock(tasks).pop_front() else { return };
            keep(Record::new(row, mode, seed, faults::run(row, &mut ground, mode, seed)));
        }
    }
}

fn backlog(cli: &Cli) -> ExitCode {
    let stack = own_stack();
    let backlog = Backlog { budget_mib: cli.memory_mib, compression: &cli.compression, is_alike: cli.alike };
    let mut is_right = true;
    for seed in cli.seeds() {
        for mode in cli.modes() {
            let found = faults::backlog(&stack, backlog, mode, seed);
            println!("{} seed {seed}: {}; {:?}", mode.name(), found.note, found.verdict.unwrap_or_default());
            if let Some(trouble) = &found.trouble {
                println!("WRONG: {trouble}");
            }
            is_right &= found.is_right(mode);
        }
    }
    if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn soak(cli: &Cli, records: u64) -> ExitCode {
    let stack = own_stack();
    let mut is_right = true;
    for mode in cli.modes() {
        let began = Instant::now();
        let found = faults::soak(&stack, records, mode, cli.seed);
        println!(
            "{} with {records} records in {:.0} s, {}: {:?}, the last record in its place after {:.1} s",
            mode.name(),
            began.elapsed().as_secs_f64(),
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
