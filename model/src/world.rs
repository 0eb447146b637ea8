//! What surrounds the delivery core, as bad as it may be: a broker, a network that delays and repeats, a table.

use std::collections::BTreeSet;

use housepipe_kafka_source::Offset;
use housepipe_runtime::delivery::{
    Action, Commit, Cut, ExactlyOnce, Lineage, Metadata, Moment, Pending, Sealed,
};

/// Processes that may own the partition.
pub(crate) const PROCESSES: usize = 2;

/// Names a process.
pub(crate) type Who = usize;

/// Everything there is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) broker: Broker,
    pub(crate) processes: [Process; PROCESSES],
    /// Commits on their way, in the order in which they were sent.
    pub(crate) commits: Vec<SentCommit>,
    /// Inserts on their way.
    pub(crate) inserts: BTreeSet<SentInsert>,
    /// How often each record is in the table.
    pub(crate) table: Vec<u8>,
    /// How often each record is in the error table.
    pub(crate) errors: Vec<u8>,
    /// A record that ClickHouse refuses, with everything in the same insert.
    pub(crate) refused: Option<i64>,
    /// Tokens that ClickHouse remembers.
    pub(crate) tokens: BTreeSet<Token>,
    /// How often ClickHouse was started anew. No other time passes.
    pub(crate) starts: u8,
    /// Lineages that were minted.
    pub(crate) lineages: u8,
    /// Mishaps that may still come.
    pub(crate) left: Mishaps,
}

/// How many mishaps of each kind may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Mishaps {
    /// Processes killed.
    pub(crate) crashes: u8,
    /// Members thrown out of the group without their knowledge.
    pub(crate) expiries: u8,
    /// Hand-overs that the group asks for.
    pub(crate) revocations: u8,
    /// Commits whose answer is not waited for any longer, and hand-overs that take too long.
    pub(crate) timeouts: u8,
    /// Commits and inserts that are done and whose answer is lost, so that they are sent again.
    pub(crate) repeats: u8,
    /// ClickHouse killed, in the middle of an insert or not, and started again.
    pub(crate) restarts: u8,
}

impl Mishaps {
    /// So few that all states are seen in a second, and enough to find every broken driver.
    pub(crate) const FEW: Mishaps =
        Mishaps { crashes: 1, expiries: 0, revocations: 1, timeouts: 1, repeats: 1, restarts: 0 };

    /// The worlds that are gone through: with all of these mishaps at once there are more states than fit into 24 GB.
    /// Each with whether views pass rows on.
    pub(crate) const WORLDS: [(Mishaps, bool); 6] = [
        (Mishaps { crashes: 1, expiries: 1, revocations: 1, timeouts: 1, repeats: 2, restarts: 0 }, false),
        (Mishaps { crashes: 0, expiries: 1, revocations: 1, timeouts: 1, repeats: 1, restarts: 1 }, false),
        (Mishaps { crashes: 1, expiries: 1, revocations: 0, timeouts: 1, repeats: 1, restarts: 1 }, false),
        (Mishaps { crashes: 1, expiries: 1, revocations: 1, timeouts: 0, repeats: 1, restarts: 1 }, false),
        (Mishaps { crashes: 1, expiries: 0, revocations: 1, timeouts: 1, repeats: 1, restarts: 2 }, false),
        (Mishaps { crashes: 0, expiries: 1, revocations: 1, timeouts: 1, repeats: 1, restarts: 1 }, true),
    ];

    /// ClickHouse is killed, and an answer lost.
    pub(crate) const RESTART: Mishaps =
        Mishaps { crashes: 0, expiries: 0, revocations: 0, timeouts: 0, repeats: 1, restarts: 1 };
}

/// The group's coordinator.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Broker {
    pub(crate) committed: Offset,
    pub(crate) metadata: Option<Metadata>,
    pub(crate) owner: Option<Who>,
    /// The member id of each process that is in the group.
    pub(crate) members: [Option<u8>; PROCESSES],
}

