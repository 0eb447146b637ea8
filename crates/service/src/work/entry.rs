//! One piece of work: who does it, and what has come of it.

use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::Instant;

use super::{About, Progress, Share, WorkKind};
use crate::api::{Problem, ProblemCode, moment};

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
    about: About,
    begun: Instant,
    begun_at: SystemTime,
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
        about: About,
        progress: Progress,
        does: JoinHandle<Result<Box<RawValue>, Problem>>,
        ended: impl FnOnce() + Send + 'static,
    ) -> Entry {
        let (begun, begun_at, kind) = (Instant::now(), SystemTime::now(), about.kind);
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
        Entry { actor: actor.to_owned(), about, begun, begun_at, progress, outcome, watches, does: abort }
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

    pub(super) fn begun(&self) -> Instant {
        self.begun
    }

    pub(super) fn line(&self, id: &str) -> Line {
        let is_done = self.outcome.borrow().as_ref().map(|outcome| outcome.result.is_ok());
        self.line_where(is_done, id)
    }

    /// Its line where it has come to a result, or to nothing, or to neither yet.
    fn line_where(&self, is_done: Option<bool>, id: &str) -> Line {
        let state = match is_done {
            None => Stand::Running,
            Some(true) => Stand::Done,
            Some(false) => Stand::Failed,
        };
        let (waits_for, progress) = self.progress.now();
        let is_running = state == Stand::Running;
        let About { kind, subject } = self.about.clone();
        Line {
            id: id.to_owned(),
            kind,
            pipe: subject.id,
            pipe_name: subject.name,
            begun_at: moment(self.begun_at.into()),
            state,
            waits_for: is_running.then_some(waits_for),
            progress: progress.filter(|_| is_running),
        }
    }

    pub(super) fn state(&self, id: &str) -> State {
        let came = self.outcome.borrow().as_ref().map(|outcome| outcome.result.clone());
        let line = self.line_where(came.as_ref().map(Result::is_ok), id);
        let Line { id, kind, pipe, pipe_name, begun_at, state, waits_for, progress } = line;
        let (result, problem) = match came {
            None => (None, None),
            Some(Ok(result)) => (Some(result), None),
            Some(Err(problem)) => (None, Some(problem)),
        };
        State { id, kind, pipe, pipe_name, begun_at, state, waits_for, progress, result, problem }
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
    /// The id of the pipe that it is about; null where that is a draft alone.
    pipe: Option<String>,
    /// The name of the pipe, or of the draft where it has one.
    pipe_name: Option<String>,
    /// When it was begun.
    begun_at: String,
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
    /// The id of the pipe that it is about; null where that is a draft alone.
    pipe: Option<String>,
    /// The name of the pipe, or of the draft where it has one.
    pipe_name: Option<String>,
    /// When it was begun.
    begun_at: String,
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
