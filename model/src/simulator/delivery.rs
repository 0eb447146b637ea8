//! Inserts a part, by the rules of `crates/pipe-runtime/src/pipe/deliver_part.rs` and `persist.rs`, as steps instead of
//! a task that waits.

use housepipe_ch_sink::Insert as SinkInsert;
use housepipe_kafka_source::{Offset, PartitionId};
use housepipe_runtime::delivery::{BatchToken, Sealed};

use super::clickhouse::{Insert, Target};
use super::event::{Ask, Reply};
use super::guard::{Guard, LATE_S, START_JITTER_S};
use super::mistake::Mistake;
use super::process::Part;
use super::task::{Delivery, Step, Task, Work};
use super::world::World;

/// Rows of a batch that are looked for after the server was killed, about.
const SAMPLE_ROWS_MAX: usize = 16;

/// Seconds for which a server runs before anything is inserted.
pub(crate) const SETTLED_S: u64 = 3 * START_JITTER_S + 1;

/// Time until it is looked at again, in milliseconds.
pub(crate) const SETTLED_MS: u64 = 1_000;

/// Time after which no insert of a range is under way that was allowed before, in milliseconds: until a first try is asked for,
/// that of a session, that of an insert, and that of its last step.
pub(crate) const QUIET_MS: u64 = (LATE_S + SinkInsert::SESSION_S + 120 + 90) * 1_000;

/// What a delivery does next.
enum Next {
    Ask(Ask),
    Pause(u64),
    End(End),
}

/// How it ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Stored,
    Refused { named: Option<usize> },
    Overdue,
    Untold,
    Outlived { are_there: bool },
    Abandoned,
}

impl World {
    /// Begins to insert a part.
    pub(crate) fn deliver(
        &mut self,
        who: usize,
        partition: usize,
        epoch: u64,
        part: Part,
        guard: Guard,
        is_stray: bool,
    ) {
        let rejects_first = self.setting.has(Mistake::RejectsBeforeRows) && !part.rejects.is_empty();
        let target = if part.rows.is_empty() || rejects_first { Target::Errors } else { Target::Rows };
        let delivery = Delivery {
            partition,
            epoch,
            part,
            prepared: guard.clone(),
            guard,
            target,
            token: String::new(),
            step: Step::Pause,
            sure_at_blocks: None,
            known_unix_s: None,
            is_stray,
        };
        let task = self.begin(who, Work::Deliver(Box::new(delivery)));
        self.go_on(who, task, |world, task, delivery| world.enter(who, task, delivery));
    }

    /// An answer has come for a delivery.
    pub(crate) fn delivery_heard(&mut self, who: usize, task: u64, reply: Reply) {
        self.go_on(who, task, |world, task, delivery| world.hear(who, task, delivery, reply));
    }

    /// A pause of a delivery is over.
    pub(crate) fn delivery_resumes(&mut self, who: usize, task: u64) {
        self.go_on(who, task, |world, _, delivery| world.resume(who, delivery));
    }

    fn go_on(
        &mut self,
        who: usize,
        number: u64,
        step: impl FnOnce(&mut World, &mut Task, &mut Delivery) -> Next,
    ) {
        let Some(mut task) = self.processes[who].tasks.remove(&number) else { return };
        let Work::Deliver(mut delivery) = std::mem::replace(&mut task.work, Work::Watch) else { return };
        let next = step(self, &mut task, &mut delivery);
        match next {
            Next::End(end) => self.end_delivery(who, *delivery, end),
            Next::Ask(ask) => {
                task.work = Work::Deliver(delivery);
                self.processes[who].tasks.insert(number, task);
                self.ask(who, number, ask);
            }
            Next::Pause(delay_ms) => {
                task.work = Work::Deliver(delivery);
                self.processes[who].tasks.insert(number, task);
                self.pause(who, number, delay_ms);
            }
        }
    }

    /// Begins with the rows, or with the rejects behind them.
    fn enter(&mut self, who: usize, task: &mut Task, delivery: &mut Delivery) -> Next {
        delivery.guard = delivery.prepared.clone();
        task.backoff.reset();
        let token = token_of(delivery);
        match delivery.target {
            Target::Rows if delivery.part.renewed.is_some() && !self.setting.views => {
                // They are there.
                self.attempted(who, task, delivery)
            }
            Target::Rows => {
                delivery.token = token.rows(&(0..delivery.part.rows.len()));
                self.attempt(who, delivery)
            }
            Target::Errors => {
                delivery.token = token.rejects();
                let Some(renewed) = delivery.part.renewed else {
                    return self.attempt(who, delivery);
                };
                delivery.token = format!("{}@{}", delivery.token, renewed.unix_s);
                delivery.guard.count_from(renewed, delivery.part.is_renewed_here);
                self.look_for_errors(who, delivery, false)
            }
        }
    }

