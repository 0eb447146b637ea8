//! The store and the supervisor together: what is wanted is stored first, and then comes about.
//!
//! Nothing is told to the supervisor but what was read from the store (`follow.rs`), so a process that is killed at any point goes on from
//! there, and several processes that share a store do the same.

mod draft;
mod follow;
mod leave;
mod measure;
mod own_user;
mod tell;
#[cfg(test)]
mod tests;
mod unbroken;

use std::path::PathBuf;
use std::sync::Arc;

use housepipe_runtime::{
    Document, PipeFile, PipeFileError, PipeStatus, Problem, Supervisor, SupervisorOptions,
};
use tokio::task::JoinHandle;

use crate::seal::Seal;
use crate::store::{
    CleanUp, Consumer, Edit, IdempotencyKey, NewPipe, Secrets, Store, StoreError, StoredPipe,
};
use crate::watch::Calls;
use crate::within::WithoutSecrets;
pub use draft::{Drafted, Subject};
use follow::Inner;
pub(crate) use unbroken::Unbroken;

/// What messages call a pipe file that came without a name.
const SENT: &str = "the pipe file";

/// Blocks of a pipe file whose secrets go somewhere.
const BLOCKS: [&str; 3] = ["source", "schema_registry", "destination"];

/// How a service runs.
#[derive(Debug, Clone, Default)]
pub struct ServiceOptions {
    /// How its pipes run.
    pub supervisor: SupervisorOptions,
    /// The folder of whose files `${file:NAME}` in a pipe file may be one.
    pub secrets_folder: Option<PathBuf>,
}

/// Runs the pipes of a store.
///
/// One that is dropped leaves off at once; [`Service::end`] has the pipes store what they have read.
#[derive(Debug)]
pub struct Service {
    inner: Arc<Inner>,
    follows: JoinHandle<()>,
    tells: JoinHandle<()>,
    /// Calls of the API, for metrics.
    calls: Calls,
    /// Calls of the API that go on to their end.
    unbroken: Unbroken,
}

/// A pipe as it is stored, and how it stands in this process.
#[derive(Debug, Clone)]
pub struct PipeView {
    /// As it is stored.
    pub stored: StoredPipe,
    /// How it stands; absent where this process has not come to it yet.
    pub status: Option<PipeStatus>,
    /// Why what is wanted of it does not come about, where that is not the pipe's own: it cannot be read as it is stored, or what goes with
    /// it cannot be cleaned up.
    pub problem: Option<String>,
}

/// Why a service did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// The store did not.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The pipe file is wrong.
    #[error(transparent)]
    File(#[from] PipeFileError),
    /// The pipe file names a host, and where that leads is not known in time.
    #[error(
        "the look-up of `{host}` takes too long, so that it is not known whether it leads to a link-local or metadata address; try again, mend the \
         DNS of the service's machine, or name the address itself"
    )]
    NotLookedUp {
        /// The host.
        host: String,
    },
    /// An edit would give the pipe another name, and with it another consumer group.
    #[error("a pipe keeps its name: it is `{name}`, and the pipe file says `{wanted}`")]
    Renamed {
        /// Its name.
        name: String,
        /// The one in the file.
        wanted: String,
    },
}

