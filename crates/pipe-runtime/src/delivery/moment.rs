//! A moment, as ClickHouse tells it.

use housepipe_ch_sink::BlockMark;

/// A moment: what is later compared with it is ClickHouse's to tell, so it is told by ClickHouse's clock, and by what its
/// tables had taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Moment {
    /// Seconds since 1970.
    pub unix_s: u64,
    /// The blocks that the tables had given out then, or shortly before; none where that is not known.
    pub blocks: Option<BlockMark>,
    /// When the server was started, as last heard, in seconds since 1970; none where that is not known.
    pub server_start_unix_s: Option<u64>,
    /// What the tables remembered then; none where that is not known.
    pub windows: Option<WindowMark>,
}

/// How much tables remember: what is forgotten does not come back where a window is made larger. Each is the least of all tables, and
/// none where it does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct WindowMark {
    /// A hash of all windows: where it is the same, none was changed.
    pub all: u32,
    /// Blocks of the tables for rows.
    pub rows: Option<u32>,
    /// Blocks of the tables for rejects.
    pub rejects: Option<u32>,
    /// Seconds, of all tables.
    pub seconds: Option<u32>,
}

impl Moment {
    /// A second of which nothing else is known.
    pub fn at(unix_s: u64) -> Moment {
        Moment { unix_s, ..Moment::default() }
    }

    /// Seconds between two moments.
    pub fn seconds_to(&self, other: Moment) -> u64 {
        self.unix_s.abs_diff(other.unix_s)
    }
}
