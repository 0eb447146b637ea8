//! `housepipe transform`: newline-delimited JSON to RowBinary.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use housepipe_runtime::{OfflineError, OfflineOptions, Semantics, transform_lines};

use crate::args::{InputFormat, SemanticsArg, TransformArgs};
use crate::exit::Exit;
use crate::ui::Ui;

pub(crate) fn run(args: &TransformArgs, ui: &Ui) -> Result<ExitCode, Exit> {
    let InputFormat::Json = args.format;
    let options = OfflineOptions {
        semantics: match args.semantics {
            SemanticsArg::Strict => Semantics::Strict,
            SemanticsArg::Clickhouse => Semantics::ClickHouse,
        },
    };
    if args.output.is_none() && io::stdout().is_terminal() {
        return Err(Exit::usage(anyhow!(
            "rows are binary and would garble the terminal; add `-o FILE` or pipe them on"
        )));
    }
    if args.output.is_none() && ui.json() {
        return Err(Exit::usage(anyhow!(
            "with --json standard output carries the summary; add `-o FILE` for the rows"
        )));
    }
    let input: Box<dyn Read + Send> = match &args.input {
        Some(path) => Box::new(File::open(path).with_context(|| format!("cannot open {}", path.display()))?),
        None => Box::new(io::stdin()),
    };
    let output: Box<dyn Write + Send> = match &args.output {
        Some(path) => Box::new(create(path)?),
        // As a file: the rows are written as they come, not line by line.
        None => Box::new(File::from(
            io::stdout().as_fd().try_clone_to_owned().context("cannot write to standard output")?,
        )),
    };
    let mut rejects = args.rejects.as_deref().map(create).transpose()?.map(BufWriter::new);
    let summary = transform_lines(
        &args.columns,
        &options,
        input,
        output,
        rejects.as_mut().map(|rejects| rejects as &mut dyn Write),
    )
    .map_err(|error| match error {
        OfflineError::Columns { .. } | OfflineError::Plan(_) => Exit::usage(error.into()),
        other => Exit::failed(other.into()),
    })?;
    if ui.json() {
        ui.document(&summary)?;
    } else {
        ui.note(&format!(
            "{} records: {} rows ({} bytes), {} refused{}",
            summary.read,
            summary.accepted,
            summary.bytes_written,
            summary.rejected,
            if summary.rejected > 0 && args.rejects.is_none() {
                "; add --rejects FILE to see why"
            } else {
                ""
            },
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn create(path: &Path) -> Result<File, anyhow::Error> {
    File::create(path).with_context(|| format!("cannot create {}", path.display()))
}
