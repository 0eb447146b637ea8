//! The steps that a world can take, and what has to hold in each.

use housepipe_kafka_source::Offset;
use housepipe_runtime::delivery::{
    Action, Commit, CommitOutcome, Cut, ExactlyOnce, Metadata, Recorded, Sealed, Terms, TokenMemory,
};
use stateright::{Model, Property};

use crate::world::{LeftOver, Mishaps, PROCESSES, Process, SentCommit, SentInsert, Token, Who, World};

/// Records of a batch that is cut by its size.
const BATCH_RECORDS: i64 = 2;

/// Batches that are sealed and not stored, at most: one is inserted, one waits.
const OPEN_MAX: u8 = 2;

/// What has to hold in every state.
pub(crate) const SAFETY: [&str; 3] =
    ["no record twice", "no record lost", "only what is refused is an error"];

/// What has to hold in some state.
pub(crate) const EVERYTHING_LOADED: &str = "everything loaded";

const TERMS: Terms = Terms { plan: 1, fence_s: 300 };

/// How what surrounds the core behaves: as it should, or with a mistake that the checker has to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Driver {
    /// By the rules.
    Correct,
    /// Inserts when the commit that prepares is sent, not when it is acknowledged.
    InsertsBeforePrepared,
    /// Takes a commit without an answer for refused, and sends it again.
    SendsCommitsAgain,
    /// Asks for the group's commit again after one without an answer, and stays in the group.
    RecoversInPlace,
    /// Begins at the committed offset, whatever range is pending.
    IgnoresPending,
    /// The broker takes commits of those who are not in the group any more.
    Unfenced,
    /// The table remembers no tokens.
    WithoutDeduplication,
    /// Gives a partition back while a commit is under way.
    ReleasesEarly,
    /// Repeats an insert after the server was killed, without a look for its rows.
    TrustsTheToken,
    /// Inserts with another token after the server was killed, and does not tell the group before.
    TellsNobody,
    /// Inserts again with the same token where the rows are there after the server was killed, and does not tell the group
    /// before.
    RepeatsUntold,
    /// Takes a server that was started anew after a range was prepared, and before its insert, for the same.
    TrustsTheFirstTry,
    /// Inserts that were sent to a server before its last start come to the one after it.
    WithoutSessions,
}

impl Driver {
    /// The mistakes.
    pub(crate) const BROKEN: [Driver; 12] = [
        Driver::InsertsBeforePrepared,
        Driver::SendsCommitsAgain,
        Driver::RecoversInPlace,
        Driver::IgnoresPending,
        Driver::Unfenced,
        Driver::WithoutDeduplication,
        Driver::ReleasesEarly,
        Driver::TrustsTheToken,
        Driver::TellsNobody,
        Driver::RepeatsUntold,
        Driver::TrustsTheFirstTry,
        Driver::WithoutSessions,
    ];

    /// Whether it takes views for the mistake to show.
    pub(crate) fn needs_views(self) -> bool {
        matches!(self, Driver::RepeatsUntold | Driver::TellsNobody)
    }

    /// Mishaps with which the mistake is found.
    pub(crate) fn mishaps(self) -> Mishaps {
        let restart = Mishaps::RESTART;
        match self {
            Driver::TrustsTheToken | Driver::WithoutSessions => restart,
            Driver::TellsNobody => Mishaps { crashes: 1, revocations: 1, ..restart },
            Driver::RepeatsUntold => Mishaps { expiries: 1, ..restart },
            Driver::TrustsTheFirstTry => Mishaps { revocations: 1, timeouts: 1, ..restart },
            _ => Mishaps::FEW,
        }
    }
}

/// What is checked: a number of records, and how much may go wrong.
#[derive(Debug, Clone)]
pub(crate) struct Protocol {
    /// Records in the partition.
    pub(crate) records: usize,
    /// A record that ClickHouse refuses, with everything in the same insert.
    pub(crate) refused: Option<i64>,
    /// How the surroundings behave.
    pub(crate) driver: Driver,
    /// Mishaps, at most.
    pub(crate) mishaps: Mishaps,
    /// Whether views pass rows on, so that those that are there have to be inserted once more, with their token.
    pub(crate) views: bool,
}

