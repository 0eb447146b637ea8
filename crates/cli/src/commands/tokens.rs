//! `housepipe tokens`: who may call a running service.

use std::process::ExitCode;

use crate::args::{CreateTokenArgs, TokensArgs, TokensCommand};
use crate::commands::pipes::connect;
use crate::exit::Exit;
use crate::remote::Remote;
use crate::ui::{Align, Ui, shown, shown_lines, table};

/// Letters of a cell, at most.
const CELL_WIDTH: usize = 63;

pub(crate) async fn run(args: TokensArgs, ui: &Ui) -> Result<ExitCode, Exit> {
    let remote = connect(&args.server)?;
    match args.command {
        TokensCommand::List => list(&remote, ui).await,
        TokensCommand::Create(args) => create(&remote, &args, ui).await,
        TokensCommand::Remove(args) => remove(&remote, &args.name, ui).await,
    }
}

async fn list(remote: &Remote, ui: &Ui) -> Result<ExitCode, Exit> {
    let list = remote.tokens().await?;
    if ui.json() {
        ui.document(&list.document)?;
        return Ok(ExitCode::SUCCESS);
    }
    let cell = |text: &str| shown(text, CELL_WIDTH);
    let rows: Vec<_> = list
        .tokens
        .iter()
        .map(|token| [cell(&token.name), cell(&token.role), cell(&token.created_at)])
        .collect();
    let head = [("NAME", Align::Left), ("ROLE", Align::Left), ("CREATED", Align::Left)];
    table(head, &rows).iter().try_for_each(|line| ui.line(line))?;
    Ok(ExitCode::SUCCESS)
}

async fn create(remote: &Remote, args: &CreateTokenArgs, ui: &Ui) -> Result<ExitCode, Exit> {
    let made = remote.create_token(&args.token.name, args.role).await?;
    if ui.json() {
        ui.document(&made.document)?;
    } else {
        ui.note(&shown_lines(&format!("The token `{}` is told this once:", made.name)));
        ui.line(&shown_lines(&made.token))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn remove(remote: &Remote, name: &str, ui: &Ui) -> Result<ExitCode, Exit> {
    remote.remove_token(name).await?;
    if ui.json() {
        ui.document(&serde_json::json!({ "name": name, "removed": true }))?;
    } else {
        ui.line(&shown_lines(&format!("{name}: forgotten")))?;
    }
    Ok(ExitCode::SUCCESS)
}
