//! The life of one supervised pipe, as a state machine without IO: it is told what is wanted and what has happened, and answers with
//! what to do next.
//!
//! ```text
//!              want                      started                   renew, want
//!   Resting ─────────► Starting ────────────────────► Running ────────────────────► Stopping
//!      ▲                 │  ▲                            │                              │
//!      │         refused │  │ elapsed, want              │ ended                        │ ended
//!      │                 ▼  │                            ▼                              ▼
//!      └──── want ─── Waiting                     Waiting or Failed             what is wanted by then
//! ```
//!
//! What is wanted is a level and not an order: told again it changes nothing, and what was told while something else was under way holds
//! as soon as that has ended. So whoever keeps what is wanted may tell it at any time, also after a restart, and in any state.

/// Which of the things that were wanted of a pipe is the newest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Generation {
    /// Counts the definitions. A running pipe goes on with a higher one, or starts anew with it.
    pub definition: u64,
    /// Counts the requests to try again. One that has failed, or waits, starts with a higher one; one that runs goes on as it is.
    pub attempt: u64,
}

impl Generation {
    /// The first attempt with this definition.
    pub const fn of(definition: u64) -> Generation {
        Generation { definition, attempt: 0 }
    }
}

/// What is wanted of a pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Wanted {
    pub(super) generation: Generation,
    pub(super) runs: bool,
}

/// What a pipe is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Doing {
    /// Nothing, since nothing else is wanted.
    Resting,
    /// Looks at both ends and joins the group.
    Starting(Generation),
    /// Reads and inserts.
    Running(Generation),
    /// Was told to end, and stores what it has read.
    Stopping,
    /// Could not start, or ended for no fault of its own, and is tried again after a pause.
    Waiting(Generation),
    /// Ended, and stays so until a higher generation is wanted.
    Failed(Generation),
}

/// What has become of a pipe that ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Ended {
    /// It has stored everything that it had read.
    Settled,
    /// It has failed, and a person has to look at it.
    Failed,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Action {
    /// Nothing.
    None,
    /// Start the pipe, then tell [`Lifecycle::started`] or [`Lifecycle::refused`].
    Start(Generation),
    /// Have it read no more, then tell [`Lifecycle::ended`].
    Stop,
    /// Tell [`Lifecycle::elapsed`] after a pause, which grows with the tries in a row.
    Wait {
        /// Starts that were refused in a row, from 1.
        tries: u32,
    },
    /// Forget the pause.
    EndWait,
}

/// One pipe's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Lifecycle {
    wanted: Wanted,
    doing: Doing,
    tries: u32,
}

impl Lifecycle {
    /// A pipe of which nothing is wanted yet.
    pub(super) fn new() -> Lifecycle {
        Lifecycle {
            wanted: Wanted { generation: Generation::of(0), runs: false },
            doing: Doing::Resting,
            tries: 0,
        }
    }

    pub(super) fn doing(&self) -> Doing {
        self.doing
    }

    pub(super) fn wanted(&self) -> Wanted {
        self.wanted
    }

    /// Starts that were refused in a row.
    pub(super) fn tries(&self) -> u32 {
        self.tries
    }

    /// Tells what is wanted. One of an earlier generation than was told before is old news and changes nothing.
    pub(super) fn want(&mut self, wanted: Wanted) -> Action {
        if wanted.generation < self.wanted.generation || wanted == self.wanted {
            return Action::None;
        }
        let is_new = wanted.generation > self.wanted.generation;
        self.wanted = wanted;
        if is_new || !wanted.runs {
            self.tries = 0;
        }
        match self.doing {
            // It ends first, and then does what is wanted.
            Doing::Starting(_) | Doing::Stopping => Action::None,
            Doing::Running(generation) => self.unless_right(generation),
            Doing::Resting => self.follow(),
            Doing::Waiting(_) if !wanted.runs => {
                self.doing = Doing::Resting;
                Action::EndWait
            }
            // The pause is over: whoever wants something new does not want to wait for the old.
            Doing::Waiting(generation) if generation < wanted.generation => self.follow(),
            Doing::Waiting(_) => Action::None,
            Doing::Failed(generation) if !wanted.runs || generation < wanted.generation => self.follow(),
            Doing::Failed(_) => Action::None,
        }
    }

