//! JSON to RowBinary on one core: our engines against other readers of JSON, on corpora from a seed.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the output is the result, the remarks are progress"
)]

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Parser, ValueEnum};
use housepipe_benches::transform::allocations::Counting;
use housepipe_benches::transform::cases::Engines;
use housepipe_benches::transform::clickhouse::Reader;
use housepipe_benches::transform::corpora::{Dataset, KINDS, Kind, SEED};
use housepipe_benches::transform::machine::{Machine, pin};
use housepipe_benches::transform::measure::Effort;
use housepipe_benches::transform::run::{Size, Wanted, run};
use housepipe_benches::transform::{svg, table};
use housepipe_local_stack::{Clickhouse, ClickhouseOptions, Lines, prepare};
use housepipe_transform::{Path, Tier};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const EXAMPLES: &str = "\
Examples:
  cargo xtask bench transform                                  everything, about ten minutes
  cargo xtask bench transform -- --quick                       a smoke run; its figures mean nothing
  cargo xtask bench transform -- --corpus logs,events --size l2 --no-clickhouse
  cargo xtask bench transform -- --paths exact,general,lockstep --tiers portable,avx2
  cargo xtask bench transform -- --check --json result.json --svg plot.svg
  cargo xtask bench transform -- --file my.jsonl --columns 'id UInt64, name String'

Reading the tables:
  `housepipe` is the default engine with 256 KiB of records a call. All cases take turns, once a round, and the median
  of the rounds counts. `ours by this` is the ratio of the medians: compare ratios, for absolute figures move with the
  machine and its neighbours. Every reader's rows were compared byte by byte with the exact path's before.
  The peers read into structs that borrow their texts and know the layout of times beforehand. ClickHouse is measured
  by the CPU time of the server.";

/// Measures JSON to RowBinary on one core, against sonic-rs, simd-json, serde_json and ClickHouse's own reader.
#[derive(Parser)]
#[command(name = "cargo xtask bench transform --", after_help = EXAMPLES)]
struct Args {
    /// Which corpora (default: all): logs, events, nested, sparse, escaped, multibyte, shuffled, wide, bad-1-percent,
    /// shapes-1, shapes-4, shapes-16, shapes-64.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    corpus: Vec<String>,
    /// In the L2 cache (0.8 MB), from memory (30 MB), or both.
    #[arg(long, value_enum, default_value = "both")]
    size: SizeArg,
    /// The seed of the corpora.
    #[arg(long, default_value_t = SEED)]
    seed: u64,
    /// Also these paths of ours.
    #[arg(long, value_enum, value_delimiter = ',')]
    paths: Vec<PathArg>,
    /// Also these SIMD tiers of ours: portable, avx2, avx512, neon, as far as the processor has them.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    tiers: Vec<String>,
    /// Rounds over all cases.
    #[arg(long)]
    rounds: Option<usize>,
    /// Leave ClickHouse out; nothing is downloaded then.
    #[arg(long)]
    no_clickhouse: bool,
    /// Runs of ClickHouse for each format.
    #[arg(long, default_value_t = 3)]
    clickhouse_runs: usize,
    /// A smoke run of seconds, without ClickHouse.
    #[arg(long)]
    quick: bool,
    /// End with status 1 where a floor of the targets is missed.
    #[arg(long)]
    check: bool,
    /// Write everything as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draw the medians.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Your own records, one a line, instead of the corpora: our engines and ClickHouse.
    #[arg(long, value_name = "PATH", requires = "columns")]
    file: Option<PathBuf>,
    /// The columns of your records, as ClickHouse writes them.
    #[arg(long, value_name = "COLUMNS", requires = "file")]
    columns: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SizeArg {
    L2,
    Dram,
    Both,
}

#[derive(Clone, Copy, ValueEnum)]
enum PathArg {
    Exact,
    General,
    Lockstep,
}

fn main() -> ExitCode {
    match measure(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Whether the targets hold, as far as that was asked for.
fn measure(args: &Args) -> anyhow::Result<bool> {
    let mut wanted = wanted(args)?;
    if !args.no_clickhouse && !args.quick {
        // Started before this thread is bound to a core, or the server would inherit that.
        let parts = prepare(&mut Lines::default())?;
        let server = Clickhouse::start(&parts, &ClickhouseOptions::default())?;
        wanted.clickhouse = Some((Reader::new(server)?, args.clickhouse_runs));
    }
    let machine = Machine::here(pin());
    let report = run(&wanted, machine, &mut |what| eprintln!("{what}"))?;
    print!("{}", table::write(&report)?);
    if let Some(path) = &args.json {
        write(path, &(serde_json::to_string_pretty(&report)? + "\n"))?;
    }
    if let (Some(path), Some(first)) = (&args.svg, report.corpora.first()) {
        write(path, &svg::draw(&report, first.size)?)?;
    }
    let judged = || report.targets.iter().filter(|verdict| verdict.measured.is_some());
    let known = judged().filter(|verdict| verdict.known_miss).count();
    let missed = judged().filter(|verdict| !verdict.floor_held && !verdict.known_miss).count();
    if args.check && judged().next().is_none() {
        bail!("--check has nothing to judge: no target concerns these corpora");
    }
    let left_out = report.targets.len() - judged().count();
    if args.check && left_out > 0 {
        eprintln!("{left_out} targets were not measured");
    }
    if args.check && known > 0 {
        eprintln!("{known} floors are missed as known, and no worse than that");
    }
    if args.check && missed > 0 {
        eprintln!("{missed} floors are missed");
    }
    // What was left out on request is said above; what is missing without one would be a floor that nobody watches.
    let is_whole = left_out == 0 || args.no_clickhouse || args.quick;
    Ok(!args.check || (missed == 0 && is_whole))
}

fn write(path: &std::path::Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn wanted(args: &Args) -> anyhow::Result<Wanted> {
    let kinds = if args.corpus.is_empty() {
        KINDS.to_vec()
    } else {
        args.corpus.iter().map(|name| Kind::by_name(name)).collect::<anyhow::Result<_>>()?
    };
    let sizes = match args.size {
        _ if args.quick => vec![Size::QUICK],
        SizeArg::L2 => vec![Size::L2],
        SizeArg::Dram => vec![Size::DRAM],
        SizeArg::Both => vec![Size::L2, Size::DRAM],
    };
    let own = match (&args.file, &args.columns) {
        (Some(path), Some(columns)) => Some(Dataset::read(path, columns)?),
        _ => None,
    };
    let mut effort = if args.quick { Effort::QUICK } else { Effort::FULL };
    effort.rounds = args.rounds.unwrap_or(effort.rounds).max(1);
    let flat = own.is_none() && !args.quick && args.corpus.is_empty();
    Ok(Wanted { kinds, sizes, own, seed: args.seed, engines: engines(args)?, effort, clickhouse: None, flat })
}

fn engines(args: &Args) -> anyhow::Result<Engines> {
    let paths = args.paths.iter().map(|path| match path {
        PathArg::Exact => Path::Exact,
        PathArg::General => Path::General,
        PathArg::Lockstep => Path::Lockstep,
    });
    let tier = |name: &String| {
        Tier::by_name(name).with_context(|| {
            let here: Vec<&str> = Tier::all().into_iter().map(Tier::name).collect();
            format!("this processor has no tier `{name}`; it has {}", here.join(", "))
        })
    };
    Ok(Engines { paths: paths.collect(), tiers: args.tiers.iter().map(tier).collect::<anyhow::Result<_>>()? })
}
