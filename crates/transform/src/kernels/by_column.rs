//! One flat record, keys in any order: first where each key and value stands, then the values in the columns' order.
//!
//! What a record holds next is hard to foresee where producers have no order of keys, and a processor that foresees
//! wrong waits. Here the first walk has hardly a branch that depends on the record, and the second meets the same types
//! in the same order every time. The row comes out in order.
//!
//! The first walk guesses: it takes quotes, commas and colons for what they nearly always are. The second one proves it,
//! since a key in its quotes must fill the place before its colon, each value must end right where the next key was seen
//! to begin, and between two of them stands a comma alone.
//! Records with escaped quotes, or with commas and colons in nested values, are left to [`record`](super::record).

use std::ops::Range;

use super::append::push_range;
use super::group::{LANES, column_values};
use super::index::Index;
use super::lane::{Bounds, Lane};
use super::record::column_value;
use super::simd::Simd;
use super::value::{Context, opens_with_quote, skip};
use crate::fast::{Defaults, Guesses, KeyId, Target, hash};
use crate::plan::{LITERAL_BYTES_MAX, Plan};

/// Columns that have a value, in percent, below which records go alone: side by side pays where all have one.
const PRESENT_PERCENT_MIN: usize = 90;

/// What is known across records.
#[derive(Debug)]
pub(crate) struct Survey<'w> {
    pub(crate) plan: &'w Plan,
    pub(crate) guesses: &'w Guesses,
    pub(crate) defaults: &'w Defaults,
    /// Keys without a column, in the order of the records.
    pub(crate) unknown: &'w mut Vec<KeyId>,
}

/// Encodes a record; the row is then in the buffer of its bounds, with its length set. None where another path has to
/// say more, or where a key is not known yet.
///
/// # Safety
/// The bounds are those of a live record, and the processor has the level's instructions.
#[inline(always)]
pub(super) unsafe fn record<S: Simd>(
    survey: &mut Survey<'_>,
    index: &mut Index,
    bounds: &mut Bounds<'_>,
    context: &mut Context<'_>,
) -> Option<()> {
    // SAFETY: the same contract; the lane begins at live buffers, and all places lie inside the record.
    unsafe {
        find_keys::<S>(survey, index, bounds, context)?;
        let mut lane = bounds.lane(0, 0);
        let mut next = 0;
        for (word, bits) in index.present().iter().enumerate() {
            let mut bits = *bits;
            while bits != 0 {
                let column = 64 * word + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                if column != next {
                    lane = missing(survey, next..column, lane, bounds)?;
                }
                next = column + 1;
                lane = one_value::<S>(survey.plan, column, index, lane, bounds, context)?;
            }
        }
        lane = missing(survey, next..survey.plan.fields.len(), lane, bounds)?;
        bounds.buffer.set_len(bounds.written(lane));
    }
    Some(())
}