/// One thing that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// The group gives the partition to a process.
    Assign(Who),
    /// The process learns what the group has committed.
    Recover(Who),
    /// The process closes a batch.
    Seal(Who, Cut),
    /// It closes the batch that it replays.
    SealReplay(Who),
    /// A commit arrives; its answer too, or it is lost and the commit stays under way.
    Commit(usize, bool),
    /// An insert arrives; its answer too, or it is lost and the insert stays under way.
    Insert(SentInsert, bool),
    /// ClickHouse is killed in the middle of an insert, which leaves something or nothing, and started again.
    Restart(SentInsert, LeftOver),
    /// ClickHouse is started anew while it does nothing.
    RestartIdle,
    /// A process finds that the server was started anew after its insert, and looks for the rows.
    Look(SentInsert),
    /// A process waits no longer for the answer to its commit.
    CommitTimeout(Who),
    /// The group asks a process for the partition.
    Revoke(Who),
    /// A process has not drained in time.
    GiveUp(Who),
    /// The group throws a process out that it has not heard of.
    Expire(Who),
    /// A process learns that it was thrown out, and joins again.
    Lose(Who),
    /// A process is killed.
    Crash(Who),
}

impl Model for Protocol {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(self.records, self.refused, self.mishaps)]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        for who in 0..PROCESSES {
            self.steps_of(world, who, steps);
        }
        for (index, sent) in world.commits.iter().enumerate() {
            // Those of one process arrive in the order in which they were sent, on one connection.
            let is_first = world.commits.iter().position(|other| other.who == sent.who) == Some(index);
            if is_first {
                steps.push(Step::Commit(index, true));
                if world.left.repeats > 0 {
                    steps.push(Step::Commit(index, false));
                }
            }
        }
        if world.left.restarts > 0 {
            steps.push(Step::RestartIdle);
        }
        for sent in &world.inserts {
            if sent.prepared < world.starts {
                steps.push(Step::Look(*sent));
                if self.driver != Driver::WithoutSessions {
                    continue;
                }
            }
            steps.push(Step::Insert(*sent, true));
            if world.left.repeats > 0 {
                steps.push(Step::Insert(*sent, false));
            }
            if world.left.restarts > 0 {
                for left_over in [LeftOver::Nothing, LeftOver::Token, LeftOver::Everything] {
                    steps.push(Step::Restart(*sent, left_over));
                }
                if !self.views {
                    steps.push(Step::Restart(*sent, LeftOver::Rows));
                }
            }
        }
    }

    fn next_state(&self, last: &World, step: Step) -> Option<World> {
        let mut world = last.clone();
        let now = world.now();
        match step {
            Step::Assign(who) => {
                world.broker.owner = Some(who);
                let process = &mut world.processes[who];
                process.life += 1;
                process.core = Some(ExactlyOnce::assigned(TERMS));
            }
            Step::Recover(who) => self.recover(&mut world, who),
            Step::Seal(who, cut) => {
                let start = world.processes[who].position?;
                let records = if cut == Cut::Size { BATCH_RECORDS } else { 1 };
                let end = Offset(start.0 + records);
                let rows = u32::try_from(records).unwrap_or(0);
                world.processes[who].position = Some(end);
                world.processes[who].open += 1;
                let batch = Sealed { start, end, rows, rejects: 0, cut, attempt: 0, first: None };
                self.tell(&mut world, who, |core| core.seal(batch, now));
            }
            Step::SealReplay(who) => {
                let batch = world.processes[who].replay.take()?;
                world.processes[who].open += 1;
                self.tell(&mut world, who, |core| core.seal(batch, now));
            }
            Step::Commit(index, is_answered) => self.commit(&mut world, index, is_answered),
            Step::Insert(sent, is_answered) => self.arrive(&mut world, sent, is_answered),
            Step::Restart(sent, left_over) => {
                world.left.restarts -= 1;
                world.restart(sent.token, left_over);
            }
            Step::RestartIdle => {
                world.left.restarts -= 1;
                world.restart_idle();
            }
            Step::Look(sent) => self.look(&mut world, sent),
            Step::CommitTimeout(who) => {
                world.left.timeouts -= 1;
                world.processes[who].waits = false;
                match self.driver {
                    Driver::SendsCommitsAgain => {
                        self.tell(&mut world, who, |core| core.committed(CommitOutcome::Refused, now));
                    }
                    Driver::RecoversInPlace => {
                        let process = &mut world.processes[who];
                        process.forget();
                        process.life += 1;
                        process.core = Some(ExactlyOnce::assigned(TERMS));
                    }
                    _ => self.tell(&mut world, who, |core| core.committed(CommitOutcome::Unknown, now)),
                }
            }
            Step::Revoke(who) => {
                world.left.revocations -= 1;
                self.tell(&mut world, who, |core| match (self.driver, core.revoke()) {
                    (Driver::ReleasesEarly, Action::Wait) => Action::Release,
                    (_, action) => action,
                });
            }
            Step::GiveUp(who) => {
                world.left.timeouts -= 1;
                self.tell(&mut world, who, ExactlyOnce::give_up);
            }
            Step::Expire(who) => {
                world.left.expiries = world.left.expiries.saturating_sub(1);
                world.broker.owner = None;
                world.broker.members[who] = None;
                if self.driver != Driver::Unfenced {
                    world.forget_dead();
                }
            }
            Step::Lose(who) => {
                let process = &mut world.processes[who];
                if let Some(core) = &mut process.core {
                    // Whatever it wants: this member is over, and a new one begins.
                    let _ = core.lose();
                }
                process.forget();
                process.member += 1;
                world.broker.members[who] = Some(process.member);
            }
            Step::Crash(who) => {
                world.left.crashes -= 1;
                world.processes[who].forget();
            }
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(SAFETY[0], |_, world: &World| {
                world.table.iter().zip(&world.errors).all(|(rows, errors)| rows + errors <= 1)
            }),
            Property::always(SAFETY[1], |_, world: &World| {
                let below = usize::try_from(world.broker.committed.0).unwrap_or(usize::MAX);
                world.table.iter().zip(&world.errors).take(below).all(|(rows, errors)| rows + errors >= 1)
            }),
            Property::always(SAFETY[2], |protocol, world: &World| {
                (0..)
                    .zip(&world.errors)
                    .all(|(record, errors)| *errors == 0 || protocol.refused == Some(record))
            }),
            Property::sometimes(EVERYTHING_LOADED, |_, world: &World| {
                world.broker.committed == world.end()
                    && world.broker.metadata.is_some_and(|metadata| metadata.pending.is_none())
            }),
        ]
    }
}

