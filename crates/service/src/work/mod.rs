//! Work that may take longer than somebody waits for an answer.
//!
//! A call begins it, waits for a moment, and answers with the result, or with where to look for it. Work is of one process, in its memory, and of
//! whoever began it: nobody else sees it, and with the process it is gone. What a look at an end is bound to within its own timeouts goes on to its end where nobody
//! waits for it any more, and counts as long: a call of librdkafka cannot be broken off.

mod about;
mod entry;
mod progress;
mod slots;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::api::{Problem, ProblemCode};
use crate::seal::Seal;

pub(crate) use about::About;
use entry::{Ended, Entry};
pub(crate) use entry::{Line, Outcome, State};
pub(crate) use progress::{Progress, Share};
pub(crate) use slots::{Places, Slot, Slots};
use slots::{REPLAYS_MAX, REPLAYS_OF_ACTOR_MAX, RUNNING_MAX, RUNNING_OF_ACTOR_MAX};

/// How long a call waits for a result before it says where to look for it, in milliseconds.
pub(crate) const WAIT_MS_MAX: u64 = 2_500;

/// How long a result is kept, in seconds.
const KEPT_S: u64 = 300;
/// Results that are kept, at most; the oldest go first.
const KEPT_MAX: usize = 256;
/// Bytes of all of them, at most (64 MiB).
const KEPT_BYTES_MAX: usize = 64 << 20;
/// Bytes of one of them, at most (16 MiB).
const RESULT_BYTES_MAX: usize = 16 << 20;

/// Time for a look at the ends of a pipe, in seconds: longer than the timeouts of what it asks for.
const LOOK_S_MAX: u64 = 120;
/// Time for a replay, in seconds (6 h): what it has loaded by then is loaded, and it may be begun anew.
const REPLAY_S_MAX: u64 = 6 * 3_600;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WorkKind {
    /// Connections are tested.
    TestConnections,
    /// Topics are listed and measured.
    ListTopics,
    /// Databases are listed.
    ListDatabases,
    /// Tables are listed.
    ListTables,
    /// Roles are listed.
    ListRoles,
    /// Records of a topic are read.
    SampleSource,
    /// Rows of a table are read.
    SampleDestination,
    /// Columns are inferred.
    Infer,
    /// Records are encoded as rows, and nothing is written.
    Preview,
    /// Everything that a pipe needs is looked at.
    Check,
    /// Columns of a table are read, and fields proposed for them.
    Map,
    /// The error table is read.
    ListErrors,
    /// Records of the error table are loaded.
    ReplayErrors,
}

impl WorkKind {
    /// Time for it, at most.
    fn limit(self) -> Duration {
        Duration::from_secs(match self {
            WorkKind::ReplayErrors => REPLAY_S_MAX,
            _ => LOOK_S_MAX,
        })
    }

    /// Whether it leaves off at once where it is cancelled. A replay may be killed at any point.
    fn ends_at_once(self) -> bool {
        self == WorkKind::ReplayErrors
    }
}

/// All work of this process.
#[derive(Debug, Clone)]
pub(crate) struct Works {
    entries: Arc<Mutex<HashMap<String, Entry>>>,
    looks: Slots,
    replays: Slots,
}

impl Default for Works {
    fn default() -> Works {
        let places = |what, of_all, of_actor| Slots::new(Places { what, of_all, of_actor });
        Works {
            entries: Arc::default(),
            looks: places("looks", RUNNING_MAX, RUNNING_OF_ACTOR_MAX),
            replays: places("replays", REPLAYS_MAX, REPLAYS_OF_ACTOR_MAX),
        }
    }
}

impl Works {
    /// Begins `work` for `actor`, who waits for it first.
    ///
    /// # Errors
    /// [`ProblemCode::TooMuchWork`] where there is too much of it already.
    pub(crate) fn begin<T, F>(
        &self,
        actor: &str,
        about: impl Into<About>,
        waits_for: impl Into<String>,
        work: impl FnOnce(Progress) -> F,
    ) -> Result<Begun, Problem>
    where
        T: Serialize,
        F: Future<Output = Result<T, Problem>> + Send + 'static,
    {
        let about = about.into();
        let slots = if about.kind == WorkKind::ReplayErrors { &self.replays } else { &self.looks };
        let slot = slots.take(actor)?;
        let id = Seal::random_id().map_err(|error| Problem::new(ProblemCode::Internal, error.to_string()))?;
        let id = format!("w{id}");
        let progress = Progress::new(&id, waits_for.into());
        let doing = work(progress.clone());
        let works = self.clone();
        let outcome = {
            // Held from before it begins until it can be found: whoever forgets it then finds it.
            let mut entries = self.entries();
            let inner = tokio::spawn(async move {
                let _slot = slot;
                doing.await.and_then(|result| shown(&result))
            });
            let entry = Entry::new(actor, about, progress, inner, move || works.forget_old());
            let outcome = entry.outcome();
            entries.insert(id.clone(), entry);
            outcome
        };
        self.forget_old();
        Ok(Begun { works: self.clone(), id, actor: actor.to_owned(), outcome, is_kept: false })
    }

