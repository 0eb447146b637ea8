//! `housepipe pipes errors` and `replay`.

use std::process::ExitCode;

use anyhow::anyhow;

use crate::args::{PipeErrorsArgs, PipeErrorsFilter, PipeReplayArgs};
use crate::commands::errors::{list, replay};
use crate::exit::Exit;
use crate::remote::{Remote, Replay};
use crate::ui::{Ui, shown, shown_lines};

/// Letters of the place of a page, at most.
const PLACE_WIDTH: usize = 100;

pub(super) async fn list(remote: &Remote, args: &PipeErrorsArgs, ui: &Ui) -> Result<ExitCode, Exit> {
    let pipe = remote.find(&args.pipe.pipe).await?;
    let limit = args.limit.to_string();
    let query = query(args, &limit);
    let spinner = ui.spinner();
    let tell = |waits_for: String| spinner.show(shown_lines(&waits_for));
    if args.summary {
        let summary = remote.error_summary(&pipe.view.id, &query, tell).await?;
        drop(spinner);
        if ui.json() {
            ui.document(&summary.document)?;
        } else {
            list::show_summary(&summary.result, ui)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let page = remote.errors(&pipe.view.id, &query, tell).await?;
    drop(spinner);
    if ui.json() {
        ui.document(&page.document)?;
    } else {
        let more = page.result.next.as_deref().map(|next| {
            let next = shown(next, PLACE_WIDTH);
            format!("There are more: the same with `--after {next}` shows them, and --summary counts them.")
        });
        list::show_errors(&page.result.error_table, &page.result.errors, more, ui)?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn replay(remote: &Remote, args: &PipeReplayArgs, ui: &Ui) -> Result<ExitCode, Exit> {
    let pipe = remote.find(&args.pipe.pipe).await?;
    let PipeErrorsFilter { since, until, condition } = &args.filter;
    let wanted = Replay {
        codes: &args.codes,
        columns: &args.columns,
        since: since.as_deref(),
        until: until.as_deref(),
        condition: condition.as_deref(),
        limit: args.limit,
        dry_run: args.dry_run,
    };
    let spinner = ui.spinner();
    let replayed =
        remote.replay(&pipe.view.id, &wanted, |waits_for| spinner.show(shown_lines(&waits_for))).await?;
    drop(spinner);
    if ui.json() {
        ui.document(&replayed.document)?;
    } else {
        replay::show(&replayed.result, ui)?;
    }
    if !replayed.result.is_complete() {
        return Err(Exit::failed(anyhow!(
            "the numbers do not add up: {}",
            replay::first_line(&replayed.result)
        )));
    }
    Ok(ExitCode::SUCCESS)
}

/// What the flags mean, as the API's query says it.
fn query<'a>(args: &'a PipeErrorsArgs, limit: &'a str) -> Vec<(&'static str, &'a str)> {
    let PipeErrorsFilter { since, until, condition } = &args.filter;
    let given = [
        ("after", &args.after),
        ("code", &args.code),
        ("column", &args.column),
        ("since", since),
        ("until", until),
        ("where", condition),
    ];
    let mut query: Vec<_> =
        given.into_iter().filter_map(|(key, value)| Some((key, value.as_deref()?))).collect();
    if let Some(kind) = args.kind {
        query.push(("kind", kind.word()));
    }
    if args.all {
        query.push(("with_replayed", "true"));
    }
    query.push(("limit", limit));
    query
}