/// Encodes records side by side, as [`record`] does each.
///
/// # Safety
/// As there, for each of them.
#[inline(always)]
pub(super) unsafe fn group<S: Simd>(
    survey: &mut Survey<'_>,
    indexes: &mut [Index; LANES],
    bounds: &mut [Bounds<'_>; LANES],
    context: &mut Context<'_>,
) -> Option<()> {
    // SAFETY: the same contract.
    unsafe {
        // The keys of all of them count as one record's: the limit is reached early, and then another path says where.
        for (index, bounds) in indexes.iter_mut().zip(&mut *bounds) {
            find_keys::<S>(survey, index, bounds, context)?;
        }
        let present: usize = indexes.iter().map(Index::count).sum();
        if present * 100 < survey.plan.fields.len() * LANES * PRESENT_PERCENT_MIN {
            return None;
        }
        let mut lanes: [Lane; LANES] = std::array::from_fn(|lane| bounds[lane].lane(0, 0));
        for (column, field) in survey.plan.fields.iter().enumerate() {
            if !indexes.iter().all(|index| index.has(column)) {
                for ((lane, index), bounds) in lanes.iter_mut().zip(&*indexes).zip(&mut *bounds) {
                    *lane = if index.has(column) {
                        one_value::<S>(survey.plan, column, index, *lane, bounds, context)?
                    } else {
                        missing(survey, column..column + 1, *lane, bounds)?
                    };
                }
                continue;
            }
            for ((lane, index), bounds) in lanes.iter_mut().zip(&*indexes).zip(&*bounds) {
                *lane = index.value(column, *lane, bounds);
            }
            let quoted = opens_with_quote(&field.op) && lanes.iter().all(|lane| lane.peek() == b'"');
            if quoted {
                lanes = lanes.map(|lane| lane.skip(1));
            }
            column_values::<S>(field, quoted, &mut lanes, bounds, context)?;
            for ((lane, index), bounds) in lanes.iter().zip(&*indexes).zip(&*bounds) {
                index.ends(column, *lane, bounds)?;
            }
        }
        for (lane, bounds) in lanes.iter().zip(bounds) {
            bounds.buffer.set_len(bounds.written(*lane));
        }
    }
    Some(())
}

/// Looks up all keys, and skips the values that no column takes.
#[inline(always)]
unsafe fn find_keys<S: Simd>(
    survey: &mut Survey<'_>,
    index: &mut Index,
    bounds: &mut Bounds<'_>,
    context: &mut Context<'_>,
) -> Option<()> {
    // SAFETY: the lane begins at a live record, and all places lie inside it.
    unsafe {
        let count = index.find_marks::<S>(bounds)?;
        // A colon for each key, and a comma between two of them.
        let keys = count.div_ceil(2);
        if count % 2 == 0 {
            return None;
        }
        context.state.fields_left = context.state.fields_left.checked_sub(keys)?;
        let (close, _) = bounds.record.iter().enumerate().rfind(|(_, byte)| !byte.is_ascii_whitespace())?;
        let mut key = bounds.lane(0, 0).blank().eat(b'{')?;
        for pair in 0..keys {
            let colon = index.mark(2 * pair);
            let end = if pair + 1 == keys { close } else { index.mark(2 * pair + 1) };
            let text = key.blank().eat(b'"')?;
            let start = bounds.read(text);
            let len = colon.wrapping_sub(start + 1);
            if !(1..LITERAL_BYTES_MAX).contains(&len) || text.byte(len + 1) != b':' {
                return None;
            }
            let hash = hash(len, |at| text.word(at));
            // As long as what stands before the colon: a text that only begins with a known key is another key, or none.
            let id = survey
                .guesses
                .find(hash, |quoted| quoted.len() == len + 2 && text.quoted_literal::<S>(quoted))?;
            match survey.guesses.known(id).0 {
                Target::Column(column) => {
                    if !index.note(column, [colon as u16 + 1, end as u16]) {
                        return None;
                    }
                }
                Target::Unknown => {
                    survey.unknown.push(id);
                    let value = bounds.lane(colon + 1, 0).blank();
                    let value = skip::<S>(value, bounds, context)?.blank();
                    if bounds.read(value) != end {
                        return None;
                    }
                }
                Target::Several | Target::Ignored => return None,
            }
            let separator = if pair + 1 == keys { b'}' } else { b',' };
            key = bounds.lane(end, 0).eat(separator)?;
        }
        bounds.is_at_end(key.blank()).then_some(())
    }
}

/// The value of a column that the record has.
///
/// # Safety
/// As for [`record`].
#[inline(always)]
unsafe fn one_value<S: Simd>(
    plan: &Plan,
    column: usize,
    index: &Index,
    lane: Lane,
    bounds: &mut Bounds<'_>,
    context: &mut Context<'_>,
) -> Option<Lane> {
    // SAFETY: the same contract.
    unsafe {
        let value = index.value(column, lane, bounds);
        let lane = column_value::<S>(plan.fields.get(column)?, false, value, bounds, context)?;
        index.ends(column, lane, bounds)?;
        Some(lane)
    }
}

/// What the row gets for columns that the record leaves out.
///
/// # Safety
/// As for [`record`].
#[inline(always)]
unsafe fn missing(
    survey: &Survey<'_>,
    columns: Range<usize>,
    lane: Lane,
    bounds: &Bounds<'_>,
) -> Option<Lane> {
    // SAFETY: the same contract.
    unsafe { push_range(survey.defaults.bytes(), survey.defaults.range(columns), lane, bounds) }
}
