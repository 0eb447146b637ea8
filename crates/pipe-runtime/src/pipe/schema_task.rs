//! Asks the registry for the schema of a record that waits for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use housepipe_ch_sink::Backoff;
use housepipe_schema_registry::{ErrorClass, RegistryError, SchemaId};

use super::persist::{HOLD_RETRY_MS, jitter};
use super::shared::{PanicWatch, Shared};
use super::state::{Phase, PipeState};
use crate::error::{PipeError, explain};
use crate::schemas::{Found, Schemas};

/// Time for which a registry is asked again for what it does not have, before records are rejected for that, in milliseconds: one of
/// several servers may hear of it later than the others.
const ABSENT_ASKED_MS: u64 = 12_000;

/// Time between two of these questions, in milliseconds; the client believes the answer for as long.
const ABSENT_PAUSE_MS: u64 = 2_100;

/// The longest pause that a registry gets which asks for one, in milliseconds.
const RETRY_AFTER_MAX_MS: u64 = 60_000;

/// Has a task fetch the schema that a record waits for, unless one does: the workers are woken once it is there, or it is known
/// that there is none. A partition stands still for the `first` of its records; others are asked for where there is room.
pub(super) fn ask(shared: &Arc<Shared>, schemas: &Schemas, id: SchemaId, first: bool) {
    if schemas.begin(id, first) {
        let question = Question { shared: Arc::clone(shared), schemas: schemas.clone(), id };
        shared.spawn(question.settle());
    }
}

/// Has a task ask once whether there is a schema by now that could not be used; nobody waits for the answer.
pub(super) fn doubt(shared: &Arc<Shared>, schemas: &Schemas, id: SchemaId) {
    if schemas.begin_to_doubt(id) {
        let question = Question { shared: Arc::clone(shared), schemas: schemas.clone(), id };
        shared.spawn(question.settle_doubt());
    }
}

/// For how long the registry has said without a break that it does not have something.
#[derive(Debug, Default)]
struct Absence {
    since: Option<Instant>,
}

impl Absence {
    /// One more answer of this kind; whether it is believed.
    fn is_believed(&mut self, now: Instant) -> bool {
        let since = *self.since.get_or_insert(now);
        now.duration_since(since) >= Duration::from_millis(ABSENT_ASKED_MS)
    }

    /// The registry has given no answer, and may be another one when it does.
    fn end(&mut self) {
        self.since = None;
    }
}

/// One schema that is asked for. Dropped, it is asked for by nobody.
struct Question {
    shared: Arc<Shared>,
    schemas: Schemas,
    id: SchemaId,
}

impl Drop for Question {
    fn drop(&mut self) {
        self.schemas.give_up(self.id);
        self.shared.registry_works(self.id);
    }
}

impl Question {
    async fn settle(self) {
        let _watch = PanicWatch::new(Arc::clone(&self.shared));
        let mut phase = self.shared.phase();
        let mut absence = Absence::default();
        let (mut backoff, mut failing_since) = (Backoff::default(), None);
        loop {
            let answer = tokio::select! {
                biased;
                // Records that wait for it are read again by the next run.
                _ = phase.wait_for(|phase| *phase >= Phase::Stopping) => return,
                answer = self.schemas.fetch(self.id) => answer,
            };
            let delay_ms = match answer {
                Ok(Found { schema: Err(absent), .. })
                    if absent.may_come && !absence.is_believed(Instant::now()) =>
                {
                    failing_since = None;
                    self.shared.registry_fails(self.id, PipeState::Retrying { reason: absent.message });
                    ABSENT_PAUSE_MS
                }
                Ok(found) => {
                    self.schemas.learn(self.id, found);
                    return self.shared.wake_all();
                }
                Err(error) => {
                    absence.end();
                    match self.delay_ms(error, &mut failing_since, &mut backoff) {
                        Some(delay_ms) => delay_ms,
                        None => return,
                    }
                }
            };
            tokio::select! {
                biased;
                _ = phase.wait_for(|phase| *phase >= Phase::Stopping) => return,
                () = tokio::time::sleep(Duration::from_millis(delay_ms)) => {}
            }
            if !self.schemas.is_wanted(self.id) {
                // The partition has another owner by now, or has stopped.
                return;
            }
        }
    }

    /// Asks once. What is known holds on where the registry does not answer.
    async fn settle_doubt(self) {
        let _watch = PanicWatch::new(Arc::clone(&self.shared));
        let mut phase = self.shared.phase();
        let answer = tokio::select! {
            biased;
            _ = phase.wait_for(|phase| *phase >= Phase::Stopping) => return,
            answer = self.schemas.fetch(self.id) => answer,
        };
        match answer {
            Ok(found) => self.schemas.learn(self.id, found),
            Err(error) => {
                tracing::debug!(
                    schema = self.id.0,
                    error = explain(&error),
                    "a schema is still taken for unusable"
                );
                self.schemas.believe(self.id);
            }
        }
    }

    /// When to ask again, in milliseconds; none where the pipe ends for the error.
    fn delay_ms(
        &self,
        error: RegistryError,
        failing_since: &mut Option<Instant>,
        backoff: &mut Backoff,
    ) -> Option<u64> {
        let shared = &self.shared;
        match error.class() {
            ErrorClass::Retry => {
                let since = *failing_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= Duration::from_millis(shared.live().deadlines.source_ms) {
                    let source = Box::new(error);
                    shared.fail(PipeError::RegistryUnreachable { source, after: since.elapsed() });
                    return None;
                }
                shared.registry_fails(self.id, PipeState::Retrying { reason: explain(&error) });
                Some(pause_ms(backoff.next_delay_ms(jitter()), error.retry_after_ms()))
            }
            // A reject is an answer, and comes as one.
            ErrorClass::Hold | ErrorClass::Reject if shared.setup.until_caught_up => {
                shared.fail(error.into());
                None
            }
            ErrorClass::Hold | ErrorClass::Reject => {
                *failing_since = None;
                shared.registry_fails(self.id, PipeState::Misconfigured { reason: explain(&error) });
                Some(HOLD_RETRY_MS)
            }
        }
    }
}

/// The pause before the next question, in milliseconds: ours, or a longer one that the registry has asked for.
fn pause_ms(backoff_ms: u64, asked_ms: Option<u64>) -> u64 {
    backoff_ms.max(asked_ms.unwrap_or(0).min(RETRY_AFTER_MAX_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_that_asks_for_a_pause_gets_it_within_bounds() {
        assert_eq!(pause_ms(200, None), 200);
        assert_eq!(pause_ms(200, Some(7_000)), 7_000);
        assert_eq!(pause_ms(30_000, Some(7_000)), 30_000, "ours is longer");
        assert_eq!(pause_ms(200, Some(0)), 200, "a registry that asks for none is not asked without one");
        assert_eq!(pause_ms(200, Some(u64::MAX)), RETRY_AFTER_MAX_MS);
    }

    #[test]
    fn an_absence_is_believed_once_it_has_lasted() {
        let began = Instant::now();
        let after = |ms| began + Duration::from_millis(ms);
        let mut absence = Absence::default();
        assert!(!absence.is_believed(after(0)), "however long the first answer took");
        assert!(!absence.is_believed(after(ABSENT_ASKED_MS - 1)));
        assert!(absence.is_believed(after(ABSENT_ASKED_MS)));
        absence.end();
        assert!(
            !absence.is_believed(after(2 * ABSENT_ASKED_MS)),
            "who comes back may not have heard of it yet"
        );
        assert!(absence.is_believed(after(3 * ABSENT_ASKED_MS)));
    }
}
