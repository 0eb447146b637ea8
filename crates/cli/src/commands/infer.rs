//! `housepipe infer`: columns out of samples.

use std::fs::File;
use std::io::{self, BufReader, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use housepipe_runtime::{InferReport, PipeDraft, infer_lines, infer_topic};

use crate::args::InferArgs;
use crate::exit::Exit;
use crate::ui::Ui;

/// The table of documents that have neither a pipe file nor a name.
const TABLE_DEFAULT: &str = "events";

pub(crate) async fn run(args: InferArgs, ui: &Ui) -> Result<ExitCode, Exit> {
    let draft = args.file.as_deref().map(PipeDraft::read).transpose()?;
    let count = usize::from(args.samples);
    let report = match (&args.from, &draft) {
        (Some(from), draft) => of_documents(from, draft.as_ref(), count, ui)?,
        // clap asks for one of the two.
        (None, None) => {
            return Err(Exit::usage(anyhow::anyhow!("give a pipe file with -f, or documents with --from")));
        }
        (None, Some(draft)) => infer_topic(draft, count).await?,
    };
    if ui.json() {
        ui.document(&report)?;
    } else {
        io::stdout().write_all(report.text().as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn of_documents(from: &Path, draft: Option<&PipeDraft>, count: usize, ui: &Ui) -> Result<InferReport, Exit> {
    if from == Path::new("-") {
        if io::stdin().is_terminal() {
            ui.note("Paste JSON objects, one a line; Ctrl-D in a line of its own ends them.");
        }
        return Ok(infer_lines(io::stdin().lock(), "standard input", draft, TABLE_DEFAULT, count)?);
    }
    let file = File::open(from).with_context(|| format!("cannot open {}", from.display()))?;
    let table = from.file_stem().map_or(TABLE_DEFAULT.into(), |stem| stem.to_string_lossy());
    Ok(infer_lines(BufReader::new(file), &from.display().to_string(), draft, &table, count)?)
}
