//! The flags of `housepipe errors`.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand, ValueEnum};

/// Errors, or groups of errors, that are shown at once, at most.
pub(crate) const ERRORS_MAX: u32 = 10_000;

#[derive(Debug, Subcommand)]
pub(crate) enum ErrorsCommand {
    /// Show the newest errors of a pipe, or with --summary what kinds of them there are.
    ///
    /// Records that a replay has loaded are left out, unless --all is given.
    #[command(
        after_help = "Examples:\n  housepipe errors list pipe.yaml --summary\n  housepipe errors list pipe.yaml --code invalid_number --column price --since 2h\n  housepipe errors list pipe.yaml --where \"partition = 3 AND raw_message LIKE '%beta%'\""
    )]
    List(ErrorsListArgs),
    /// Load records of the error table that the pipe accepts by now.
    ///
    /// Mend the pipe file or the table first. Each record is encoded by the columns of today; those that are accepted are
    /// loaded once, also where the command is killed and run again, as long as the table remembers the insert's token:
    /// `housepipe check` tells for how long. Those that are still refused stay where they are. Exit code 1 where the work
    /// did not come to its end.
    #[command(
        after_help = "Examples:\n  housepipe errors replay pipe.yaml --dry-run\n  housepipe errors replay pipe.yaml --code invalid_number --column price\n  housepipe errors replay pipe.yaml --where \"_time > now() - INTERVAL 1 DAY\" --limit 1000"
    )]
    Replay(ErrorsReplayArgs),
}

/// Which errors are meant.
#[derive(Debug, Args)]
pub(crate) struct ErrorsFilter {
    /// Only errors with this code; may be given several times.
    #[arg(long = "code", value_name = "CODE")]
    pub(crate) codes: Vec<String>,

    /// Only errors at this column; may be given several times.
    #[arg(long = "column", value_name = "COLUMN")]
    pub(crate) columns: Vec<String>,

    /// Only errors from this time on: RFC 3339, or how long ago, such as 30m, 2h or 7d.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) since: Option<i64>,

    /// Only errors before this time: RFC 3339, or how long ago, such as 30m, 2h or 7d.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) until: Option<i64>,

    /// Only errors for which this expression over the columns of the error table is true.
    #[arg(long = "where", value_name = "EXPRESSION")]
    pub(crate) condition: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ErrorsListArgs {
    /// The pipe file.
    #[arg(value_name = "PIPE.yaml")]
    pub(crate) file: PathBuf,

    #[command(flatten)]
    pub(crate) filter: ErrorsFilter,

    /// What kind of rows; may be given several times. Default: record and system.
    #[arg(long = "kind", value_enum, value_name = "KIND")]
    pub(crate) kinds: Vec<KindArg>,

    /// How many errors, or groups of errors, at most.
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(ERRORS_MAX)))]
    pub(crate) limit: u32,

    /// Count errors by code, column and the shape of their message.
    #[arg(long)]
    pub(crate) summary: bool,

    /// Also records that a replay has loaded.
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ErrorsReplayArgs {
    /// The pipe file.
    #[arg(value_name = "PIPE.yaml")]
    pub(crate) file: PathBuf,

    #[command(flatten)]
    pub(crate) filter: ErrorsFilter,

    /// How many records to load, at most.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,

    /// Say what would be loaded and what not, and write nothing. What ClickHouse itself would refuse is not known then.
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Settle a batch that was cut off and cannot be finished: its records are in the table. Replays nothing.
    #[arg(long, value_name = "TOKEN", conflicts_with_all = ["settle_missing", "dry_run"])]
    pub(crate) settle_loaded: Option<String>,

    /// Settle a batch that was cut off and cannot be finished: its records are not in the table. Replays nothing.
    #[arg(long, value_name = "TOKEN", conflicts_with = "dry_run")]
    pub(crate) settle_missing: Option<String>,
}

/// Spelled as in the column `kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum KindArg {
    /// Records that could not be loaded.
    Record,
    /// Errors of the operation itself.
    System,
    /// Batches and records that a replay was about to load.
    Replay,
    /// Batches and records that a replay has loaded.
    Replayed,
    /// Batches and records that a replay was about to load and has not.
    ReplayDropped,
}

/// Reads a point in time, in milliseconds since 1970.
fn moment(text: &str) -> Result<i64, String> {
    // A clock before 1970 is as good as one at 1970.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    housepipe_runtime::parse_moment(text, i64::try_from(now.as_millis()).unwrap_or(i64::MAX))
}
