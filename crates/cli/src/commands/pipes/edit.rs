//! `housepipe pipes edit`.

use std::process::ExitCode;

use anyhow::anyhow;
use housepipe_runtime::Document;
use serde::Serialize;
use serde_json::value::RawValue;
use similar::TextDiff;

use super::made_from::{Kinship, MadeFrom};
use super::must_be_asked;
use super::send::{self, Sent};
use super::wait::{Until, stay, words};
use crate::args::EditArgs;
use crate::exit::Exit;
use crate::remote::{PipeView, Remote, Shown};
use crate::ui::{Ui, shown_lines};

/// Lines around a change that are shown with it.
const CONTEXT_LINES: usize = 3;

/// The result as a document.
#[derive(Serialize)]
struct Edited<'a> {
    /// What changes, as a unified diff of pipe files.
    diff: &'a str,
    /// The keys whose secrets are sent.
    secrets: &'a [String],
    written: bool,
    /// As the API shows it.
    pipe: &'a RawValue,
}

pub(super) async fn run(remote: &Remote, args: &EditArgs, ui: &Ui) -> Result<ExitCode, Exit> {
    must_be_asked(args.yes || args.dry_run, "the pipe is to be edited", ui)?;
    let sent = send::read(&args.sent)?;
    let made_from = MadeFrom::of_file(&args.sent.file)?;
    let pipe = remote.find(&sent.name).await?;
    let kinship = made_from.as_ref().map_or(Kinship::Unknown, |made_from| made_from.kinship(&pipe.view));
    match (kinship, &made_from) {
        (Kinship::Stale, Some(made_from)) if !args.force => return Err(is_stale(made_from, &pipe)),
        (Kinship::OfAnother, Some(made_from)) if !args.force => return Err(is_of_another(made_from, &pipe)),
        _ => {}
    }
    let diff = diff(pipe.pipe_file()?.as_ref(), &sent)?;
    if !ui.json() {
        show(&diff, &sent, ui)?;
    }
    let changes = !diff.is_empty() || !sent.secrets.is_empty();
    if kinship == Kinship::Unknown && changes && !args.dry_run && !args.force {
        if args.yes {
            return Err(is_of_nothing(&pipe));
        }
        ui.note(&shown_lines(&format!(
            "The file does not say which definition of which pipe it was made from: what others have changed since then is undone. \
             `housepipe pipes file {}` prints one that says it.",
            pipe.view.name
        )));
    }
    let is_agreed = changes
        && !args.dry_run
        && (args.yes || ui.ask(&shown_lines(&format!("Edit the pipe {}?", pipe.view.name)))?);
    let edited =
        if is_agreed { Some(remote.edit(&pipe.view.id, &pipe.etag, &sent.document).await?) } else { None };
    let Some(edited) = edited else {
        told(ui, &sent, &diff, &pipe, None)?;
        let is_declined = changes && !args.dry_run;
        return Ok(if is_declined { ExitCode::FAILURE } else { ExitCode::SUCCESS });
    };
    if !args.wait.wait || edited.view.wanted != "running" {
        told(ui, &sent, &diff, &edited, Some(""))?;
        return Ok(ExitCode::SUCCESS);
    }
    // The stage of before is as old as the pipe that was found, also where the service was faster than its answer.
    let begun = Shown { view: PipeView { since: pipe.view.since, ..edited.view }, ..edited };
    if !ui.json() {
        ui.note(&shown_lines(&format!("Edited: {} (revision {}).", begun.view.name, begun.view.revision)));
    }
    let stayed = stay(remote, &begun, Until::RunsAnew, args.wait, ui).await;
    // However the wait ends, the edit is stored.
    let pipe = stayed.map_err(Exit::though_written)?.unwrap_or(begun);
    told(ui, &sent, &diff, &pipe, Some(&format!(", {}", words(&pipe.view))))?;
    Ok(ExitCode::SUCCESS)
}

/// The pipe has been edited since the file was made.
fn is_stale(made_from: &MadeFrom, pipe: &Shown) -> Exit {
    Exit::failed(anyhow!(
        "the file was made from {made_from} of the pipe {name}, which is at {} by now: it has been edited meanwhile, by you or by \
         somebody else; take `housepipe pipes file {name}` anew, and make the change in that",
        MadeFrom::of_pipe(&pipe.view),
        name = pipe.view.name
    ))
    .in_a_word("pipe_changed")
}

