//! `housepipe run`: one pipe in the foreground.

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::anyhow;
use housepipe_runtime::{Pipe, PipeFile, PipeHandle, RunOptions, Summary};

use crate::args::{RunArgs, Tuning};
use crate::commands::metrics::{self, WatchedPipe};
use crate::exit::Exit;
use crate::signals::Stops;
use crate::ui::Ui;

pub(crate) async fn run(args: RunArgs, ui: &Ui) -> Result<ExitCode, Exit> {
    let file = PipeFile::read(&args.file)?;
    let stops = Stops::listen()?;
    let options = options(&args.tuning, args.until_caught_up);
    let watched = Arc::new(WatchedPipe { pipe: OnceLock::new(), memory_bytes_max: options.memory_bytes_max });
    let listener = metrics::listen(args.metrics_listen, None).await?;
    // Until the end: what a pipe did last is scraped as well.
    let _metrics = listener.map(|listener| metrics::serve(listener, Arc::clone(&watched))).transpose()?;
    let started = tokio::select! {
        started = Pipe::start(&file, options) => started?,
        () = stops.heard(1) => return Err(Exit::failed(anyhow!("stopped before the pipe had started; nothing was read"))),
    };
    // It is set once.
    let _ = watched.pipe.set(started.handle());
    let summary = drive(started, &stops, ui, |_| false).await?;
    ui.summary(&summary)?;
    Ok(ExitCode::SUCCESS)
}

/// The options that flags set.
pub(crate) fn options(tuning: &Tuning, until_caught_up: bool) -> RunOptions {
    RunOptions {
        until_caught_up,
        workers: usize::from(tuning.workers),
        inserts_in_flight_max: usize::from(tuning.inserts_in_flight),
        memory_bytes_max: usize::from(tuning.memory_mib) << 20,
        prefetch_bytes_max: usize::from(tuning.prefetch_mib) << 20,
        session_timeout_ms: tuning.session_timeout.map(|seconds| u32::from(seconds) * 1_000),
        stop_deadline_ms: u64::from(tuning.stop_deadline) * 1_000,
    }
}

/// Shows a pipe's progress until it ends; ends it on a signal, or once `enough` says so.
///
/// A failed pipe is an error, and so is a summary whose numbers do not add up; both print the summary first.
pub(crate) async fn drive(
    pipe: Pipe,
    stops: &Stops,
    ui: &Ui,
    mut enough: impl FnMut(&PipeHandle) -> bool,
) -> Result<Summary, Exit> {
    let handle = pipe.handle();
    let mut display = ui.pipe_display();
    let finished = pipe.finished();
    tokio::pin!(finished);
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    let (mut graceful, mut forced) = (false, false);
    let (summary, result) = loop {
        tokio::select! {
            ended = &mut finished => break ended,
            () = stops.heard(1), if !graceful => {
                graceful = true;
                tracing::info!("stopping: storing what was read; a second signal ends at once");
                handle.stop();
            }
            () = stops.heard(2), if graceful && !forced => {
                forced = true;
                handle.abort();
            }
            _ = tick.tick() => {
                display.show(&handle.snapshot());
                if enough(&handle) {
                    handle.stop();
                }
            }
        }
    };
    display.finish();
    if let Err(error) = result {
        ui.partial_summary(&summary)?;
        return Err(error.into());
    }
    if !summary.is_complete() {
        ui.partial_summary(&summary)?;
        return Err(Exit::failed(anyhow!(
            "the numbers do not add up: read {} is not loaded {} + rejected {}",
            summary.read,
            summary.loaded,
            summary.rejected
        )));
    }
    Ok(summary)
}
