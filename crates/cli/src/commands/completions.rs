//! `housepipe completions`: what a shell needs to complete commands and flags.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::CommandFactory;

use crate::args::{Cli, CompletionsArgs};
use crate::exit::Exit;

pub(crate) fn run(args: &CompletionsArgs) -> Result<ExitCode, Exit> {
    // Not straight to standard output, of which the generator expects that nobody closes it.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "housepipe", &mut script);
    io::stdout().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}