impl Protocol {
    fn steps_of(&self, world: &World, who: Who, steps: &mut Vec<Step>) {
        let Process { core, position, replay, open, waits, member, .. } = &world.processes[who];
        let left = &world.left;
        let is_member = world.broker.members[who] == Some(*member);
        let is_owner = world.broker.owner == Some(who);
        if !is_member {
            steps.push(Step::Lose(who));
        }
        let Some(core) = core else {
            if is_owner {
                // A process that was killed: the group finds out.
                steps.push(Step::Expire(who));
            } else if is_member && world.broker.owner.is_none() {
                steps.push(Step::Assign(who));
            }
            return;
        };
        if core.is_over() {
            return;
        }
        match position {
            None => steps.push(Step::Recover(who)),
            Some(_) if replay.is_some() => steps.push(Step::SealReplay(who)),
            Some(position) if *open < OPEN_MAX => {
                let room = world.end().0 - position.0;
                if room >= BATCH_RECORDS {
                    steps.push(Step::Seal(who, Cut::Size));
                }
                if room >= 1 {
                    steps.push(Step::Seal(who, Cut::Time));
                }
            }
            Some(_) => {}
        }
        if *waits && left.timeouts > 0 {
            steps.push(Step::CommitTimeout(who));
        }
        if is_owner && left.revocations > 0 {
            steps.push(Step::Revoke(who));
        }
        if is_owner && left.timeouts > 0 && left.revocations < self.mishaps.revocations {
            steps.push(Step::GiveUp(who));
        }
        if is_owner && left.expiries > 0 {
            steps.push(Step::Expire(who));
        }
        if left.crashes > 0 {
            steps.push(Step::Crash(who));
        }
    }

