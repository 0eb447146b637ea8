//! Log lines on standard error; above the live display where there is one.

use std::io::{self, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::args::{Cli, Command, LogFormat};
use crate::ui::Ui;

/// Sets up logging for the process.
pub(crate) fn init(cli: &Cli, ui: &Ui) {
    let quiet_default = match cli.command {
        // What fails is told between the questions, with its cause.
        Command::New(_) => "error",
        // Of the whole screen nothing is left for log lines.
        Command::Top(_) => "error",
        _ if ui.is_live() => "warn",
        _ => "info",
    };
    let wanted = cli.log.as_deref().unwrap_or(quiet_default);
    // Closing a consumer twice is what rust-rdkafka calls an error: once by us, with a deadline, and once by its drop.
    // librdkafka's own lines have the target `librdkafka` and are not meant here.
    let wanted = &format!("{wanted},rdkafka=off");
    let (filter, complaint) = match EnvFilter::try_new(wanted) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new(quiet_default), Some(error)),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(AboveBars(ui.bars()))
        .with_target(false);
    match cli.log_format {
        LogFormat::Text => builder.with_ansi(ui.is_live()).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
    if let Some(error) = complaint {
        tracing::warn!(filter = wanted, error = %error, "the log filter cannot be read; the default is used");
    }
}

/// Writes whole log lines above the live display, so that neither cuts the other.
struct AboveBars(indicatif::MultiProgress);

impl<'a> MakeWriter<'a> for AboveBars {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { bars: self.0.clone(), text: Vec::new() }
    }
}

struct Line {
    bars: indicatif::MultiProgress,
    text: Vec<u8>,
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let text = std::mem::take(&mut self.text);
        self.bars.suspend(|| io::stderr().write_all(&text))
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // A log line that cannot be written has nowhere to be reported.
        let _ = self.flush();
    }
}
