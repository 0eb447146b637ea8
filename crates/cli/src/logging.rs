//! Log lines on standard error; above the live display where there is one.

use std::fmt;
use std::io::{self, Write};

use tracing::span::Record;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::{DefaultFields, Writer};
use tracing_subscriber::fmt::{FormatFields, FormattedFields, MakeWriter};

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
        LogFormat::Text => builder.fmt_fields(SpanFields::default()).with_ansi(ui.is_live()).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
    if let Some(error) = complaint {
        tracing::warn!(filter = wanted, error = %error, "the log filter cannot be read; the default is used");
    }
}

/// Fields as they are written without this, and nothing for a record of none.
///
/// The client of ClickHouse records fields of its own spans with each request. Where these are filtered out, the pipe's span is told,
/// which has no such fields; by default a space is kept of each, in memory and in each line, for as long as the pipe runs.
#[derive(Default)]
struct SpanFields(DefaultFields);

impl<'w> FormatFields<'w> for SpanFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        self.0.format_fields(writer, fields)
    }

    fn add_fields(&self, known: &'w mut FormattedFields<Self>, fields: &Record<'_>) -> fmt::Result {
        if fields.is_empty() {
            return Ok(());
        }
        if !known.fields.is_empty() {
            known.fields.push(' ');
        }
        self.format_fields(known.as_writer(), fields)
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_span_does_not_grow_by_fields_that_it_does_not_have() {
        let kept = Kept::default();
        let writer = kept.clone();
        let lines = tracing_subscriber::fmt()
            .fmt_fields(SpanFields::default())
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .without_time()
            .finish();
        tracing::subscriber::with_default(lines, || {
            let span = tracing::error_span!("pipe", name = "clicks", later = tracing::field::Empty);
            for _ in 0..1_000 {
                tracing::record_all!(span, db.response.status_code = 200);
            }
            span.record("later", 7);
            span.in_scope(|| tracing::error!(rows = 1, "refused"));
        });
        let line = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert_eq!(line, "ERROR pipe{name=\"clicks\" later=7}: housepipe::logging::tests: refused rows=1\n");
    }
}
