//! Does what the lifecycles of the pipes ask for: starts, stops, pauses between tries, and shares of memory.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio::runtime::Handle;
use tokio::sync::{Mutex as Gate, broadcast, watch};

use super::Intent;
use super::division::{Division, SHARE_BYTES_MIN};
use super::entry::Entry;
use super::lifecycle::{Action, Doing, Ended, Generation, Lifecycle, Wanted};
use super::options::SupervisorOptions;
use super::starts::{Ends, Starts, Turn};
use super::status::{PipeEvent, PipeId};
use crate::error::{PipeError, explain};
use crate::pipe::{LookPlace, Looked, Pipe, RunOptions};
use crate::pipe_file::PipeFile;

/// Pause before a start that was refused is tried again, in milliseconds; it doubles with each try in a row.
const PAUSE_MS: u64 = 1_000;
/// The longest of them, in milliseconds.
const PAUSE_MS_MAX: u64 = 60_000;
/// How often the states of running pipes are looked at, in milliseconds.
const LOOK_MS: u64 = 500;
/// How long a start has to wait for one thing until that is news, in milliseconds. Whoever looks sees it at once.
const STEP_MS_MIN: u64 = 2_000;
/// How long a look at the ends of a pipe holds where it has to wait for memory, in milliseconds.
const LOOKED_MS_MAX: u64 = 60_000;
/// A pipe starts anew with more memory where there is so many times as much for it as it has.
const LEFT_OVER_FACTOR: usize = 4;

/// What the tasks of all pipes share.
#[derive(Debug)]
pub(super) struct Inner {
    options: SupervisorOptions,
    division: Division,
    /// Where its tasks run, from whatever thread they are begun.
    runtime: Handle,
    state: Mutex<State>,
    starts: Starts,
    /// Passed by one pipe at a time, which waits behind it for memory: each change wakes one, and not all of them. One for those that come new, and
    /// one for those that have had some.
    memory: [Gate<()>; 2],
    pub(super) events: broadcast::Sender<PipeEvent>,
    /// Changes whenever a pipe does.
    changed: watch::Sender<()>,
    has_ended: AtomicBool,
}

/// The pipes, and the memory that they hold together.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) pipes: BTreeMap<PipeId, Entry>,
    /// In bytes.
    held: usize,
    /// Since when there is much more for some pipe than it has.
    has_left_over_since: Option<Instant>,
}

impl Inner {
    pub(super) fn new(options: SupervisorOptions) -> Arc<Inner> {
        Arc::new(Inner {
            division: Division::of(options.memory_bytes_max),
            runtime: Handle::current(),
            starts: Starts::new(options.starts_at_once_max),
            memory: [Gate::new(()), Gate::new(())],
            events: broadcast::Sender::new(options.events_kept.max(1)),
            options,
            state: Mutex::default(),
            changed: watch::Sender::default(),
            has_ended: AtomicBool::new(false),
        })
    }

    pub(super) fn memory_bytes_max(&self) -> usize {
        self.options.memory_bytes_max
    }