/// The file would replace a definition that it was never made from.
fn is_of_another(made_from: &MadeFrom, pipe: &Shown) -> Exit {
    Exit::failed(anyhow!(
        "the file was made from another pipe ({}) than the one that is called {name} ({}): its `name:` has been changed, or that pipe \
         was removed and {name} created anew; take `housepipe pipes file {name}`, and make the change in that",
        made_from.id().unwrap_or_default(),
        pipe.view.id,
        name = pipe.view.name
    ))
    .in_a_word("another_pipe")
}

/// Whether others have edited the pipe since the file was made, nobody knows, and nobody is asked.
fn is_of_nothing(pipe: &Shown) -> Exit {
    Exit::usage(anyhow!(
        "the file does not say whether it was made from the pipe {name} as it is now, so that the edit could undo what others have changed; \
         make the change in what `housepipe pipes file {name}` prints and keep its first line, or add `--force` where the file has the last word",
        name = pipe.view.name
    ))
    .in_a_word("needs_force")
}

/// What changes, as a unified diff; empty where nothing does. Secrets are masked on both sides.
fn diff(before: Option<&Document>, sent: &Sent) -> Result<String, serde_json::Error> {
    // Both as they come out of the API, which writes numbers and texts in one way.
    let after: Document = serde_json::from_str(&serde_json::to_string(&sent.shown)?)?;
    let (before, after) = (before.map(Document::to_yaml).unwrap_or_default(), after.to_yaml());
    let diff = TextDiff::from_lines(&before, &after);
    Ok(diff.unified_diff().context_radius(CONTEXT_LINES).to_string())
}

fn show(diff: &str, sent: &Sent, ui: &Ui) -> std::io::Result<()> {
    match (diff.is_empty(), sent.secrets.is_empty()) {
        (true, true) => return ui.line("Nothing changes."),
        (true, false) => ui.line("Nothing changes beside secrets.")?,
        (false, _) => ui.line(shown_lines(diff).trim_end())?,
    }
    if !sent.secrets.is_empty() {
        // Whether they are others than those that are kept, nobody but the service could tell.
        ui.line(&shown_lines(&format!("sent anew: {}", sent.secrets.join(", "))))?;
    }
    Ok(())
}

/// Tells the result: none where nothing was written, else what has come of it.
fn told(ui: &Ui, sent: &Sent, diff: &str, pipe: &Shown, done: Option<&str>) -> std::io::Result<()> {
    if ui.json() {
        let written = done.is_some();
        return ui.document(&Edited { diff, secrets: &sent.secrets, written, pipe: &pipe.document });
    }
    let name = &pipe.view.name;
    ui.line(&shown_lines(&match done {
        // The stage would be the one of before.
        Some(how) => format!("{name}: edited (revision {}){how}", pipe.view.revision),
        None => format!("{name}: stays as it is"),
    }))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn document(text: &str) -> Document {
        Document::parse(text, "pipe.yaml").unwrap()
    }

    #[test]
    fn a_diff_shows_what_changes_and_no_more() {
        let sent = |text: &str| Sent {
            document: document(text),
            shown: document(text),
            name: "clicks".to_owned(),
            secrets: Vec::new(),
        };
        // As the API has it: another order of quotes and styles, the same pipe.
        let before: Document =
            serde_json::from_str(r#"{"name":"clicks","batch":{"max_rows":1000,"max_wait":"5s"},"x":"0.25"}"#)
                .unwrap();
        let same = "name: clicks\nbatch: { max_rows: 1000, max_wait: '5s' }\nx: 0.25\n";
        assert_eq!(diff(Some(&before), &sent(same)).unwrap(), "");
        expect![[r#"
            @@ -1,5 +1,5 @@
             name: clicks
             batch:
            -  max_rows: 1000
            +  max_rows: 2000
               max_wait: "5s"
             x: "0.25"
        "#]]
        .assert_eq(&diff(Some(&before), &sent(&same.replace("1000", "2000"))).unwrap());
    }
}
