//! AVX2: 32 bytes at a time.

use std::arch::x86_64::{
    __m128i, __m256i, _mm_and_si128, _mm_cvtsi128_si64, _mm_loadu_si128, _mm_madd_epi16, _mm_maddubs_epi16,
    _mm_packus_epi32, _mm_set_epi8, _mm_set_epi16, _mm256_and_si256, _mm256_broadcastsi128_si256,
    _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_max_epu8, _mm256_movemask_epi8, _mm256_or_si256,
    _mm256_set1_epi8, _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_srli_epi16, _mm256_storeu_si256,
    _mm256_sub_epi8, _mm256_subs_epu8, _mm256_xor_si256,
};

use super::simd::{Simd, Structure, outlined};
use super::utf8;

/// AVX2 with the bit instructions that every such processor has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx2;

#[inline(always)]
unsafe fn load(from: *const u8) -> __m256i {
    // SAFETY: the caller may read 32 bytes.
    unsafe { _mm256_loadu_si256(from.cast()) }
}

#[inline(always)]
unsafe fn bits(marks: __m256i) -> u32 {
    // SAFETY: the processor has AVX2. The 32 bits of the mask keep their pattern.
    unsafe { _mm256_movemask_epi8(marks) as u32 }
}

#[inline(always)]
unsafe fn text_marks(bytes: __m256i) -> u32 {
    // SAFETY: the processor has AVX2.
    unsafe {
        let quotes = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'"' as i8));
        let backslashes = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'\\' as i8));
        bits(_mm256_or_si256(quotes, backslashes))
    }
}

/// Sixteen zeros, then sixteen times 0x0F: read at `count`, it keeps the digits' values of the last `count` bytes.
static LAST: [u8; 32] = {
    let mut mask = [0; 32];
    let mut at = 16;
    while at < 32 {
        mask[at] = 0x0F;
        at += 1;
    }
    mask
};

/// The value of the last `count` of the 16 digits before `end`.
#[inline(always)]
pub(super) unsafe fn digits_16(end: *const u8, count: usize) -> u64 {
    // SAFETY: the caller may read 16 bytes before `end`; `count` is at most 16, so the mask is read inside `LAST`.
    unsafe {
        let mask = _mm_loadu_si128(LAST.as_ptr().add(count).cast());
        let digits = _mm_and_si128(_mm_loadu_si128(end.sub(16).cast()), mask);
        sum_16(digits)
    }
}

/// The value of sixteen digits: pairs, fours, eights.
#[inline(always)]
unsafe fn sum_16(digits: __m128i) -> u64 {
    // SAFETY: the processor has SSE4.1, as all with AVX2.
    let eights = unsafe {
        let tens = _mm_set_epi8(1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10);
        let pairs = _mm_maddubs_epi16(digits, tens);
        let fours = _mm_madd_epi16(pairs, _mm_set_epi16(1, 100, 1, 100, 1, 100, 1, 100));
        let packed = _mm_packus_epi32(fours, fours);
        let eights = _mm_madd_epi16(packed, _mm_set_epi16(1, 10_000, 1, 10_000, 1, 10_000, 1, 10_000));
        _mm_cvtsi128_si64(eights) as u64
    };
    (eights & 0xFFFF_FFFF) * 100_000_000 + (eights >> 32)
}

#[inline(always)]
unsafe fn zero() -> __m256i {
    // SAFETY: the processor has AVX2.
    unsafe { _mm256_setzero_si256() }
}

/// The faults of 32 bytes, as [`utf8`](super::utf8) has them: zero where there is none.
#[inline(always)]
unsafe fn utf8_faults(from: *const u8) -> __m256i {
    // SAFETY: the caller may read 32 bytes and three before them; the tables are 16 bytes.
    unsafe {
        let low_half = _mm256_set1_epi8(0x0F);
        let high = |bytes: __m256i| _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), low_half);
        let look_up = |table: &[u8; 16], halves: __m256i| {
            _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_loadu_si128(table.as_ptr().cast())), halves)
        };
        let (bytes, first) = (load(from), load(from.sub(1)));
        let (second, third) = (load(from.sub(2)), load(from.sub(3)));
        let faults = _mm256_and_si256(
            _mm256_and_si256(
                look_up(&utf8::FIRST_HIGH, high(first)),
                look_up(&utf8::FIRST_LOW, _mm256_and_si256(first, low_half)),
            ),
            look_up(&utf8::SECOND_HIGH, high(bytes)),
        );
        let continues = _mm256_or_si256(
            _mm256_subs_epu8(second, _mm256_set1_epi8(utf8::THREE_BEGIN as i8)),
            _mm256_subs_epu8(third, _mm256_set1_epi8(utf8::FOUR_BEGIN as i8)),
        );
        _mm256_xor_si256(_mm256_and_si256(continues, _mm256_set1_epi8(-0x80)), faults)
    }
}

