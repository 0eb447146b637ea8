//! Writes down to which stages pipes come by themselves.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use housepipe_runtime::{PipeEvent, PipeId, PipeStatus, Stage};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::explain;
use super::follow::{Inner, Told};
use crate::store::{EventKind, StoreError};

/// Pause before an event that could not be stored is stored again, in milliseconds.
const AGAIN_MS: u64 = 1_000;
/// Pipes of which the last stage is noted, at least, before it is looked which of them are gone.
const NOTED_MIN: usize = 64;

/// A stage, and why.
type Stand = (Stage, Option<String>);

/// Writes down what happens, in its order, for as long as the service runs.
pub(super) async fn keep_telling(inner: Arc<Inner>, mut events: Receiver<PipeEvent>) {
    let mut last = HashMap::new();
    loop {
        match events.recv().await {
            Ok(PipeEvent { pipe, at, stage, reason, .. }) => {
                tell(&inner, &mut last, pipe, at, (stage, reason)).await;
            }
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(
                    missed,
                    "events came faster than they could be stored; what became of them is stored"
                );
                for (pipe, PipeStatus { stage, reason, since, .. }) in inner.supervisor.statuses() {
                    tell(&inner, &mut last, pipe, since, (stage, reason)).await;
                }
            }
            Err(RecvError::Closed) => return,
        }
    }
}

/// Writes one down where it is worth a line: a pipe that is tried again and again is told of once.
async fn tell(inner: &Inner, last: &mut HashMap<PipeId, Stand>, pipe: PipeId, at: SystemTime, stand: Stand) {
    if matches!(stand.0, Stage::Provisioning | Stage::Stopping) || last.get(&pipe) == Some(&stand) {
        return;
    }
    let Some(name) = inner.told().get(pipe.as_str()).map(|told| told.name.clone()) else { return };
    let words = match &stand.1 {
        Some(reason) => format!("{}: {reason}", stand.0),
        None => stand.0.to_string(),
    };
    while let Err(error) = store(inner, &pipe, &name, at, &words).await {
        tracing::warn!(pipe = name, error = explain(&error), "an event cannot be stored yet");
        tokio::time::sleep(Duration::from_millis(AGAIN_MS)).await;
    }
    last.insert(pipe, stand);
    forget_gone(last, &inner.told());
}

/// Forgets pipes that are gone, once those may be half of what is noted.
fn forget_gone(last: &mut HashMap<PipeId, Stand>, told: &BTreeMap<String, Told>) {
    if last.len() > told.len() * 2 + NOTED_MIN {
        last.retain(|pipe, _| told.contains_key(pipe.as_str()));
    }
}

async fn store(
    inner: &Inner,
    pipe: &PipeId,
    name: &str,
    at: SystemTime,
    words: &str,
) -> Result<(), StoreError> {
    let at_ms = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let at_ms = i64::try_from(at_ms).unwrap_or(i64::MAX);
    inner.store.tell(pipe.as_str(), name, at_ms, EventKind::Stage, Some(words)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_of_pipes_that_are_gone_does_not_pile_up() {
        let there = Told {
            revision: Some(1),
            name: "clicks".to_owned(),
            problem: None,
            leaves: false,
            has_ended: false,
        };
        let told = BTreeMap::from([("p7".to_owned(), there)]);
        let mut last = HashMap::new();
        for number in 0..1_000 {
            last.insert(PipeId::from(format!("p{number}").as_str()), (Stage::Running, None));
            forget_gone(&mut last, &told);
            assert!(last.len() <= NOTED_MIN + 2);
        }
        assert!(last.contains_key(&PipeId::from("p7")), "it is there, and is told once");
    }
}
