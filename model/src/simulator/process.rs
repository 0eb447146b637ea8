//! A process of the pipe, as far as delivery goes.

use std::collections::{BTreeMap, VecDeque};

use housepipe_ch_sink::{BlockMark, NamedRow};
use housepipe_kafka_source::Offset;
use housepipe_runtime::delivery::{Commit, ExactlyOnce, Halt, Lineage, Moment, Pending, Sealed};

use super::clock::unix_s;
use super::delivery::SETTLED_S;
use super::event::Event;
use super::kafka::Member;
use super::task::Task;
use super::topic::Kind;

/// One life after the other of a process.
#[derive(Debug, Default)]
pub(crate) struct Process {
    pub(crate) life: u64,
    pub(crate) is_up: bool,
    pub(crate) is_frozen: bool,
    /// Its connection to Kafka is cut until then.
    pub(crate) cut_until_ms: Option<u64>,
    /// Counts its silences: the group throws a member out after one that is too long.
    pub(crate) silence: u64,
    /// What came while it was frozen.
    pub(crate) deferred: Vec<Event>,
    /// A hash of its columns.
    pub(crate) plan: u32,
    /// Its Kafka client, of which there is a new one for each membership.
    pub(crate) client: u64,
    pub(crate) member: Option<Member>,
    /// Partitions whose commit is asked for, and the assignment's epoch.
    pub(crate) fetching: BTreeMap<usize, u64>,
    pub(crate) owned: BTreeMap<usize, Owned>,
    pub(crate) committer: Committer,
    pub(crate) revoking: Option<Revoking>,
    /// Revocations that wait for the one that goes on.
    pub(crate) wanted: VecDeque<Revoking>,
    /// The membership has to end.
    pub(crate) leaves: bool,
    /// ClickHouse's clock and start as last heard, and when.
    pub(crate) server: Option<(u64, u64, u64)>,
    pub(crate) blocks: Option<BlockMark>,
    pub(crate) inserts: u64,
    /// The inserts when the blocks were looked at last, and how often in a row that did not change.
    pub(crate) looks: (u64, u64),
    pub(crate) tasks: BTreeMap<u64, Task>,
}

impl Process {
    /// Nothing of this life goes on.
    pub(crate) fn end(&mut self) {
        *self =
            Process { life: self.life + 1, silence: self.silence + 1, plan: self.plan, ..Process::default() };
    }

    /// Whether the group hears of it.
    pub(crate) fn is_silent(&self) -> bool {
        !self.is_up || self.is_frozen || self.cut_until_ms.is_some()
    }

    /// The present moment, by ClickHouse's clock.
    pub(crate) fn now(&self, now_ms: u64) -> Moment {
        match self.server {
            None => Moment { blocks: self.blocks, ..Moment::at(unix_s(now_ms)) },
            Some((told_unix_s, started_unix_s, heard_ms)) => Moment {
                blocks: self.blocks,
                server_start_unix_s: Some(started_unix_s)
                    .filter(|start| told_unix_s + (now_ms - heard_ms) / 1_000 > start + SETTLED_S),
                ..Moment::at(told_unix_s + (now_ms - heard_ms) / 1_000)
            },
        }
    }

    /// Whether the partition is owned as it was then.
    pub(crate) fn owns(&self, partition: usize, epoch: u64) -> bool {
        self.owned.get(&partition).is_some_and(|owned| owned.epoch == epoch && !owned.core.is_over())
    }
}

/// A partition that a process owns.
#[derive(Debug)]
pub(crate) struct Owned {
    pub(crate) epoch: u64,
    pub(crate) core: ExactlyOnce,
    /// Sealed and not being inserted.
    pub(crate) parts: VecDeque<Part>,
    /// The range that was prepared last, and its start.
    pub(crate) prepared: Option<(Offset, Pending)>,
    /// Of the range that is read again.
    pub(crate) quiet: Option<Quiet>,
    /// Nothing was read of it yet.
    pub(crate) is_untouched: bool,
    pub(crate) reader: Option<Reader>,
    pub(crate) named: NamedRow<Offset>,
    pub(crate) halted: Option<Halt>,
}

impl Owned {
    pub(crate) fn new(epoch: u64, core: ExactlyOnce) -> Owned {
        Owned {
            epoch,
            core,
            parts: VecDeque::new(),
            prepared: None,
            quiet: None,
            is_untouched: true,
            reader: None,
            named: NamedRow::default(),
            halted: None,
        }
    }

    pub(crate) fn drop_all(&mut self) {
        self.is_untouched = false;
        self.reader = None;
        self.parts.clear();
    }
}

/// A worker's side of a partition.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) position: i64,
    pub(crate) replay: Option<Pending>,
    /// The batch in the making, and when its first record came.
    pub(crate) open: Vec<(i64, Kind)>,
    pub(crate) opened_ms: u64,
    pub(crate) is_woken: bool,
}

/// What is prepared, inserted and committed as one.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) sealed: Sealed,
    pub(crate) rows: Vec<i64>,
    pub(crate) rejects: Vec<i64>,
    /// The last part of its batch.
    pub(crate) is_last: bool,
    pub(crate) lineage: Lineage,
    /// It may have been inserted before.
    pub(crate) is_repetition: bool,
    pub(crate) renewed: Option<Moment>,
    /// And by this process.
    pub(crate) is_renewed_here: bool,
    pub(crate) quiet: Option<Quiet>,
}

/// When no insert of a range by an earlier owner can be under way any more.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quiet {
    pub(crate) until_ms: u64,
    /// Whether the token for rows, and that for rejects, was forgotten when it began.
    pub(crate) was_forgotten: [bool; 2],
}

/// The committer thread: one request at a time.
#[derive(Debug, Default)]
pub(crate) struct Committer {
    pub(crate) inbox: VecDeque<Order>,
    pub(crate) out: Option<Sent>,
    pub(crate) pauses: bool,
}

/// A commit to be sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order {
    pub(crate) partition: usize,
    pub(crate) epoch: u64,
    pub(crate) commit: Commit,
}

/// A request that waits for its answer.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) serial: u64,
    pub(crate) orders: Vec<Order>,
}

/// Partitions that are being given back.
#[derive(Debug)]
pub(crate) struct Revoking {
    pub(crate) stamp: u64,
    pub(crate) partitions: Vec<usize>,
    /// The membership ends with it.
    pub(crate) closes: bool,
}
