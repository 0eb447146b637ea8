//! `housepipe errors replay`.

use std::process::ExitCode;

use anyhow::anyhow;
use housepipe_runtime::{PipeFile, ReplayOptions, ReplayReport, Settled, replay_errors, settle_replay};

use super::{exit, query};
use crate::args::ErrorsReplayArgs;
use crate::exit::Exit;
use crate::ui::{Ui, count, shown};

/// Characters of an example that are shown, at most.
const EXAMPLE_WIDTH: usize = 300;

pub(crate) async fn run(args: ErrorsReplayArgs, ui: &Ui) -> Result<ExitCode, Exit> {
    let file = PipeFile::read(&args.file)?;
    let settled = [(args.settle_loaded, Settled::Loaded), (args.settle_missing, Settled::Missing)];
    for (token, found) in settled {
        if let Some(token) = token {
            return settle(&file, &token, found, ui).await;
        }
    }
    let options = ReplayOptions { query: query(args.filter), limit: args.limit, dry_run: args.dry_run };
    let spinner = ui.spinner();
    let report = replay_errors(&file, &options, |report| spinner.show(first_line(report))).await;
    drop(spinner);
    let report = report.map_err(exit)?;
    if ui.json() {
        ui.document(&report)?;
    } else {
        show(&report, ui)?;
    }
    if !report.is_complete() {
        return Err(Exit::failed(anyhow!("the numbers do not add up: {}", first_line(&report))));
    }
    Ok(ExitCode::SUCCESS)
}

async fn settle(file: &PipeFile, token: &str, found: Settled, ui: &Ui) -> Result<ExitCode, Exit> {
    let records = settle_replay(file, token, found).await.map_err(exit)?;
    if ui.json() {
        ui.document(&serde_json::json!({
            "pipe": file.name.to_string(),
            "token": token,
            "records": records,
            "settled": if found == Settled::Loaded { "loaded" } else { "missing" },
        }))?;
    } else {
        ui.line(match found {
            Settled::Loaded => "Settled: these records count as loaded, and are not replayed again.",
            Settled::Missing => {
                "Settled: these records count as not loaded; run the replay again to load them."
            }
        })?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn first_line(report: &ReplayReport) -> String {
    let (loaded, word) = match report.dry_run {
        true => (report.loadable, "would be loaded"),
        false => (report.loaded, "loaded"),
    };
    let unkept = report.not_replayable.cut + report.not_replayable.without_value;
    format!(
        "{}: examined {} = {word} {} + still refused {} + not replayable {}",
        report.pipe,
        count(report.examined),
        count(loaded),
        count(report.refused),
        count(unkept)
    )
}

pub(crate) fn show(report: &ReplayReport, ui: &Ui) -> std::io::Result<()> {
    ui.line(&first_line(report))?;
    if report.finished > 0 {
        ui.line(&format!(
            "  finished         {} record(s) of a replay that had been cut off",
            count(report.finished)
        ))?;
    }
    if report.interrupted > 0 {
        ui.line(&format!(
            "  cut off          {} batch(es) of an earlier replay; a replay without --dry-run finishes them first",
            count(report.interrupted)
        ))?;
    }
    for refused in &report.refused_by {
        let column =
            if refused.column.is_empty() { String::new() } else { format!(" in column {}", refused.column) };
        ui.line(&format!(
            "  still refused    {} {}{}: {}",
            count(refused.records),
            refused.code,
            shown(&column, EXAMPLE_WIDTH),
            shown(&refused.example, EXAMPLE_WIDTH)
        ))?;
    }
    if report.not_replayable.cut > 0 {
        ui.line(&format!(
            "  not replayable   {} whose value was kept in part only; read them from kafka again",
            count(report.not_replayable.cut)
        ))?;
    }
    if report.not_replayable.without_value > 0 {
        ui.line(&format!(
            "  not replayable   {} without a value",
            count(report.not_replayable.without_value)
        ))?;
    }
    let label = if report.dry_run { "before a replay " } else { "once, because   " };
    for text in &report.depends_on {
        ui.line(&format!("  {label} {text}"))?;
    }
    if report.dry_run {
        ui.line(
            "  nothing was written; what ClickHouse itself refuses, such as by a CHECK, shows in a real run",
        )?;
    }
    Ok(())
}