    /// Locks. A thread that panicked meanwhile has left whole entries behind: each change is of one field.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn apply(self: &Arc<Self>, intents: impl IntoIterator<Item = (PipeId, Generation, Intent)>) {
        let now = SystemTime::now();
        let mut state = self.lock();
        if self.has_ended.load(Ordering::Acquire) {
            return;
        }
        for (pipe, generation, intent) in intents {
            let entry = state.pipes.entry(pipe.clone()).or_insert_with(|| Entry::new(now));
            if entry.is_leaving || generation < entry.life.wanted().generation {
                continue;
            }
            let runs = match intent {
                Intent::Run(file) => {
                    entry.take_over(generation, &file);
                    // The same generation is the same file, and may be running.
                    if generation > entry.life.wanted().generation || entry.file.is_none() {
                        entry.file = Some(file);
                    }
                    true
                }
                Intent::Rest => {
                    entry.file = None;
                    false
                }
            };
            let action = entry.life.want(Wanted { generation, runs });
            self.act(entry, &pipe, action);
        }
        self.take_back(&mut state);
    }

    /// Forgets pipes that are to be forgotten and rest.
    fn forget(state: &mut State, pipe: &PipeId) {
        let is_gone = |entry: &Entry| entry.is_leaving && entry.life.doing() == Doing::Resting;
        if state.pipes.get(pipe).is_some_and(is_gone) {
            state.pipes.remove(pipe);
        }
    }

    /// Tells a pipe's lifecycle what has happened, and does what follows.
    fn tell(self: &Arc<Self>, pipe: &PipeId, happened: impl FnOnce(&mut Entry) -> Action) {
        let mut state = self.lock();
        let Some(entry) = state.pipes.get_mut(pipe) else { return };
        let action = happened(entry);
        self.act(entry, pipe, action);
        Inner::forget(&mut state, pipe);
        self.take_back(&mut state);
    }

    fn act(self: &Arc<Self>, entry: &mut Entry, pipe: &PipeId, action: Action) {
        if !matches!(action, Action::None | Action::Stop)
            && let Some(timer) = entry.timer.take()
        {
            timer.abort();
        }
        match (action, &entry.file) {
            (Action::Start(generation), Some(file)) => {
                let life = run(Arc::clone(self), pipe.clone(), generation, Arc::clone(file));
                self.runtime.spawn(guard(Arc::clone(self), pipe.clone(), life));
            }
            // Whoever wants a pipe to run gives its file, and it is kept until the pipe is wanted to rest.
            (Action::Start(_), None) => unreachable!("a pipe without a file is wanted to run"),
            (Action::Stop, _) => {
                entry.was_stopped = entry.life.wanted().runs;
                if let Some(handle) = &entry.handle {
                    handle.stop();
                }
            }
            (Action::Wait { tries }, _) => {
                let (inner, pipe) = (Arc::clone(self), pipe.clone());
                let timer = self.runtime.spawn(async move {
                    tokio::time::sleep(pause(tries)).await;
                    inner.tell(&pipe, |entry| {
                        entry.timer = None;
                        entry.life.elapsed()
                    });
                });
                entry.timer = Some(timer.abort_handle());
            }
            (Action::EndWait | Action::None, _) => {}
        }
        if matches!(entry.life.doing(), Doing::Starting(_)) {
            entry.wishes.notify_one();
        }
        self.announce(entry, pipe);
        self.changed.send_replace(());
    }

    /// Tells those who listen where the pipe's stage is news.
    fn announce(&self, entry: &mut Entry, pipe: &PipeId) {
        let at = SystemTime::now();
        if let Some((stage, reason)) = entry.news(at) {
            let generation = entry.life.wanted().generation;
            // That nobody listens is no error.
            let _ = self.events.send(PipeEvent { pipe: pipe.clone(), at, stage, reason, generation });
        }
    }

    /// The share of each of those that are `counted`, in bytes.
    fn share(&self, state: &State, counted: impl Fn(&Entry) -> bool) -> usize {
        let pipes = state.pipes.values().filter(|entry| counted(entry)).count();
        // Not more than there is, so that one pipe always has room.
        let share = self.division.share(pipes).min(self.options.pipe.memory_bytes_max);
        share.min(self.options.memory_bytes_max)
    }

    /// What a pipe that is among those that need memory gets, in bytes; none where there is no room for it.
    fn share_to_start(&self, state: &State, pipe: &PipeId) -> Option<usize> {
        let share = self.share(state, Entry::may_need_memory);
        let has_claim = state.pipes.get(pipe).is_some_and(Entry::has_claim);
        let claims = state.pipes.values().filter(|entry| entry.has_claim()).count();
        // Those that have had some, and were stopped, come first.
        let kept = if has_claim { 0 } else { claims.saturating_mul(share) };
        let free = self.options.memory_bytes_max.saturating_sub(state.held).saturating_sub(kept);
        if free >= share {
            return Some(share);
        }
        // Where nobody is about to give any back, a part of it is better than to wait.
        let to_keep = self.share(state, Entry::needs_memory);
        let may_come = state.pipes.values().any(|entry| entry.may_give_back(to_keep));
        (!may_come && free >= SHARE_BYTES_MIN).then_some(free)
    }

    /// Waits until it is the pipe's turn; none where something else is wanted by then.
    async fn turn(&self, pipe: &PipeId, generation: Generation, ends: Ends) -> Option<Turn<'_>> {
        let is_again = self.lock().pipes.get(pipe)?.is_tried_again();
        self.note_wait(pipe, Some("its turn"));
        let turn = self.starts.turn(ends, is_again);
        self.while_it(|life| life.is_wanted(generation), pipe, turn).await
    }

    /// What comes of `work`; none where the pipe is not as `is_so` says any more, and the work is dropped.
    async fn while_it<T>(
        &self,
        is_so: impl Fn(&Lifecycle) -> bool,
        pipe: &PipeId,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let wishes = Arc::clone(&self.lock().pipes.get(pipe)?.wishes);
        let otherwise = async {
            while self.lock().pipes.get(pipe).is_some_and(|entry| is_so(&entry.life)) {
                wishes.notified().await;
            }
        };
        tokio::select! {
            biased;
            () = otherwise => None,
            done = work => Some(done),
        }
    }

    /// Notes what the start of a pipe waits for. Whoever looks is told; where it takes long, it becomes news.
    fn note_wait(&self, pipe: &PipeId, what: Option<&'static str>) {
        if let Some(entry) = self.lock().pipes.get_mut(pipe) {
            entry.waits_for = what.map(|what| (what, Instant::now()));
        }
    }

    /// Has those pipes start anew that hold more than there is for each of those that need memory by now.
    fn take_back(self: &Arc<Self>, state: &mut State) {
        let share = self.share(state, Entry::needs_memory);
        for (pipe, entry) in &mut state.pipes {
            if entry.share > share && entry.may_renew() {
                tracing::info!(%pipe, share, "the pipe starts anew with less memory, since more pipes run");
                let action = entry.life.renew();
                self.act(entry, pipe, action);
            }
        }
    }

    /// Has a pipe start anew that has much less than there is for it, once that has been so for a while: pipes that come and go make none.
    fn give_back(self: &Arc<Self>, state: &mut State) {
        let (share, now) = (self.share(state, Entry::may_need_memory), Instant::now());
        let is_short = |entry: &Entry| {
            let has_little = entry.share.saturating_mul(LEFT_OVER_FACTOR) <= share;
            entry.share > 0 && has_little && entry.may_renew()
        };
        if !state.pipes.values().any(is_short) {
            state.has_left_over_since = None;
            return;
        }
        let since = *state.has_left_over_since.get_or_insert(now);
        let free = self.options.memory_bytes_max.saturating_sub(state.held);
        if now.duration_since(since) < self.options.left_over_after {
            return;
        }
        let short = state.pipes.iter_mut().find(|(_, entry)| is_short(entry) && free + entry.share >= share);
        if let Some((pipe, entry)) = short {
            tracing::info!(%pipe, share, "the pipe starts anew with more memory, since fewer pipes run");
            let action = entry.life.renew();
            self.act(entry, pipe, action);
        }
    }

    /// Starts the pipe, whose turn it is; none where it is none of the supervisor's any more.
    async fn start(
        self: &Arc<Self>,
        pipe: &PipeId,
        file: &PipeFile,
        turn: Turn<'_>,
    ) -> Result<Option<(Pipe, Share)>, PipeError> {
        let tell = |what| self.note_wait(pipe, Some(what));
        let options = self.options.pipe.clone();
        let place = LookPlace::take().await;
        let mut looked = turn.of(Looked::at(file, &options, place, tell)).await?;
        // Memory last: what waits for ends that do not answer holds none.
        let Some(share) = self.take_share(pipe).await else { return Ok(None) };
        self.note_wait(pipe, None);
        // But for one more look, with the memory that it has waited for: without, it would be the last in the row again.
        if looked.is_older_than(LOOKED_MS_MAX) {
            looked = Looked::at(file, &options, LookPlace::take().await, tell).await?;
        }
        let options = RunOptions { memory_bytes_max: share.bytes, ..options };
        Ok(Some((looked.start(options, tell).await?, share)))
    }

    /// A start has come to nothing, for this reason where there is one.
    fn refuse(self: &Arc<Self>, pipe: &PipeId, reason: Option<String>) {
        self.tell(pipe, |entry| {
            (entry.waits_for, entry.was_stopped) = (None, false);
            entry.last_reason = reason.or_else(|| entry.last_reason.take());
            entry.life.refused()
        });
    }

    /// Takes a share for a pipe whose ends have answered, once there is one; none where there is no such pipe.
    async fn take_share(self: &Arc<Self>, pipe: &PipeId) -> Option<Share> {
        let lacking = Lacking { inner: self, pipe };
        let gate = {
            let mut state = self.lock();
            let entry = state.pipes.get_mut(pipe)?;
            entry.lacks_memory = true;
            let gate = usize::from(entry.has_claim());
            self.take_back(&mut state);
            gate
        };
        let _first = self.memory[gate].lock().await;
        let mut changed = self.changed.subscribe();
        loop {
            changed.mark_unchanged();
            {
                let mut state = self.lock();
                let share = self.share_to_start(&state, pipe);
                let entry = state.pipes.get_mut(pipe)?;
                if let Some(share) = share {
                    (entry.share, entry.was_stopped) = (share, false);
                    state.held += share;
                    drop(state);
                    drop(lacking);
                    return Some(Share { inner: Arc::clone(self), pipe: pipe.clone(), bytes: share });
                }
                self.announce(entry, pipe);
            }
            // The sender is in `self`.
            let _ = changed.changed().await;
        }
    }

    pub(super) async fn remove(self: &Arc<Self>, pipe: &PipeId) {
        let mut changed = self.changed.subscribe();
        self.tell(pipe, |entry| {
            entry.is_leaving = true;
            rest(entry)
        });
        loop {
            changed.mark_unchanged();
            // One of the same id that came since is another one.
            if !self.lock().pipes.get(pipe).is_some_and(|entry| entry.is_leaving) {
                return;
            }
            let _ = changed.changed().await;
        }
    }

    pub(super) fn tell_all_to_rest(self: &Arc<Self>) {
        let mut state = self.lock();
        self.has_ended.store(true, Ordering::Release);
        for (pipe, entry) in &mut state.pipes {
            let action = rest(entry);
            self.act(entry, pipe, action);
        }
        state.pipes.retain(|_, entry| !(entry.is_leaving && entry.life.doing() == Doing::Resting));
    }

    pub(super) async fn end(self: &Arc<Self>) {
        let mut changed = self.changed.subscribe();
        self.tell_all_to_rest();
        loop {
            changed.mark_unchanged();
            if self.lock().pipes.values().all(|entry| entry.life.doing() == Doing::Resting) {
                return;
            }
            let _ = changed.changed().await;
        }
    }
}

