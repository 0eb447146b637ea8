//! The lag of all pipes together, some of which may not be known.

use super::history::Row;
use crate::ui::count;

/// What is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lag {
    /// Records behind, of the pipes that tell it.
    pub(super) known_records: u64,
    /// Pipes that do not: those that rest or have failed, and those one of whose ends is not known.
    pub(super) unknown_pipes: u64,
}

impl Lag {
    pub(super) fn of(rows: &[Row]) -> Lag {
        let none = Lag { known_records: 0, unknown_pipes: 0 };
        rows.iter().fold(none, |lag, row| match row.pipe.lag_records() {
            Some(records) => Lag { known_records: lag.known_records.saturating_add(records), ..lag },
            None => Lag { unknown_pipes: lag.unknown_pipes + 1, ..lag },
        })
    }

    /// All of it; none where a part is not known.
    pub(super) fn records(self) -> Option<u64> {
        (self.unknown_pipes == 0).then_some(self.known_records)
    }

    /// For people. What is not known may be the most of it.
    pub(super) fn words(self) -> String {
        let known = count(self.known_records);
        match self.unknown_pipes {
            0 => known,
            1 => format!("{known} + ? of 1 pipe"),
            pipes => format!("{known} + ? of {} pipes", count(pipes)),
        }
    }
}