impl Service {
    /// Runs what the store has, and from then on whatever is changed there. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`StoreError`] where the store does not answer.
    pub async fn start(store: Store, options: ServiceOptions) -> Result<Service, StoreError> {
        let replica = Seal::random_id()?;
        let supervisor = Supervisor::new(options.supervisor.clone());
        let events = supervisor.events();
        let inner = Arc::new(Inner::new(store, supervisor, options.secrets_folder, replica));
        match inner.follow().await {
            // One row that cannot be read keeps the other pipes from nothing.
            Err(error @ StoreError::Damaged { .. }) => {
                tracing::error!(error = explain(&error), "a pipe is left out");
            }
            other => other?,
        }
        let follows = tokio::spawn(follow::keep_following(Arc::clone(&inner)));
        let tells = tokio::spawn(tell::keep_telling(Arc::clone(&inner), events));
        Ok(Service { inner, follows, tells, calls: Calls::default(), unbroken: Unbroken::new() })
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// Calls that go on to their end.
    pub(crate) fn unbroken(&self) -> &Unbroken {
        &self.unbroken
    }

    /// Defines a pipe, which runs at once where `runs` says so. Called again with the same `key` it gives the same pipe.
    ///
    /// # Errors
    /// [`ServiceError`] where the pipe file is wrong, its name or its consumer group is taken, or the store does not answer.
    pub async fn create(
        &self,
        document: Document,
        runs: bool,
        key: Option<String>,
        actor: &str,
    ) -> Result<PipeView, ServiceError> {
        let (none, mut document) = (Secrets::new(), document);
        let request = format!("{runs} {}", document.to_yaml());
        let key = key.map(|key| IdempotencyKey { key, request: self.inner.store.fingerprint(&request) });
        own_user::fill_in(&mut document).map_err(StoreError::from)?;
        let apart = self.take_apart(document, &none).await?;
        let new = NewPipe {
            name: apart.file.name.to_string(),
            consumer: Consumer::of(&apart.file),
            document: apart.document,
            secrets: apart.secrets.into_iter().collect(),
            runs,
        };
        let stored = self.inner.store.create(&new, key.as_ref(), actor).await?;
        Ok(self.changed(stored))
    }

    /// The pipe of a document that is not stored, without its secrets: good for looking at what it says, and for nothing that needs them.
    ///
    /// # Errors
    /// [`ServiceError::File`].
    pub fn read_without_secrets(&self, mut document: Document) -> Result<PipeFile, ServiceError> {
        own_user::fill_in(&mut document).map_err(StoreError::from)?;
        let none = Secrets::new();
        Ok(document.read(SENT, &WithoutSecrets(self.inner.within(&none)))?)
    }

    /// Replaces the definition of a pipe that is at `revision`. A running one goes on as it is edited: at once where it
    /// [can](PipeFile::can_become), and otherwise once it has stored what it has read.
    ///
    /// # Errors
    /// [`ServiceError`] where the pipe file is wrong, somebody was faster, or the store does not answer.
    pub async fn edit(
        &self,
        id: &str,
        revision: i64,
        document: Document,
        actor: &str,
    ) -> Result<PipeView, ServiceError> {
        let (pipe, secrets) = self.inner.store.pipe_with_secrets(id).await?;
        if pipe.revision != revision {
            // What may be kept is judged by this revision, and the store takes the edit of this one alone: by another one's document a secret
            // could be sent where it was never given for.
            return Err(StoreError::Changed(pipe.revision).into());
        }
        // Those that do not open cannot be kept, and have to be sent.
        let secrets = secrets.unwrap_or_default();
        let mut document = document;
        own_user::fill_in(&mut document).map_err(StoreError::from)?;
        let apart = self.take_apart(document, &secrets).await?;
        let wanted = apart.file.name.to_string();
        if wanted != pipe.name {
            return Err(ServiceError::Renamed { name: pipe.name, wanted });
        }
        may_keep(&pipe.document, &apart.document, &apart.kept)?;
        let edit = Edit {
            consumer: Consumer::of(&apart.file),
            document: apart.document,
            secrets: apart.secrets.into_iter().collect(),
            kept: apart.kept,
        };
        let stored = self.inner.store.edit(id, revision, &edit, actor).await?;
        Ok(self.changed(stored))
    }

    /// Has a pipe store what it has read, and rest.
    ///
    /// # Errors
    /// [`ServiceError::Store`].
    pub async fn pause(
        &self,
        id: &str,
        revision: Option<i64>,
        actor: &str,
    ) -> Result<PipeView, ServiceError> {
        let stored = self.inner.store.want(id, revision, false, actor).await?;
        Ok(self.changed(stored))
    }

    /// Has a pipe run, also one that has failed. One that runs goes on as it is.
    ///
    /// # Errors
    /// [`ServiceError::Store`].
    pub async fn resume(
        &self,
        id: &str,
        revision: Option<i64>,
        actor: &str,
    ) -> Result<PipeView, ServiceError> {
        let stored = self.inner.store.want(id, revision, true, actor).await?;
        Ok(self.changed(stored))
    }

    /// Has a pipe end and go. Its table stays.
    ///
    /// # Errors
    /// [`ServiceError::Store`].
    pub async fn remove(
        &self,
        id: &str,
        revision: Option<i64>,
        clean_up: CleanUp,
        actor: &str,
    ) -> Result<PipeView, ServiceError> {
        let stored = self.inner.store.remove(id, revision, clean_up, actor).await?;
        Ok(self.changed(stored))
    }

    /// One pipe.
    ///
    /// # Errors
    /// [`ServiceError::Store`].
    pub async fn pipe(&self, id: &str) -> Result<PipeView, ServiceError> {
        Ok(self.inner.view(self.inner.store.pipe(id).await?))
    }

    /// Pipes by name, behind `after`; at most `limit`.
    ///
    /// # Errors
    /// [`ServiceError::Store`].
    pub async fn pipes(&self, after: &str, limit: i64) -> Result<Vec<PipeView>, ServiceError> {
        let stored = self.inner.store.pipes(after, limit).await?;
        Ok(stored.into_iter().map(|pipe| self.inner.view(pipe)).collect())
    }

    /// Whether what is stored has been looked at of late, so that what others change comes about here.
    pub(crate) fn follows(&self) -> bool {
        self.inner.follows()
    }

    /// Has all pipes store what they have read, and ends, once calls of the API that may have changed something are written down. What is wanted stays as it
    /// is stored.
    pub async fn end(&self) {
        // That the pipes rest now is nobody's wish, and is not told as one.
        self.leave_off();
        self.inner.supervisor.end().await;
        self.unbroken.end().await;
        if let Err(error) = self.inner.store.tell_gone(&self.inner.replica).await {
            tracing::warn!(%error, "the store was not told of the end");
        }
        self.inner.store.close().await;
    }

    fn leave_off(&self) {
        self.follows.abort();
        self.tells.abort();
        self.inner.leaving().abort_all();
    }

    /// Has a change come about at once, and not with the next look.
    fn changed(&self, stored: StoredPipe) -> PipeView {
        self.inner.changed.notify_one();
        self.inner.view(stored)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.leave_off();
    }
}

/// Refuses to send a secret that is kept to a place that it was not given for: whoever edits a pipe need not know its secrets. `sent` is the
/// whole document as it came, with references in place of its secrets, of which those at the paths `kept` stand for what is kept.
fn may_keep(
    before: &Result<Document, String>,
    sent: &Document,
    kept: &[String],
) -> Result<(), PipeFileError> {
    let elsewhere = |block: &str| match before {
        Ok(before) => before.way(block) != sent.way(block),
        // Where it was given for is not known.
        Err(_) => true,
    };
    let elsewhere: Vec<&str> = BLOCKS.into_iter().filter(|block| elsewhere(block)).collect();
    let why = match before {
        Ok(_) => "it was kept for another address or login",
        Err(_) => {
            "the pipe file cannot be read as it is stored, and so it is not known what the secret was kept for"
        }
    };
    let problems: Vec<Problem> = kept
        .iter()
        .filter(|path| elsewhere.iter().any(|block| path.split('.').next() == Some(block)))
        .map(|path| Problem {
            line: 0,
            key: path.clone(),
            message: why.to_owned(),
            mend: Some("send the secret itself".to_owned()),
        })
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(PipeFileError { file: SENT.to_owned(), problems }) }
}

/// An error and its causes in one line.
pub(crate) fn explain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
