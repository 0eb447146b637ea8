//! The flags of `housepipe offsets`.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};
use housepipe_runtime::OffsetTarget;

#[derive(Debug, Subcommand)]
pub(crate) enum OffsetsCommand {
    /// Show where the pipe's group stands in each partition, how far behind it is, and who reads.
    ///
    /// Works at any time, also while the pipe runs; joins no group. `committed` is the record to be read next; what
    /// exactly-once delivery keeps with it is told in words.
    Show(OffsetsShowArgs),
    /// Set the offsets of the pipe's group, so that the pipe goes on elsewhere when it runs next.
    ///
    /// The pipe has to be stopped everywhere. What will be skipped or read again is shown first, and on a terminal you are
    /// asked. An offset that the log does not have is refused. Where one partition is refused none is set. Records
    /// that are read again are loaded again, in exactly-once mode as well; those that are skipped are not loaded. What is
    /// written is read back. Exit code: 0 done, 1 failed or refused, 2 wrong usage.
    #[command(
        after_help = "Examples:\n  housepipe offsets set -f pipe.yaml --to earliest --dry-run\n  housepipe offsets set -f pipe.yaml --to 2026-01-01T00:00:00Z\n  housepipe offsets set -f pipe.yaml --to 2h                       # as of two hours ago\n  housepipe offsets set -f pipe.yaml --to 1900 --partition 3\n  housepipe offsets set -f pipe.yaml --to -1000 --partition 0,1 --yes"
    )]
    Set(OffsetsSetArgs),
}

#[derive(Debug, Args)]
pub(crate) struct OffsetsShowArgs {
    /// The pipe file.
    #[arg(short = 'f', long = "file", value_name = "PIPE.yaml")]
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct OffsetsSetArgs {
    /// The pipe file.
    #[arg(short = 'f', long = "file", value_name = "PIPE.yaml")]
    pub(crate) file: PathBuf,

    /// Where to: earliest, latest, an offset such as 1000, a distance from the committed offset such as -1000 or +1000, the
    /// first record of a time such as 2026-01-01T00:00:00Z, or of how long ago, such as 30m, 2h or 7d.
    // A distance may begin with a hyphen.
    #[arg(long, value_name = "WHERE", value_parser = target, allow_hyphen_values = true)]
    pub(crate) to: OffsetTarget,

    /// Only this partition; may be given several times, or with commas. Default: all.
    #[arg(short = 'p', long = "partition", value_name = "P", value_delimiter = ',', allow_negative_numbers = true, value_parser = clap::value_parser!(i32).range(0..))]
    pub(crate) partitions: Vec<i32>,

    /// Say what would be set and what follows from it, and write nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Do not ask. Needed where there is no terminal, and with --json.
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,

    /// Also set offsets with which a range stands that may be loaded or not. What becomes of it is told; look into the
    /// table before.
    #[arg(long)]
    pub(crate) forget_pending: bool,
}

fn target(text: &str) -> Result<OffsetTarget, String> {
    // A clock before 1970 is as good as one at 1970.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    OffsetTarget::parse(text, i64::try_from(now.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser;

    fn set(arguments: &[&str]) -> Result<OffsetsSetArgs, clap::Error> {
        let all = ["housepipe", "offsets", "set", "-f", "pipe.yaml"].iter().chain(arguments);
        match Cli::try_parse_from(all)?.command {
            Command::Offsets(OffsetsCommand::Set(args)) => Ok(args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_distance_before_the_committed_offset_is_a_value_and_no_flag() {
        for (arguments, to) in [
            (&["--to", "-1000"][..], OffsetTarget::Relative(-1_000)),
            (&["--to=-1000"], OffsetTarget::Relative(-1_000)),
            (&["--to", "-1_000", "--dry-run"], OffsetTarget::Relative(-1_000)),
            (&["--to", "+1000"], OffsetTarget::Relative(1_000)),
            (&["--dry-run", "--to", "1000"], OffsetTarget::At(1_000)),
        ] {
            assert_eq!(set(arguments).unwrap().to, to, "{arguments:?}");
        }
        let swallowed = set(&["--to", "--dry-run"]).unwrap_err().to_string();
        assert!(swallowed.contains("found `--dry-run`"), "{swallowed}");
    }

    #[test]
    fn partitions_are_given_one_by_one_or_with_commas() {
        let args = set(&["--to", "0", "-p", "3", "--partition", "1,2"]).unwrap();
        assert_eq!(args.partitions, [3, 1, 2]);
        for wrong in ["-1", "x", ""] {
            assert!(set(&["--to", "0", "--partition", wrong]).is_err(), "{wrong}");
        }
    }
}
