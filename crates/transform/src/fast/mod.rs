//! The fast paths: what they learn, and when they are taken. They change the speed, never a verdict or a byte.
//!
//! A record is encoded alone ([`Fast::record`]), or with its neighbours where their shape is known ([`Fast::group`]).
//! Both either give the exact path's row or nothing at all, and then the exact path says what there is to say.

mod by_column;
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "halves of products are cut on purpose; the comments say why nothing else is lost"
)]
mod float;
mod guesses;
mod guessing;
mod pause;
mod places;
mod shape;

use by_column::{ByColumn, DEFAULTS_BYTES_MAX, Outcome};
pub(crate) use float::{nearest_f32, nearest_f64};
pub(crate) use guesses::{Guesses, KeyId, START, Target, hash, target};
use guessing::Guessing;
pub(crate) use places::{Defaults, Places};
pub(crate) use shape::{Shape, Shapes};

use crate::encode::{DateMemo, State, Tails};
use crate::engine::{Engine, Path};
use crate::kernels::{self, Bounds, Context, GRAIN_BYTES, LANES, Padded, ROOM_BYTES, Stranger, Walk};
use crate::plan::{Op, Plan};

/// Bytes of a record that takes a fast path, at most (256 KiB): its buffers stay small, and larger ones gain little.
const RECORD_BYTES_MAX: usize = 256 * 1024;

/// The state of the fast paths of one encoder.
#[derive(Debug)]
pub(crate) struct Fast {
    engine: Engine,
    lanes: [Buffers; LANES],
    starts: [Vec<usize>; LANES],
    guesses: Guesses,
    shapes: Shapes,
    places: Places,
    by_column: ByColumn,
    unknown: Vec<Stranger>,
    dates: Vec<DateMemo>,
    plain_date: DateMemo,
    defaults: Defaults,
    /// Bytes that values of any row may need beside those of the record's length.
    fixed_bytes: usize,
    /// Bytes that a byte of a record may become.
    factor: usize,
    /// Bytes of a row that a lane takes, at most: what the largest record asks for. A short record that makes a longer
    /// row is the exact path's.
    lane_bytes_max: usize,
    /// The last record was ASCII, as far as that was looked at.
    is_ascii: bool,
    guessing: Guessing,
}

/// The buffers of one lane.
#[derive(Debug, Default)]
struct Buffers {
    input: Padded,
    row: Vec<u8>,
}

impl Buffers {
    #[inline(always)]
    fn bounds(&mut self, fixed_bytes: usize, factor: usize) -> Bounds<'_> {
        self.row.clear();
        let row_bytes = self.input.record().len() * factor + fixed_bytes + ROOM_BYTES;
        Bounds::new(&self.input, &mut self.row, row_bytes)
    }
}

/// The bounds of all lanes. Put together by name: built by `map`, they are copied on the way, while they are still being
/// written, which costs a tenth of what encoding does.
#[inline(always)]
fn group_bounds(
    [first, second, third, fourth]: &mut [Buffers; LANES],
    fixed_bytes: usize,
    factor: usize,
) -> [Bounds<'_>; LANES] {
    [
        first.bounds(fixed_bytes, factor),
        second.bounds(fixed_bytes, factor),
        third.bounds(fixed_bytes, factor),
        fourth.bounds(fixed_bytes, factor),
    ]
}

/// How a group may be encoded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ways {
    by_shape: bool,
    by_column: bool,
}

