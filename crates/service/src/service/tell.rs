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
        if error.is_for_good() {
            // Those of all pipes wait behind it.
            tracing::error!(
                pipe = name,
                words,
                error = explain(&error),
                "an event cannot be stored, and is left out"
            );
            break;
        }
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
    use sqlx::{AnyConnection, Connection};

    use super::*;
    use crate::service::follow::tests::inner;

    fn there(name: &str) -> Told {
        Told { revision: Some(1), name: name.to_owned(), problem: None, leaves: false, has_ended: false }
    }

    #[tokio::test]
    async fn an_event_that_is_refused_for_good_holds_up_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let (inner, url) = inner(&folder).await;
        let mut somebody = AnyConnection::connect(&url).await.unwrap();
        let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON events WHEN NEW.pipe_name = 'refused' \
                      BEGIN SELECT RAISE(ABORT, 'no'); END";
        sqlx::raw_sql(refuse).execute(&mut somebody).await.unwrap();
        let mut last = HashMap::new();
        for name in ["refused", "well"] {
            inner.told().insert(name.to_owned(), there(name));
            let stand = (Stage::Running, Some("a\0b".to_owned()));
            let told = tell(&inner, &mut last, PipeId::from(name), UNIX_EPOCH, stand);
            tokio::time::timeout(Duration::from_secs(20), told).await.unwrap();
        }
        let events = inner.store.events(None, 0, 10).await.unwrap();
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].reason.as_deref(), Some("running: a\u{fffd}b"));
    }

    #[test]
    fn what_was_told_of_pipes_that_are_gone_does_not_pile_up() {
        let told = BTreeMap::from([("p7".to_owned(), there("clicks"))]);
        let mut last = HashMap::new();
        for number in 0..1_000 {
            last.insert(PipeId::from(format!("p{number}").as_str()), (Stage::Running, None));
            forget_gone(&mut last, &told);
            assert!(last.len() <= NOTED_MIN + 2);
        }
        assert!(last.contains_key(&PipeId::from("p7")), "it is there, and is told once");
    }
}
