//! One piece of work: who does it, and what has come of it.

use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::Instant;

use super::{Progress, Share, WorkKind};
use crate::api::{Problem, ProblemCode};

/// What has come of it, and when.
#[derive(Debug, Clone)]
struct Came {
    at: Instant,
    result: Result<Box<RawValue>, Problem>,
}

/// When it has ended, and how large its result is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended {
    pub(super) at: Instant,
    pub(super) bytes: usize,
}

/// A piece of work. It is cancelled where it is dropped.
#[derive(Debug)]
pub(super) struct Entry {
    actor: String,
    kind: WorkKind,
    progress: Progress,
    outcome: watch::Receiver<Option<Came>>,
    watches: AbortHandle,
    /// Whoever does it, where that may be broken off.
    does: Option<AbortHandle>,
}

impl Entry {
    /// Watches over what `does` the work, which has as much time as its kind; `ended` is called behind its end.
    pub(super) fn new(
        actor: &str,
        kind: WorkKind,
        progress: Progress,
        does: JoinHandle<Result<Box<RawValue>, Problem>>,
        ended: impl FnOnce() + Send + 'static,
    ) -> Entry {
        let (sender, outcome) = watch::channel(None);
        let abort = kind.ends_at_once().then(|| does.abort_handle());
        let late = abort.clone();
        let watches = tokio::spawn(async move {
            let result = match tokio::time::timeout(kind.limit(), does).await {
                Ok(Ok(result)) => result,
                Ok(Err(error)) => {
                    tracing::error!(%error, "a piece of work has panicked");
                    Err(Problem::new(ProblemCode::Internal, "the service's log says more"))
                }
                Err(_) => {
                    if let Some(does) = late {
                        does.abort();
                    }
                    let detail = format!("it has taken more than {} s", kind.limit().as_secs());
                    Err(Problem::new(ProblemCode::TimedOut, detail))
                }
            };
            sender.send_replace(Some(Came { at: Instant::now(), result }));
            ended();
        });
        let watches = watches.abort_handle();
        Entry { actor: actor.to_owned(), kind, progress, outcome, watches, does: abort }
    }

    pub(super) fn is_of(&self, actor: &str) -> bool {
        self.actor == actor
    }

    pub(super) fn outcome(&self) -> Outcome {
        Outcome(self.outcome.clone())
    }

    pub(super) fn ended(&self) -> Option<Ended> {
        let outcome = self.outcome.borrow();
        let Came { at, result } = outcome.as_ref()?;
        Some(Ended { at: *at, bytes: result.as_ref().map_or(0, |result| result.get().len()) })
    }

    pub(super) fn line(&self, id: &str) -> Line {
        let state = match self.outcome.borrow().as_ref().map(|outcome| outcome.result.is_ok()) {
            None => Stand::Running,
            Some(true) => Stand::Done,
            Some(false) => Stand::Failed,
        };
        let (waits_for, progress) = self.progress.now();
        let is_running = state == Stand::Running;
        Line {
            id: id.to_owned(),
            kind: self.kind,
            state,
            waits_for: is_running.then_some(waits_for),
            progress: progress.filter(|_| is_running),
        }
    }

    pub(super) fn state(&self, id: &str) -> State {
        let (waits_for, progress) = self.progress.now();
        let (id, kind) = (id.to_owned(), self.kind);
        match self.outcome.borrow().as_ref().map(|outcome| outcome.result.clone()) {
            None => State {
                id,
                kind,
                state: Stand::Running,
                waits_for: Some(waits_for),
                progress,
                result: None,
                problem: None,
            },
            Some(Ok(result)) => State {
                id,
                kind,
                state: Stand::Done,
                waits_for: None,
                progress: None,
                result: Some(result),
                problem: None,
            },
            Some(Err(problem)) => State {
                id,
                kind,
                state: Stand::Failed,
                waits_for: None,
                progress: None,
                result: None,
                problem: Some(problem),
            },
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.watches.abort();
        if let Some(does) = &self.does {
            does.abort();
        }
    }
}

/// What comes of it, for whoever waits.
#[derive(Debug, Clone)]
pub(crate) struct Outcome(watch::Receiver<Option<Came>>);

impl Outcome {
    /// What has come of it within `wait`.
    pub(super) async fn ended(&mut self, wait: Duration) -> Option<Result<Box<RawValue>, Problem>> {
        let ended = tokio::time::timeout(wait, self.0.wait_for(Option::is_some)).await;
        match ended {
            Err(_) => None,
            Ok(Ok(outcome)) => outcome.as_ref().map(|outcome| outcome.result.clone()),
            // Somebody has cancelled it meanwhile.
            Ok(Err(_)) => Some(Err(super::none())),
        }
    }
}

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = WorkState)]
pub(crate) enum Stand {
    /// It is under way.
    Running,
    /// Its result is there.
    Done,
    /// It has come to nothing, for the problem's reason.
    Failed,
}

/// A piece of work in a list.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = WorkLine)]
pub(crate) struct Line {
    /// Its id: it is looked for, and cancelled, at `/api/v1/work/ID`.
    pub(super) id: String,
    /// What is done.
    kind: WorkKind,
    /// How it stands.
    state: Stand,
    /// What it waits for, while it is under way.
    waits_for: Option<String>,
    /// How much is done, while it is under way and where that can be counted.
    progress: Option<Share>,
}

/// A piece of work, as it is shown.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = Work)]
pub(crate) struct State {
    /// Its id: it is looked for at `/api/v1/work/ID`.
    pub(crate) id: String,
    /// What is done.
    kind: WorkKind,
    /// How it stands.
    state: Stand,
    /// What it waits for, while it is under way.
    waits_for: Option<String>,
    /// How much is done, while it is under way and where that can be counted.
    progress: Option<Share>,
    /// What the call that began it would have answered.
    #[schema(value_type = Option<crate::api::WorkResult>)]
    result: Option<Box<RawValue>>,
    /// Why it has come to nothing.
    problem: Option<Problem>,
}

#[cfg(test)]
impl State {
    pub(super) fn is_running(&self) -> bool {
        self.state == Stand::Running
    }
}
