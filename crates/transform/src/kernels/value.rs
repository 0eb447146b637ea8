//! One value of any type: by a kernel where there is one, else by the exact path.

use super::lane::{Bounds, Lane};
use super::simd::Simd;
use super::{moment, number, text};
use crate::encode::{Cursor, DateMemo, State, encode_value, skip_value};
use crate::plan::Op;

/// What values need beside their lane.
#[derive(Debug)]
pub(crate) struct Context<'w> {
    /// The exact path's limits, memos and buffers.
    pub(crate) state: &'w mut State,
    /// One for each zone of the plan.
    pub(crate) dates: &'w mut [DateMemo],
    /// For dates without a time.
    pub(crate) plain_date: &'w mut DateMemo,
    /// The exact path has refused a value: the record is left to it as a whole, and nothing of it is tried again.
    pub(super) is_refused: bool,
}

impl<'w> Context<'w> {
    pub(crate) fn new(state: &'w mut State, dates: &'w mut [DateMemo], plain_date: &'w mut DateMemo) -> Self {
        Self { state, dates, plain_date, is_refused: false }
    }

    /// Whether the exact path has refused a value.
    pub(crate) fn is_refused(&self) -> bool {
        self.is_refused
    }
}

/// Brings the exact path to the place of the lane, and the lane behind what it has read and written. Where it fails,
/// the row may have moved: older lanes are good for nothing then, see [`Bounds::lane`].
///
/// # Safety
/// The lane is live; bounds and context are its own.
#[inline(always)]
unsafe fn exactly(
    lane: Lane,
    bounds: &mut Bounds<'_>,
    read: impl FnOnce(&mut Cursor<'_>, &mut Vec<u8>) -> bool,
) -> Option<Lane> {
    let (start, filled) = (bounds.read(lane), bounds.written(lane));
    let mut cursor = Cursor { bytes: bounds.record, at: start };
    // SAFETY: the lane has written the row's bytes up to here, inside its capacity.
    unsafe { bounds.buffer.set_len(filled) };
    let good = read(&mut cursor, bounds.buffer);
    let written = bounds.buffer.len();
    // A value may be longer than its text, and by so much the row.
    bounds.row_bytes += written.saturating_sub(filled).saturating_sub(cursor.at.saturating_sub(start));
    bounds.make_room();
    // The exact path is safe code, and not held to end inside the record by anything but this.
    let good = good && cursor.at <= bounds.record.len();
    // SAFETY: the cursor ends inside the record, the row's length inside its capacity.
    good.then(|| unsafe { bounds.lane(cursor.at, written) })
}

/// Encodes the value of a column at the lane, as [`encode_value`] does; none where it refuses the value, or where it is
/// simpler to leave the record to it.
///
/// # Safety
/// The lane is live; bounds and context are its own.
#[inline(always)]
pub(super) unsafe fn value<S: Simd>(
    op: &Op,
    lane: Lane,
    bounds: &mut Bounds<'_>,
    context: &mut Context<'_>,
) -> Option<Lane> {
    // SAFETY: the same contract.
    unsafe {
        if let Some(quoted) = lane.eat(b'"')
            && opens_with_quote(op)
        {
            return quoted_value::<S>(op, quoted, bounds, context);
        }
        bare_value::<S>(op, lane, bounds, context)
    }
}

/// Whether a value of the operation is a text in nearly all records, and a kernel reads it.
pub(crate) fn opens_with_quote(op: &Op) -> bool {
    matches!(op, Op::String | Op::Date | Op::Date32 | Op::DateTime { .. } | Op::DateTime64 { .. })
}

/// A value of an operation that [`opens_with_quote`], behind its quote.
///
/// # Safety
/// As for [`value`].
#[inline(always)]
pub(super) unsafe fn quoted_value<S: Simd>(
    op: &Op,
    lane: Lane,
    bounds: &mut Bounds<'_>,
    context: &mut Context<'_>,
) -> Option<Lane> {
    // SAFETY: the same contract. Behind a quote, the byte before the lane is the quote.
    unsafe {
        let done = match op {
            Op::String => text::text::<S>(lane, bounds),
            Op::DateTime64 { zone, precision } => {
                let (memo, zone) = (&mut context.dates[*zone], &mut context.state.zones[*zone]);
                moment::date_time_64::<S>(*precision, lane, bounds, memo, zone)
            }
            Op::DateTime { zone } => {
                let (memo, zone) = (&mut context.dates[*zone], &mut context.state.zones[*zone]);
                moment::date_time::<S>(lane, bounds, memo, zone)
            }
            Op::Date | Op::Date32 => {
                let is_wide = matches!(op, Op::Date32);
                moment::date::<S>(is_wide, lane, bounds, context.plain_date)
            }
            _ => None,
        };
        match done {
            Some(lane) => Some(lane),
            None => exact_value(op, Lane { at: lane.at.sub(1), out: lane.out }, bounds, context),
        }
    }
}

/// A value that is not behind a quote.
///
/// # Safety
/// As for [`value`].
#[inline(always)]
pub(super) unsafe fn bare_value<S: Simd>(
    op: &Op,
    lane: Lane,
    bounds: &mut Bounds<'_>,
    context: &mut Context<'_>,
) -> Option<Lane> {
    // SAFETY: the same contract.
    unsafe {
        let done = match op {
            Op::Int(kind) if kind.bytes <= 8 => number::integer::<S>(*kind, lane, bounds),
            Op::Float64 => number::float_64::<S>(lane, bounds),
            Op::Float32 => number::float_32::<S>(lane, bounds),
            Op::Bool => number::boolean(lane, bounds),
            Op::Nullable(inner) if bounds.has_room(lane) => {
                if lane.peek() == b'n' {
                    let is_null = lane.word(0) as u32 == u32::from_le_bytes(*b"null");
                    is_null.then(|| lane.skip(4).push([1]))
                } else if is_plain(inner) {
                    // What the inner value cannot do, it has left to the exact path already.
                    return value_of_nullable::<S>(inner, lane.push([0]), bounds, context);
                } else {
                    None
                }
            }
            Op::Array(_) | Op::Map(..) | Op::Tuple(_) => {
                let (read, written) = (bounds.read(lane), bounds.written(lane));
                match S::nested(op, lane, bounds, context) {
                    Some(lane) => Some(lane),
                    None if context.is_refused => return None,
                    // The row may have moved meanwhile.
                    None => return exact_value(op, bounds.lane(read, written), bounds, context),
                }
            }
            _ => None,
        };
        match done {
            Some(lane) => Some(lane),
            None => exact_value(op, lane, bounds, context),
        }
    }
}

/// Whether the operation is one that [`value_of_nullable`] knows.
fn is_plain(op: &Op) -> bool {
    opens_with_quote(op) || matches!(op, Op::Int(_) | Op::Float64 | Op::Float32 | Op::Bool)
}

/// The value inside a Nullable. It repeats [`value`] without what nests, which cannot be inlined into itself.
#[inline(always)]
unsafe fn value_of_nullable<S: Simd>(
    op: &Op,
    lane: Lane,
    bounds: &mut Bounds<'_>,
    context: &mut Context<'_>,
) -> Option<Lane> {
    // SAFETY: the same contract.
    unsafe {
        if opens_with_quote(op) {
            return match lane.eat(b'"') {
                Some(quoted) => quoted_value::<S>(op, quoted, bounds, context),
                None => exact_value(op, lane, bounds, context),
            };
        }
        let done = match op {
            Op::Int(kind) if kind.bytes <= 8 => number::integer::<S>(*kind, lane, bounds),
            Op::Float64 => number::float_64::<S>(lane, bounds),
            Op::Float32 => number::float_32::<S>(lane, bounds),
            Op::Bool => number::boolean(lane, bounds),
            _ => None,
        };
        match done {
            Some(lane) => Some(lane),
            None => exact_value(op, lane, bounds, context),
        }
    }
}

/// A value as the exact path encodes it.
///
/// # Safety
/// As for [`value`].
#[cold]
#[inline(never)]
pub(super) unsafe fn exact_value(
    op: &Op,
    lane: Lane,
    bounds: &mut Bounds<'_>,
    context: &mut Context<'_>,
) -> Option<Lane> {
    // SAFETY: the same contract.
    let done = unsafe { exactly(lane, bounds, |c, row| encode_value(op, c, context.state, row).is_ok()) };
    context.is_refused |= done.is_none();
    done
}

/// Moves the lane behind a value that no column takes.
///
/// # Safety
/// As for [`value`].
#[inline(always)]
pub(super) unsafe fn skip<S: Simd>(
    lane: Lane,
    bounds: &mut Bounds<'_>,
    context: &mut Context<'_>,
) -> Option<Lane> {
    // SAFETY: the same contract. The words that are compared are not zero.
    unsafe {
        let done = match lane.peek() {
            b'"' => text::skip::<S>(lane.skip(1), bounds),
            b't' | b'f' | b'n' => word(lane),
            b'[' | b'{' => None,
            _ => number::skip::<S>(lane),
        };
        match done {
            Some(lane) => Some(lane),
            None => exact_skip(lane, bounds, context),
        }
    }
}

#[inline(always)]
unsafe fn word(lane: Lane) -> Option<Lane> {
    // SAFETY: the words are not zero.
    unsafe {
        let word = lane.word(0) as u32;
        if word == u32::from_le_bytes(*b"true") || word == u32::from_le_bytes(*b"null") {
            return Some(lane.skip(4));
        }
        (word == u32::from_le_bytes(*b"fals") && lane.byte(4) == b'e').then(|| lane.skip(5))
    }
}

#[cold]
#[inline(never)]
unsafe fn exact_skip(lane: Lane, bounds: &mut Bounds<'_>, context: &mut Context<'_>) -> Option<Lane> {
    // SAFETY: the same contract.
    unsafe { exactly(lane, bounds, |c, _| skip_value(c, context.state).is_ok()) }
}