/// A process of the pipe: the driver's side of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Process {
    /// The member id under which it believes to be in the group.
    pub(crate) member: u8,
    /// The delivery of the partition, while it believes to own it.
    pub(crate) core: Option<ExactlyOnce>,
    /// Assignments so far: an answer for an earlier one is for nobody.
    pub(crate) life: u8,
    /// Where it reads on, once the core said so.
    pub(crate) position: Option<Offset>,
    /// What is to be replayed.
    pub(crate) replay: Option<Sealed>,
    /// Batches that are sealed and not stored.
    pub(crate) open: u8,
    /// The commit that waits for its answer.
    pub(crate) waits: bool,
    /// The server's start when what it inserts was prepared, by whomever.
    pub(crate) prepared: u8,
}

/// A commit on its way.
///
/// It is judged by whether its member is in the group when it arrives: librdkafka may hold a commit back and put the
/// generation of that moment on it, so that no more than this is sure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SentCommit {
    pub(crate) who: Who,
    pub(crate) member: u8,
    pub(crate) life: u8,
    pub(crate) commit: Commit,
}

/// An insert on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SentInsert {
    pub(crate) who: Who,
    pub(crate) life: u8,
    pub(crate) token: Token,
    /// The server's start when its range was prepared: one that was started since may have lost it, and is not sent it.
    pub(crate) prepared: u8,
}

/// What a server that is killed in the middle of an insert has of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum LeftOver {
    Nothing,
    /// It writes the token first, as ClickHouse 26.9 does.
    Token,
    /// It makes the rows visible first, as later ones do, or the token was not on the disk yet.
    Rows,
    Everything,
}

/// What a token is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Token {
    pub(crate) lineage: u8,
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) attempt: u32,
    /// Of the error table.
    pub(crate) is_rejects: bool,
}

impl World {
    pub(crate) fn new(records: usize, refused: Option<i64>, left: Mishaps) -> World {
        let process = Process {
            member: 0,
            core: None,
            life: 0,
            position: None,
            replay: None,
            open: 0,
            waits: false,
            prepared: 0,
        };
        World {
            broker: Broker {
                committed: Offset(0),
                metadata: None,
                owner: None,
                members: [Some(0); PROCESSES],
            },
            processes: [process.clone(), process],
            commits: Vec::new(),
            inserts: BTreeSet::new(),
            table: vec![0; records],
            errors: vec![0; records],
            refused,
            tokens: BTreeSet::new(),
            starts: 0,
            lineages: 0,
            left,
        }
    }

    /// The offset behind the last record.
    pub(crate) fn end(&self) -> Offset {
        Offset(i64::try_from(self.table.len()).unwrap_or(i64::MAX))
    }

    /// The present moment.
    pub(crate) fn now(&self) -> Moment {
        Moment::at(self.starts.into())
    }

    /// A lineage that was not there before.
    pub(crate) fn mint(&mut self) -> Lineage {
        self.lineages += 1;
        Lineage::from_bits(u64::from(self.lineages))
    }

    /// Carries out what the core of `who` wants.
    pub(crate) fn perform(&mut self, who: Who, action: Action) {
        let now = self.now();
        let process = &mut self.processes[who];
        match action {
            Action::Wait => {}
            Action::Read { from } => process.position = Some(from),
            Action::Replay { start, pending } => {
                process.position = Some(pending.end);
                process.replay = Some(Sealed::recorded(start, pending));
                process.prepared = starts_at(&pending);
            }
            Action::Commit(commit) => {
                process.waits = true;
                if let Some(pending) = commit.metadata.pending {
                    process.prepared = starts_at(&pending);
                }
                self.commits.push(SentCommit { who, member: process.member, life: process.life, commit });
            }
            Action::Insert(batch) => self.insert(who, batch),
            Action::Divide(batch) => {
                let parts = divide(batch);
                if let Some(core) = &mut process.core {
                    let action = core.divided(&parts, now);
                    self.perform(who, action);
                }
            }
            Action::LeaveGroup => self.leave(who),
            Action::Release => {
                if self.broker.owner == Some(who) {
                    self.broker.owner = None;
                }
                self.processes[who].forget();
            }
            Action::Halt(_) => {
                self.leave(who);
            }
        }
    }

