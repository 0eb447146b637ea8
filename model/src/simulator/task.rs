//! What a process does beside its threads, each a row of questions to ClickHouse.

use housepipe_ch_sink::Backoff;
use housepipe_runtime::delivery::Metadata;

use super::clickhouse::Target;
use super::guard::Guard;
use super::process::{Part, Quiet};

/// A task, and the question or pause that it waits for.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) serial: u64,
    /// When the question was asked.
    pub(crate) asked_ms: u64,
    pub(crate) backoff: Backoff,
    pub(crate) work: Work,
}

#[derive(Debug)]
pub(crate) enum Work {
    /// A process begins.
    Start,
    /// It looks how many blocks the tables have given out.
    Watch,
    /// It asks whether ClickHouse remembers what the last owner may have inserted.
    Recover { partition: usize, epoch: u64, position: i64, metadata: Metadata },
    /// It waits until no insert of that can be under way any more, which the tables may have forgotten.
    Quiet { partition: usize, epoch: u64, position: i64, metadata: Metadata, quiet: Quiet },
    /// It inserts a part.
    Deliver(Box<Delivery>),
}

/// The insert of a part: rows, then rejects.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) partition: usize,
    pub(crate) epoch: u64,
    pub(crate) part: Part,
    /// As the range was prepared.
    pub(crate) prepared: Guard,
    /// Of what is tried now.
    pub(crate) guard: Guard,
    pub(crate) target: Target,
    pub(crate) token: String,
    pub(crate) step: Step,
    /// The server's clock when it was asked for its memory, where it was.
    pub(crate) known_unix_s: Option<u64>,
    /// Blocks that the tables had given out then.
    pub(crate) sure_at_blocks: Option<u64>,
    /// A driver with a mistake does it, and nobody waits for it.
    pub(crate) is_stray: bool,
}

/// What it waits for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// A pause before the next try.
    Pause,
    /// The token may be forgotten: the time until nothing of the range can be under way any more.
    Quiet,
    /// A look at the server before the question for its memory.
    FirstLook,
    Memory,
    /// The look that opens a session.
    Look,
    Insert {
        was_tried: bool,
    },
    /// Rows are looked for, after the server was started anew, or where the token may be forgotten.
    RowsLeft,
    /// Error rows are, then or where the range was renewed.
    ErrorsLeft {
        is_after_restart: bool,
    },
    /// A refused record is read again.
    Reread {
        named: Option<usize>,
    },
}
