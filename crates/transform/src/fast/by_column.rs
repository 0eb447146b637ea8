//! Flat records whose keys come in no order: by the columns, alone or side by side.

use super::pause::Pause;
use super::{Fast, KeyId, group_bounds};
use crate::encode::{State, Tails};
use crate::kernels::{self, Context, Index, LANES, Survey};
use crate::plan::Plan;

/// Bytes of a row of defaults, at most: they are written into the lanes, which would have to be as large.
pub(super) const DEFAULTS_BYTES_MAX: usize = 64 * 1024;

/// What the way by columns keeps from record to record.
#[derive(Debug)]
pub(super) struct ByColumn {
    /// The columns' defaults are not too large for it, and no row that it makes is.
    is_open: bool,
    indexes: [Index; LANES],
    /// Keys without a column, in the order of the records.
    unknown: Vec<KeyId>,
    records: Pause,
    groups: Pause,
}

impl ByColumn {
    pub(super) fn new(columns: usize, is_open: bool) -> ByColumn {
        ByColumn {
            is_open,
            indexes: std::array::from_fn(|_| Index::new(columns)),
            unknown: Vec::new(),
            records: Pause::NONE,
            groups: Pause::NONE,
        }
    }

    /// Whether to try it on the next group.
    pub(super) fn takes_group(&mut self) -> bool {
        self.is_open && self.groups.is_over()
    }

    /// Whether to try it on the next record.
    fn takes_record(&mut self) -> bool {
        self.is_open && self.records.is_over()
    }
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Its row was appended.
    Done,
    /// It has what this way does not know.
    Unfit,
    /// The exact path has refused a value.
    Refused,
}

impl Fast {
    /// Appends the row of the record in the first lane, or leaves `out` as it is.
    pub(super) fn record_by_column(&mut self, plan: &Plan, state: &mut State, out: &mut Vec<u8>) -> Outcome {
        if !self.by_column.takes_record() {
            return Outcome::Unfit;
        }
        // The tail of a single row is the caller's.
        let outcome = self.by_column(plan, state, None, out, &mut [0]);
        self.by_column.records.note(outcome == Outcome::Done);
        outcome
    }

    /// Appends the rows of the records in the lanes and says where each ends, or leaves `out` as it is.
    pub(super) fn group_by_column(
        &mut self,
        plan: &Plan,
        state: &mut State,
        tails: &Tails,
        out: &mut Vec<u8>,
    ) -> Option<[usize; LANES]> {
        let mut ends = [0; LANES];
        let is_done = self.by_column(plan, state, Some(tails), out, &mut ends) == Outcome::Done;
        self.by_column.groups.note(is_done);
        if is_done {
            self.guessing.passed(LANES);
        }
        is_done.then_some(ends)
    }

    /// Encodes the record in the first lane, or those in all lanes: as many as `ends` has places.
    fn by_column(
        &mut self,
        plan: &Plan,
        state: &mut State,
        tails: Option<&Tails>,
        out: &mut Vec<u8>,
        ends: &mut [usize],
    ) -> Outcome {
        let tier = self.engine.tier;
        let (fixed_bytes, factor) = (self.fixed_bytes + self.defaults.len(), self.factor);
        let ByColumn { indexes, unknown, .. } = &mut self.by_column;
        unknown.clear();
        state.begin(0);
        let row_bytes_max = state.limit_row(self.lane_bytes_max);
        let mut survey = Survey { plan, guesses: &self.guesses, defaults: &self.defaults, unknown };
        let mut context = Context::new(state, &mut self.dates, &mut self.plain_date);
        let done = if ends.len() == LANES {
            let mut bounds = group_bounds(&mut self.lanes, fixed_bytes, factor);
            kernels::group_by_column(tier, &mut survey, indexes, &mut bounds, &mut context)
        } else {
            let ([lane, ..], [index, ..]) = (&mut self.lanes, indexes);
            let mut bounds = lane.bounds(fixed_bytes, factor);
            kernels::record_by_column(tier, &mut survey, index, &mut bounds, &mut context)
        };
        let is_refused = context.is_refused();
        state.row_bytes_max = row_bytes_max;
        let is_small = |(number, lane): (usize, &super::Buffers)| {
            let tail_bytes = tails.map_or(0, |tails| tails.of(number).len());
            lane.row.len() + tail_bytes <= plan.options.limits.row_bytes_max
        };
        let outcome = if done.is_some() && self.lanes.iter().take(ends.len()).enumerate().all(is_small) {
            for (number, (lane, end)) in self.lanes.iter().zip(&mut *ends).enumerate() {
                out.extend_from_slice(&lane.row);
                if let Some(tails) = tails {
                    out.extend_from_slice(tails.of(number));
                }
                *end = out.len();
            }
            for key in &self.by_column.unknown {
                state.count_unknown(self.guesses.text(*key));
            }
            state.give_back();
            Outcome::Done
        } else if is_refused {
            Outcome::Refused
        } else {
            Outcome::Unfit
        };
        self.give_back();
        outcome
    }
}
