//! Everything that happens.

use housepipe_ch_sink::BlockMark;
use housepipe_runtime::delivery::{CommitOutcome, Moment};

use super::clickhouse::Insert;
use super::kafka::{Committed, Member};

/// Something whose time has come.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// A producer writes a few records.
    Produce(usize),
    /// Something comes to a process, in this life of it.
    Process { who: usize, life: u64, news: News },
    /// Something comes to the group's coordinator.
    Coordinator(Wish),
    /// A request comes to ClickHouse.
    Server(Asked),
    /// An insert is done there.
    InsertDone(u64),
    /// A member was silent for as long as a session lasts.
    SessionOver { member: Member, silence: u64 },
    /// A mishap.
    Mishap(Mishap),
    /// What a mishap has stopped goes on.
    Recovery(Recovery),
    /// No mishap comes any more.
    Calm,
    /// It is looked at whether everything is loaded.
    LookAfter,
}

/// What a process hears, or tells itself.
#[derive(Debug, Clone)]
pub(crate) enum News {
    Join,
    Joined(Member),
    Assigned {
        member: Member,
        partition: usize,
    },
    Fetched {
        partition: usize,
        epoch: u64,
        committed: Option<Committed>,
    },
    Revoke {
        member: Member,
        partitions: Vec<usize>,
    },
    Lost(Member),
    Committed {
        serial: u64,
        outcomes: Vec<CommitOutcome>,
    },
    CommitterWakes,
    DrainOver(u64),
    /// The membership thread looks whether it has to leave.
    Poll,
    Read {
        partition: usize,
        epoch: u64,
    },
    Watch,
    Reply {
        task: u64,
        serial: u64,
        reply: Reply,
    },
    /// A pause of a task is over.
    Resume {
        task: u64,
        serial: u64,
    },
}

/// What the coordinator is asked for.
#[derive(Debug, Clone)]
pub(crate) enum Wish {
    Join { who: usize, life: u64 },
    Leave(Member),
    Released { member: Member, partitions: Vec<usize> },
    Commit(SentCommit),
    Fetch { who: usize, life: u64, partition: usize, epoch: u64 },
    Rebalance,
}

/// A commit of some partitions on its way.
#[derive(Debug, Clone)]
pub(crate) struct SentCommit {
    pub(crate) who: usize,
    pub(crate) life: u64,
    /// The client that sends it, and the member that it was then.
    pub(crate) client: u64,
    pub(crate) member: Member,
    pub(crate) serial: u64,
    pub(crate) offsets: Vec<(usize, i64, String)>,
}

/// A question to ClickHouse.
#[derive(Debug, Clone)]
pub(crate) enum Ask {
    /// What time it is, when it was started, and how many blocks the tables have given out.
    Start,
    Mark,
    Look {
        opens_session: bool,
    },
    Memory {
        since: Moment,
    },
    Insert(Insert),
    RowsLeft {
        partition: usize,
        offsets: Vec<i64>,
        since_unix_s: u64,
    },
    ErrorsLeft {
        batch: String,
        wanted: usize,
    },
}

/// A question on its way.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) who: usize,
    pub(crate) life: u64,
    pub(crate) task: u64,
    pub(crate) serial: u64,
    /// When whoever has asked waits no longer.
    pub(crate) deadline_ms: u64,
    pub(crate) loses_answer: bool,
    pub(crate) ask: Ask,
}

/// An answer of ClickHouse, or what stands for one.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// None came, or an error that passes by itself; whether the server may have begun.
    Failed {
        may_have_begun: bool,
    },
    Start {
        now_unix_s: u64,
        started_unix_s: u64,
        mark: BlockMark,
    },
    Mark(BlockMark),
    Look {
        now_unix_s: u64,
        started_unix_s: u64,
        session: Option<u64>,
        mark: BlockMark,
    },
    /// Whether the token for rows, and that for rejects, is sure to be remembered.
    Memory {
        remembered: [bool; 2],
        mark: BlockMark,
    },
    Inserted,
    /// The server refuses the rows, and names one.
    Refused {
        named: Option<usize>,
    },
    Left {
        found: usize,
        wanted: usize,
    },
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mishap {
    ProcessKilled,
    ProcessFrozen,
    KafkaCut,
    PartitionMoved,
    ServerKilled,
    ServerStalls,
    OffsetSet,
    OtherColumns,
}

/// What goes on again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recovery {
    Process(usize),
    Wakes {
        who: usize,
        silence: u64,
    },
    Connects {
        who: usize,
        silence: u64,
    },
    Server,
    /// The group is empty, and whoever has stopped it sets offsets.
    Operator,
}
