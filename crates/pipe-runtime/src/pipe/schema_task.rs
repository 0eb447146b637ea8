//! Asks the registry for the schema of a record that waits for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use housepipe_ch_sink::Backoff;
use housepipe_schema_registry::{ErrorClass, SchemaId};

use super::persist::{HOLD_RETRY_MS, jitter};
use super::shared::Shared;
use super::state::{Phase, PipeState};
use crate::error::{PipeError, explain};
use crate::schemas::Schemas;

/// Has a task fetch the schema, unless one does: the workers are woken once it is there, or it is known that there is none.
pub(super) fn ask(shared: &Arc<Shared>, schemas: &Schemas, id: SchemaId) {
    if schemas.begin(id) {
        shared.spawn(fetch(Arc::clone(shared), schemas.clone(), id));
    }
}

async fn fetch(shared: Arc<Shared>, schemas: Schemas, id: SchemaId) {
    let mut phase = shared.phase();
    let mut backoff = Backoff::default();
    let began = Instant::now();
    let mut has_failed = false;
    loop {
        let answer = tokio::select! {
            biased;
            // Records that wait for it are read again by the next run.
            _ = phase.wait_for(|phase| *phase >= Phase::Stopping) => return schemas.give_up(id),
            answer = schemas.fetch(id) => answer,
        };
        let Err(error) = answer else {
            if has_failed {
                shared.registry_works();
            }
            return shared.wake_all();
        };
        has_failed = true;
        let delay_ms = match error.class() {
            ErrorClass::Retry
                if began.elapsed() >= Duration::from_millis(shared.setup.source_deadline_ms) =>
            {
                shared
                    .fail(PipeError::RegistryUnreachable { source: Box::new(error), after: began.elapsed() });
                return schemas.give_up(id);
            }
            ErrorClass::Retry => {
                shared.registry_fails(PipeState::Retrying { reason: explain(&error) });
                backoff.next_delay_ms(jitter())
            }
            // A reject is an answer, and comes as one.
            ErrorClass::Hold | ErrorClass::Reject if shared.setup.until_caught_up => {
                shared.fail(error.into());
                return schemas.give_up(id);
            }
            ErrorClass::Hold | ErrorClass::Reject => {
                shared.registry_fails(PipeState::Misconfigured { reason: explain(&error) });
                HOLD_RETRY_MS
            }
        };
        tokio::select! {
            biased;
            _ = phase.wait_for(|phase| *phase >= Phase::Stopping) => return schemas.give_up(id),
            () = tokio::time::sleep(Duration::from_millis(delay_ms)) => {}
        }
    }
}
