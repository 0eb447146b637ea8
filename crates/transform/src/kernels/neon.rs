//! NEON: 16 bytes a register, four of them at a time.
//!
//! The functions carry the level themselves, and an optimizing compiler may inline them: it does so with all but
//! `copy_text_64`, which stays a call. Were they always inlined, a debug build would keep the registers of every call in one
//! frame of many kilobytes, and nested values need several.

use std::arch::aarch64::{
    uint8x16_t, vandq_u8, vceqq_u8, vcgeq_u8, vcgtq_u8, vdupq_n_u8, veorq_u8, vgetq_lane_u32, vgetq_lane_u64,
    vld1q_u8, vld1q_u16, vld1q_u32, vmaxvq_u8, vmulq_u8, vmulq_u16, vmulq_u32, vorrq_u8, vpaddlq_u8,
    vpaddlq_u16, vpaddlq_u32, vpaddq_u8, vqsubq_u8, vqtbl1q_u8, vreinterpretq_u32_u8, vreinterpretq_u64_u8,
    vshrq_n_u8, vst1q_u8, vsubq_u8,
};

use super::simd::{Simd, Structure, outlined};
use super::utf8;

/// NEON, which every 64-bit ARM processor but a few odd ones has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Neon;

/// The bit of each byte in its half of a register.
static WEIGHTS: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];

/// The place of each byte in a register.
static PLACES: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

static TENS: [u8; 16] = [10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1];
static HUNDREDS: [u16; 8] = [100, 1, 100, 1, 100, 1, 100, 1];
static TEN_THOUSANDS: [u32; 4] = [10_000, 1, 10_000, 1];

/// 32 bytes.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn load_2(from: *const u8) -> [uint8x16_t; 2] {
    // SAFETY: the caller may read 32 bytes.
    unsafe { [vld1q_u8(from), vld1q_u8(from.add(16))] }
}

/// 64 bytes.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn load_4(from: *const u8) -> [uint8x16_t; 4] {
    // SAFETY: the caller may read 64 bytes.
    unsafe { [vld1q_u8(from), vld1q_u8(from.add(16)), vld1q_u8(from.add(32)), vld1q_u8(from.add(48))] }
}

#[inline]
#[target_feature(enable = "neon")]
unsafe fn store_4(bytes: [uint8x16_t; 4], to: *mut u8) {
    let [first, second, third, fourth] = bytes;
    // SAFETY: the caller may write 64 bytes.
    unsafe {
        vst1q_u8(to, first);
        vst1q_u8(to.add(16), second);
        vst1q_u8(to.add(32), third);
        vst1q_u8(to.add(48), fourth);
    }
}

/// A bit for each byte that is 0xFF; the others are 0.
///
/// NEON has no instruction for this. Each byte keeps its own bit of eight, and three rounds of sums of neighbours
/// bring the eight bits of eight bytes together; no two of them meet.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn bits_64(marks: [uint8x16_t; 4]) -> u64 {
    // SAFETY: the processor has NEON; the weights are 16 bytes.
    unsafe {
        let weights = vld1q_u8(WEIGHTS.as_ptr());
        let [first, second, third, fourth] = marks.map(|marks| vandq_u8(marks, weights));
        let fours = vpaddq_u8(vpaddq_u8(first, second), vpaddq_u8(third, fourth));
        vgetq_lane_u64::<0>(vreinterpretq_u64_u8(vpaddq_u8(fours, fours)))
    }
}

/// [`bits_64`] of half as many.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn bits_32(marks: [uint8x16_t; 2]) -> u32 {
    // SAFETY: the processor has NEON; the weights are 16 bytes.
    unsafe {
        let weights = vld1q_u8(WEIGHTS.as_ptr());
        let [first, second] = marks.map(|marks| vandq_u8(marks, weights));
        let pairs = vpaddq_u8(first, second);
        let fours = vpaddq_u8(pairs, pairs);
        vgetq_lane_u32::<0>(vreinterpretq_u32_u8(vpaddq_u8(fours, fours)))
    }
}

#[inline]
#[target_feature(enable = "neon")]
unsafe fn text_marks(bytes: [uint8x16_t; 4]) -> u64 {
    // SAFETY: the processor has NEON.
    unsafe {
        let (quote, backslash) = (vdupq_n_u8(b'"'), vdupq_n_u8(b'\\'));
        bits_64(bytes.map(|bytes| vorrq_u8(vceqq_u8(bytes, quote), vceqq_u8(bytes, backslash))))
    }
}

/// The faults of 16 bytes, as [`utf8`](super::utf8) has them: zero where there is none.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn utf8_faults(from: *const u8) -> uint8x16_t {
    // SAFETY: the caller may read 16 bytes and three before them; the tables are 16 bytes.
    unsafe {
        let (bytes, first) = (vld1q_u8(from), vld1q_u8(from.sub(1)));
        let (second, third) = (vld1q_u8(from.sub(2)), vld1q_u8(from.sub(3)));
        let first_high = vqtbl1q_u8(vld1q_u8(utf8::FIRST_HIGH.as_ptr()), vshrq_n_u8::<4>(first));
        let first_low = vqtbl1q_u8(vld1q_u8(utf8::FIRST_LOW.as_ptr()), vandq_u8(first, vdupq_n_u8(0x0F)));
        let second_high = vqtbl1q_u8(vld1q_u8(utf8::SECOND_HIGH.as_ptr()), vshrq_n_u8::<4>(bytes));
        let faults = vandq_u8(vandq_u8(first_high, first_low), second_high);
        let continues = vorrq_u8(
            vqsubq_u8(second, vdupq_n_u8(utf8::THREE_BEGIN)),
            vqsubq_u8(third, vdupq_n_u8(utf8::FOUR_BEGIN)),
        );
        veorq_u8(vandq_u8(continues, vdupq_n_u8(0x80)), faults)
    }
}

