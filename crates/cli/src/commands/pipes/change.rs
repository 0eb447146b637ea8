//! `housepipe pipes pause` and `resume`.

use std::process::ExitCode;

use super::wait::{Until, stay, words};
use crate::args::TellArgs;
use crate::exit::Exit;
use crate::remote::{Remote, Shown};
use crate::ui::{Ui, shown_lines};

pub(super) async fn pause(remote: &Remote, args: &TellArgs, ui: &Ui) -> Result<ExitCode, Exit> {
    let pipe = remote.find(&args.pipe.pipe).await?;
    let told = remote.pause(&pipe.view.id).await?;
    done(remote, told, Until::Rests, args, ui).await
}

pub(super) async fn resume(remote: &Remote, args: &TellArgs, ui: &Ui) -> Result<ExitCode, Exit> {
    let pipe = remote.find(&args.pipe.pipe).await?;
    let told = remote.resume(&pipe.view.id).await?;
    // The stage of before is as old as the pipe that was found, also where the service was faster than its answer.
    let told = Shown { view: crate::remote::PipeView { since: pipe.view.since, ..told.view }, ..told };
    done(remote, told, Until::Runs, args, ui).await
}

async fn done(
    remote: &Remote,
    told: Shown,
    until: Until,
    args: &TellArgs,
    ui: &Ui,
) -> Result<ExitCode, Exit> {
    let pipe =
        if args.wait.wait { stay(remote, &told, until, args.wait, ui).await?.unwrap_or(told) } else { told };
    if ui.json() {
        ui.document(&pipe.document)?;
    } else if args.wait.wait {
        ui.line(&shown_lines(&format!("{}: {}", pipe.view.name, words(&pipe.view))))?;
    } else {
        ui.line(&shown_lines(&format!(
            "{}: wanted {}, and {} at the moment",
            pipe.view.name,
            pipe.view.wanted,
            words(&pipe.view)
        )))?;
    }
    Ok(ExitCode::SUCCESS)
}
