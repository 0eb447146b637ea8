//! A lane: one record on its way, read at one pointer and written at another.
//!
//! Two facts keep every access inside its buffer.
//!
//! - The record lies between zeros ([`Padded`]): 64 before it and 128 behind. A lane moves forward only up to bytes that
//!   it has compared with something that is not zero (a literal, a digit, the quote that ends a text, the comma or colon
//!   that an index has noted), so `at` never passes the record's end, and 128 bytes from `at` on may always be read.
//! - An operation that writes first asks [`Bounds::has_room`], and writes [`ROOM_BYTES`] at most beyond it.

use std::ptr::NonNull;

use super::padded::Padded;
use super::simd::Simd;
use crate::plan::Literal;

/// Bytes that an operation may write once it was told that there is room.
pub(crate) const ROOM_BYTES: usize = 256;

/// Rows' buffers grow by multiples of this many bytes.
pub(crate) const GRAIN_BYTES: usize = 4096;

/// Where a record is read and where its row is written.
///
/// A pair of pointers: a failed operation gives `None` in the place of the new lane, and the old one is still good.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lane {
    /// The next byte of the record.
    pub(super) at: NonNull<u8>,
    /// Where the next byte of the row goes.
    pub(super) out: NonNull<u8>,
}

/// The buffers of a lane.
#[derive(Debug)]
pub(crate) struct Bounds<'w> {
    /// The record.
    pub(super) record: &'w [u8],
    /// The row's buffer; how many of its bytes count, the lane knows.
    pub(super) buffer: &'w mut Vec<u8>,
    /// What the row of this record may need, in bytes.
    pub(super) row_bytes: usize,
    /// The first byte of the record.
    pub(super) start: *const u8,
    /// Behind the last byte of the record.
    pub(super) end: *const u8,
    /// The first byte of the row.
    pub(super) row: *mut u8,
    /// As long as `out` has not passed this, [`ROOM_BYTES`] may be written.
    pub(super) room: *mut u8,
}

impl<'w> Bounds<'w> {
    /// The bounds of a record, and of the buffer for its row, which may need `row_bytes`, [`ROOM_BYTES`] included.
    #[inline(always)]
    pub(crate) fn new(padded: &'w Padded, buffer: &'w mut Vec<u8>, row_bytes: usize) -> Bounds<'w> {
        let (record, row_bytes) = (padded.record(), row_bytes.max(ROOM_BYTES));
        let start = padded.start();
        let end = start.wrapping_add(record.len());
        let row = buffer.as_mut_ptr();
        let mut bounds = Bounds { record, buffer, row_bytes, start, end, row, room: row };
        bounds.make_room();
        bounds
    }

    /// Makes the room that the row may need, and hardly more: buffers that are larger than any row asks for are given back
    /// after each record.
    pub(super) fn make_room(&mut self) {
        let capacity = self.row_bytes.next_multiple_of(GRAIN_BYTES);
        self.buffer.reserve_exact(capacity.saturating_sub(self.buffer.len()));
        self.row = self.buffer.as_mut_ptr();
        // `row_bytes` includes the room of an operation.
        self.room = self.row.wrapping_add(self.buffer.capacity() - ROOM_BYTES);
    }

    /// The lane that has read and written so many bytes.
    ///
    /// # Safety
    /// Both lie inside the buffers.
    #[inline(always)]
    pub(super) unsafe fn lane(&self, read: usize, written: usize) -> Lane {
        // SAFETY: both offsets lie inside their buffers, and pointers into buffers are not null.
        unsafe {
            Lane {
                at: NonNull::new_unchecked(self.start.cast_mut().add(read)),
                out: NonNull::new_unchecked(self.row.add(written)),
            }
        }
    }

    /// Whether [`ROOM_BYTES`] may be written.
    #[inline(always)]
    pub(super) fn has_room(&self, lane: Lane) -> bool {
        lane.out.as_ptr() <= self.room
    }

    /// Whether `bytes` more than [`ROOM_BYTES`] may be written.
    #[inline(always)]
    pub(super) fn has_room_for(&self, lane: Lane, bytes: usize) -> bool {
        lane.out.as_ptr() <= self.room && self.room as usize - lane.out.as_ptr() as usize >= bytes
    }

    /// Bytes of the row so far.
    #[inline(always)]
    pub(super) fn written(&self, lane: Lane) -> usize {
        lane.out.as_ptr() as usize - self.row as usize
    }

    /// Bytes of the record that were read.
    #[inline(always)]
    pub(super) fn read(&self, lane: Lane) -> usize {
        lane.at.as_ptr() as usize - self.start as usize
    }

    /// Whether the record was read to its end.
    #[inline(always)]
    pub(super) fn is_at_end(&self, lane: Lane) -> bool {
        lane.at.as_ptr().cast_const() == self.end
    }
}

