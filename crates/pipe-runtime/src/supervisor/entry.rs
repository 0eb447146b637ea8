//! What is known of one supervised pipe.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::lifecycle::{Action, Doing, Generation, Lifecycle};
use super::status::{PipeStatus, Stage};
use crate::metrics::PipeMetrics;
use crate::pipe::{PipeHandle, PipeState, Totals};
use crate::pipe_file::PipeFile;

/// What is told of a pipe that waits for memory.
const LACKS_MEMORY: &str =
    "waits for memory that other pipes hold; pause one of them, or give the process more";

/// One pipe. Of one that rests there is little more than its name.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) life: Lifecycle,
    /// How it is to run; none where it is to rest.
    pub(super) file: Option<Arc<PipeFile>>,
    /// While it runs, with the file that it runs by.
    pub(super) handle: Option<PipeHandle>,
    runs_by: Option<Arc<PipeFile>>,
    /// Memory that it holds, in bytes.
    pub(super) share: usize,
    /// Ends its pause.
    pub(super) timer: Option<AbortHandle>,
    /// Its ends have answered, and it waits for memory.
    pub(super) lacks_memory: bool,
    /// It ran, and was told to stop so that it runs on otherwise, and has not got memory since.
    pub(super) was_stopped: bool,
    /// What its start waits for, and since when.
    pub(super) waits_for: Option<(&'static str, Instant)>,
    /// Told whenever something may be wanted of it while it is about to start, so that it gives up its place in the row.
    pub(super) wishes: Arc<Notify>,
    /// Whether it is forgotten once it rests.
    pub(super) is_leaving: bool,
    /// Why its last run did not start, or has ended.
    pub(super) last_reason: Option<String>,
    /// What was told of it last, and when.
    told: (Stage, Option<String>),
    since: SystemTime,
    /// Counts of the runs before this one.
    before: Totals,
}

impl Entry {
    pub(super) fn new(now: SystemTime) -> Entry {
        Entry {
            life: Lifecycle::new(),
            file: None,
            handle: None,
            runs_by: None,
            share: 0,
            timer: None,
            lacks_memory: false,
            was_stopped: false,
            waits_for: None,
            wishes: Arc::default(),
            is_leaving: false,
            last_reason: None,
            told: (Stage::Paused, None),
            since: now,
            before: Totals::default(),
        }
    }

    /// It has started, and runs as the file says.
    pub(super) fn runs(&mut self, handle: PipeHandle, file: Arc<PipeFile>) -> Action {
        (self.handle, self.runs_by, self.last_reason) = (Some(handle), Some(file), None);
        self.life.started()
    }

    /// Has the pipe that runs go on as `file` says, where that is possible without a start. One of which something has to be mended starts
    /// anew all the same: that may mend it.
    pub(super) fn take_over(&mut self, generation: Generation, file: &Arc<PipeFile>) {
        if let (Some(handle), Some(runs_by)) = (&self.handle, &self.runs_by)
            && self.life.may_become(generation)
            && matches!(handle.state(), PipeState::Running | PipeState::Joining | PipeState::Retrying { .. })
            // It may be about to end by itself.
            && !handle.is_stopping()
            && runs_by.can_become(file)
        {
            handle.take_over(file);
            self.runs_by = Some(Arc::clone(file));
            self.life.has_become(generation);
        }
    }

    /// Whether it holds memory that it could give back without harm: while inserts fail, a stop would have to drop what they carry.
    pub(super) fn may_renew(&self) -> bool {
        let is_well = self
            .handle
            .as_ref()
            .is_some_and(|handle| matches!(handle.state(), PipeState::Running | PipeState::Joining));
        is_well && matches!(self.life.doing(), Doing::Running(_))
    }

    /// Whether it holds memory, or could start with some: others give back a part of what they have for it.
    pub(super) fn needs_memory(&self) -> bool {
        self.share > 0 || self.lacks_memory || self.has_claim()
    }

    /// Whether it comes before others that want memory: it has had some, has given it back, and is about to start anew.
    pub(super) fn has_claim(&self) -> bool {
        let is_about_to = matches!(self.life.doing(), Doing::Starting(_) | Doing::Stopping);
        self.was_stopped && self.share == 0 && self.life.wanted().runs && is_about_to
    }

    /// Whether it is going to give some of its memory back where each has this share: by its end, or since it may be told to start anew, now or once it
    /// has started.
    pub(super) fn may_give_back(&self, share: usize) -> bool {
        match self.life.doing() {
            Doing::Stopping => self.share > share || !self.life.wanted().runs,
            Doing::Starting(_) => self.share > share,
            Doing::Running(_) => self.share > share && self.may_renew(),
            Doing::Resting | Doing::Waiting(_) | Doing::Failed(_) => false,
        }
    }

    /// Whether memory is kept for it as well where others start: it may be about to need some. One that was refused, and is tried again, is
    /// likely not to.
    pub(super) fn may_need_memory(&self) -> bool {
        let is_new = matches!(self.life.doing(), Doing::Starting(_)) && !self.is_tried_again();
        is_new || self.needs_memory()
    }

    /// Whether its last start was refused, and nothing else is wanted of it since.
    pub(super) fn is_tried_again(&self) -> bool {
        self.life.tries() > 0
    }

