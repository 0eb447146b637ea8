//! What the kernels ask of a processor.

use super::lane::{Bounds, Lane};
use super::utf8;
use super::value::Context;
use crate::plan::Op;

/// A bit for each byte of 64 that is one of these.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Structure {
    pub(super) quotes: u64,
    /// Commas and colons.
    pub(super) marks: u64,
}

/// A level of SIMD instructions.
///
/// # Safety of every function
/// The processor has the instructions of the level, every pointer may be read (or written, for `to`) for as many
/// bytes as the function says, at any alignment.
pub(crate) trait Simd: Copy {
    /// Marks the bytes in which the 32 at `a` differ from the 32 at `b`, the lowest bit first.
    unsafe fn differs_32(a: *const u8, b: *const u8) -> u32;

    /// Marks the bytes in which the 64 at `a` differ from the 64 at `b`.
    unsafe fn differs_64(a: *const u8, b: *const u8) -> u64;

    /// Copies 64 bytes and marks the quotes and backslashes up to the first one at least; marks behind it may be
    /// missing, and then bytes behind it may be left uncopied.
    unsafe fn copy_text_64(from: *const u8, to: *mut u8) -> u64;

    /// Marks the quotes and backslashes of 64 bytes.
    unsafe fn marks_64(from: *const u8) -> u64;

    /// Marks what the structure of a record shows in, in 64 bytes.
    unsafe fn structure_64(from: *const u8) -> Structure;

    /// What 64 bytes were folded to.
    type Folded: Copy;

    /// Folds 64 bytes, high bits onto high bits.
    unsafe fn fold_64(from: *const u8) -> Self::Folded;

    /// Folds what is wrong in UTF-8 of 64 bytes behind the three before each: zero where nothing is. The three bytes
    /// before `from` may be read.
    unsafe fn utf8_faults_64(from: *const u8) -> Self::Folded;

    /// Both, one upon the other.
    unsafe fn folded(a: Self::Folded, b: Self::Folded) -> Self::Folded;

    /// Whether one of the folded bytes is beyond ASCII.
    unsafe fn has_high(folded: Self::Folded) -> bool;

    /// Whether one of the folded bytes is not zero.
    unsafe fn has_any(folded: Self::Folded) -> bool;

    /// Whether the record is UTF-8; see [`utf8::is_utf8`].
    #[inline(always)]
    unsafe fn is_utf8(record: &[u8], is_ascii: &mut bool) -> bool {
        // SAFETY: the caller keeps the same contract.
        unsafe { utf8::is_utf8::<Self>(record, is_ascii) }
    }

    /// Copies 64 bytes.
    unsafe fn copy_64(from: *const u8, to: *mut u8);

    /// Marks what is not a digit in 32 bytes.
    unsafe fn not_digits_32(from: *const u8) -> u32;

    /// The value of the `count` digits, 1 to 16, that end before `end`. The 16 bytes before `end` may be read.
    unsafe fn digits_16(end: *const u8, count: usize) -> u64;

    /// [`super::text::long`] with the instructions of the level.
    ///
    /// # Safety
    /// As there.
    unsafe fn long_text(lane: Lane, bounds: &Bounds<'_>) -> Option<Lane>;

    /// [`super::value::value`] with the instructions of the level: the element of a value that nests.
    ///
    /// # Safety
    /// As there.
    unsafe fn element(
        op: &Op,
        lane: Lane,
        bounds: &mut Bounds<'_>,
        context: &mut Context<'_>,
    ) -> Option<Lane>;

    /// [`super::nested::nested`] with the instructions of the level: a call of its own, since values nest.
    ///
    /// # Safety
    /// As there.
    unsafe fn nested(op: &Op, lane: Lane, bounds: &mut Bounds<'_>, context: &mut Context<'_>)
    -> Option<Lane>;
}

/// Implements the functions that only pass on, as functions of their own with the level's instructions.
macro_rules! outlined {
    ($(#[$features:meta])*) => {
        $(#[$features])*
        #[inline(never)]
        unsafe fn long_text(
            lane: $crate::kernels::lane::Lane,
            bounds: &$crate::kernels::lane::Bounds<'_>,
        ) -> Option<$crate::kernels::lane::Lane> {
            // SAFETY: the caller keeps the same contract.
            unsafe { $crate::kernels::text::long::<Self>(lane, bounds) }
        }

        $(#[$features])*
        #[inline(never)]
        unsafe fn element(
            op: &$crate::plan::Op,
            lane: $crate::kernels::lane::Lane,
            bounds: &mut $crate::kernels::lane::Bounds<'_>,
            context: &mut $crate::kernels::value::Context<'_>,
        ) -> Option<$crate::kernels::lane::Lane> {
            // SAFETY: the caller keeps the same contract.
            unsafe { $crate::kernels::value::value::<Self>(op, lane, bounds, context) }
        }

        $(#[$features])*
        #[inline(never)]
        unsafe fn nested(
            op: &$crate::plan::Op,
            lane: $crate::kernels::lane::Lane,
            bounds: &mut $crate::kernels::lane::Bounds<'_>,
            context: &mut $crate::kernels::value::Context<'_>,
        ) -> Option<$crate::kernels::lane::Lane> {
            // SAFETY: the caller keeps the same contract.
            unsafe { $crate::kernels::nested::nested::<Self>(op, lane, bounds, context) }
        }
    };
}
pub(super) use outlined;
