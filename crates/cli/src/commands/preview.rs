//! `housepipe preview`: a dry run over real records.

use std::process::ExitCode;

use housepipe_runtime::{PipeFile, preview};

use crate::args::PreviewArgs;
use crate::exit::Exit;
use crate::ui::{Ui, preview_lines, terminal_width};

pub(crate) async fn run(args: PreviewArgs, ui: &Ui) -> Result<ExitCode, Exit> {
    let file = PipeFile::read(&args.file)?;
    let report = preview(&file, usize::from(args.count)).await?;
    if ui.json() {
        ui.document(&report)?;
        return Ok(ExitCode::SUCCESS);
    }
    for line in preview_lines(&report, terminal_width()) {
        ui.line(&line)?;
    }
    Ok(ExitCode::SUCCESS)
}
