//! What a command shows: results on standard output, everything else on standard error.

mod grid;
mod keys;
mod numbers;
mod pipe_display;
mod preview;
mod prompt;
mod screen;
mod spark;
mod spinner;
mod summary;
mod table;
mod text;

use std::io::{self, BufRead, IsTerminal, Write};

use housepipe_runtime::Summary;
use indicatif::{MultiProgress, ProgressDrawTarget};
use serde::Serialize;

pub(crate) use keys::Key;
pub(crate) use numbers::{bytes, count, rate, seconds};
pub(crate) use pipe_display::PipeDisplay;
pub(crate) use preview::{preview_lines, terminal_width};
pub(crate) use prompt::{Prompt, show_input};
pub(crate) use screen::{Look, Screen, ScreenLine, pressed};
pub(crate) use spark::spark;
pub(crate) use spinner::Spinner;
pub(crate) use table::{Align, table};
pub(crate) use text::{shown, shown_lines};

/// Knows who looks: a person at a terminal, a log, or a program that wants JSON.
pub(crate) struct Ui {
    json: bool,
    live: bool,
    bars: MultiProgress,
}

impl Ui {
    pub(crate) fn new(json: bool, quiet: bool) -> Ui {
        let live = !quiet && io::stderr().is_terminal();
        let target = if live { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Ui { json, live, bars: MultiProgress::with_draw_target(target) }
    }

    /// Whether the result is one JSON document.
    pub(crate) fn json(&self) -> bool {
        self.json
    }

    /// Whether progress is drawn on a terminal.
    pub(crate) fn is_live(&self) -> bool {
        self.live
    }

    pub(crate) fn bars(&self) -> MultiProgress {
        self.bars.clone()
    }

    /// A line of the result.
    pub(crate) fn line(&self, text: &str) -> io::Result<()> {
        writeln!(io::stdout(), "{text}")
    }

    /// A remark beside the result.
    pub(crate) fn note(&self, text: &str) {
        // With standard error closed there is nobody left to tell.
        self.bars.suspend(|| {
            let _ = writeln!(io::stderr(), "{text}");
        });
    }

    /// Asks a person; anything but a yes is a no.
    pub(crate) fn ask(&self, question: &str) -> io::Result<bool> {
        write!(io::stderr(), "{question} [y/N] ")?;
        io::stderr().flush()?;
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
    }

    /// The result as one JSON document.
    pub(crate) fn document(&self, result: &impl Serialize) -> io::Result<()> {
        let mut out = io::stdout().lock();
        serde_json::to_writer_pretty(&mut out, result)?;
        writeln!(out)
    }

    /// Where a service listens, where its metrics are, and the name and the token of an admin, which it tells once.
    pub(crate) fn serves(
        &self,
        url: &str,
        metrics: Option<&str>,
        admin: Option<(&str, &str)>,
    ) -> io::Result<()> {
        if self.json {
            let (name, token) = admin.unzip();
            return self.document(
                &serde_json::json!({ "url": url, "metrics": metrics, "admin": name, "token": token }),
            );
        }
        self.line(&format!("the API listens on {url}, and describes itself at {url}/api/v1/openapi.json"))?;
        if let Some(metrics) = metrics {
            self.line(&format!("metrics are at {metrics}"))?;
        }
        match admin {
            Some((name, token)) => {
                self.line(&format!("the token of the admin `{name}` is told this once: {token}"))
            }
            None => Ok(()),
        }
    }

    /// What a pipe did, as the command's result.
    pub(crate) fn summary(&self, summary: &Summary) -> io::Result<()> {
        if self.json { self.document(summary) } else { self.line(&summary::text(summary)) }
    }

    /// What a failed pipe did before it failed; beside the result, since the error is the result.
    pub(crate) fn partial_summary(&self, summary: &Summary) -> io::Result<()> {
        self.note(&summary::text(summary));
        Ok(())
    }

    /// A line that changes while something goes on; on a terminal only.
    pub(crate) fn spinner(&self) -> Spinner {
        Spinner::new(self.live.then_some(&self.bars))
    }

    /// A display of a running pipe: live on a terminal, a log line now and then elsewhere.
    pub(crate) fn pipe_display(&self) -> PipeDisplay {
        PipeDisplay::new(self.live.then_some(&self.bars))
    }
}
