//! Short pieces put one behind the other, block by block.

use std::ops::Range;

use super::lane::{Bounds, Lane};

/// Bytes that are copied at once.
pub(crate) const BLOCK_BYTES: usize = 64;

/// Appends a range of `from` to `to`, which is faster than by the byte where both have a block to spare behind their
/// bytes.
///
/// # Panics
/// When the range does not lie inside `from`.
#[inline(always)]
pub(crate) fn append(from: &Vec<u8>, range: Range<usize>, to: &mut Vec<u8>) {
    let piece = &from[range.clone()];
    let spare = from.capacity() - range.start.max(range.end);
    if spare < BLOCK_BYTES || to.capacity() - to.len() < piece.len() + BLOCK_BYTES {
        to.extend_from_slice(piece);
        return;
    }
    let mut at = 0;
    while at < piece.len() {
        // SAFETY: the block begins inside the piece, behind which a block more lies in the capacity of `from`; `to` has
        // room for the piece and a block. Bytes behind the piece are copied without being looked at.
        unsafe {
            let source = from.as_ptr().add(range.start + at);
            let target = to.as_mut_ptr().add(to.len() + at);
            source.copy_to_nonoverlapping(target, BLOCK_BYTES);
        }
        at += BLOCK_BYTES;
    }
    // SAFETY: the piece was copied there, and there was room for it.
    unsafe { to.set_len(to.len() + piece.len()) };
}

/// Appends a range of `from` at the lane; none where there is no room for it.
///
/// # Safety
/// The lane is live, and the bounds are its own.
#[inline(always)]
pub(super) unsafe fn push_range(
    from: &Vec<u8>,
    range: Range<usize>,
    lane: Lane,
    bounds: &Bounds<'_>,
) -> Option<Lane> {
    let piece = from.get(range.clone())?;
    if from.capacity() - range.end < BLOCK_BYTES || !bounds.has_room_for(lane, piece.len()) {
        return None;
    }
    let mut at = 0;
    // SAFETY: blocks begin inside the piece, behind which a block more lies in the capacity of `from`; there is room for
    // the piece and `ROOM_BYTES`, which is more than a block.
    unsafe {
        while at < piece.len() {
            let source = from.as_ptr().add(range.start + at);
            source.copy_to_nonoverlapping(lane.out.as_ptr().add(at), BLOCK_BYTES);
            at += BLOCK_BYTES;
        }
        Some(Lane { at: lane.at, out: lane.out.add(piece.len()) })
    }
}
