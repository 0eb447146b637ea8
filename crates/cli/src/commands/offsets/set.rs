//! `housepipe offsets set`.

use std::io::{IsTerminal, stderr, stdin};
use std::process::ExitCode;

use anyhow::anyhow;
use housepipe_runtime::{OffsetMove, OffsetsPlan, OffsetsRequest, PipeFile, plan_offsets};
use serde::Serialize;

use super::{title, who};
use crate::args::OffsetsSetArgs;
use crate::exit::Exit;
use crate::ui::{Align, Ui, count, shown_lines, table};

/// The result as a document: what was planned, and what became of it.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    plan: &'a OffsetsPlan,
    dry_run: bool,
    written: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    exit_code: u8,
}

pub(crate) async fn run(args: OffsetsSetArgs, ui: &Ui) -> Result<ExitCode, Exit> {
    let file = PipeFile::read(&args.file)?;
    let may_ask = !ui.json() && stdin().is_terminal() && stderr().is_terminal();
    if !(args.dry_run || args.yes || may_ask) {
        return Err(Exit::usage(anyhow!(
            "nobody can be asked here whether the offsets are to be set: add `--yes` to set them, or `--dry-run` to see \
             first what that would do"
        ))
        .in_a_word("needs_yes"));
    }
    let request = OffsetsRequest {
        to: args.to,
        partitions: args.partitions.into_iter().collect(),
        forget_pending: args.forget_pending,
    };
    let plan = plan_offsets(&file, request).await?;
    if !ui.json() {
        show(&plan, ui)?;
    }
    let is_agreed = args.dry_run || args.yes || !plan.may_be_written() || {
        ui.ask(&format!("Set the offsets of {} partition(s)?", plan.moves.len()))?
    };
    if !is_agreed {
        ui.line("Nothing was written.")?;
        return Ok(ExitCode::FAILURE);
    }
    let written = if args.dry_run { plan.must_be_writable() } else { plan.write().await };
    if ui.json() {
        let error = written.as_ref().err().map(ToString::to_string);
        if let Some(error) = &error {
            ui.note(&format!("error: {}", shown_lines(error)));
        }
        let document = Document {
            plan: &plan,
            dry_run: args.dry_run,
            written: written.is_ok() && !args.dry_run,
            exit_code: u8::from(error.is_some()),
            error,
        };
        ui.document(&document)?;
        return Ok(if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    written?;
    ui.line(&match args.dry_run {
        true => "Nothing was written; without --dry-run this is set.".to_owned(),
        false => format!("Set and read back: the offsets of {} partition(s).", plan.moves.len()),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn show(plan: &OffsetsPlan, ui: &Ui) -> std::io::Result<()> {
    ui.line(&title(&plan.pipe, &plan.topic, plan.delivery))?;
    for line in who(&plan.group) {
        ui.line(&line)?;
    }
    let head = [
        ("partition", Align::Right),
        ("from", Align::Right),
        ("to", Align::Right),
        ("log start", Align::Right),
        ("log end", Align::Right),
        ("effect, at most", Align::Left),
    ];
    if !plan.moves.is_empty() {
        let rows: Vec<_> = plan.moves.iter().map(row).collect();
        for line in table(head, &rows) {
            ui.line(&line)?;
        }
    }
    // Nothing follows from what is refused.
    let warnings = if plan.may_be_written() { &plan.warnings[..] } else { &[] };
    for warning in warnings {
        ui.line(&format!("warning: {}", shown_lines(warning)))?;
    }
    Ok(())
}

fn row(moved: &OffsetMove) -> [String; 6] {
    let effect = match (moved.from, moved.skipped, moved.read_again) {
        (None, 0, 0) => "nothing is skipped".to_owned(),
        (Some(_), 0, 0) => "stays where it is".to_owned(),
        (_, 0, again) => format!("{} read again", count(again)),
        (_, skipped, _) => format!("{} skipped", count(skipped)),
    };
    [
        moved.partition.to_string(),
        match (moved.from, moved.starts_at) {
            (Some(from), _) => from.to_string(),
            (None, Some(start)) => format!("none ({start})"),
            (None, None) => "none".to_owned(),
        },
        moved.to.to_string(),
        moved.log_start.to_string(),
        moved.log_end.to_string(),
        effect,
    ]
}
