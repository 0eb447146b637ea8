//! Tells the supervisor what is stored.

#[cfg(test)]
pub(super) mod tests;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use housepipe_runtime::{Generation, Intent, PipeFile, PipeId, Supervisor, failpoint};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{PipeView, explain, leave};
use crate::seal::SealError;
use crate::store::{Secrets, Store, StoreError, StoredPipe, Wanted};
use crate::within::Within;

/// How often the store is looked at for what other processes have changed, in milliseconds.
const LOOK_MS: u64 = 1_000;
/// Time within which a look has to come to its end for the process to be ready, in seconds.
const LOOKED_S_MAX: u64 = 30;
/// How often others are told that this process lives, at least, in seconds: a look at very many pipes takes longer.
const ALIVE_S: u64 = 10;

/// What the tasks of a service share.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) store: Store,
    pub(super) supervisor: Supervisor,
    secrets_folder: Option<PathBuf>,
    /// This process, among those that share the store.
    pub(super) replica: String,
    /// What was told to the supervisor, by the pipe's id.
    told: Mutex<BTreeMap<String, Told>>,
    /// Tasks that see to it that a pipe goes.
    leaving: Mutex<JoinSet<()>>,
    pub(super) changed: Notify,
    /// Up to which event this process has ended the pipes that were removed.
    ended_to: AtomicI64,
    /// When it was last known to have followed everything that can be read; none before the first time.
    followed: Mutex<Option<Instant>>,
}

/// The pipe as the supervisor was told of it last.
#[derive(Debug, Clone)]
pub(super) struct Told {
    /// None where it has to be read again with the next look.
    pub(super) revision: Option<i64>,
    pub(super) name: String,
    /// Why what is wanted does not come about, where the supervisor does not know.
    pub(super) problem: Option<String>,
    /// It is being removed.
    pub(super) leaves: bool,
    /// Nothing runs of it any more, where it is being removed.
    pub(super) has_ended: bool,
}

/// A pipe that the supervisor was not told of as it is.
struct New {
    id: PipeId,
    generation: Generation,
    /// None where it is to go: it ends by itself.
    intent: Option<Intent>,
    told: Told,
}

impl Inner {
    pub(super) fn new(
        store: Store,
        supervisor: Supervisor,
        secrets_folder: Option<PathBuf>,
        replica: String,
    ) -> Inner {
        Inner {
            store,
            supervisor,
            secrets_folder,
            replica,
            told: Mutex::default(),
            leaving: Mutex::default(),
            changed: Notify::new(),
            ended_to: AtomicI64::new(0),
            followed: Mutex::default(),
        }
    }

    /// Whether a look at the store has come to its end of late.
    pub(super) fn follows(&self) -> bool {
        let followed = *self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        followed.is_some_and(|at| at.elapsed() <= Duration::from_secs(LOOKED_S_MAX))
    }

    pub(super) fn within<'a>(&'a self, secrets: &'a Secrets) -> Within<'a> {
        Within { secrets, folder: self.secrets_folder.as_deref() }
    }