impl Fast {
    /// The fast paths that the engine asks for, if any.
    pub(crate) fn new(plan: &Plan, engine: Engine) -> Option<Box<Fast>> {
        if engine.path == Path::Exact || plan.fields.is_empty() {
            return None;
        }
        let fixed_bytes = plan.fields.len() * FIELD_BYTES_MAX;
        let factor = plan.fields.iter().map(|field| factor(&field.op)).max().unwrap_or(1);
        let defaults = Defaults::new(plan);
        let defaults_bytes = defaults.len().min(DEFAULTS_BYTES_MAX);
        let lane_bytes_max = RECORD_BYTES_MAX * factor + fixed_bytes + defaults_bytes + ROOM_BYTES;
        let lane_bytes_max = lane_bytes_max.next_multiple_of(GRAIN_BYTES);
        // A value is refused by what the row had before it, which by columns is not what it has in the record's order.
        let by_column =
            defaults.len() <= DEFAULTS_BYTES_MAX && lane_bytes_max <= plan.options.limits.row_bytes_max;
        Some(Box::new(Fast {
            engine,
            lanes: Default::default(),
            starts: Default::default(),
            guesses: Guesses::new(plan.fields.len()),
            shapes: Shapes::default(),
            places: Places::default(),
            by_column: ByColumn::new(plan.fields.len(), by_column),
            unknown: Vec::new(),
            dates: plan.zones.iter().map(|_| DateMemo::default()).collect(),
            plain_date: DateMemo::default(),
            defaults,
            fixed_bytes,
            factor,
            lane_bytes_max,
            is_ascii: true,
            guessing: Guessing::default(),
        }))
    }

    /// Appends the row of the record, or leaves `out` as it is.
    pub(crate) fn record(
        &mut self,
        plan: &Plan,
        state: &mut State,
        record: &[u8],
        out: &mut Vec<u8>,
    ) -> bool {
        if record.len() > RECORD_BYTES_MAX.min(plan.options.limits.record_bytes_max) {
            return false;
        }
        if plan.options.strict_utf8 && !kernels::are_utf8(self.engine.tier, &[record], &mut self.is_ascii) {
            return false;
        }
        self.lanes[0].input.load(record);
        if self.guesses.forget_where_full() {
            self.shapes.forget();
        }
        let guess = self.guessing.is_on();
        if !guess {
            self.guessing.passed(1);
            match self.record_by_column(plan, state, out) {
                Outcome::Done => return true,
                Outcome::Refused => return false,
                Outcome::Unfit => {}
            }
        }
        let mut bounds = self.lanes[0].bounds(self.fixed_bytes, self.factor);
        self.places.clear(plan.fields.len());
        self.unknown.clear();
        self.shapes.begin();
        if !guess {
            // Keys that are not guessed leave no trace, and a shape without its keys would fit what is no record.
            self.shapes.broken();
        }
        state.begin(0);
        let mut walk = Walk {
            plan,
            guesses: &mut self.guesses,
            shapes: &mut self.shapes,
            places: &mut self.places,
            unknown: &mut self.unknown,
            guess,
            misses: 0,
        };
        let row_bytes_max = state.limit_row(self.lane_bytes_max);
        let mut context = Context::new(state, &mut self.dates, &mut self.plain_date);
        let done = kernels::encode_record(self.engine.tier, &mut walk, &mut bounds, &mut context);
        let misses = walk.misses;
        state.row_bytes_max = row_bytes_max;
        if guess {
            self.guessing.judge(misses, self.places.count() + self.unknown.len());
        }
        let row = &mut self.lanes[0].row;
        if done.is_none() || row.len() + self.defaults.len() > plan.options.limits.row_bytes_max {
            self.give_back();
            return false;
        }
        if self.places.is_row() {
            out.extend_from_slice(row);
        } else {
            self.places.gather(&self.defaults, row, out);
        }
        for stranger in &self.unknown {
            match *stranger {
                Stranger::Known(key) => state.count_unknown(self.guesses.text(key)),
                Stranger::At { start, len } => {
                    state.count_unknown(record.get(start..start + len).unwrap_or_default());
                }
            }
        }
        self.give_back();
        state.give_back();
        true
    }

    /// Gives back the rows' buffers that one odd record made larger than any other asks for.
    fn give_back(&mut self) {
        for lane in &mut self.lanes {
            if lane.row.capacity() > self.lane_bytes_max {
                lane.row = Vec::new();
            }
        }
    }