/// Has a pipe rest, whatever its generation.
fn rest(entry: &mut Entry) -> Action {
    let generation = entry.life.wanted().generation;
    entry.file = None;
    entry.life.want(Wanted { generation, runs: false })
}

/// A pipe that waits for memory, until it has some or does not want it any more.
struct Lacking<'a> {
    inner: &'a Inner,
    pipe: &'a PipeId,
}

impl Drop for Lacking<'_> {
    fn drop(&mut self) {
        if let Some(entry) = self.inner.lock().pipes.get_mut(self.pipe) {
            entry.lacks_memory = false;
        }
    }
}

/// Memory that a pipe holds while it runs.
struct Share {
    inner: Arc<Inner>,
    pipe: PipeId,
    bytes: usize,
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut state = self.inner.lock();
        state.held = state.held.saturating_sub(self.bytes);
        if let Some(entry) = state.pipes.get_mut(&self.pipe) {
            entry.share = 0;
        }
        drop(state);
        self.inner.changed.send_replace(());
    }
}

/// One run of a pipe, from its start to its end.
async fn run(inner: Arc<Inner>, pipe: PipeId, generation: Generation, file: Arc<PipeFile>) {
    let Some(turn) = inner.turn(&pipe, generation, Ends::of(&file)).await else {
        return inner.refuse(&pipe, None);
    };
    let start = inner.start(&pipe, &file, turn);
    let (started, share) = match inner.while_it(|life| life.is_right(generation), &pipe, start).await {
        Some(Ok(Some(started))) => started,
        Some(Err(error)) => return inner.refuse(&pipe, Some(explain(&error))),
        Some(Ok(None)) | None => return inner.refuse(&pipe, None),
    };
    inner.note_wait(&pipe, None);
    inner.tell(&pipe, |entry| entry.runs(started.handle(), file));
    let (_, result) = started.finished().await;
    drop(share);
    inner.tell(&pipe, |entry| {
        entry.close_run();
        entry.was_stopped &= entry.life.wanted().runs;
        match result {
            Ok(()) => {
                entry.last_reason = None;
                entry.life.ended(Ended::Settled)
            }
            Err(error) => {
                let reason = explain(&error);
                tracing::error!(%pipe, error = reason, "the pipe has ended");
                entry.last_reason = Some(reason);
                entry.life.ended(Ended::Failed)
            }
        }
    });
}

