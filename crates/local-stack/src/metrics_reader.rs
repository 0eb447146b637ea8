//! Metrics as Prometheus' own client library reads them, for tests.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::error::{Result, StackError};
use crate::prepare::Parts;

/// The program that runs it.
const PROGRAM: &str = include_str!("metrics_reader.py");

impl Parts {
    /// What a scrape says, as JSON: families with `name`, `type`, `unit`, `help` and `samples`, each of these with `name`, `labels` and
    /// `value`. `is_openmetrics` is the format; otherwise it is the text format of Prometheus.
    ///
    /// # Errors
    /// [`StackError::MetricsReader`] quotes the reader where the scrape is not as the format wants it; [`StackError::NotPrepared`] where
    /// [`Wanted::with_metrics_reader`](crate::Wanted::with_metrics_reader) was not called.
    pub fn read_metrics(&self, scrape: &str, is_openmetrics: bool) -> Result<String> {
        let failed = |says: String| StackError::MetricsReader { says };
        let Some(folder) = &self.metrics_reader else {
            return Err(StackError::NotPrepared {
                server: "the reader of metrics",
                with: "Wanted::with_metrics_reader",
            });
        };
        let format = if is_openmetrics { "openmetrics" } else { "text" };
        let python = self.python()?;
        let run = || -> std::io::Result<std::process::Output> {
            let mut reader = Command::new(python)
                .args(["-c", PROGRAM])
                .arg(folder)
                .arg(format)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()?;
            // It reads everything before it says anything.
            if let Some(mut input) = reader.stdin.take() {
                input.write_all(scrape.as_bytes())?;
            }
            reader.wait_with_output()
        };
        let output = run().map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}
