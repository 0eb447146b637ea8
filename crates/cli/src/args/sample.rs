//! The flags of `housepipe sample`.

use std::path::PathBuf;

use clap::Args;
use housepipe_runtime::FieldFilter;

#[derive(Debug, Args)]
pub(crate) struct SampleArgs {
    /// The pipe file.
    #[arg(short = 'f', long = "file", value_name = "PIPE.yaml")]
    pub(crate) file: PathBuf,

    /// How many records, at most.
    #[arg(short = 'n', long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(crate) count: u16,

    /// Only records of this partition.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) partition: Option<i32>,

    /// Only records with this key.
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,

    /// Only records with this text in the key, the value or a header; may be given several times.
    #[arg(long, value_name = "TEXT")]
    pub(crate) contains: Vec<String>,

    /// Only records with this value at this path, such as user.id=7; may be given several times.
    #[arg(long = "match", value_name = "PATH=VALUE")]
    pub(crate) fields: Vec<FieldFilter>,

    /// How many of the newest records are looked through for those that the filter takes.
    #[arg(long, default_value_t = 10_000, value_name = "RECORDS", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(crate) look_at: u16,
}
