//! The flags of `housepipe new`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct NewArgs {
    /// Where the pipe file goes; asked for at the end, with this as the default. Default: pipe.yaml.
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}
