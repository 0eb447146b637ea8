//! `housepipe transform`: newline-delimited JSON to RowBinary.

mod files;

use std::io::{self, BufWriter, IsTerminal, Write};
use std::process::ExitCode;

use anyhow::anyhow;
use housepipe_runtime::{LineTransform, OfflineOptions, Semantics};

use crate::args::{InputFormat, SemanticsArg, TransformArgs};
use crate::exit::Exit;
use crate::ui::Ui;
use files::Files;

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
    // A list of columns that is wrong costs nobody a file.
    let transform = LineTransform::new(&args.columns, &options).map_err(|error| Exit::usage(error.into()))?;
    let Files { input, output, rejects } = Files::open(args)?;
    let mut rejects = rejects.map(BufWriter::new);
    let summary = transform.run(input, output, rejects.as_mut().map(|rejects| rejects as &mut dyn Write))?;
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