    /// Its stage, and why.
    fn stage(&self) -> (Stage, Option<String>) {
        let run = self.handle.as_ref().map(PipeHandle::state);
        match (self.life.doing(), run) {
            (Doing::Resting, _) => (Stage::Paused, self.last_reason.clone()),
            // What was refused is tried again, and somebody has to mend it still: the stage stays, for whoever waits for it to last.
            (Doing::Starting(_), _) if self.lacks_memory => {
                (Stage::Provisioning, Some(LACKS_MEMORY.to_owned()))
            }
            (Doing::Starting(_), _) if self.is_tried_again() && self.last_reason.is_some() => {
                (Stage::Misconfigured, self.last_reason.clone())
            }
            (Doing::Starting(_), _) => {
                (Stage::Provisioning, self.waits_for.map(|(what, _)| format!("waits for {what}")))
            }
            (Doing::Running(_), Some(PipeState::Misconfigured { reason })) => {
                (Stage::Misconfigured, Some(reason))
            }
            (Doing::Running(_), Some(PipeState::Retrying { reason })) => (Stage::Running, Some(reason)),
            (Doing::Running(_), _) => (Stage::Running, None),
            (Doing::Stopping, _) => (Stage::Stopping, None),
            (Doing::Waiting(_), _) => (Stage::Misconfigured, self.last_reason.clone()),
            (Doing::Failed(_), _) => (Stage::Failed, self.last_reason.clone()),
        }
    }

    /// Whether what it waits for is news: it has waited for it for so many milliseconds.
    pub(super) fn has_waited(&self, ms: u64) -> bool {
        let for_something =
            self.waits_for.is_some_and(|(_, since)| since.elapsed() >= Duration::from_millis(ms));
        for_something || self.lacks_memory
    }

    /// Its stage, where that is news.
    pub(super) fn news(&mut self, now: SystemTime) -> Option<(Stage, Option<String>)> {
        let stage = self.stage();
        if stage == self.told {
            return None;
        }
        self.told.clone_from(&stage);
        self.since = now;
        Some(stage)
    }

    /// Takes over what a run that has ended has done.
    pub(super) fn close_run(&mut self) {
        self.runs_by = None;
        if let Some(handle) = self.handle.take() {
            let mut run = handle.totals();
            run.counters = run.counters.of_ended_run();
            self.before.add(&run);
        }
    }

    /// What was counted over all runs, and how the present one stands.
    pub(super) fn metrics(&self) -> PipeMetrics {
        let (stage, _) = self.stage();
        let mut metrics = PipeMetrics { stage, memory_bytes: self.share as u64, ..PipeMetrics::default() };
        metrics.totals.clone_from(&self.before);
        if let Some(handle) = &self.handle {
            let (totals, run) = handle.metrics();
            metrics.totals.add(&totals);
            metrics.run = Some(run);
        }
        metrics
    }

    pub(super) fn status(&self) -> PipeStatus {
        let (stage, reason) = self.stage();
        let run = self.handle.as_ref().map(PipeHandle::snapshot);
        let before = self.before.counters;
        let counters = run.as_ref().map_or(before, |run| before.and(run.counters));
        PipeStatus {
            stage,
            reason,
            since: self.since,
            definition: self.life.wanted().generation.definition,
            tries: self.life.tries(),
            counters,
            run,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::lifecycle::{Ended, Wanted};

    #[test]
    fn a_pipe_that_cannot_start_is_misconfigured_until_it_has() {
        let mut entry = Entry::new(SystemTime::UNIX_EPOCH);
        let mut stages = Vec::new();
        let mut told = |entry: &mut Entry| stages.extend(entry.news(SystemTime::UNIX_EPOCH));
        let run = |definition| Wanted { generation: Generation::of(definition), runs: true };
        entry.life.want(run(1));
        told(&mut entry);
        for _ in 0..3 {
            entry.last_reason = Some("no table".to_owned());
            entry.life.refused();
            told(&mut entry);
            entry.life.elapsed();
            told(&mut entry);
            assert_eq!(entry.metrics().stage, Stage::Misconfigured);
        }
        // It is mended, as far as the ends can tell.
        entry.lacks_memory = true;
        assert_eq!(entry.metrics().stage, Stage::Provisioning);
        entry.lacks_memory = false;
        // An edit may have mended it.
        entry.life.want(run(2));
        entry.life.refused();
        told(&mut entry);
        entry.last_reason = None;
        entry.life.started();
        told(&mut entry);
        let reason = Some("no table".to_owned());
        let expected = [
            (Stage::Provisioning, None),
            (Stage::Misconfigured, reason),
            (Stage::Provisioning, None),
            (Stage::Running, None),
        ];
        assert_eq!(stages, expected);
    }

    #[test]
    fn a_pipe_that_starts_anew_has_a_claim_from_the_moment_that_its_memory_is_given_back() {
        let mut entry = Entry::new(SystemTime::UNIX_EPOCH);
        let run = |definition| Wanted { generation: Generation::of(definition), runs: true };
        entry.life.want(run(1));
        entry.share = 8;
        entry.life.started();
        assert!(entry.needs_memory() && !entry.has_claim());
        assert_eq!(entry.life.want(run(2)), Action::Stop);
        entry.was_stopped = true;
        assert!(!entry.has_claim(), "it has its memory still");
        assert!(entry.may_give_back(4) && !entry.may_give_back(8), "and is going to want a share again");
        // Between these two others look at what is free.
        entry.share = 0;
        assert!(entry.has_claim() && entry.needs_memory() && entry.may_need_memory());
        entry.life.ended(Ended::Settled);
        assert!(entry.has_claim() && entry.needs_memory());
        entry.life.want(Wanted { runs: false, ..run(2) });
        assert!(!entry.has_claim() && !entry.needs_memory(), "it is wanted to rest");
    }
}