    /// Whether a pipe runs that may take over this definition, newer than its own, as it runs.
    pub(super) fn may_become(&self, generation: Generation) -> bool {
        let is_newer = generation.definition > self.wanted.generation.definition;
        is_newer && matches!(self.doing, Doing::Running(_))
    }

    /// What runs has taken over the definition, which is going to be wanted.
    pub(super) fn has_become(&mut self, generation: Generation) {
        if let Doing::Running(running) = &mut self.doing {
            running.definition = generation.definition;
        }
    }

    /// The start has succeeded.
    pub(super) fn started(&mut self) -> Action {
        let Doing::Starting(generation) = self.doing else { return Action::None };
        self.tries = 0;
        self.doing = Doing::Running(generation);
        self.unless_right(generation)
    }

    /// The start was refused: nothing runs.
    pub(super) fn refused(&mut self) -> Action {
        let Doing::Starting(generation) = self.doing else { return Action::None };
        if self.is_wanted(generation) { self.wait(generation) } else { self.follow() }
    }

    /// What ran has ended.
    pub(super) fn ended(&mut self, how: Ended) -> Action {
        match (self.doing, how) {
            (Doing::Stopping, _) => self.follow(),
            // Nobody has told it to. What it could do before it may do again.
            (Doing::Running(generation), Ended::Settled) => self.wait(generation),
            (Doing::Running(generation), Ended::Failed) => {
                self.doing = Doing::Failed(generation);
                Action::None
            }
            _ => Action::None,
        }
    }

    /// The pause is over.
    pub(super) fn elapsed(&mut self) -> Action {
        match self.doing {
            Doing::Waiting(_) => self.follow(),
            _ => Action::None,
        }
    }

    /// Has a pipe that runs end and start again as it is, so that it takes over what it is given at its start.
    pub(super) fn renew(&mut self) -> Action {
        match self.doing {
            Doing::Running(_) => {
                self.doing = Doing::Stopping;
                Action::Stop
            }
            _ => Action::None,
        }
    }

    /// Whether it is to run as it does in this generation: another attempt is the same.
    pub(super) fn is_right(&self, generation: Generation) -> bool {
        self.wanted.runs && self.wanted.generation.definition == generation.definition
    }

    /// Ends a pipe that runs otherwise than is wanted.
    fn unless_right(&mut self, generation: Generation) -> Action {
        if self.is_right(generation) {
            // It counts as the attempt that is wanted: where it fails, another one has to be asked for.
            self.doing = Doing::Running(self.wanted.generation);
            return Action::None;
        }
        self.doing = Doing::Stopping;
        Action::Stop
    }

    /// Whether what was begun as `generation` is what is wanted by now.
    pub(super) fn is_wanted(&self, generation: Generation) -> bool {
        self.wanted == (Wanted { generation, runs: true })
    }

    /// From rest to what is wanted.
    fn follow(&mut self) -> Action {
        if !self.wanted.runs {
            self.doing = Doing::Resting;
            return Action::None;
        }
        self.doing = Doing::Starting(self.wanted.generation);
        Action::Start(self.wanted.generation)
    }

