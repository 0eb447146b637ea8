//! `housepipe pipes remove`.

use std::process::ExitCode;

use super::must_be_asked;
use super::wait::{Until, stay};
use crate::args::RemoveArgs;
use crate::exit::Exit;
use crate::remote::Remote;
use crate::ui::{Ui, shown_lines};

pub(super) async fn run(remote: &Remote, args: &RemoveArgs, ui: &Ui) -> Result<ExitCode, Exit> {
    must_be_asked(args.yes, "the pipe is to be removed", ui)?;
    let pipe = remote.find(&args.pipe.pipe).await?;
    let name = &pipe.view.name;
    // Where the service cannot read the pipe file, nobody knows.
    let has_user = pipe.pipe_file()?.is_none_or(|file| file.has("destination.access"));
    let goes = goes(args.consumer_group, args.user && has_user);
    if args.user && !has_user {
        ui.note(&shown_lines(&format!(
            "No ClickHouse user was made for {name}, whose pipe file has no `destination.access`: none is dropped."
        )));
    }
    if !args.yes && !ui.ask(&shown_lines(&format!("Remove the pipe {name}? {goes}")))? {
        ui.line("Nothing was removed.")?;
        return Ok(ExitCode::FAILURE);
    }
    let removed = remote.remove(&pipe.view.id, &clean_up(args)).await?;
    let is_gone = args.wait.wait && stay(remote, &removed, Until::Gone, args.wait, ui).await?.is_none();
    if ui.json() {
        ui.document(&removed.document)?;
    } else {
        let words = if is_gone { "gone" } else { "ends, and goes then" };
        ui.line(&shown_lines(&format!("{name}: {words}")))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What goes with the pipe, and what stays.
fn goes(consumer_group: bool, user: bool) -> &'static str {
    match (consumer_group, user) {
        (true, true) => "Its consumer group and its ClickHouse user go with it; the table stays.",
        (true, false) => "Its consumer group goes with it; the table stays.",
        (false, true) => "Its ClickHouse user goes with it; the table and the consumer group stay.",
        (false, false) => "The table and the consumer group stay.",
    }
}

/// What goes with the pipe, as the API's query says it.
fn clean_up(args: &RemoveArgs) -> Vec<(&'static str, &'static str)> {
    let mut query = Vec::new();
    if args.consumer_group {
        query.push(("consumer_group", "true"));
    }
    if args.user {
        query.push(("user", "true"));
    }
    query
}
