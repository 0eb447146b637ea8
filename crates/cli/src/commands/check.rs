//! `housepipe check`: the preflight.

use std::process::ExitCode;

use housepipe_runtime::{PipeFile, Verdict, check};

use crate::args::CheckArgs;
use crate::exit::Exit;
use crate::ui::{Ui, shown_lines};

pub(crate) async fn run(args: CheckArgs, ui: &Ui) -> Result<ExitCode, Exit> {
    let file = PipeFile::read(&args.file)?;
    let report = check(&file).await;
    if ui.json() {
        ui.document(&report)?;
    } else {
        for check in &report.checks {
            let mark = match check.verdict {
                Verdict::Ok => "ok      ",
                Verdict::Warning => "warning ",
                Verdict::Failed => "FAILED  ",
                Verdict::Skipped => "skipped ",
            };
            // It may name columns after keys of records, and clients as they call themselves.
            ui.line(&format!("{mark} {:<13} {}", check.name, shown_lines(&check.detail)))?;
        }
        ui.line(if report.passed { "The pipe can run." } else { "The pipe cannot run yet." })?;
    }
    Ok(if report.passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
