//! Tries whether the encoder takes a value for a type: what it says is what counts, not a second opinion on it.

use crate::encode::{Cursor, State, ZoneMemo, encode_value};
use crate::limits::Limits;
use crate::plan::{JsonOp, Op};
use crate::zone::TimeZone;

/// The encoder's state, with a place for rows that nobody reads.
#[derive(Debug)]
pub(super) struct Trial {
    pub(super) state: State,
    row: Vec<u8>,
}

/// The zone of texts that name none: UTC, the only one that is known here.
pub(super) const UTC: usize = 0;

/// A buffer that one large value made larger than this is given back.
const KEPT_BYTES_MAX: usize = 64 * 1024;

impl Trial {
    pub(super) fn new() -> Trial {
        let mut state = State::new(&Limits::default());
        state.zones.push(ZoneMemo::new(TimeZone::UTC));
        Trial { state, row: Vec::new() }
    }

    /// Whether the encoder takes the value at the cursor.
    pub(super) fn fits(&mut self, op: &Op, c: &Cursor<'_>) -> bool {
        self.encoded(op, c).is_some()
    }

    /// Whether a JSON column takes the value at the cursor.
    pub(super) fn fits_json(&mut self, c: &Cursor<'_>) -> bool {
        self.fits(&Op::Json(JsonOp::default()), c)
    }

    /// What the encoder writes for the value at the cursor; none where it refuses it.
    pub(super) fn encoded(&mut self, op: &Op, c: &Cursor<'_>) -> Option<&[u8]> {
        self.state.begin(0);
        self.row.clear();
        self.row.shrink_to(KEPT_BYTES_MAX);
        let mut c = Cursor { bytes: c.bytes, at: c.at };
        encode_value(op, &mut c, &mut self.state, &mut self.row).ok()?;
        Some(&self.row)
    }

    /// Gives back buffers that one odd sample made large.
    pub(super) fn give_back(&mut self) {
        self.state.give_back();
    }
}
