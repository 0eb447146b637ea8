//! Four records of one shape in lockstep, column by column: the waits of one hide behind the work of the others.

use super::lane::{Bounds, Lane};
use super::record::column_value;
use super::simd::Simd;
use super::value::{Context, exact_value, quoted_value, skip, value};
use super::{moment, number, text};
use crate::fast::{Shape, Target};
use crate::plan::{Field, IntKind, Op, Plan};

/// Records that are encoded side by side.
pub(crate) const LANES: usize = 4;

/// Encodes records that have the shape; the rows are then in the lanes' buffers, with their lengths set. None where
/// one of them does not have the shape, or where the exact path has to say more.
///
/// `starts` gets where each value starts, lane by lane, where the values are not in the columns' order.
///
/// # Safety
/// The bounds are those of live records, and the processor has the level's instructions.
#[inline(always)]
pub(super) unsafe fn group<S: Simd>(
    plan: &Plan,
    shape: &Shape,
    bounds: &mut [Bounds<'_>; LANES],
    context: &mut Context<'_>,
    starts: &mut [Vec<usize>; LANES],
) -> Option<()> {
    // SAFETY: the lanes start at the first bytes of live buffers; all steps keep the contract.
    unsafe {
        let mut lanes: [Lane; LANES] = std::array::from_fn(|lane| bounds[lane].lane(0, 0));
        for step in &shape.steps {
            for lane in &mut lanes {
                *lane = lane.literal::<S>(&step.literal)?;
            }
            let Target::Column(column) = step.target else {
                for (lane, bounds) in lanes.iter_mut().zip(&mut *bounds) {
                    let value = if step.quoted { Lane { at: lane.at.sub(1), out: lane.out } } else { *lane };
                    *lane = skip::<S>(value, bounds, context)?;
                }
                continue;
            };
            if !shape.is_row {
                for ((lane, bounds), starts) in lanes.iter().zip(&*bounds).zip(&mut *starts) {
                    starts.push(bounds.written(*lane));
                }
            }
            let field = plan.fields.get(column)?;
            column_values::<S>(field, step.quoted, &mut lanes, bounds, context)?;
        }
        for (lane, bounds) in lanes.iter().zip(bounds) {
            let lane = lane.literal::<S>(&shape.tail)?;
            if !bounds.is_at_end(lane) {
                return None;
            }
            bounds.buffer.set_len(bounds.written(lane));
        }
    }
    Some(())
}

/// Runs a kernel over the lanes; where it gives up, the exact path takes the value.
macro_rules! each {
    ($lanes:ident, $bounds:ident, |$lane:ident, $own:ident| $kernel:expr, else $exact:expr) => {
        for ($lane, $own) in $lanes.iter_mut().zip($bounds.iter_mut()) {
            *$lane = match $kernel {
                Some(lane) => lane,
                None => $exact?,
            };
        }
    };
}

/// The values of one column: its operation is looked at once for all lanes.
///
/// # Safety
/// As for [`super::value::value`], for each lane.
#[inline(always)]
pub(super) unsafe fn column_values<S: Simd>(
    field: &Field,
    quoted: bool,
    lanes: &mut [Lane; LANES],
    bounds: &mut [Bounds<'_>; LANES],
    context: &mut Context<'_>,
) -> Option<()> {
    // SAFETY: the same contract; room is asked for where something is written.
    unsafe {
        if field.null.is_some() {
            for (lane, bounds) in lanes.iter_mut().zip(bounds) {
                *lane = column_value::<S>(field, quoted, *lane, bounds, context)?;
            }
            return Some(());
        }
        if field.marks {
            for (lane, bounds) in lanes.iter_mut().zip(&*bounds) {
                if !bounds.has_room(*lane) {
                    return None;
                }
                *lane = lane.push([0]);
            }
        }
        let op = &field.op;
        macro_rules! integers {
            ($bytes:literal, $signed:literal) => {
                each!(lanes, bounds, |lane, own| number::integer_of::<S, $bytes, $signed>(*lane, own),
                    else exact_value(op, *lane, own, context))
            };
        }
        match (quoted, op) {
            (true, Op::String) => each!(lanes, bounds, |lane, own| text::text::<S>(*lane, own),
                else quoted_value::<S>(op, *lane, own, context)),
            (true, Op::DateTime64 { zone, precision }) => {
                each!(lanes, bounds, |lane, own| {
                    let (memo, zone) = (&mut context.dates[*zone], &mut context.state.zones[*zone]);
                    moment::date_time_64::<S>(*precision, *lane, own, memo, zone)
                }, else quoted_value::<S>(op, *lane, own, context));
            }
            (false, Op::Int(IntKind { bytes: 8, signed: false })) => integers!(8, false),
            (false, Op::Int(IntKind { bytes: 8, signed: true })) => integers!(8, true),
            (false, Op::Int(IntKind { bytes: 4, signed: false })) => integers!(4, false),
            (false, Op::Int(IntKind { bytes: 4, signed: true })) => integers!(4, true),
            (false, Op::Int(IntKind { bytes: 2, signed: false })) => integers!(2, false),
            (false, Op::Float64) => each!(lanes, bounds, |lane, own| number::float_64::<S>(*lane, own),
                else exact_value(op, *lane, own, context)),
            (false, Op::Bool) => each!(lanes, bounds, |lane, own| number::boolean(*lane, own),
                else exact_value(op, *lane, own, context)),
            (true, _) => {
                each!(lanes, bounds, |lane, own| quoted_value::<S>(op, *lane, own, context), else None)
            }
            (false, _) => each!(lanes, bounds, |lane, own| value::<S>(op, *lane, own, context), else None),
        }
    }
    Some(())
}