    /// Sends an insert of the range.
    pub(crate) fn insert(&mut self, who: Who, batch: Sealed) {
        let process = &mut self.processes[who];
        let lineage = process.core.as_ref().map_or(0, |core| core.lineage().bits());
        let token = Token {
            lineage: u8::try_from(lineage).unwrap_or(u8::MAX),
            start: batch.start.0,
            end: batch.end.0,
            attempt: batch.attempt,
            is_rejects: batch.rows == 0,
        };
        let prepared = process.prepared;
        self.inserts.insert(SentInsert { who, life: process.life, token, prepared });
    }

    /// Whether ClickHouse takes an insert.
    pub(crate) fn takes(&self, token: Token) -> bool {
        token.is_rejects || self.refused.is_none_or(|record| !(token.start..token.end).contains(&record))
    }

    /// ClickHouse takes an insert: once for each token, as long as it remembers it.
    pub(crate) fn apply(&mut self, token: Token, remembers: bool) {
        if remembers && !self.tokens.insert(token) {
            return;
        }
        let table = if token.is_rejects { &mut self.errors } else { &mut self.table };
        for record in token.start..token.end {
            if let Some(count) = usize::try_from(record).ok().and_then(|record| table.get_mut(record)) {
                // More than twice is no worse.
                *count = (*count + 1).min(2);
            }
        }
    }

    /// ClickHouse is killed in the middle of an insert, and started again. Requests of the old one do not reach the new.
    pub(crate) fn restart(&mut self, token: Token, left_over: LeftOver) {
        self.starts += 1;
        match left_over {
            LeftOver::Everything if self.takes(token) => self.apply(token, true),
            LeftOver::Rows if self.takes(token) && !self.tokens.contains(&token) => self.apply(token, false),
            LeftOver::Token if self.takes(token) => drop(self.tokens.insert(token)),
            _ => {}
        }
    }

    /// ClickHouse is started anew in between.
    pub(crate) fn restart_idle(&mut self) {
        self.starts += 1;
    }

    /// Whether the rows of an insert are there.
    pub(crate) fn has(&self, token: Token) -> bool {
        let table = if token.is_rejects { &self.errors } else { &self.table };
        usize::try_from(token.start).is_ok_and(|start| table.get(start).is_some_and(|count| *count > 0))
    }

    /// The process leaves the group and comes back as another member.
    pub(crate) fn leave(&mut self, who: Who) {
        if self.broker.owner == Some(who) {
            self.broker.owner = None;
        }
        let process = &mut self.processes[who];
        process.member += 1;
        process.forget();
        self.broker.members[who] = Some(process.member);
        self.forget_dead();
    }

    /// Commits of members that are gone change nothing any more, and need not be kept.
    pub(crate) fn forget_dead(&mut self) {
        let members = self.broker.members;
        self.commits.retain(|sent| members[sent.who] == Some(sent.member));
    }
}

impl Process {
    /// The partition is not its own any more.
    pub(crate) fn forget(&mut self) {
        self.core = None;
        self.position = None;
        self.replay = None;
        self.open = 0;
        self.waits = false;
        self.prepared = 0;
    }
}

/// The server's start when a range was prepared last: no other time passes.
fn starts_at(pending: &Pending) -> u8 {
    u8::try_from(pending.last_unix_s()).unwrap_or(u8::MAX)
}

/// The halves of a batch that ClickHouse has refused; of a single row, the row as a reject.
fn divide(batch: Sealed) -> Vec<Sealed> {
    if batch.rows == 1 {
        return vec![Sealed { rows: 0, rejects: 1, cut: Cut::Isolation, first: None, ..batch }];
    }
    let half = batch.rows / 2;
    let middle = Offset(batch.start.0 + i64::from(half));
    vec![
        Sealed { end: middle, rows: half, cut: Cut::Isolation, first: None, ..batch },
        Sealed { start: middle, rows: batch.rows - half, cut: Cut::Isolation, first: None, ..batch },
    ]
}