    /// How work of `actor` stands.
    ///
    /// # Errors
    /// [`ProblemCode::NoSuchWork`] where there is none, or it is somebody else's.
    pub(crate) fn state(&self, id: &str, actor: &str) -> Result<State, Problem> {
        self.forget_old();
        let entries = self.entries();
        let entry = entries.get(id).filter(|entry| entry.is_of(actor)).ok_or_else(none)?;
        Ok(entry.state(id))
    }

    /// All work of `actor`, the newest first, without what has come of it.
    pub(crate) fn of(&self, actor: &str) -> Vec<Line> {
        self.forget_old();
        let entries = self.entries();
        let mut of_actor: Vec<(&String, &Entry)> =
            entries.iter().filter(|(_, entry)| entry.is_of(actor)).collect();
        of_actor.sort_by_key(|(id, entry)| (Reverse(entry.begun()), *id));
        of_actor.into_iter().map(|(id, entry)| entry.line(id)).collect()
    }

    /// Waits until it has ended, or for as long as a call may.
    ///
    /// # Errors
    /// As [`Works::state`].
    pub(crate) async fn wait(&self, id: &str, actor: &str, wait_ms: u64) -> Result<(), Problem> {
        let mut outcome = {
            let entries = self.entries();
            entries.get(id).filter(|entry| entry.is_of(actor)).ok_or_else(none)?.outcome()
        };
        outcome.ended(Duration::from_millis(wait_ms.min(WAIT_MS_MAX))).await;
        Ok(())
    }

    /// Cancels it, and forgets it.
    ///
    /// # Errors
    /// As [`Works::state`].
    pub(crate) fn cancel(&self, id: &str, actor: &str) -> Result<(), Problem> {
        let mut entries = self.entries();
        if !entries.get(id).is_some_and(|entry| entry.is_of(actor)) {
            return Err(none());
        }
        // Its end is in its being dropped.
        entries.remove(id);
        Ok(())
    }

