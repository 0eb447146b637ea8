//! `housepipe errors list`.

use std::process::ExitCode;

use housepipe_runtime::{
    ErrorGroup, ErrorQuery, ErrorSummary, ListedError, PipeFile, RowKind, list_errors, summarize_errors,
};

use super::{exit, query};
use crate::args::{ERRORS_MAX, ErrorsListArgs, KindArg};
use crate::exit::Exit;
use crate::ui::{Ui, count, shown};

/// Characters of a value that are shown to people, at most.
const RAW_WIDTH: usize = 160;

/// Characters of a message that are shown to people, at most.
const MESSAGE_WIDTH: usize = 400;

/// Bytes of a value in a JSON document, at most; `raw_length` has the whole length.
const RAW_BYTES_JSON: u32 = 64 << 10;

/// Bytes of a value that are asked for to be shown: as many as the longest characters need.
const RAW_BYTES_SHOWN: u32 = 1_024;

pub(crate) async fn run(args: ErrorsListArgs, ui: &Ui) -> Result<ExitCode, Exit> {
    let file = PipeFile::read(&args.file)?;
    let query = ErrorQuery {
        kinds: args.kinds.iter().copied().map(kind).collect(),
        with_replayed: args.all,
        ..query(args.filter)
    };
    if args.summary {
        let summary = summarize_errors(&file, &query, args.limit).await.map_err(exit)?;
        if ui.json() {
            ui.document(&summary)?;
            return Ok(ExitCode::SUCCESS);
        }
        show_summary(&summary, ui)?;
        return Ok(ExitCode::SUCCESS);
    }
    let raw_bytes = if ui.json() { RAW_BYTES_JSON } else { RAW_BYTES_SHOWN };
    let list = list_errors(&file, &query, args.limit, raw_bytes).await.map_err(exit)?;
    if ui.json() {
        ui.document(&list)?;
        return Ok(ExitCode::SUCCESS);
    }
    let is_full = list.errors.len() == args.limit as usize;
    show_errors(&list.error_table, &list.errors, is_full.then(|| how_to_see_more(args.limit)), ui)?;
    Ok(ExitCode::SUCCESS)
}

/// What to do where there may be more than `limit`.
fn how_to_see_more(limit: u32) -> String {
    let how = if limit < ERRORS_MAX {
        "--limit shows them"
    } else {
        "--until with a time before the last of these shows them"
    };
    format!("There may be more; {how}, --summary counts them.")
}

/// Shows errors of a table, for people, and how to see more where there are.
pub(crate) fn show_errors(
    table: &str,
    errors: &[ListedError],
    more: Option<String>,
    ui: &Ui,
) -> std::io::Result<()> {
    if errors.is_empty() {
        ui.line(&nothing(table))?;
    }
    for error in errors {
        show(error, ui)?;
    }
    if let Some(more) = more {
        ui.note(&more);
    }
    Ok(())
}

/// Shows groups of errors, for people.
pub(crate) fn show_summary(summary: &ErrorSummary, ui: &Ui) -> std::io::Result<()> {
    if summary.groups.is_empty() {
        ui.line(&nothing(&summary.error_table))?;
    }
    summary.groups.iter().try_for_each(|group| show_group(group, ui))
}

fn nothing(table: &str) -> String {
    format!("No such errors in `{table}`; records that were replayed are shown with --all.")
}

const fn kind(kind: KindArg) -> RowKind {
    match kind {
        KindArg::Record => RowKind::Record,
        KindArg::System => RowKind::System,
        KindArg::Replay => RowKind::Replay,
        KindArg::Replayed => RowKind::Replayed,
        KindArg::ReplayDropped => RowKind::ReplayDropped,
    }
}

fn show(error: &ListedError, ui: &Ui) -> std::io::Result<()> {
    let mut head = error.time.clone();
    for (label, text) in [("", error.kind.as_str()), ("", &error.code), ("column ", &error.column)] {
        // That a row is about a record is what everybody takes it for.
        if !text.is_empty() && text != "record" {
            head.push_str(&format!("  {label}{}", shown(text, RAW_WIDTH)));
        }
    }
    if error.partition >= 0 {
        let topic = shown(&error.topic, RAW_WIDTH);
        head.push_str(&format!("  {topic} partition {} offset {}", error.partition, error.offset));
    }
    if let Some(key) = &error.key {
        head.push_str(&format!("  key {}", shown(key, RAW_WIDTH)));
    }
    if error.replayed {
        head.push_str("  (replayed)");
    }
    ui.line(&head)?;
    if !error.message.is_empty() {
        ui.line(&format!("  {}", shown(&error.message, MESSAGE_WIDTH)))?;
    }
    if error.raw_length > 0 {
        ui.line(&format!("  {}", shown(&error.raw_message, RAW_WIDTH)))?;
    }
    Ok(())
}

fn show_group(group: &ErrorGroup, ui: &Ui) -> std::io::Result<()> {
    let column = if group.column.is_empty() {
        String::new()
    } else {
        format!("  column {}", shown(&group.column, RAW_WIDTH))
    };
    let rows =
        if group.rows == group.records { String::new() } else { format!(" in {} rows", count(group.rows)) };
    let kind = if group.kind == "record" { String::new() } else { format!("{}  ", group.kind) };
    ui.line(&format!(
        "{} × {kind}{}{column}{rows}  from {} to {}",
        count(group.records),
        shown(&group.code, RAW_WIDTH),
        group.first,
        group.last
    ))?;
    let place = match group.example_partition {
        -1 => String::new(),
        partition => format!(
            "  ({} partition {partition} offset {})",
            shown(&group.example_topic, RAW_WIDTH),
            group.example_offset
        ),
    };
    ui.line(&format!("  such as: {}{place}", shown(&group.example, MESSAGE_WIDTH)))
}