    fn wait(&mut self, generation: Generation) -> Action {
        self.tries = self.tries.saturating_add(1);
        self.doing = Doing::Waiting(generation);
        Action::Wait { tries: self.tries }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const RUN: Wanted = Wanted { generation: Generation::of(1), runs: true };
    const REST: Wanted = Wanted { generation: Generation::of(1), runs: false };
    const RUN_ANEW: Wanted = Wanted { generation: Generation::of(2), runs: true };

    fn running() -> Lifecycle {
        let mut life = Lifecycle::new();
        assert_eq!(life.want(RUN), Action::Start(Generation::of(1)));
        assert_eq!(life.started(), Action::None);
        life
    }

    #[test]
    fn an_edit_drains_and_starts_the_new_generation() {
        let mut life = running();
        assert_eq!(life.want(RUN_ANEW), Action::Stop);
        assert_eq!(life.want(RUN_ANEW), Action::None);
        assert_eq!(life.ended(Ended::Settled), Action::Start(Generation::of(2)));
        // Also where the old one could not store everything before its deadline.
        let mut life = running();
        life.want(RUN_ANEW);
        assert_eq!(life.ended(Ended::Failed), Action::Start(Generation::of(2)));
    }

    #[test]
    fn a_definition_that_is_taken_over_ends_nothing() {
        let mut life = running();
        assert!(life.may_become(RUN_ANEW.generation) && !life.may_become(RUN.generation));
        life.has_become(RUN_ANEW.generation);
        assert_eq!(life.want(RUN_ANEW), Action::None);
        assert_eq!(life.doing(), Doing::Running(RUN_ANEW.generation));
        assert_eq!(life.want(Wanted { generation: Generation::of(3), runs: true }), Action::Stop);
        assert!(!life.may_become(Generation::of(4)), "it is about to end");
    }

    #[test]
    fn a_pause_while_it_starts_holds_once_it_has() {
        let mut life = Lifecycle::new();
        life.want(RUN);
        assert_eq!(life.want(REST), Action::None);
        assert_eq!(life.started(), Action::Stop);
        assert_eq!(life.ended(Ended::Settled), Action::None);
        assert_eq!(life.doing(), Doing::Resting);
        assert_eq!(life.want(RUN), Action::Start(Generation::of(1)), "and it is resumed");
    }

    #[test]
    fn refused_starts_wait_longer_each_time_until_something_new_is_wanted() {
        let mut life = Lifecycle::new();
        life.want(RUN);
        for tries in 1..=3 {
            assert_eq!(life.refused(), Action::Wait { tries });
            assert_eq!(life.elapsed(), Action::Start(Generation::of(1)));
        }
        assert_eq!(life.refused(), Action::Wait { tries: 4 });
        assert_eq!(life.want(RUN_ANEW), Action::Start(Generation::of(2)), "at once");
        assert_eq!(life.elapsed(), Action::None, "the old pause is nobody's any more");
        assert_eq!(life.refused(), Action::Wait { tries: 1 });
        assert_eq!(life.want(Wanted { runs: false, ..RUN_ANEW }), Action::EndWait);
    }

    #[test]
    fn a_failure_stays_until_it_is_resumed() {
        let mut life = running();
        assert_eq!(life.ended(Ended::Failed), Action::None);
        assert_eq!(life.want(RUN), Action::None);
        assert_eq!(life.doing(), Doing::Failed(Generation::of(1)));
        assert_eq!(life.want(RUN_ANEW), Action::Start(Generation::of(2)));
        let mut life = running();
        life.ended(Ended::Failed);
        assert_eq!(life.want(REST), Action::None);
        assert_eq!(life.doing(), Doing::Resting);
    }

    #[test]
    fn another_attempt_starts_what_has_failed_or_waits_and_leaves_what_runs() {
        let again = Wanted { generation: Generation { definition: 1, attempt: 1 }, runs: true };
        let mut life = running();
        assert_eq!(life.want(again), Action::None);
        assert_eq!(life.doing(), Doing::Running(again.generation));
        assert_eq!(life.ended(Ended::Failed), Action::None, "that attempt has been made");
        let mut life = running();
        life.ended(Ended::Failed);
        assert_eq!(life.want(again), Action::Start(again.generation));
        let mut life = Lifecycle::new();
        life.want(RUN);
        life.refused();
        assert_eq!(life.want(again), Action::Start(again.generation));
    }

    #[test]
    fn old_news_changes_nothing() {
        let mut life = Lifecycle::new();
        life.want(RUN_ANEW);
        life.started();
        assert_eq!(life.want(REST), Action::None);
        assert_eq!(life.doing(), Doing::Running(Generation::of(2)));
    }

    #[test]
    fn what_is_renewed_starts_as_it_was() {
        let mut life = running();
        assert_eq!(life.renew(), Action::Stop);
        assert_eq!(life.renew(), Action::None);
        assert_eq!(life.ended(Ended::Settled), Action::Start(Generation::of(1)));
    }

    /// What the world has to do for an action, so that every order of events can be gone through.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    struct World {
        life: Lifecycle,
        /// A start that was not answered yet.
        starts: bool,
        /// A pipe that runs, and whether it was told to end.
        runs: Option<bool>,
        waits: bool,
    }

