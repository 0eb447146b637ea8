//! Arrays, maps and tuples.

use super::lane::{Bounds, Lane};
use super::simd::Simd;
use super::text;
use super::value::Context;
use crate::plan::{Op, TupleOp};

/// Levels of arrays, maps and tuples that the kernels enter: each takes its share of the stack. The exact path takes what
/// lies deeper.
const NESTED_DEPTH_MAX: usize = 8;

/// An array, a map or a tuple.
///
/// # Safety
/// As for [`value`].
#[inline(always)]
pub(super) unsafe fn nested<S: Simd>(
    op: &Op,
    lane: Lane,
    bounds: &mut Bounds<'_>,
    context: &mut Context<'_>,
) -> Option<Lane> {
    let (depth, fields) = (context.state.depth, context.state.fields_left);
    // SAFETY: the same contract.
    let done = unsafe {
        match op {
            Op::Array(inner) => array::<S>(inner, lane, bounds, context),
            Op::Map(key, item) => map::<S>(key, item, lane, bounds, context),
            Op::Tuple(tuple) => self::tuple::<S>(tuple, lane, bounds, context),
            _ => None,
        }
    };
    context.state.depth = depth;
    if done.is_none() {
        // The exact path will count them again.
        context.state.fields_left = fields;
    }
    done
}

/// Where the byte of a length stands, counted from the row's first byte: the row may move.
#[derive(Clone, Copy)]
struct Counter(usize);

impl Counter {
    /// Keeps a byte for a length.
    #[inline(always)]
    unsafe fn reserve(lane: Lane, bounds: &Bounds<'_>) -> Option<(Counter, Lane)> {
        if !bounds.has_room(lane) {
            return None;
        }
        // SAFETY: there is room.
        Some((Counter(bounds.written(lane)), unsafe { lane.push([0]) }))
    }

    /// Writes the length; what follows moves where it needs more than its byte.
    #[inline(always)]
    unsafe fn write(self, length: usize, lane: Lane, bounds: &Bounds<'_>) -> Option<Lane> {
        if !bounds.has_room(lane) {
            return None;
        }
        // SAFETY: the counter was kept in this row, and there is room for two bytes more.
        unsafe {
            let at = bounds.lane(0, self.0).out;
            if length < 0x80 {
                at.write(length as u8);
                return Some(lane);
            }
            let bytes = lane.out.as_ptr() as usize - at.as_ptr() as usize - 1;
            let extra = 1 + usize::from(length >= 1 << 14);
            at.add(1).copy_to(at.add(1 + extra), bytes);
            text::push_length(length, at);
            Some(Lane { at: lane.at, out: lane.out.add(extra) })
        }
    }
}

#[inline(always)]
unsafe fn array<S: Simd>(
    inner: &Op,
    lane: Lane,
    bounds: &mut Bounds<'_>,
    context: &mut Context<'_>,
) -> Option<Lane> {
    // SAFETY: the same contract.
    unsafe {
        let lane = lane.eat(b'[')?;
        context.deeper()?;
        let (counter, lane) = Counter::reserve(lane, bounds)?;
        let mut lane = lane.blank();
        let mut length = 0;
        if let Some(closed) = lane.eat(b']') {
            return Some(closed);
        }
        loop {
            lane = S::element(inner, lane, bounds, context)?;
            length += 1;
            lane = lane.blank();
            match lane.eat(b',') {
                // ClickHouse's semantics take a comma before the bracket: the exact path knows how.
                Some(next) => {
                    lane = next.blank();
                    if lane.peek() == b']' {
                        return None;
                    }
                }
                None => return counter.write(length, lane.eat(b']')?, bounds),
            }
        }
    }
}

#[inline(always)]
unsafe fn map<S: Simd>(
    key: &Op,
    item: &Op,
    lane: Lane,
    bounds: &mut Bounds<'_>,
    context: &mut Context<'_>,
) -> Option<Lane> {
    // SAFETY: the same contract.
    unsafe {
        let lane = lane.eat(b'{')?;
        context.deeper()?;
        let (counter, lane) = Counter::reserve(lane, bounds)?;
        let mut lane = lane.blank();
        let mut length = 0;
        if let Some(closed) = lane.eat(b'}') {
            return Some(closed);
        }
        loop {
            context.count_field()?;
            // Keys stand in quotes; those of other types the exact path unwraps.
            if lane.peek() != b'"' {
                return None;
            }
            lane = S::element(key, lane, bounds, context)?.blank().eat(b':')?.blank();
            lane = S::element(item, lane, bounds, context)?;
            length += 1;
            lane = lane.blank();
            match lane.eat(b',') {
                Some(next) => lane = next.blank(),
                None => return counter.write(length, lane.eat(b'}')?, bounds),
            }
        }
    }
}

/// A tuple with all its elements in their order; others are left to the exact path.
#[inline(always)]
unsafe fn tuple<S: Simd>(
    tuple: &TupleOp,
    lane: Lane,
    bounds: &mut Bounds<'_>,
    context: &mut Context<'_>,
) -> Option<Lane> {
    // SAFETY: the same contract.
    unsafe {
        let (open, close) = if tuple.named { (b'{', b'}') } else { (b'[', b']') };
        let mut lane = lane.eat(open)?.blank();
        context.deeper()?;
        for (at, element) in tuple.elements.iter().enumerate() {
            if at > 0 {
                lane = lane.blank().eat(b',')?.blank();
            }
            if tuple.named {
                context.count_field()?;
                lane = match &element.literal {
                    Some(literal) => lane.literal::<S>(literal)?.blank(),
                    None => return None,
                };
            }
            lane = S::element(&element.op, lane, bounds, context)?;
        }
        lane.blank().eat(close)
    }
}

impl Context<'_> {
    /// Enters an array or an object.
    #[inline(always)]
    fn deeper(&mut self) -> Option<()> {
        self.state.depth += 1;
        (self.state.depth <= self.state.depth_max.min(NESTED_DEPTH_MAX)).then_some(())
    }

    /// Counts a key.
    #[inline(always)]
    pub(super) fn count_field(&mut self) -> Option<()> {
        self.state.fields_left = self.state.fields_left.checked_sub(1)?;
        Some(())
    }
}