    /// One of the two inserts is done.
    fn attempted(&mut self, who: usize, task: &mut Task, delivery: &mut Delivery) -> Next {
        let was_rows = delivery.target == Target::Rows;
        let other = match self.setting.mistake {
            Some(Mistake::RejectsBeforeRows) => !was_rows && !delivery.part.rows.is_empty(),
            _ => was_rows && !delivery.part.rejects.is_empty(),
        };
        if !other {
            return Next::End(End::Stored);
        }
        delivery.target = if was_rows { Target::Errors } else { Target::Rows };
        if self.setting.has(Mistake::CommitsBeforeRejects) {
            let early = delivery.part.clone();
            self.stored(who, delivery.partition, delivery.epoch, &early);
            delivery.is_stray = true;
        }
        self.enter(who, task, delivery)
    }

    /// Tries once, where it may be tried.
    fn attempt(&mut self, who: usize, delivery: &mut Delivery) -> Next {
        let now = self.processes[who].now(self.clock.now_ms());
        (delivery.sure_at_blocks, delivery.known_unix_s) = (None, None);
        let asks = delivery.guard.asks_for_memory(now) && !self.setting.has(Mistake::IgnoresTheMemory);
        delivery.step = if asks { Step::FirstLook } else { Step::Look };
        self.ask_as_owner(who, delivery, Ask::Look { opens_session: !asks })
    }

    fn ask_as_owner(&self, who: usize, delivery: &Delivery, ask: Ask) -> Next {
        if self.is_owner(who, delivery) { Next::Ask(ask) } else { Next::End(End::Abandoned) }
    }

    fn is_owner(&self, who: usize, delivery: &Delivery) -> bool {
        self.processes[who].owns(delivery.partition, delivery.epoch)
    }

    fn resume(&mut self, who: usize, delivery: &mut Delivery) -> Next {
        match delivery.step {
            Step::Reread { named } => Next::End(End::Refused { named }),
            Step::Quiet => match delivery.target {
                Target::Rows => self.look_for_rows(who, delivery),
                Target::Errors => self.look_for_errors(who, delivery, true),
            },
            Step::RowsLeft => self.look_for_rows(who, delivery),
            Step::ErrorsLeft { is_after_restart } => self.look_for_errors(who, delivery, is_after_restart),
            _ => self.attempt(who, delivery),
        }
    }