    pub(super) fn told(&self) -> MutexGuard<'_, BTreeMap<String, Told>> {
        // Whatever panicked meanwhile has left whole entries behind.
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn leaving(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.leaving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn view(&self, stored: StoredPipe) -> PipeView {
        let status = self.supervisor.status(&PipeId::from(stored.id.as_str()));
        let problem = self.told().get(&stored.id).and_then(|told| told.problem.clone());
        PipeView { stored, status, problem }
    }

    /// Tells the supervisor of everything that is stored and that it was not told of.
    pub(super) async fn follow(self: &Arc<Self>) -> Result<(), StoreError> {
        // First: whoever cleans up after a pipe waits from now on for this process, which may start it below.
        self.tell_alive().await?;
        let mut told_alive = Instant::now();
        let last_event = self.store.last_event().await?;
        let revisions = self.store.revisions().await?;
        let known: HashMap<String, Option<i64>> =
            self.told().iter().map(|(id, told)| (id.clone(), told.revision)).collect();
        let (mut news, mut damage, mut failure, mut may_run) = (Vec::new(), None, None, false);
        for (id, _) in revisions.iter().filter(|(id, revision)| known.get(*id) != Some(&Some(**revision))) {
            if told_alive.elapsed() > Duration::from_secs(ALIVE_S) {
                if let Err(error) = self.tell_alive().await {
                    failure = Some(error);
                    break;
                }
                told_alive = Instant::now();
            }
            match self.look_at(id).await {
                Ok(new) => news.push(new),
                // It went between the two questions.
                Err(StoreError::NoPipe(_)) => {}
                // The others can be read. One that runs here may be one that was removed.
                Err(error @ StoreError::Damaged { .. }) => {
                    may_run |= known.contains_key(id);
                    damage = Some(error);
                }
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        self.tell_supervisor(news);
        // Those that another process has cleaned up after; this one was waited for.
        for id in known.keys().filter(|id| !revisions.contains_key(*id)) {
            self.told().remove(id);
            self.end_one(id);
        }
        self.leave_those_that_go();
        if let Some(error) = failure {
            return Err(error);
        }
        let has_ended = !may_run && self.told().values().all(|told| !told.leaves || told.has_ended);
        let ended_to = if has_ended { last_event } else { 0 };
        if self.ended_to.swap(ended_to, Ordering::Relaxed) != ended_to {
            self.tell_alive().await?;
        }
        *self.followed.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        damage.map_or(Ok(()), Err)
    }

    async fn tell_alive(&self) -> Result<(), StoreError> {
        self.store.tell_alive(&self.replica, self.ended_to.load(Ordering::Relaxed)).await
    }

    /// What is to be told of a pipe; nothing to the supervisor of one that is to go.
    async fn look_at(&self, id: &str) -> Result<New, StoreError> {
        let (pipe, secrets) = self.store.pipe_with_secrets(id).await?;
        let mut told = Told {
            revision: Some(pipe.revision),
            name: pipe.name.clone(),
            problem: None,
            leaves: pipe.wanted == Wanted::Removed,
            has_ended: false,
        };
        let intent = match pipe.wanted {
            Wanted::Running => match self.read(&pipe, &secrets) {
                Ok(file) => Some(Intent::Run(Arc::new(file))),
                Err(why) => {
                    let is_news = self.told().get(id).is_none_or(|told| told.problem.as_ref() != Some(&why));
                    if is_news {
                        tracing::error!(pipe = pipe.name, why, "a pipe cannot be run as it is stored");
                    }
                    // A file that is missing may come later.
                    (told.revision, told.problem) = (None, Some(why));
                    Some(Intent::Rest)
                }
            },
            Wanted::Paused => Some(Intent::Rest),
            Wanted::Removed => None,
        };
        Ok(New { id: PipeId::from(id), generation: pipe.generation, intent, told })
    }

    /// Tells the supervisor of all of them at once, so that they start with the shares that they can keep.
    fn tell_supervisor(&self, news: Vec<New>) {
        if news.is_empty() {
            return;
        }
        let (mut intents, mut notes) = (Vec::new(), Vec::new());
        for New { id, generation, intent, told } in news {
            notes.push((id.to_string(), told));
            intents.extend(intent.map(|intent| (id, generation, intent)));
        }
        // Told first, and noted then: what is noted is not looked at again.
        self.supervisor.apply(intents);
        failpoint("follow_told");
        let mut told = self.told();
        for (id, new) in notes {
            match told.get_mut(&id) {
                // How far it has come is noted by whoever sees to it.
                Some(before) if new.leaves && before.leaves => before.revision = new.revision,
                _ => {
                    told.insert(id, new);
                }
            }
        }
    }

    /// Has somebody see to each pipe that is to go, and that nobody sees to yet.
    fn leave_those_that_go(self: &Arc<Self>) {
        let ids: Vec<String> = {
            let mut told = self.told();
            let new =
                told.iter_mut().filter(|(_, told)| told.leaves && told.problem.is_none() && !told.has_ended);
            new.map(|(id, told)| {
                told.problem = Some("ends, and is cleaned up after".to_owned());
                id.clone()
            })
            .collect()
        };
        let mut leaving = self.leaving();
        while leaving.try_join_next().is_some() {}
        for id in ids {
            leaving.spawn(leave::leave(Arc::clone(self), id));
        }
    }

    /// Ends what this process may still run of a pipe that is gone.
    fn end_one(self: &Arc<Self>, id: &str) {
        let (inner, id) = (Arc::clone(self), PipeId::from(id));
        self.leaving().spawn(async move { inner.supervisor.remove(&id).await });
    }

    /// The pipe that is stored, or why it cannot be read.
    pub(super) fn read(
        &self,
        pipe: &StoredPipe,
        secrets: &Result<Secrets, SealError>,
    ) -> Result<PipeFile, String> {
        let document = pipe.document.as_ref().map_err(Clone::clone)?;
        let secrets = secrets.as_ref().map_err(ToString::to_string)?;
        let file = document.read(&pipe.name, &self.within(secrets)).map_err(|error| error.to_string())?;
        Ok(PipeFile { id: Some(pipe.id.clone()), ..file })
    }
}

/// Follows the store for as long as the service runs.
pub(super) async fn keep_following(inner: Arc<Inner>) {
    loop {
        tokio::select! {
            () = inner.changed.notified() => {}
            () = tokio::time::sleep(Duration::from_millis(LOOK_MS)) => {}
        }
        if let Err(error) = inner.follow().await {
            // Pipes go on as they were told.
            tracing::warn!(error = explain(&error), "the store cannot be read; pipes go on as they are");
        }
    }
}