impl Simd for Avx2 {
    #[inline(always)]
    unsafe fn differs_32(a: *const u8, b: *const u8) -> u32 {
        // SAFETY: the caller may read 32 bytes at both.
        unsafe { !bits(_mm256_cmpeq_epi8(load(a), load(b))) }
    }

    #[inline(always)]
    unsafe fn differs_64(a: *const u8, b: *const u8) -> u64 {
        // SAFETY: the caller may read 64 bytes at both.
        unsafe { u64::from(Self::differs_32(a, b)) | u64::from(Self::differs_32(a.add(32), b.add(32))) << 32 }
    }

    #[inline(always)]
    unsafe fn copy_text_64(from: *const u8, to: *mut u8) -> u64 {
        // SAFETY: the caller may read and write 64 bytes.
        unsafe {
            let first = load(from);
            _mm256_storeu_si256(to.cast(), first);
            let marks = text_marks(first);
            if marks != 0 {
                return u64::from(marks);
            }
            let second = load(from.add(32));
            _mm256_storeu_si256(to.add(32).cast(), second);
            u64::from(text_marks(second)) << 32
        }
    }

    #[inline(always)]
    unsafe fn marks_64(from: *const u8) -> u64 {
        // SAFETY: the caller may read 64 bytes.
        unsafe { u64::from(text_marks(load(from))) | u64::from(text_marks(load(from.add(32)))) << 32 }
    }

    #[inline(always)]
    unsafe fn structure_64(from: *const u8) -> Structure {
        // SAFETY: the caller may read 64 bytes.
        unsafe {
            let (first, second) = (load(from), load(from.add(32)));
            let are = |byte: u8| {
                let byte = _mm256_set1_epi8(byte as i8);
                (_mm256_cmpeq_epi8(first, byte), _mm256_cmpeq_epi8(second, byte))
            };
            let join = |(low, high)| u64::from(bits(low)) | u64::from(bits(high)) << 32;
            let (commas, colons) = (are(b','), are(b':'));
            let marks = (_mm256_or_si256(commas.0, colons.0), _mm256_or_si256(commas.1, colons.1));
            Structure { quotes: join(are(b'"')), marks: join(marks) }
        }
    }

    #[inline(always)]
    unsafe fn copy_64(from: *const u8, to: *mut u8) {
        // SAFETY: the caller may read and write 64 bytes.
        unsafe {
            let (first, second) = (load(from), load(from.add(32)));
            _mm256_storeu_si256(to.cast(), first);
            _mm256_storeu_si256(to.add(32).cast(), second);
        }
    }

    #[inline(always)]
    unsafe fn not_digits_32(from: *const u8) -> u32 {
        // SAFETY: the caller may read 32 bytes.
        unsafe {
            let digits = _mm256_sub_epi8(load(from), _mm256_set1_epi8(b'0' as i8));
            bits(_mm256_cmpeq_epi8(_mm256_max_epu8(digits, _mm256_set1_epi8(10)), digits))
        }
    }

    #[inline(always)]
    unsafe fn digits_16(end: *const u8, count: usize) -> u64 {
        // SAFETY: the caller keeps the same contract.
        unsafe { digits_16(end, count) }
    }

    type Folded = __m256i;

    #[inline(always)]
    unsafe fn fold_64(from: *const u8) -> __m256i {
        // SAFETY: the caller may read 64 bytes.
        unsafe { _mm256_or_si256(load(from), load(from.add(32))) }
    }

    #[inline(always)]
    unsafe fn folded(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: the processor has AVX2.
        unsafe { _mm256_or_si256(a, b) }
    }

    #[inline(always)]
    unsafe fn has_high(folded: __m256i) -> bool {
        // SAFETY: the processor has AVX2.
        unsafe { bits(folded) != 0 }
    }

    #[inline(always)]
    unsafe fn has_any(folded: __m256i) -> bool {
        // SAFETY: the processor has AVX2.
        unsafe { bits(_mm256_cmpeq_epi8(folded, zero())) != !0 }
    }

    #[inline(always)]
    unsafe fn utf8_faults_64(from: *const u8) -> __m256i {
        // SAFETY: the caller may read 64 bytes and three before them.
        unsafe { _mm256_or_si256(utf8_faults(from), utf8_faults(from.add(32))) }
    }

    outlined!(#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]);
}
