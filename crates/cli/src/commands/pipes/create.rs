//! `housepipe pipes create`.

use std::process::ExitCode;

use housepipe_service::Seal;

use super::send;
use super::wait::{Until, stay, words};
use crate::args::CreateArgs;
use crate::exit::Exit;
use crate::remote::{PipeView, Remote};
use crate::ui::{Ui, shown_lines};

/// How the pipe stands. What is to rest has a first stage as others do, until the supervisor has come to it.
fn now(pipe: &PipeView) -> String {
    if pipe.wanted == "paused" { "defined, to rest until it is resumed".to_owned() } else { words(pipe) }
}

pub(super) async fn run(remote: &Remote, args: &CreateArgs, ui: &Ui) -> Result<ExitCode, Exit> {
    let sent = send::read(&args.sent)?;
    // One for this call and its repetitions: another call of the same file is meant as another pipe, and is refused by its name.
    let key = Seal::random_id()?;
    let created = remote.create(&sent.document, !args.paused, &key).await?;
    let pipe = if args.wait.wait {
        if !ui.json() {
            ui.note(&format!("Defined: {} ({}).", created.view.name, created.view.id));
        }
        stay(remote, &created, Until::Runs, args.wait, ui).await?.unwrap_or(created)
    } else {
        created
    };
    if ui.json() {
        ui.document(&pipe.document)?;
    } else {
        ui.line(&shown_lines(&format!("{} ({}): {}", pipe.view.name, pipe.view.id, now(&pipe.view))))?;
    }
    Ok(ExitCode::SUCCESS)
}
