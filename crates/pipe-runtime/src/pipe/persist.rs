//! Tries an insert until it is stored, until ClickHouse refuses its rows, or until it may not be tried again.

use std::time::{Duration, Instant};

use housepipe_ch_sink::{Backoff, FailureClass, Insert, SinkError};

use super::attempt::{Attempt, Undelivered};
use super::guard::Guard;
use super::shared::Shared;
use super::state::{Phase, PipeState};
use crate::error::{PipeError, explain};

/// Time between two tries of a pipe that holds because something must be mended, in milliseconds.
pub(super) const HOLD_RETRY_MS: u64 = 10_000;

/// Runs `attempt` until it succeeds, ClickHouse refuses the rows themselves, or the pipe ends.
pub(super) async fn persist(
    shared: &Shared,
    attempt: Attempt<'_>,
    guard: &mut Guard,
) -> Result<(), Undelivered> {
    let mut phase = shared.phase();
    let mut backoff = Backoff::default();
    let mut failing_since: Option<Instant> = None;
    loop {
        let outcome = tokio::select! {
            biased;
            _ = phase.wait_for(|phase| *phase >= Phase::Aborted) => return Err(Undelivered::Abandoned),
            outcome = attempt_once(&attempt, shared, guard) => outcome?,
        };
        let error = match outcome {
            Ok(took) => {
                let mut progress = shared.progress.lock();
                progress.counters.inserts += 1;
                if let Some(rows) = attempt.rows() {
                    progress.tally.inserted(rows, took);
                }
                return Ok(());
            }
            Err(error) => error,
        };
        let delay_ms = match attempt.class(&error) {
            FailureClass::IsolateRow => return Err(Undelivered::Refused(error)),
            FailureClass::Divide => return Err(Undelivered::TooManyPartitions(error)),
            FailureClass::Hold if shared.setup.until_caught_up => {
                shared.fail(PipeError::Insert(Box::new(error)));
                return Err(Undelivered::Abandoned);
            }
            FailureClass::Hold => {
                failing_since = None;
                shared.state.set(PipeState::Misconfigured { reason: explain(&error) });
                HOLD_RETRY_MS
            }
            FailureClass::Retry => {
                let since = *failing_since.get_or_insert_with(Instant::now);
                let Some(left_ms) = left_ms(shared, since) else {
                    shared.fail(PipeError::Destination { source: Box::new(error), after: since.elapsed() });
                    return Err(Undelivered::Abandoned);
                };
                shared.state.set(PipeState::Retrying { reason: explain(&error) });
                backoff.next_delay_ms(jitter()).min(left_ms)
            }
        };
        shared.progress.lock().retried(&error);
        tokio::select! {
            biased;
            _ = phase.wait_for(|phase| *phase >= Phase::Aborted) => return Err(Undelivered::Abandoned),
            () = tokio::time::sleep(Duration::from_millis(delay_ms)) => {}
        }
    }
}

/// What is left of `deadlines.destination` where nothing has been taken `since`, in milliseconds; none where that is over. The last try is made then.
pub(super) fn left_ms(shared: &Shared, since: Instant) -> Option<u64> {
    let elapsed_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
    shared.live().deadlines.destination_ms.checked_sub(elapsed_ms).filter(|left_ms| *left_ms > 0)
}

/// A number in `[0, 1)` that differs from pipe to pipe and from try to try, so that they do not retry in step.
pub(super) fn jitter() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    let bits = RandomState::new().hash_one(Instant::now());
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
    let fraction = (bits >> 11) as f64 / (1u64 << 53) as f64;
    fraction
}

/// Tries once, where it may be tried. Returns how long the insert took.
async fn attempt_once(
    attempt: &Attempt<'_>,
    shared: &Shared,
    guard: &mut Guard,
) -> Result<Result<Duration, SinkError>, Undelivered> {
    let session = match guard.look(shared, attempt).await {
        Ok(may_be_tried) => may_be_tried?,
        Err(error) => return Ok(Err(error)),
    };
    if !guard.is_owner(shared) {
        return Err(Undelivered::Abandoned);
    }
    let was_tried = guard.tries();
    let (sink, session) = (&shared.setup.sink, session.as_deref());
    let begun = Instant::now();
    let inserted = match attempt {
        Attempt::Rows { insert, .. } => {
            let inserted = sink.insert(&Insert { session, ..(*insert).clone() }).await;
            if inserted.as_ref().is_err_and(SinkError::was_not_begun) {
                guard.was_not_begun(was_tried);
            }
            inserted.map(|_| ())
        }
        Attempt::Errors(table, block, token) => {
            sink.insert_error_block(table, block, Some(token), session).await
        }
    };
    Ok(inserted.map(|()| begun.elapsed()))
}