/// Has a run that panics end as one that has failed, and its neighbours go on.
async fn guard(inner: Arc<Inner>, pipe: PipeId, run: impl Future<Output = ()> + Send + 'static) {
    if tokio::spawn(run).await.is_ok() {
        return;
    }
    inner.tell(&pipe, |entry| {
        entry.last_reason = Some("a task of the pipe panicked, which is a defect of housepipe".to_owned());
        // Its threads may go on without the task that waited for them.
        if let Some(handle) = &entry.handle {
            handle.abort();
        }
        entry.close_run();
        (entry.waits_for, entry.was_stopped) = (None, false);
        match entry.life.doing() {
            Doing::Starting(_) => entry.life.refused(),
            _ => entry.life.ended(Ended::Failed),
        }
    });
}

/// Tells of states that running pipes come into by themselves, for as long as there is a supervisor.
pub(super) fn watch_states(inner: &Arc<Inner>) {
    let inner = Arc::downgrade(inner);
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(Duration::from_millis(LOOK_MS));
        loop {
            tick.tick().await;
            let Some(inner) = inner.upgrade() else { return };
            let mut state = inner.lock();
            for (pipe, entry) in &mut state.pipes {
                if entry.handle.is_some() || entry.has_waited(STEP_MS_MIN) {
                    inner.announce(entry, pipe);
                }
            }
            // One that could not give back its memory may be able to by now.
            inner.take_back(&mut state);
            inner.give_back(&mut state);
        }
    });
}

/// The pause behind so many refused starts in a row.
fn pause(tries: u32) -> Duration {
    let doubled = PAUSE_MS.saturating_mul(1 << tries.saturating_sub(1).min(16));
    Duration::from_millis(doubled.min(PAUSE_MS_MAX))
}
