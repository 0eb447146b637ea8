//! `housepipe pipes`: pipes of a running service.

mod change;
mod connect;
mod create;
mod edit;
mod errors;
mod events;
mod look;
mod made_from;
mod remove;
mod send;
mod wait;

pub(crate) use connect::{address, connect};
pub(crate) use events::line as event_line;
pub(crate) use look::{cells, now, since};

use std::io::{IsTerminal, stderr, stdin};
use std::process::ExitCode;

use anyhow::anyhow;

use crate::args::{PipesArgs, PipesCommand};
use crate::exit::Exit;
use crate::ui::Ui;

/// Refuses what somebody has to agree to where nobody has, and nobody can be asked.
fn must_be_asked(is_agreed: bool, what: &str, ui: &Ui) -> Result<(), Exit> {
    let may_ask = !ui.json() && stdin().is_terminal() && stderr().is_terminal();
    if is_agreed || may_ask {
        return Ok(());
    }
    Err(Exit::usage(anyhow!("nobody can be asked here whether {what}: add `--yes`")).in_a_word("needs_yes"))
}

pub(crate) async fn run(args: PipesArgs, ui: &Ui) -> Result<ExitCode, Exit> {
    let remote = connect(&args.server)?;
    match args.command {
        PipesCommand::List => look::list(&remote, ui).await,
        PipesCommand::Show(args) => look::show(&remote, &args.pipe, ui).await,
        PipesCommand::File(args) => look::file(&remote, &args.pipe, ui).await,
        PipesCommand::Create(args) => create::run(&remote, &args, ui).await,
        PipesCommand::Edit(args) => edit::run(&remote, &args, ui).await,
        PipesCommand::Pause(args) => change::pause(&remote, &args, ui).await,
        PipesCommand::Resume(args) => change::resume(&remote, &args, ui).await,
        PipesCommand::Remove(args) => remove::run(&remote, &args, ui).await,
        PipesCommand::Errors(args) => errors::list(&remote, &args, ui).await,
        PipesCommand::Replay(args) => errors::replay(&remote, &args, ui).await,
        PipesCommand::Events(args) => events::run(&remote, &args, ui).await,
    }
}