/// # Safety of every function
/// The lane belongs to live buffers, as the module says.
impl Lane {
    #[inline(always)]
    pub(super) unsafe fn peek(self) -> u8 {
        // SAFETY: 128 bytes from `at` on may be read.
        unsafe { self.at.read() }
    }

    #[inline(always)]
    pub(super) unsafe fn byte(self, offset: usize) -> u8 {
        debug_assert!(offset < 128);
        // SAFETY: callers pass constants below 128, or offsets below 64 that a mark gave.
        unsafe { self.at.add(offset).read() }
    }

    /// Eight bytes, the first one lowest.
    #[inline(always)]
    pub(super) unsafe fn word(self, offset: usize) -> u64 {
        debug_assert!(offset <= 120);
        // SAFETY: callers pass constants of 120 at most.
        u64::from_le(unsafe { self.at.add(offset).cast::<u64>().read_unaligned() })
    }

    /// Moves on over bytes that were seen not to be zero.
    #[inline(always)]
    pub(super) unsafe fn skip(self, bytes: usize) -> Lane {
        // SAFETY: none of the bytes is zero, so all are the record's.
        Lane { at: unsafe { self.at.add(bytes) }, out: self.out }
    }

    /// Appends bytes of a fixed-width value. The caller has asked for room.
    #[inline(always)]
    pub(super) unsafe fn push<const N: usize>(self, bytes: [u8; N]) -> Lane {
        // SAFETY: there is room for the value.
        unsafe {
            self.out.cast::<[u8; N]>().write_unaligned(bytes);
            Lane { at: self.at, out: self.out.add(N) }
        }
    }

    /// Takes the literal if it comes next. An empty one never does.
    #[inline(always)]
    pub(super) unsafe fn literal<S: Simd>(self, literal: &Literal) -> Option<Lane> {
        // SAFETY: 64 bytes of both may be read, and what is equal to the literal is not zero.
        unsafe {
            let differs = if literal.is_short() {
                u64::from(S::differs_32(self.at.as_ptr(), literal.block().as_ptr()))
            } else {
                S::differs_64(self.at.as_ptr(), literal.block().as_ptr())
            };
            (differs & literal.mask() == 0 && !literal.is_empty()).then(|| self.skip(literal.len()))
        }
    }

    /// Whether the literal, which begins with a quote, stands at the quote before the lane.
    #[inline(always)]
    pub(super) unsafe fn quoted_literal<S: Simd>(self, literal: &Literal) -> bool {
        // SAFETY: the byte before the lane is a quote of the record.
        unsafe { Lane { at: self.at.sub(1), out: self.out }.literal::<S>(literal).is_some() }
    }

    /// Skips white space of JSON.
    #[inline(always)]
    pub(super) unsafe fn blank(self) -> Lane {
        let mut lane = self;
        // SAFETY: white space is not zero.
        unsafe {
            // Nearly all records have none.
            if lane.peek() <= b' ' {
                while matches!(lane.peek(), b' ' | b'\n' | b'\r' | b'\t') {
                    lane = lane.skip(1);
                }
            }
        }
        lane
    }

    /// Takes the byte, which is not zero, if it comes next.
    #[inline(always)]
    pub(super) unsafe fn eat(self, byte: u8) -> Option<Lane> {
        debug_assert!(byte != 0);
        // SAFETY: the byte is not zero.
        unsafe { (self.peek() == byte).then(|| self.skip(1)) }
    }
}
