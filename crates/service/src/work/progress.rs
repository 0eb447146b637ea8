//! How far a piece of work has come.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use utoipa::ToSchema;

/// How much is done, where that can be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = WorkProgress)]
pub(crate) struct Share {
    /// How much.
    done: u64,
    /// Of how much, where that is known.
    of: Option<u64>,
}

/// Told by whoever does the work, and looked at by whoever waits for it. Clones are of the same work.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    id: Arc<str>,
    now: Arc<Mutex<(String, Option<Share>)>>,
}

impl Progress {
    pub(super) fn new(id: &str, waits_for: String) -> Progress {
        Progress { id: id.into(), now: Arc::new(Mutex::new((waits_for, None))) }
    }

    /// The work's id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Says what is waited for from now on.
    pub(crate) fn waits_for(&self, what: &str) {
        what.clone_into(&mut self.lock().0);
    }

    /// Says how much is done.
    pub(crate) fn done(&self, done: u64, of: Option<u64>) {
        self.lock().1 = Some(Share { done, of });
    }

    /// What is waited for, and how much is done.
    pub(super) fn now(&self) -> (String, Option<Share>) {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, (String, Option<Share>)> {
        // Nothing that panics is done with the lock held.
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
