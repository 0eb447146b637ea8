//! `housepipe top`: pipes as they go on.

mod app;
mod draw;
mod history;
mod lag;
mod live;
mod metrics;
mod once;
mod source;
#[cfg(test)]
mod tests;

use std::io::{IsTerminal, stdin, stdout};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::args::TopArgs;
use crate::commands::pipes::now;
use crate::exit::Exit;
use crate::ui::Ui;
use history::History;
use source::Source;

pub(crate) async fn run(args: TopArgs, ui: &Ui) -> Result<ExitCode, Exit> {
    let source = Source::new(&args)?;
    let every = Duration::from_secs(args.every.into());
    // What is wrong with the address or the token is told before the screen is taken over.
    let mut history = History::default();
    let rows = history.take(Instant::now(), source.look().await?);
    if !args.once && !ui.json() && stdin().is_terminal() && stdout().is_terminal() {
        return live::run(source, history, rows, every).await;
    }
    // Rates come of two looks.
    tokio::time::sleep(every).await;
    let rows = history.take(Instant::now(), source.look().await?);
    once::print(&source.name(), rows, now(), ui)?;
    Ok(ExitCode::SUCCESS)
}