    fn hear(&mut self, who: usize, task: &mut Task, delivery: &mut Delivery, reply: Reply) -> Next {
        match (delivery.step, reply) {
            (step, Reply::Failed { may_have_begun }) => {
                if let Step::Insert { was_tried } = step
                    && !may_have_begun
                {
                    delivery.guard.is_repetition = was_tried;
                }
                if matches!(step, Step::FirstLook | Step::Memory | Step::Look | Step::Insert { .. }) {
                    delivery.step = Step::Pause;
                }
                Next::Pause(task.backoff.next_delay_ms(self.random.fraction()))
            }
            (Step::FirstLook | Step::Look, Reply::Look { now_unix_s, started_unix_s, session, mark }) => {
                self.know_server_clock(who, task.asked_ms, now_unix_s, started_unix_s);
                if now_unix_s <= started_unix_s + SETTLED_S && !self.setting.has(Mistake::InsertsAtOnce) {
                    delivery.step = Step::Pause;
                    return Next::Pause(SETTLED_MS);
                }
                if self.is_another(delivery, started_unix_s) {
                    return self.server_restarted(who, delivery);
                }
                delivery.guard.server.get_or_insert(started_unix_s);
                if let Step::FirstLook = delivery.step {
                    delivery.known_unix_s = Some(now_unix_s);
                    delivery.step = Step::Memory;
                    return Next::Ask(Ask::Memory { since: delivery.guard.since });
                }
                if !self.is_owner(who, delivery) {
                    return Next::End(End::Abandoned);
                }
                let known_unix_s = delivery.known_unix_s.unwrap_or(delivery.guard.last_unix_s);
                let is_late = now_unix_s.saturating_sub(known_unix_s) > LATE_S;
                let asks =
                    [Mistake::IgnoresTheMemory, Mistake::InsertsLate].iter().all(|m| !self.setting.has(*m));
                if is_late && asks {
                    // Frozen in between: what the server remembers is asked for anew.
                    delivery.step = Step::FirstLook;
                    return self.ask_as_owner(who, delivery, Ask::Look { opens_session: false });
                }
                let was_tried = std::mem::replace(&mut delivery.guard.is_repetition, true);
                delivery.guard.was_sent = true;
                delivery.step = Step::Insert { was_tried };
                // By the server's clock, whatever the process takes the time for.
                let was_asked = was_tried || now_unix_s > delivery.guard.last_unix_s + LATE_S + 2;
                let prepared = delivery.guard.since.blocks.map_or(0, |mark| delivery.target.number(mark));
                let unasked = if was_asked { delivery.target.number(mark) } else { prepared };
                let sure_at_blocks = delivery.sure_at_blocks.take().unwrap_or(unasked);
                Next::Ask(Ask::Insert(self.insert_of(delivery, session, sure_at_blocks)))
            }
            (Step::Memory, Reply::Memory { remembered, mark }) => {
                self.processes[who].blocks = Some(mark);
                delivery.sure_at_blocks = Some(delivery.target.number(mark));
                if !remembered[delivery.target.place()] {
                    return self.forgotten(delivery);
                }
                delivery.step = Step::Look;
                self.ask_as_owner(who, delivery, Ask::Look { opens_session: true })
            }
            (Step::Insert { .. }, Reply::Inserted) => {
                self.processes[who].inserts += 1;
                self.attempted(who, task, delivery)
            }
            (Step::Insert { .. }, Reply::Refused { named }) => {
                if delivery.part.sealed.rows != 1 {
                    return Next::End(End::Refused { named });
                }
                delivery.step = Step::Reread { named };
                Next::Pause(self.random.trip_ms(50))
            }
            (Step::RowsLeft, Reply::Left { found, wanted }) => {
                self.rows_found(who, task, delivery, (found, wanted))
            }
            (Step::ErrorsLeft { is_after_restart }, Reply::Left { found, wanted }) => {
                match (found >= wanted, found, is_after_restart) {
                    (true, ..) => self.attempted(who, task, delivery),
                    (false, 0, false) => self.attempt(who, delivery),
                    (false, 0, true) => {
                        Next::End(End::Outlived { are_there: !delivery.part.rows.is_empty() })
                    }
                    _ => Next::End(End::Untold),
                }
            }
            // An answer to a question that was not asked.
            (step, reply) => {
                self.oracle.violated(format!("the simulator hears {reply:?} in {step:?}"));
                Next::End(End::Abandoned)
            }
        }
    }

    /// The token of the range may be forgotten.
    fn forgotten(&mut self, delivery: &mut Delivery) -> Next {
        let rows = if delivery.target == Target::Rows { delivery.part.rows.len() } else { 0 };
        if !self.setting.looks_back(rows) {
            return Next::End(End::Overdue);
        }
        self.stats.looked_back += 1;
        delivery.step = Step::Quiet;
        let is_known =
            !delivery.guard.was_sent && (delivery.target == Target::Rows || delivery.part.renewed.is_none());
        let known =
            delivery.part.quiet.filter(|quiet| is_known && quiet.was_forgotten[delivery.target.place()]);
        let wait_ms = known.map_or(QUIET_MS, |quiet| quiet.until_ms.saturating_sub(self.clock.now_ms()));
        Next::Pause(if self.setting.has(Mistake::LooksAtOnce) { 0 } else { wait_ms })
    }

    fn is_another(&self, delivery: &Delivery, started_unix_s: u64) -> bool {
        let jitter_s = match self.setting.mistake {
            Some(Mistake::ExactStarts) => 0,
            // What was sent to a server that was taken for the one before it is not looked for at a third.
            _ if delivery.guard.is_repetition => 2 * START_JITTER_S,
            _ => START_JITTER_S,
        };
        let is_trusted = match self.setting.mistake {
            Some(Mistake::TrustsTheToken) => true,
            Some(Mistake::TrustsTheFirstTry) => !delivery.guard.is_repetition,
            _ => false,
        };
        !is_trusted && delivery.guard.is_another(started_unix_s, jitter_s)
    }