    /// Cancels and forgets all work of `actor`, whose token is gone: another one of that name is somebody else's.
    pub(crate) fn forget_of(&self, actor: &str) {
        // Their ends are in their being dropped.
        self.entries().retain(|_, entry| !entry.is_of(actor));
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        // Whatever panicked meanwhile has left whole entries behind.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what has ended long ago, and what there is no room for.
    fn forget_old(&self) {
        let mut entries = self.entries();
        let now = Instant::now();
        let kept = Duration::from_secs(KEPT_S);
        entries.retain(|_, entry| entry.ended().is_none_or(|ended| now.duration_since(ended.at) < kept));
        let mut ended: Vec<(String, Ended)> =
            entries.iter().filter_map(|(id, entry)| Some((id.clone(), entry.ended()?))).collect();
        ended.sort_by_key(|(_, ended)| Reverse(ended.at));
        let mut bytes = 0_usize;
        for (number, (id, ended)) in ended.into_iter().enumerate() {
            bytes = bytes.saturating_add(ended.bytes);
            if number >= KEPT_MAX || bytes > KEPT_BYTES_MAX {
                entries.remove(&id);
            }
        }
    }
}

fn none() -> Problem {
    Problem::new(
        ProblemCode::NoSuchWork,
        format!("there is no such work of this token in this process; results are kept for {KEPT_S} s"),
    )
}

/// The result as it is sent.
fn shown(result: &impl Serialize) -> Result<Box<RawValue>, Problem> {
    let result = to_raw_value(result).map_err(|error| {
        tracing::error!(%error, "a result cannot be written as JSON");
        Problem::new(ProblemCode::Internal, "the service's log says more")
    })?;
    match result.get().len() {
        bytes if bytes > RESULT_BYTES_MAX => Err(Problem::new(
            ProblemCode::ResultTooLarge,
            format!("the result has {bytes} bytes, and may have {RESULT_BYTES_MAX}; ask for less of it"),
        )),
        _ => Ok(result),
    }
}

/// Work that was begun just now. Where it is dropped before somebody was told where to look for it, it is forgotten, and a replay is broken off.
#[derive(Debug)]
pub(crate) struct Begun {
    works: Works,
    id: String,
    actor: String,
    outcome: Outcome,
    is_kept: bool,
}

impl Begun {
    /// Its result where it comes within the time that a call waits. Else it goes on, and this is how it stands.
    pub(crate) async fn wait(mut self) -> Result<Result<Box<RawValue>, State>, Problem> {
        match self.outcome.ended(Duration::from_millis(WAIT_MS_MAX)).await {
            // It is told here, and forgotten with the drop.
            Some(result) => result.map(Ok),
            None => {
                self.is_kept = true;
                self.works.state(&self.id, &self.actor).map(Err)
            }
        }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if !self.is_kept {
            // Whoever asked has gone, or was told: there is nothing left to look for.
            self.works.entries().remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use chrono::DateTime;
    use tokio::sync::Notify;

    use super::*;
    use crate::service::Subject;

    fn code(problem: &Problem) -> String {
        serde_json::to_value(problem).unwrap()["code"].as_str().unwrap().to_owned()
    }

    async fn never() -> Result<u8, Problem> {
        std::future::pending().await
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_done_soon_is_the_answer_and_leaves_nothing_behind() {
        let works = Works::default();
        let begun = works.begin("ann", WorkKind::Infer, "samples", |_| async { Ok([1, 2]) }).unwrap();
        assert_eq!(begun.wait().await.unwrap().unwrap().get(), "[1,2]");
        let failed = works.begin("ann", WorkKind::Infer, "samples", |_| async {
            Err::<u8, _>(Problem::new(ProblemCode::NothingToInfer, "none"))
        });
        assert_eq!(code(&failed.unwrap().wait().await.unwrap_err()), "nothing_to_infer");
        assert!(works.entries().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_takes_longer_is_looked_for_by_whoever_began_it() {
        let works = Works::default();
        let (goes_on, may) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (told, waits) = (Arc::clone(&goes_on), Arc::clone(&may));
        let begun = works.begin("ann", WorkKind::Check, "the brokers", |progress| async move {
            progress.waits_for("clickhouse");
            progress.done(3, Some(9));
            told.notify_one();
            waits.notified().await;
            Ok("fine")
        });
        let state = begun.unwrap().wait().await.unwrap().unwrap_err();
        goes_on.notified().await;
        let shown = serde_json::to_value(&state).unwrap();
        assert_eq!(
            shown,
            serde_json::json!({
                "id": state.id, "kind": "check", "pipe": null, "pipe_name": null, "begun_at": shown["begun_at"], "state": "running", "waits_for": "clickhouse",
                "progress": { "done": 3, "of": 9 }, "result": null, "problem": null
            })
        );
        assert_eq!(code(&works.state(&state.id, "bob").unwrap_err()), "no_such_work");
        assert_eq!(code(&works.cancel(&state.id, "bob").unwrap_err()), "no_such_work");
        may.notify_one();
        works.wait(&state.id, "ann", 60_000).await.unwrap();
        let ended = serde_json::to_value(works.state(&state.id, "ann").unwrap()).unwrap();
        assert_eq!((ended["state"].as_str(), ended["result"].as_str()), (Some("done"), Some("fine")));
        assert_eq!(
            (&ended["waits_for"], &ended["progress"]),
            (&serde_json::Value::Null, &serde_json::Value::Null)
        );
        tokio::time::advance(Duration::from_secs(KEPT_S - 1)).await;
        assert!(works.state(&state.id, "ann").is_ok());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(works.state(&state.id, "ann").is_err(), "it was kept for long enough");
    }

    #[tokio::test(start_paused = true)]
    async fn of_several_the_newest_is_first_and_each_says_which_pipe_it_is_about() {
        let works = Works::default();
        let mut held = Vec::new();
        for name in ["clicks", "views", "orders"] {
            let subject = Subject { id: Some(format!("p-{name}")), name: Some(name.to_owned()) };
            let about = (WorkKind::ReplayErrors, subject);
            held.push(works.begin("ann", about, "nothing", |_| never()).unwrap());
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        held.push(works.begin("ann", WorkKind::ListTopics, "nothing", |_| never()).unwrap());
        let lines = serde_json::to_value(works.of("ann")).unwrap();
        let told: Vec<(&str, &str)> = lines.as_array().unwrap()[1..]
            .iter()
            .map(|line| (line["pipe"].as_str().unwrap(), line["pipe_name"].as_str().unwrap()))
            .collect();
        assert_eq!(told, [("p-orders", "orders"), ("p-views", "views"), ("p-clicks", "clicks")]);
        let first = &lines[0];
        assert_eq!((&first["kind"], &first["pipe"]), (&"list_topics".into(), &serde_json::Value::Null));
        assert!(DateTime::parse_from_rfc3339(first["begun_at"].as_str().unwrap()).is_ok(), "{first}");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_takes_all_of_it_and_a_look_counts_until_it_has_ended() {
        let works = Works::default();
        let begin = |actor: &str, kind| works.begin(actor, kind, "nothing", |_| never());
        let mut held: Vec<Begun> =
            (0..RUNNING_OF_ACTOR_MAX).map(|_| begin("ann", WorkKind::Check).unwrap()).collect();
        assert_eq!(code(&begin("ann", WorkKind::Check).unwrap_err()), "too_much_work");
        // Cancelled, and under way: its thread is not free yet.
        held.pop();
        tokio::task::yield_now().await;
        assert_eq!(code(&begin("ann", WorkKind::Check).unwrap_err()), "too_much_work");
        for number in RUNNING_OF_ACTOR_MAX..RUNNING_MAX {
            held.push(begin(&format!("actor-{number}"), WorkKind::Check).unwrap());
        }
        assert_eq!(code(&begin("bob", WorkKind::Check).unwrap_err()), "too_much_work");
        // Replays have places of their own, and leave off at once.
        let replays = || -> Vec<Begun> {
            (0..).map_while(|_| begin("bob", WorkKind::ReplayErrors).ok()).take(RUNNING_MAX).collect()
        };
        assert_eq!(replays().len(), REPLAYS_OF_ACTOR_MAX);
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert_eq!(replays().len(), REPLAYS_OF_ACTOR_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn replays_keep_nobody_from_looking() {
        let works = Works::default();
        let begin = |actor: &str, kind| works.begin(actor, kind, "nothing", |_| never());
        let mut held = Vec::new();
        for number in 0..REPLAYS_MAX {
            held.push(begin(&format!("actor-{number}"), WorkKind::ReplayErrors).unwrap());
        }
        assert_eq!(code(&begin("ann", WorkKind::ReplayErrors).unwrap_err()), "too_much_work");
        for number in 0..RUNNING_MAX {
            held.push(begin(&format!("actor-{number}"), WorkKind::Check).unwrap());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn work_goes_with_the_token_that_began_it() {
        let works = Works::default();
        let begin = |actor: &str| works.begin(actor, WorkKind::ReplayErrors, "nothing", |_| never());
        let mut ids = Vec::new();
        for actor in ["ann", "ann", "bob"] {
            ids.push(begin(actor).unwrap().wait().await.unwrap().unwrap_err().id);
        }
        works.forget_of("ann");
        assert!(works.state(&ids[0], "ann").is_err() && works.state(&ids[1], "ann").is_err());
        assert!(works.state(&ids[2], "bob").is_ok());
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        let held: Vec<Begun> = (0..RUNNING_OF_ACTOR_MAX).map(|_| begin("ann").unwrap()).collect();
        assert_eq!(held.len(), RUNNING_OF_ACTOR_MAX, "what was replayed is not under way any more");
    }

    #[tokio::test(start_paused = true)]
    async fn what_takes_too_long_has_failed_and_so_has_what_panics() {
        let works = Works::default();
        let begun = works.begin("ann", WorkKind::Check, "nothing", |_| never()).unwrap();
        let id = begun.wait().await.unwrap().unwrap_err().id;
        tokio::time::sleep(Duration::from_secs(LOOK_S_MAX)).await;
        let state = serde_json::to_value(works.state(&id, "ann").unwrap()).unwrap();
        assert_eq!(
            (state["state"].as_str(), state["problem"]["code"].as_str()),
            (Some("failed"), Some("timed_out"))
        );
        let panics = works.begin("ann", WorkKind::Check, "nothing", |_| async {
            assert!(!AtomicBool::new(true).load(Ordering::Relaxed), "on purpose");
            Ok(0)
        });
        assert_eq!(code(&panics.unwrap().wait().await.unwrap_err()), "internal");
    }

    #[tokio::test(start_paused = true)]
    async fn results_have_a_limit_and_make_room_for_newer_ones() {
        let works = Works::default();
        let large = |bytes: usize| "x".repeat(bytes);
        let begun =
            works.begin("ann", WorkKind::Preview, "", move |_| async move { Ok(large(RESULT_BYTES_MAX)) });
        assert_eq!(code(&begun.unwrap().wait().await.unwrap_err()), "result_too_large");
        let mut ids = Vec::new();
        for _ in 0..KEPT_BYTES_MAX / (RESULT_BYTES_MAX - 2) + 1 {
            let begun = works.begin("ann", WorkKind::Preview, "", move |_| async move {
                tokio::time::sleep(Duration::from_secs(10)).await;
                Ok(large(RESULT_BYTES_MAX - 2))
            });
            let id = begun.unwrap().wait().await.unwrap().unwrap_err().id;
            while works.state(&id, "ann").unwrap().is_running() {
                works.wait(&id, "ann", WAIT_MS_MAX).await.unwrap();
            }
            ids.push(id);
        }
        works.forget_old();
        assert!(works.state(&ids[0], "ann").is_err(), "the oldest has gone");
        assert!(works.state(&ids[1], "ann").is_ok());
    }
}
