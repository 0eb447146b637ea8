//! Four records of one shape in lockstep, column by column: the waits of one hide behind the work of the others.

use super::lane::{Bounds, Lane};
use super::record::column_value;
use super::simd::Simd;
use super::value::{Context, skip};
use crate::fast::{Shape, Target};
use crate::plan::Plan;

/// Records that are encoded side by side.
pub(crate) const LANES: usize = 4;

/// Encodes records that have the shape; the rows are then in the lanes' buffers, with their lengths set. False where
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
            for (lane, bounds) in lanes.iter_mut().zip(&mut *bounds) {
                *lane = column_value::<S>(plan, field, step.quoted, *lane, bounds, context)?;
            }
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
