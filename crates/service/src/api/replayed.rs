//! The event that tells what has come of a replay, also of one that was broken off.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::service::{Service, explain};
use crate::store::{EventKind, StoreError};

/// How often the store is told of an end that it does not take, at most, and the pause between, in milliseconds: for five minutes or more.
const TELL_TRIES_MAX: u32 = 60;
const TELL_PAUSE_MS: u64 = 5_000;
/// How long the answer of a replay waits for its event, in milliseconds.
const TELL_WAIT_MS_MAX: u64 = 2_000;

/// A replay that is told of as begun, and has to be told of as ended.
pub(super) struct Replaying {
    service: Arc<Service>,
    actor: String,
    /// Its id, and its name.
    pipe: (String, String),
    examined: AtomicU64,
    /// Where the last word is told, however the work ends.
    runtime: Handle,
    is_told: bool,
}

impl Replaying {
    /// Tells that it begins, as the work of this id, by which it may be ended.
    ///
    /// # Errors
    /// [`StoreError`] where the store does not answer; nothing is begun then.
    pub(super) async fn begin(
        service: Arc<Service>,
        actor: String,
        pipe: (String, String),
        work: &str,
    ) -> Result<Replaying, StoreError> {
        let (examined, runtime) = (AtomicU64::new(0), Handle::current());
        // Made first: where this is broken off it may be told already, and has an end then.
        let mut replaying = Replaying { service, actor, pipe, examined, runtime, is_told: false };
        let Replaying { service, actor, pipe, .. } = &replaying;
        let reason = format!("work {work}");
        let begun = service.store().tell_by(actor, (&pipe.0, &pipe.1), EventKind::Replaying, Some(&reason));
        if let Err(error) = begun.await {
            replaying.is_told = true;
            return Err(error);
        }
        Ok(replaying)
    }

    /// Notes how far it has come.
    pub(super) fn has_examined(&self, records: u64) {
        self.examined.store(records, Ordering::Relaxed);
    }

    /// Tells what has come of it: at once, or once the store takes it, whatever becomes of whoever waits here.
    pub(super) async fn end(mut self, words: String) {
        let told = self.tell(words);
        // What was loaded is loaded, and no reason to call the replay a failure where the store is late.
        let _ = tokio::time::timeout(Duration::from_millis(TELL_WAIT_MS_MAX), told).await;
    }

    fn tell(&mut self, words: String) -> JoinHandle<()> {
        self.is_told = true;
        let (service, actor, (id, name)) =
            (Arc::clone(&self.service), std::mem::take(&mut self.actor), std::mem::take(&mut self.pipe));
        self.runtime.spawn(async move {
            for tries in 1.. {
                let told =
                    service.store().tell_by(&actor, (&id, &name), EventKind::Replayed, Some(&words)).await;
                let Err(error) = told else { return };
                if tries >= TELL_TRIES_MAX {
                    tracing::error!(
                        pipe = name,
                        words,
                        error = explain(&error),
                        "the end of a replay is not told"
                    );
                    return;
                }
                tokio::time::sleep(Duration::from_millis(TELL_PAUSE_MS)).await;
            }
        })
    }
}

impl Drop for Replaying {
    fn drop(&mut self) {
        if !self.is_told {
            let words = format!(
                "broken off behind {} records: cancelled, out of time, or its token was forgotten; what was loaded is loaded",
                self.examined.load(Ordering::Relaxed)
            );
            self.tell(words);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::seal::Seal;
    use crate::service::ServiceOptions;
    use crate::store::{Store, StoreAddress};

    #[tokio::test]
    async fn each_replay_is_told_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let seal = Seal::new(&"a key that is long enough for a test".into()).unwrap();
        let address = StoreAddress::Sqlite(folder.path().join("state.db"));
        let store = Store::open(&address, seal).await.unwrap();
        let service = Arc::new(Service::start(store, ServiceOptions::default()).await.unwrap());
        let begin = || {
            let pipe = ("p1".to_owned(), "clicks".to_owned());
            Replaying::begin(Arc::clone(&service), "ann".to_owned(), pipe, "w7")
        };
        begin().await.unwrap().end("3 loaded".to_owned()).await;
        let cancelled = begin().await.unwrap();
        let work = tokio::spawn(async move {
            cancelled.has_examined(7);
            std::future::pending::<()>().await;
        });
        tokio::task::yield_now().await;
        work.abort();
        let mut events = Vec::new();
        while events.len() < 4 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            events = service.store().events(Some("p1"), 0, 10).await.unwrap();
        }
        let told: Vec<(&str, &str, Option<&str>)> = events
            .iter()
            .map(|event| (event.kind.as_str(), event.actor.as_str(), event.reason.as_deref()))
            .collect();
        assert_eq!(told[..2], [("replaying", "ann", Some("work w7")), ("replayed", "ann", Some("3 loaded"))]);
        assert_eq!((told[2], told[3].0), (("replaying", "ann", Some("work w7")), "replayed"));
        assert!(told[3].2.unwrap().starts_with("broken off behind 7 records"), "{told:?}");
        service.end().await;
    }
}
