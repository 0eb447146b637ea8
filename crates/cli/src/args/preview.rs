//! The flags of `housepipe preview`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct PreviewArgs {
    /// The pipe file.
    #[arg(value_name = "PIPE.yaml")]
    pub(crate) file: PathBuf,

    /// How many records, at most.
    #[arg(short = 'n', long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(crate) count: u16,
}
