//! Writes what happened to the pipe into its error table, beside everything else and never in its way.
//!
//! Where that fails, it says so once and tries again later: the destination may be what is broken. Nothing depends on these rows:
//! they are not counted, they have no token, and what cannot be written is dropped.

use std::sync::Arc;
use std::time::{Duration, Instant};

use housepipe_ch_sink::{ErrorRow, ErrorTable, FailureClass, Sink};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tracing::Instrument;

use super::system_log::{SystemEvent, SystemLog};
use crate::error::explain;

/// Rows of one insert, at most.
const INSERT_ROWS_MAX: usize = 64;

/// Time for one try, at most, in milliseconds.
const TRY_MS_MAX: u64 = 10_000;

/// Pauses between two tries, in milliseconds: each is twice the one before it. A destination that works again ends one early, from
/// the shortest on.
const PAUSE_MS: std::ops::RangeInclusive<u64> = 1_000..=60_000;

/// Age after which rows are dropped that could not be written, in milliseconds: a day.
const AGE_MS_MAX: u64 = 24 * 3_600_000;

/// Time for the rows that are left at the end of the pipe, at most, in milliseconds.
const END_MS_MAX: u64 = 2_000;

/// The task that writes.
pub(super) struct SystemWriter {
    task: JoinHandle<()>,
}

impl SystemWriter {
    /// Writes what comes out of `events` until `log` has ended.
    pub(super) fn spawn(
        log: &SystemLog,
        sink: Sink,
        table: ErrorTable,
        events: mpsc::Receiver<SystemEvent>,
    ) -> SystemWriter {
        let (destination, works) = (Destination { sink, table, failed: false }, Arc::clone(&log.works));
        SystemWriter { task: tokio::spawn(write(destination, works, events).in_current_span()) }
    }

    /// Ends `log`, and waits a moment for what is left of it.
    pub(super) async fn finish(self, log: &SystemLog) {
        log.end();
        let mut task = self.task;
        match tokio::time::timeout(Duration::from_millis(END_MS_MAX), &mut task).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "what happened to the pipe is not written any more"),
            Err(_) => {
                task.abort();
                tracing::warn!("what happened to the pipe last was not written into its error table in time");
            }
        }
    }
}

struct Destination {
    sink: Sink,
    table: ErrorTable,
    /// The last try failed, and that was said.
    failed: bool,
}

async fn write(mut destination: Destination, works: Arc<Notify>, mut events: mpsc::Receiver<SystemEvent>) {
    let mut some = Vec::with_capacity(INSERT_ROWS_MAX);
    while events.recv_many(&mut some, INSERT_ROWS_MAX).await > 0 {
        let mut pause_ms = *PAUSE_MS.start();
        // Whether this was the last chance is asked before the try: what ends during one has another.
        let mut is_last = events.is_closed();
        while !destination.takes(&some).await && !is_last {
            pause(pause_ms, &works, &events).await;
            pause_ms = (pause_ms * 2).min(*PAUSE_MS.end());
            is_last = events.is_closed();
        }
        some.clear();
        if is_last && destination.failed {
            return;
        }
    }
}

/// Waits before the next try, at the end of the pipe not at all.
async fn pause(pause_ms: u64, works: &Notify, events: &mpsc::Receiver<SystemEvent>) {
    let began = Instant::now();
    // Many inserts may succeed in a moment, while the error table is what is broken.
    let soon = began + Duration::from_millis(*PAUSE_MS.start());
    let mut until = began + Duration::from_millis(pause_ms);
    while !events.is_closed() && tokio::time::timeout_at(until.into(), works.notified()).await.is_ok() {
        until = until.min(soon);
        if Instant::now() >= until {
            return;
        }
    }
}

impl Destination {
    /// Tries once; whether the rows need no other try.
    async fn takes(&mut self, events: &[SystemEvent]) -> bool {
        let rows: Vec<(ErrorRow, Duration)> =
            events.iter().map(|event| (event.row.clone(), event.at.elapsed())).collect();
        let insert = self.sink.insert_system_errors(&self.table, &rows);
        let (reason, may_pass) = match tokio::time::timeout(Duration::from_millis(TRY_MS_MAX), insert).await {
            Ok(Ok(())) => {
                self.failed = false;
                return true;
            }
            Ok(Err(error)) => (explain(&error), error.class() != FailureClass::IsolateRow),
            Err(_) => (format!("no answer within {TRY_MS_MAX} ms"), true),
        };
        if !std::mem::replace(&mut self.failed, true) {
            match may_pass {
                true => tracing::warn!(
                    reason,
                    "what happened to the pipe cannot be written into its error table now; that is tried again while the pipe runs"
                ),
                false => tracing::warn!(
                    reason,
                    "the error table refuses rows about the pipe, and they are dropped"
                ),
            }
        }
        let is_old = events.iter().all(|event| event.at.elapsed() >= Duration::from_millis(AGE_MS_MAX));
        !may_pass || is_old
    }
}
