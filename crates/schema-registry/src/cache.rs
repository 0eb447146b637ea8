//! What the registry has said, remembered; and one request for all who ask for the same at once.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::address::Target;
use crate::bounded::Bounded;
use crate::config::Limits;
use crate::error::RegistryError;
use crate::schema::Schema;

type Outcome = Result<Arc<Schema>, RegistryError>;

/// Schemas never change, so that what was found is believed as long as there is room for it. What was not found may be
/// registered any time, and is believed for a while.
#[derive(Debug)]
pub(crate) struct Cache {
    state: Mutex<State>,
    absent_for: Duration,
}

#[derive(Debug)]
struct State {
    known: Bounded<Target, Arc<Schema>>,
    absent: Bounded<Target, (RegistryError, Instant)>,
    /// Requests under way, each with what its outcome comes by.
    under_way: HashMap<Target, watch::Receiver<Option<Outcome>>>,
}

impl Cache {
    pub(crate) fn new(limits: &Limits) -> Self {
        Cache {
            state: Mutex::new(State {
                known: Bounded::new(limits.schemas, limits.cached_bytes),
                absent: Bounded::new(limits.schemas, limits.schemas),
                under_way: HashMap::new(),
            }),
            absent_for: Duration::from_millis(limits.absent_ms),
        }
    }

    /// What is known of `target`, else the outcome of `request`, which runs once for all who wait for it. Where the one who
    /// runs it gives up, the next one does.
    pub(crate) async fn get_or<F>(&self, target: &Target, request: impl Fn() -> F) -> Outcome
    where
        F: Future<Output = Outcome>,
    {
        loop {
            let mut waiting = match self.look(target) {
                Look::Known(outcome) => return outcome,
                Look::UnderWay(receiver) => receiver,
                Look::Ours(sender) => {
                    let leader = Leader { cache: self, target, sender };
                    let outcome = request().await;
                    leader.finish(&outcome);
                    return outcome;
                }
            };
            if let Ok(outcome) = waiting.wait_for(Option::is_some).await
                && let Some(outcome) = outcome.clone()
            {
                return outcome;
            }
        }
    }

    /// Remembers a schema that came by another question.
    pub(crate) fn learn(&self, target: Target, schema: &Arc<Schema>) {
        let weight = weight(schema);
        self.lock().known.insert(target, Arc::clone(schema), weight);
    }

    fn look(&self, target: &Target) -> Look {
        let mut state = self.lock();
        if let Some(schema) = state.known.get(target) {
            return Look::Known(Ok(Arc::clone(schema)));
        }
        match state.absent.get(target) {
            Some((error, since)) if since.elapsed() < self.absent_for => {
                return Look::Known(Err(error.clone()));
            }
            _ => state.absent.remove(target),
        }
        if let Some(receiver) = state.under_way.get(target) {
            return Look::UnderWay(receiver.clone());
        }
        let (sender, receiver) = watch::channel(None);
        state.under_way.insert(target.clone(), receiver);
        Look::Ours(sender)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that may panic happens under the lock halfway through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn weight(schema: &Schema) -> usize {
    let reference = |r: &crate::Reference| r.name.len() + r.subject.0.len();
    schema.text.len() + schema.references.iter().map(reference).sum::<usize>()
}

enum Look {
    Known(Outcome),
    UnderWay(watch::Receiver<Option<Outcome>>),
    Ours(watch::Sender<Option<Outcome>>),
}

/// Whoever makes the request. Dropped before its end, it leaves the request to the next one.
struct Leader<'a> {
    cache: &'a Cache,
    target: &'a Target,
    sender: watch::Sender<Option<Outcome>>,
}

impl Leader<'_> {
    fn finish(self, outcome: &Outcome) {
        match outcome {
            Ok(schema) => self.cache.learn(self.target.clone(), schema),
            Err(error) if error.is_absence() => {
                let absent = (error.clone(), Instant::now());
                self.cache.lock().absent.insert(self.target.clone(), absent, 1);
            }
            Err(_) => {}
        }
        self.sender.send_replace(Some(outcome.clone()));
    }
}

impl Drop for Leader<'_> {
    fn drop(&mut self) {
        self.cache.lock().under_way.remove(self.target);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::framing::SchemaId;
    use crate::schema::SchemaKind;

    const TARGET: Target = Target::Id(SchemaId(7));

    fn schema() -> Arc<Schema> {
        Arc::new(Schema {
            id: SchemaId(7),
            kind: SchemaKind::Json,
            text: "{}".to_owned(),
            references: Vec::new(),
        })
    }

    fn absent() -> RegistryError {
        RegistryError::NoSchema { url: "http://r/".to_owned(), id: SchemaId(7) }
    }

    #[tokio::test(start_paused = true)]
    async fn a_hundred_who_ask_at_once_cost_one_request() {
        let (cache, requests) = (Cache::new(&Limits::default()), AtomicU32::new(0));
        let request = || async {
            requests.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(schema())
        };
        let all = futures_util::future::join_all((0..100).map(|_| cache.get_or(&TARGET, request))).await;
        assert!(all.iter().all(|outcome| outcome.as_ref().unwrap().id == SchemaId(7)));
        assert_eq!(cache.get_or(&TARGET, request).await.unwrap(), schema());
        assert_eq!(requests.into_inner(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_takes_over_where_the_first_gives_up() {
        let cache = Cache::new(&Limits::default());
        let never = || std::future::pending::<Outcome>();
        let first = tokio::time::timeout(Duration::from_secs(1), cache.get_or(&TARGET, never));
        let second = cache.get_or(&TARGET, || async { Ok(schema()) });
        let (first, second) = tokio::join!(first, second);
        assert!(first.is_err());
        assert_eq!(second.unwrap(), schema());
        assert!(cache.lock().under_way.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn an_absence_is_believed_for_a_while_and_another_error_never() {
        let (cache, requests) = (Cache::new(&Limits::default()), AtomicU32::new(0));
        let count = |outcome: Outcome| {
            requests.fetch_add(1, Ordering::Relaxed);
            std::future::ready(outcome)
        };
        let busy = RegistryError::TimedOut { url: "http://r/".to_owned(), after_ms: 1 };
        for _ in 0..2 {
            cache.get_or(&TARGET, || count(Err(busy.clone()))).await.unwrap_err();
        }
        assert_eq!(requests.load(Ordering::Relaxed), 2);
        for _ in 0..5 {
            let error = cache.get_or(&TARGET, || count(Err(absent()))).await.unwrap_err();
            assert!(error.is_absence(), "{error}");
        }
        assert_eq!(requests.load(Ordering::Relaxed), 3);
        tokio::time::advance(Duration::from_millis(Limits::default().absent_ms)).await;
        assert_eq!(cache.get_or(&TARGET, || count(Ok(schema()))).await.unwrap(), schema());
        assert_eq!(requests.load(Ordering::Relaxed), 4);
    }
}