    impl World {
        fn done(mut self, action: Action) -> World {
            match action {
                Action::None => {}
                Action::Start(_) => {
                    assert!(!self.starts && self.runs.is_none(), "a second one would run: {self:?}");
                    (self.starts, self.waits) = (true, false);
                }
                Action::Stop => {
                    assert_eq!(self.runs, Some(false), "nothing to stop: {self:?}");
                    self.runs = Some(true);
                }
                Action::Wait { .. } => self.waits = true,
                Action::EndWait => self.waits = false,
            }
            self.life.tries = self.life.tries.min(2);
            self
        }

        fn steps(self) -> Vec<World> {
            let mut steps = Vec::new();
            let mut step = |change: &dyn Fn(&mut World) -> Action| {
                let mut next = self;
                let action = change(&mut next);
                steps.push(next.done(action));
            };
            for (definition, attempt) in [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1)] {
                let generation = Generation { definition, attempt };
                for runs in [false, true] {
                    step(&|w| w.life.want(Wanted { generation, runs }));
                }
                if self.life.may_become(generation) {
                    step(&|w| {
                        w.life.has_become(generation);
                        w.life.want(Wanted { generation, runs: true })
                    });
                }
            }
            step(&|w| w.life.renew());
            if self.starts {
                step(&|w| {
                    (w.starts, w.runs) = (false, Some(false));
                    w.life.started()
                });
                step(&|w| {
                    w.starts = false;
                    w.life.refused()
                });
            }
            if self.runs.is_some() {
                for how in [Ended::Settled, Ended::Failed] {
                    step(&|w| {
                        w.runs = None;
                        w.life.ended(how)
                    });
                }
            }
            // A pause that was forgotten may end all the same, when both happen at once.
            step(&|w| {
                w.waits = false;
                w.life.elapsed()
            });
            steps
        }

        /// Does what is left to do, as a world in which nothing fails does.
        fn settled(mut self) -> World {
            while self.starts || self.runs == Some(true) || self.waits {
                let action = if self.starts {
                    (self.starts, self.runs) = (false, Some(false));
                    self.life.started()
                } else if self.waits {
                    self.waits = false;
                    self.life.elapsed()
                } else {
                    self.runs = None;
                    self.life.ended(Ended::Settled)
                };
                self = self.done(action);
            }
            self
        }
    }

    #[test]
    fn in_every_order_of_events_one_runs_at_most_and_ends_as_wanted() {
        let first = World { life: Lifecycle::new(), starts: false, runs: None, waits: false };
        let (mut seen, mut open) = (HashSet::from([first]), vec![first]);
        while let Some(world) = open.pop() {
            let end = world.settled();
            let wanted = end.life.wanted();
            match end.life.doing() {
                Doing::Running(generation) => {
                    assert_eq!((generation, true), (wanted.generation, wanted.runs));
                }
                Doing::Resting => assert!(!wanted.runs, "{world:?}"),
                Doing::Failed(generation) => assert_eq!((generation, true), (wanted.generation, wanted.runs)),
                other => panic!("{world:?} never comes to rest: {other:?}"),
            }
            assert_eq!(end.runs.is_some(), matches!(end.life.doing(), Doing::Running(_)), "{world:?}");
            open.extend(world.steps().into_iter().filter(|next| seen.insert(*next)));
        }
        assert!(seen.len() > 50, "{}", seen.len());
    }
}