    /// The server was started anew since the range was prepared.
    fn server_restarted(&mut self, who: usize, delivery: &mut Delivery) -> Next {
        if self.setting.has(Mistake::NeverLooks) {
            return Next::End(End::Outlived { are_there: false });
        }
        match delivery.target {
            // Nobody else has: whoever reads it again commits it before.
            Target::Rows if !delivery.guard.is_repetition => Next::End(End::Outlived { are_there: false }),
            Target::Rows => self.look_for_rows(who, delivery),
            Target::Errors => self.look_for_errors(who, delivery, true),
        }
    }

    fn look_for_rows(&mut self, who: usize, delivery: &mut Delivery) -> Next {
        delivery.step = Step::RowsLeft;
        let rows = &delivery.part.rows;
        let step = (rows.len() / SAMPLE_ROWS_MAX).max(1);
        let mut offsets: Vec<i64> = rows.iter().step_by(step).copied().collect();
        offsets.extend(rows.last().filter(|last| offsets.last() != Some(*last)));
        let (partition, since_unix_s) = (delivery.partition, delivery.guard.since.unix_s);
        self.ask_as_owner(who, delivery, Ask::RowsLeft { partition, offsets, since_unix_s })
    }

    fn look_for_errors(&mut self, who: usize, delivery: &mut Delivery, is_after_restart: bool) -> Next {
        delivery.step = Step::ErrorsLeft { is_after_restart };
        let (batch, wanted) = (token_of(delivery).as_str().to_owned(), delivery.part.rejects.len());
        self.ask_as_owner(who, delivery, Ask::ErrorsLeft { batch, wanted })
    }

    fn rows_found(
        &mut self,
        who: usize,
        task: &mut Task,
        delivery: &mut Delivery,
        (found, wanted): (usize, usize),
    ) -> Next {
        match found {
            0 => Next::End(End::Outlived { are_there: false }),
            _ if found < wanted => Next::End(End::Untold),
            _ if self.setting.views => Next::End(End::Outlived { are_there: true }),
            _ => self.attempted(who, task, delivery),
        }
    }

    fn insert_of(&self, delivery: &Delivery, session: Option<u64>, sure_at_blocks: u64) -> Insert {
        let Delivery { partition, target, token, part, .. } = delivery;
        let is_bare = *target == Target::Errors && self.setting.has(Mistake::RejectsWithoutToken);
        Insert {
            target: *target,
            partition: *partition,
            offsets: if *target == Target::Rows { part.rows.clone() } else { part.rejects.clone() },
            token: (!is_bare).then(|| token.clone()),
            batch: token_of(delivery).as_str().to_owned(),
            session: session.filter(|_| !self.setting.has(Mistake::WithoutSessions)),
            sure_at_blocks,
        }
    }

    fn end_delivery(&mut self, who: usize, delivery: Delivery, end: End) {
        let Delivery { partition, epoch, mut part, guard, is_stray, .. } = delivery;
        if is_stray {
            return;
        }
        match end {
            End::Stored => self.stored(who, partition, epoch, &part),
            End::Refused { named } => self.refused(who, partition, epoch, part, named),
            End::Overdue | End::Untold => {
                let age_s = guard.since.seconds_to(self.processes[who].now(self.clock.now_ms()));
                self.stops(who, partition, epoch, age_s, matches!(end, End::Untold));
            }
            End::Outlived { are_there } => {
                let now = self.processes[who].now(self.clock.now_ms());
                let is_untold = match self.setting.mistake {
                    Some(Mistake::TellsNobody) => !are_there,
                    Some(Mistake::RepeatsUntold) => are_there,
                    _ => false,
                };
                if !is_untold {
                    return self.prepare_again(who, partition, epoch, part, are_there);
                }
                part.is_repetition = are_there;
                if !are_there {
                    part.sealed.attempt += 1;
                }
                let server = now.server_start_unix_s;
                let guard = Guard {
                    last_unix_s: now.unix_s,
                    is_repetition: are_there,
                    was_sent: false,
                    server,
                    since: guard.since,
                };
                self.deliver(who, partition, epoch, part, guard, false);
            }
            End::Abandoned => {}
        }
    }
}

/// The token of a part, as every owner of the partition makes it.
fn token_of(delivery: &Delivery) -> BatchToken {
    let Sealed { start, end, attempt, .. } = delivery.part.sealed;
    let partition = PartitionId(i32::try_from(delivery.partition).unwrap_or(i32::MAX));
    let (start, end) = (Offset(start.0), Offset(end.0));
    BatchToken::of_range("p", "t", delivery.part.lineage, partition, start, end).attempt(attempt)
}
