//! What a replay did.

use std::collections::BTreeMap;

use housepipe_ch_sink::KeptRecord;
use housepipe_transform::Plan;
use serde::{Deserialize, Serialize};

use super::encode::is_cut;

/// Records that are refused as before, with the same code at the same column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StillRefused {
    /// The code.
    pub code: String,
    /// The column; empty where the reason is not about one.
    pub column: String,
    /// How many.
    pub records: u64,
    /// The reason of the first.
    pub example: String,
}

/// Records that the error table does not keep whole; they can only be read from Kafka again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NotReplayable {
    /// Only a part was kept of what the columns ask for, because value, key or headers are too long, or, where a column is
    /// filled by `_timestamp`, no moment.
    pub cut: u64,
    /// They have no value, or it was gone from Kafka before it could be kept.
    pub without_value: u64,
}

/// What a replay did. `examined = loadable + refused by the columns + not replayable`, and, unless it is a dry run,
/// `loadable = loaded + refused by ClickHouse`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReplayReport {
    /// The pipe's name.
    pub pipe: String,
    /// The table that is loaded into.
    pub table: String,
    /// The error table.
    pub error_table: String,
    /// Whether nothing was written.
    pub dry_run: bool,
    /// Records looked at, each once.
    pub examined: u64,
    /// Records that the columns of today accept.
    pub loadable: u64,
    /// Records loaded.
    pub loaded: u64,
    /// Records of replays that had been cut off, which were finished first; they are not among the others.
    pub finished: u64,
    /// Records that are still refused; they stay where they are.
    pub refused: u64,
    /// Those by code and column.
    pub refused_by: Vec<StillRefused>,
    /// Records that cannot be loaded from the error table.
    pub not_replayable: NotReplayable,
    /// Inserts of rows that ClickHouse acknowledged.
    pub inserts: u64,
    /// Batches that were begun and cut off, and that a dry run leaves as they are.
    pub interrupted: u64,
    /// What keeps records from being loaded twice, and for how long; in a dry run what would stand in the way.
    pub depends_on: Vec<String>,
    /// Seconds from the start to the end.
    pub wall_seconds: f64,
    #[serde(skip)]
    by_code: BTreeMap<(String, String), usize>,
}

impl ReplayReport {
    /// Whether every record that was looked at is accounted for.
    pub fn is_complete(&self) -> bool {
        let NotReplayable { cut, without_value } = self.not_replayable;
        let stored = if self.dry_run { self.loadable } else { self.loaded };
        self.examined == stored + self.refused + cut + without_value
    }

    pub(super) fn refuse(&mut self, code: &str, column: &str, message: &str) {
        self.refused += 1;
        let next = self.refused_by.len();
        let index = *self.by_code.entry((code.to_owned(), column.to_owned())).or_insert(next);
        if index == next {
            self.refused_by.push(StillRefused {
                code: code.to_owned(),
                column: column.to_owned(),
                records: 0,
                example: message.to_owned(),
            });
        }
        self.refused_by[index].records += 1;
    }

    /// Counts a record that is not there as a whole, and says whether it is one.
    pub(super) fn is_unkept(&mut self, record: &KeptRecord, plan: &Plan) -> bool {
        if record.raw_length == 0 {
            self.not_replayable.without_value += 1;
        } else if is_cut(record, plan) {
            self.not_replayable.cut += 1;
        } else {
            return false;
        }
        true
    }
}