    fn recover(&self, world: &mut World, who: Who) {
        let metadata = world.broker.metadata.map(|metadata| match self.driver {
            Driver::IgnoresPending => Metadata { pending: None, ..metadata },
            _ => metadata,
        });
        let position = world.broker.committed;
        let (recorded, fresh) = match metadata {
            Some(metadata) => (Recorded::Ours(metadata), metadata.lineage),
            None => (Recorded::Nothing, world.mint()),
        };
        let now = world.now();
        self.tell(world, who, |core| core.recover(position, recorded, fresh, TokenMemory::Sure, now));
    }

    fn commit(&self, world: &mut World, index: usize, is_answered: bool) {
        let SentCommit { who, member, life, commit } = world.commits[index];
        let is_taken = world.broker.members[who] == Some(member) || self.driver == Driver::Unfenced;
        if is_taken {
            world.broker.committed = commit.offset;
            world.broker.metadata = Some(commit.metadata);
        }
        if !is_answered {
            world.left.repeats -= 1;
            return;
        }
        world.commits.remove(index);
        if self.is_for_its_core(world, who, life) && world.processes[who].waits {
            world.processes[who].waits = false;
            let outcome = if is_taken { CommitOutcome::Acknowledged } else { CommitOutcome::Refused };
            let now = world.now();
            self.tell(world, who, |core| core.committed(outcome, now));
        }
    }

    /// An insert comes to ClickHouse.
    fn arrive(&self, world: &mut World, sent: SentInsert, is_answered: bool) {
        let is_taken = world.takes(sent.token);
        if is_taken {
            world.apply(sent.token, self.driver != Driver::WithoutDeduplication);
        }
        if !is_answered {
            world.left.repeats -= 1;
            return;
        }
        world.inserts.remove(&sent);
        if !self.is_for_its_core(world, sent.who, sent.life) {
            return;
        }
        if is_taken {
            self.stored(world, sent.who);
        } else {
            self.tell(world, sent.who, ExactlyOnce::refused);
        }
    }

    /// The range is in the table, and its owner knows.
    fn stored(&self, world: &mut World, who: Who) {
        let open = &mut world.processes[who].open;
        *open = open.saturating_sub(1);
        let now = world.now();
        self.tell(world, who, |core| core.stored(now));
    }

    /// A process whose insert was under way when the server was killed finds out what is left of it.
    fn look(&self, world: &mut World, sent: SentInsert) {
        if self.driver != Driver::WithoutSessions {
            world.inserts.remove(&sent);
        }
        if !self.is_for_its_core(world, sent.who, sent.life) {
            return;
        }
        let again = SentInsert { prepared: world.starts, ..sent };
        let are_there = world.has(sent.token);
        if self.driver == Driver::TrustsTheToken || (self.driver == Driver::RepeatsUntold && are_there) {
            world.inserts.insert(again);
        } else if self.driver == Driver::TellsNobody && !are_there {
            let token = Token { attempt: sent.token.attempt + 1, ..sent.token };
            world.inserts.insert(SentInsert { token, ..again });
        } else if are_there && !self.views {
            self.stored(world, sent.who);
        } else {
            let now = world.now();
            self.tell(world, sent.who, |core| core.prepare_again(are_there, now));
        }
    }

    /// Whether the process still has the core that sent something in this life.
    fn is_for_its_core(&self, world: &World, who: Who, life: u8) -> bool {
        world.processes[who].core.is_some() && world.processes[who].life == life
    }

    /// Tells the core of an event, and does what it wants.
    fn tell(&self, world: &mut World, who: Who, event: impl FnOnce(&mut ExactlyOnce) -> Action) {
        let Some(core) = &mut world.processes[who].core else { return };
        let replays = core.replaying().is_some();
        let action = event(core);
        if self.driver == Driver::TrustsTheFirstTry && matches!(action, Action::Insert(_)) && !replays {
            world.processes[who].prepared = world.starts;
        }
        if let (Driver::InsertsBeforePrepared, Action::Commit(commit)) = (self.driver, action) {
            insert_early(world, who, commit);
        }
        world.perform(who, action);
    }
}

fn insert_early(world: &mut World, who: Who, commit: Commit) {
    if let Some(pending) = commit.metadata.pending {
        world.processes[who].prepared = world.starts;
        world.insert(who, Sealed::recorded(commit.offset, pending));
    }
}