impl Simd for Neon {
    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn differs_32(a: *const u8, b: *const u8) -> u32 {
        // SAFETY: the caller may read 32 bytes at both.
        unsafe {
            let ([a0, a1], [b0, b1]) = (load_2(a), load_2(b));
            !bits_32([vceqq_u8(a0, b0), vceqq_u8(a1, b1)])
        }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn differs_64(a: *const u8, b: *const u8) -> u64 {
        // SAFETY: the caller may read 64 bytes at both.
        unsafe {
            let ([a0, a1, a2, a3], [b0, b1, b2, b3]) = (load_4(a), load_4(b));
            !bits_64([vceqq_u8(a0, b0), vceqq_u8(a1, b1), vceqq_u8(a2, b2), vceqq_u8(a3, b3)])
        }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn copy_text_64(from: *const u8, to: *mut u8) -> u64 {
        // SAFETY: the caller may read and write 64 bytes.
        unsafe {
            let bytes = load_4(from);
            store_4(bytes, to);
            text_marks(bytes)
        }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn marks_64(from: *const u8) -> u64 {
        // SAFETY: the caller may read 64 bytes.
        unsafe { text_marks(load_4(from)) }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn structure_64(from: *const u8) -> Structure {
        // SAFETY: the caller may read 64 bytes.
        unsafe {
            let bytes = load_4(from);
            let are = |byte: u8| bytes.map(|bytes| vceqq_u8(bytes, vdupq_n_u8(byte)));
            let ([a, b, c, d], [e, f, g, h]) = (are(b','), are(b':'));
            let marks = [vorrq_u8(a, e), vorrq_u8(b, f), vorrq_u8(c, g), vorrq_u8(d, h)];
            Structure { quotes: bits_64(are(b'"')), marks: bits_64(marks) }
        }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn copy_64(from: *const u8, to: *mut u8) {
        // SAFETY: the caller may read and write 64 bytes.
        unsafe { store_4(load_4(from), to) }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn not_digits_32(from: *const u8) -> u32 {
        // SAFETY: the caller may read 32 bytes.
        unsafe {
            let (zero, nine) = (vdupq_n_u8(b'0'), vdupq_n_u8(9));
            bits_32(load_2(from).map(|bytes| vcgtq_u8(vsubq_u8(bytes, zero), nine)))
        }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn digits_16(end: *const u8, count: usize) -> u64 {
        debug_assert!((1..=16).contains(&count));
        // SAFETY: the caller may read 16 bytes before `end`; the tables have 16 bytes each.
        unsafe {
            // The values of the last `count` bytes, zeros before them. `count` is at most 16, so nothing is lost.
            let first = vdupq_n_u8(16 - count as u8);
            let is_digit = vcgeq_u8(vld1q_u8(PLACES.as_ptr()), first);
            let low_bits = vandq_u8(vld1q_u8(end.sub(16)), vdupq_n_u8(0x0F));
            let digits = vandq_u8(low_bits, is_digit);
            // Each product fits its element; each sum of neighbours is twice as wide.
            let pairs = vpaddlq_u8(vmulq_u8(digits, vld1q_u8(TENS.as_ptr())));
            let fours = vpaddlq_u16(vmulq_u16(pairs, vld1q_u16(HUNDREDS.as_ptr())));
            let eights = vpaddlq_u32(vmulq_u32(fours, vld1q_u32(TEN_THOUSANDS.as_ptr())));
            vgetq_lane_u64::<0>(eights) * 100_000_000 + vgetq_lane_u64::<1>(eights)
        }
    }

    type Folded = uint8x16_t;

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn fold_64(from: *const u8) -> uint8x16_t {
        // SAFETY: the caller may read 64 bytes.
        unsafe {
            let [a, b, c, d] = load_4(from);
            vorrq_u8(vorrq_u8(a, b), vorrq_u8(c, d))
        }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn folded(a: uint8x16_t, b: uint8x16_t) -> uint8x16_t {
        vorrq_u8(a, b)
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn has_high(folded: uint8x16_t) -> bool {
        vmaxvq_u8(folded) > 0x7F
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn has_any(folded: uint8x16_t) -> bool {
        vmaxvq_u8(folded) != 0
    }

    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn utf8_faults_64(from: *const u8) -> uint8x16_t {
        // SAFETY: the caller may read 64 bytes and three before them.
        unsafe {
            let [a, b, c, d] = [0, 16, 32, 48].map(|at| utf8_faults(from.add(at)));
            vorrq_u8(vorrq_u8(a, b), vorrq_u8(c, d))
        }
    }

    outlined!(#[target_feature(enable = "neon")]);
}
