//! The event that tells what has come of a replay, also of one that was broken off.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::runtime::Handle;

use crate::service::{Service, explain};
use crate::store::{EventKind, StoreError};

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
    /// Tells that it begins.
    ///
    /// # Errors
    /// [`StoreError`] where the store does not answer; nothing is begun then.
    pub(super) async fn begin(
        service: Arc<Service>,
        actor: String,
        pipe: (String, String),
    ) -> Result<Replaying, StoreError> {
        service.store().tell_by(&actor, (&pipe.0, &pipe.1), EventKind::Replaying, None).await?;
        let (examined, runtime) = (AtomicU64::new(0), Handle::current());
        Ok(Replaying { service, actor, pipe, examined, runtime, is_told: false })
    }

    /// Notes how far it has come.
    pub(super) fn has_examined(&self, records: u64) {
        self.examined.store(records, Ordering::Relaxed);
    }

    /// Tells what has come of it.
    ///
    /// # Errors
    /// [`StoreError`] where the store does not answer.
    pub(super) async fn end(mut self, words: &str) -> Result<(), StoreError> {
        let (store, pipe) = (self.service.store(), (self.pipe.0.as_str(), self.pipe.1.as_str()));
        store.tell_by(&self.actor, pipe, EventKind::Replayed, Some(words)).await?;
        self.is_told = true;
        Ok(())
    }
}

impl Drop for Replaying {
    fn drop(&mut self) {
        if self.is_told {
            return;
        }
        let words = format!(
            "broken off behind {} records: cancelled, out of time, or nobody waited for it; what was loaded is loaded",
            self.examined.load(Ordering::Relaxed)
        );
        let (service, actor, (id, name)) =
            (Arc::clone(&self.service), std::mem::take(&mut self.actor), std::mem::take(&mut self.pipe));
        self.runtime.spawn(async move {
            let told = service.store().tell_by(&actor, (&id, &name), EventKind::Replayed, Some(&words));
            if let Err(error) = told.await {
                tracing::warn!(pipe = name, error = explain(&error), "the end of a replay cannot be told");
            }
        });
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
            Replaying::begin(Arc::clone(&service), "ann".to_owned(), pipe)
        };
        begin().await.unwrap().end("3 loaded").await.unwrap();
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
        assert_eq!(told[..2], [("replaying", "ann", None), ("replayed", "ann", Some("3 loaded"))]);
        assert_eq!((told[2], told[3].0), (("replaying", "ann", None), "replayed"));
        assert!(told[3].2.unwrap().starts_with("broken off behind 7 records"), "{told:?}");
        service.end().await;
    }
}
