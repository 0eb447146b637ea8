//! The words in which the state machine of exactly-once delivery and its driver speak: what is to be done, with which range,
//! and what became of it.

use housepipe_kafka_source::Offset;

use super::metadata::{Cut, Metadata, Pending};
use super::moment::Moment;

/// A range of the partition that was read, encoded and closed: the half-open range `[start, end)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sealed {
    /// Offset of the first record.
    pub start: Offset,
    /// The reader's position behind the last one.
    pub end: Offset,
    /// Rows.
    pub rows: u32,
    /// Records for the error table.
    pub rejects: u32,
    /// Why it ends there.
    pub cut: Cut,
    /// How often it was begun anew, with another token each time.
    pub attempt: u32,
    /// When it was prepared first, where it was prepared again with the same token: its rows may be there.
    pub first: Option<Moment>,
}

impl Sealed {
    /// The range that was recorded with a commit of `start`.
    pub fn recorded(start: Offset, pending: Pending) -> Sealed {
        let Pending { end, rows, rejects, cut, attempt, prepared, renewed_unix_s, .. } = pending;
        Sealed { start, end, rows, rejects, cut, attempt, first: renewed_unix_s.map(|_| prepared) }
    }
}

/// What the driver has to do next. Every action but [`Action::Wait`] is answered by an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Nothing; an event is under way.
    Wait,
    /// Read from this offset on, and seal batches that follow each other.
    Read {
        /// Where.
        from: Offset,
    },
    /// Read exactly this range again, and seal it as one batch.
    Replay {
        /// Where it starts.
        start: Offset,
        /// The range as it was recorded.
        pending: Pending,
    },
    /// Commit. While the answer is out, nothing else is committed for the partition.
    Commit(Commit),
    /// Insert the rows, then the rejects of this range, with its token.
    Insert(Sealed),
    /// ClickHouse refuses the range for what is in it: seal its halves in its place, or, where it is a single row, the
    /// row as a reject.
    Divide(Sealed),
    /// Leave the group and join it again as a new member: what became of a commit is unknown, and it may still come.
    LeaveGroup,
    /// Give the partition back: nothing of it is under way.
    Release,
    /// Stop this partition with its offsets kept, and say why.
    Halt(Halt),
}

/// A commit of a position, with what stands beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Commit {
    /// Everything below is stored.
    pub offset: Offset,
    /// The lineage, and the range that is about to be inserted.
    pub metadata: Metadata,
}

/// Why a partition cannot go on by itself without the risk of loading rows twice or leaving them out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Halt {
    /// The metadata was written by a newer version.
    Newer {
        /// Its number.
        version: u32,
    },
    /// The metadata is ours and was changed.
    Damaged,
    /// A range that may be loaded was prepared for other columns.
    OtherPlan,
    /// A range that may be loaded gives other records than it did: retention, compaction or a new topic.
    OtherRecords,
    /// A range may be loaded, and the table may have forgotten its token.
    TooOld {
        /// Seconds since it was prepared.
        age_s: u64,
    },
    /// A range may be loaded, and its rows were looked for, which does not tell.
    Untold {
        /// Seconds since it was prepared.
        age_s: u64,
    },
}

/// What became of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CommitOutcome {
    /// The coordinator has it.
    Acknowledged,
    /// The coordinator has refused it.
    Refused,
    /// No answer came; it may be there, or come there later.
    Unknown,
}

/// What holds for the whole pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Terms {
    /// A hash of the columns and semantics by which rows are encoded.
    pub plan: u32,
    /// Seconds after the commit of a range in which its insert may begin. A process that was frozen for longer prepares
    /// the range again, and so finds out whether the partition is still its own.
    pub fence_s: u64,
}

/// Whether the tables are sure to remember the token of a range that may have been inserted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenMemory {
    /// So few inserts came since that they do.
    Sure,
    /// They may have forgotten it: the same insert could load the rows once more.
    Unsure,
    /// They may have forgotten it, and the rows themselves tell: they are looked for before they are inserted.
    InRows,
}