    /// The ways that are open now for these records side by side, if any.
    pub(crate) fn ways(&mut self, plan: &Plan, records: &[&[u8]; LANES]) -> Option<Ways> {
        if self.engine.path != Path::Lockstep {
            return None;
        }
        let limits = &plan.options.limits;
        let bytes_max = RECORD_BYTES_MAX.min(limits.record_bytes_max);
        let by_column = !self.guessing.is_on() && self.by_column.takes_group();
        let by_shape = self.shapes.takes_group();
        if !by_column && !by_shape || records.iter().any(|record| record.len() > bytes_max) {
            return None;
        }
        let tier = self.engine.tier;
        if plan.options.strict_utf8 && !kernels::are_utf8(tier, records, &mut self.is_ascii) {
            return None;
        }
        Some(Ways { by_shape, by_column })
    }

    /// Appends the rows of records that have the shape of the topic, their tails included, and says where each ends, or
    /// leaves `out` as it is.
    pub(crate) fn group(
        &mut self,
        ways: Ways,
        plan: &Plan,
        state: &mut State,
        records: &[&[u8]; LANES],
        tails: &Tails,
        out: &mut Vec<u8>,
    ) -> Option<[usize; LANES]> {
        for (lane, record) in self.lanes.iter_mut().zip(records) {
            lane.input.load(record);
        }
        if ways.by_shape
            && let Some(ends) = self.group_of_shape(plan, state, tails, out)
        {
            return Some(ends);
        }
        if ways.by_column { self.group_by_column(plan, state, tails, out) } else { None }
    }

    /// Appends the rows of the records in the lanes where they have the shape and says where each ends, or leaves `out` as
    /// it is.
    fn group_of_shape(
        &mut self,
        plan: &Plan,
        state: &mut State,
        tails: &Tails,
        out: &mut Vec<u8>,
    ) -> Option<[usize; LANES]> {
        let limits = &plan.options.limits;
        let tier = self.engine.tier;
        let shape = self.shapes.shape()?;
        // Four rows of wide defaults would be more than a caller expects who stops at the first that is too much.
        if !shape.is_row && self.defaults.len() > DEFAULTS_BYTES_MAX {
            self.shapes.note(false);
            return None;
        }
        self.starts.iter_mut().for_each(Vec::clear);
        let (fixed_bytes, factor) = (self.fixed_bytes, self.factor);
        let mut bounds = group_bounds(&mut self.lanes, fixed_bytes, factor);
        state.begin(0);
        // The keys of the shape count for each record; what is left is shared by the values of all of them.
        state.fields_left = state.fields_left.checked_sub(shape.steps.len())?;
        let row_bytes_max = state.limit_row(self.lane_bytes_max);
        let mut context = Context::new(state, &mut self.dates, &mut self.plain_date);
        let done =
            kernels::encode_group(tier, plan, shape, &mut bounds, &mut context, &mut self.starts).is_some();
        state.row_bytes_max = row_bytes_max;
        let room = limits.row_bytes_max.saturating_sub(self.defaults.len());
        let mut rows = self.lanes.iter().enumerate();
        if !done || rows.any(|(number, lane)| lane.row.len() + tails.of(number).len() > room) {
            self.shapes.note(false);
            self.give_back();
            return None;
        }
        let mut ends = [0; LANES];
        let lanes = self.lanes.iter_mut().zip(&mut self.starts).zip(&mut ends);
        for (number, ((lane, starts), end)) in lanes.enumerate() {
            if shape.is_row {
                out.extend_from_slice(&lane.row);
            } else {
                places::gather(&self.defaults, &shape.of_column, starts, &mut lane.row, out);
            }
            for key in &shape.unknown {
                state.count_unknown(self.guesses.text(*key));
            }
            out.extend_from_slice(tails.of(number));
            *end = out.len();
        }
        self.shapes.note(true);
        self.give_back();
        state.give_back();
        Some(ends)
    }
}

/// Bytes of a value of fixed width, or of a text's length, at most.
const FIELD_BYTES_MAX: usize = 32;

/// Bytes that a byte of a value may become: in an array, `1,` may stand for a value of 8 bytes.
fn factor(op: &Op) -> usize {
    match op {
        Op::Array(_) | Op::Map(..) | Op::Tuple(_) | Op::Paths(_) => 6,
        Op::Nullable(inner) => factor(inner),
        _ => 1,
    }
}
