//! Plain Rust: words of 64 bits.

use super::simd::{Simd, Structure, outlined};
use super::utf8;

/// The level that every processor has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Portable;

const ONES: u64 = 0x0101_0101_0101_0101;
const LOWS: u64 = 0x7F7F_7F7F_7F7F_7F7F;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Eight bytes as a word, the first byte lowest.
#[inline(always)]
unsafe fn word(from: *const u8) -> u64 {
    // SAFETY: the caller may read 8 bytes.
    u64::from_le(unsafe { from.cast::<u64>().read_unaligned() })
}

/// The high bit of each byte that is zero, and of no other.
#[inline(always)]
fn zeros(word: u64) -> u64 {
    !(((word & LOWS) + LOWS) | word) & HIGHS
}

/// Gathers the high bits of the bytes, the first byte's lowest.
#[inline(always)]
fn gather(highs: u64) -> u64 {
    // The product brings the bit of byte `i`, at `8 * i`, to bit `56 + i`; no two meet.
    (highs >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

#[inline(always)]
fn equals(word: u64, byte: u8) -> u64 {
    zeros(word ^ (ONES * u64::from(byte)))
}

#[inline(always)]
fn text_marks(word: u64) -> u64 {
    gather(equals(word, b'"') | equals(word, b'\\'))
}

impl Simd for Portable {
    #[inline(always)]
    unsafe fn differs_32(a: *const u8, b: *const u8) -> u32 {
        let mut marks = 0;
        for at in [0, 8, 16, 24] {
            // SAFETY: the caller may read 32 bytes at both.
            let difference = unsafe { word(a.add(at)) ^ word(b.add(at)) };
            marks |= gather(!zeros(difference) & HIGHS) << at;
        }
        // 32 bits were set at most.
        marks as u32
    }

    #[inline(always)]
    unsafe fn differs_64(a: *const u8, b: *const u8) -> u64 {
        // SAFETY: the caller may read 64 bytes at both.
        unsafe { u64::from(Self::differs_32(a, b)) | u64::from(Self::differs_32(a.add(32), b.add(32))) << 32 }
    }

    #[inline(always)]
    unsafe fn copy_text_64(from: *const u8, to: *mut u8) -> u64 {
        let mut at = 0;
        while at < 64 {
            // SAFETY: `at + 8` is at most 64, and the caller may read and write so many bytes.
            let marks = unsafe {
                let word = word(from.add(at));
                to.add(at).cast::<u64>().write_unaligned(word.to_le());
                text_marks(word)
            };
            if marks != 0 {
                return marks << at;
            }
            at += 8;
        }
        0
    }

    #[inline(always)]
    unsafe fn marks_64(from: *const u8) -> u64 {
        let mut marks = 0;
        for at in [0, 8, 16, 24, 32, 40, 48, 56] {
            // SAFETY: the caller may read 64 bytes.
            marks |= text_marks(unsafe { word(from.add(at)) }) << at;
        }
        marks
    }

    #[inline(always)]
    unsafe fn structure_64(from: *const u8) -> Structure {
        let mut structure = Structure { quotes: 0, marks: 0 };
        for at in [0, 8, 16, 24, 32, 40, 48, 56] {
            // SAFETY: the caller may read 64 bytes.
            let word = unsafe { word(from.add(at)) };
            structure.quotes |= gather(equals(word, b'"')) << at;
            structure.marks |= gather(equals(word, b',') | equals(word, b':')) << at;
        }
        structure
    }

    #[inline(always)]
    unsafe fn copy_64(from: *const u8, to: *mut u8) {
        // SAFETY: the caller may read and write 64 bytes; both sides are copied by value.
        unsafe { to.cast::<[u64; 8]>().write_unaligned(from.cast::<[u64; 8]>().read_unaligned()) }
    }

    #[inline(always)]
    unsafe fn not_digits_32(from: *const u8) -> u32 {
        let mut marks = 0;
        for at in [0, 8, 16, 24] {
            // SAFETY: the caller may read 32 bytes.
            let word = unsafe { word(from.add(at)) };
            // Above '9' or below '0', or beyond ASCII: each sum stays within its byte.
            let above = (word & LOWS) + ONES * (0x7F - b'9' as u64);
            let below = !((word & LOWS) + ONES * (0x80 - b'0' as u64));
            marks |= gather((above | below | word) & HIGHS) << at;
        }
        // 32 bits were set at most.
        marks as u32
    }

    #[inline(always)]
    unsafe fn digits_16(end: *const u8, count: usize) -> u64 {
        // SAFETY: the caller may read the 16 bytes before `end`.
        let (high, low) = unsafe { (word(end.sub(16)), word(end.sub(8))) };
        if count <= 8 {
            return eight(low, count);
        }
        eight(high, count - 8) * 100_000_000 + eight(low, 8)
    }

    type Folded = u64;

    #[inline(always)]
    unsafe fn fold_64(from: *const u8) -> u64 {
        // SAFETY: the caller may read 64 bytes.
        (0..8).fold(0, |folded, at| folded | unsafe { word(from.add(8 * at)) })
    }

    #[inline(always)]
    unsafe fn utf8_faults_64(from: *const u8) -> u64 {
        // SAFETY: the caller may read 64 bytes and three before them.
        let byte = |at: usize| unsafe { from.add(at).sub(3).read() };
        let is_fault = |at| utf8::is_fault([byte(at), byte(at + 1), byte(at + 2)], byte(at + 3));
        u64::from((0..64).any(is_fault))
    }

    #[inline(always)]
    unsafe fn folded(a: u64, b: u64) -> u64 {
        a | b
    }

    #[inline(always)]
    unsafe fn has_high(folded: u64) -> bool {
        folded & HIGHS != 0
    }

    #[inline(always)]
    unsafe fn has_any(folded: u64) -> bool {
        folded != 0
    }

    /// One byte after the other is what the standard library does best.
    #[inline(always)]
    unsafe fn is_utf8(record: &[u8], _: &mut bool) -> bool {
        std::str::from_utf8(record).is_ok()
    }

    outlined!();
}

/// The value of the last `count` of eight digits.
#[inline(always)]
fn eight(word: u64, count: usize) -> u64 {
    // The bytes before the digits are the low ones: they are shifted out, zeros take their place.
    let ones = (word & 0x0F0F_0F0F_0F0F_0F0F) >> (64 - 8 * count) << (64 - 8 * count);
    let pairs = ones.wrapping_mul(10).wrapping_add(ones >> 8) & 0x00FF_00FF_00FF_00FF;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_FFFF_0000_FFFF;
    fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xFFFF_FFFF
}
