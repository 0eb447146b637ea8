//! AVX-512 with byte instructions: 64 bytes at a time, marks without a detour.

use std::arch::x86_64::{
    __m512i, _mm_loadu_si128, _mm256_cmpgt_epu8_mask, _mm256_cmpneq_epi8_mask, _mm256_loadu_si256,
    _mm256_set1_epi8, _mm256_sub_epi8, _mm512_and_si512, _mm512_broadcast_i32x4, _mm512_cmpeq_epi8_mask,
    _mm512_cmpneq_epi8_mask, _mm512_loadu_si512, _mm512_movepi8_mask, _mm512_or_si512, _mm512_set1_epi8,
    _mm512_shuffle_epi8, _mm512_srli_epi16, _mm512_storeu_si512, _mm512_subs_epu8, _mm512_test_epi8_mask,
    _mm512_xor_si512,
};

use super::avx2;
use super::simd::{Simd, Structure, outlined};
use super::utf8;

/// AVX-512 F, BW and VL.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx512;

#[inline(always)]
unsafe fn load(from: *const u8) -> __m512i {
    // SAFETY: the caller may read 64 bytes.
    unsafe { _mm512_loadu_si512(from.cast()) }
}

#[inline(always)]
unsafe fn text_marks(bytes: __m512i) -> u64 {
    // SAFETY: the processor has AVX-512BW.
    unsafe {
        _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(b'"' as i8))
            | _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(b'\\' as i8))
    }
}

impl Simd for Avx512 {
    #[inline(always)]
    unsafe fn differs_32(a: *const u8, b: *const u8) -> u32 {
        // SAFETY: the caller may read 32 bytes at both.
        unsafe { _mm256_cmpneq_epi8_mask(_mm256_loadu_si256(a.cast()), _mm256_loadu_si256(b.cast())) }
    }

    #[inline(always)]
    unsafe fn differs_64(a: *const u8, b: *const u8) -> u64 {
        // SAFETY: the caller may read 64 bytes at both.
        unsafe { _mm512_cmpneq_epi8_mask(load(a), load(b)) }
    }

    #[inline(always)]
    unsafe fn copy_text_64(from: *const u8, to: *mut u8) -> u64 {
        // SAFETY: the caller may read and write 64 bytes.
        unsafe {
            let bytes = load(from);
            _mm512_storeu_si512(to.cast(), bytes);
            text_marks(bytes)
        }
    }

    #[inline(always)]
    unsafe fn marks_64(from: *const u8) -> u64 {
        // SAFETY: the caller may read 64 bytes.
        unsafe { text_marks(load(from)) }
    }

    #[inline(always)]
    unsafe fn structure_64(from: *const u8) -> Structure {
        // SAFETY: the caller may read 64 bytes.
        unsafe {
            let bytes = load(from);
            let are = |byte: u8| _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(byte as i8));
            Structure { quotes: are(b'"'), marks: are(b',') | are(b':') }
        }
    }

    #[inline(always)]
    unsafe fn copy_64(from: *const u8, to: *mut u8) {
        // SAFETY: the caller may read and write 64 bytes.
        unsafe { _mm512_storeu_si512(to.cast(), load(from)) }
    }

    #[inline(always)]
    unsafe fn not_digits_32(from: *const u8) -> u32 {
        // SAFETY: the caller may read 32 bytes.
        unsafe {
            let digits = _mm256_sub_epi8(_mm256_loadu_si256(from.cast()), _mm256_set1_epi8(b'0' as i8));
            _mm256_cmpgt_epu8_mask(digits, _mm256_set1_epi8(9))
        }
    }

    #[inline(always)]
    unsafe fn digits_16(end: *const u8, count: usize) -> u64 {
        // SAFETY: the caller keeps the same contract; AVX-512 comes with AVX2.
        unsafe { avx2::digits_16(end, count) }
    }

    type Folded = __m512i;

    #[inline(always)]
    unsafe fn fold_64(from: *const u8) -> __m512i {
        // SAFETY: the caller may read 64 bytes.
        unsafe { load(from) }
    }

    #[inline(always)]
    unsafe fn folded(a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: the processor has AVX-512F.
        unsafe { _mm512_or_si512(a, b) }
    }

    #[inline(always)]
    unsafe fn has_high(folded: __m512i) -> bool {
        // SAFETY: the processor has AVX-512BW.
        unsafe { _mm512_movepi8_mask(folded) != 0 }
    }

    #[inline(always)]
    unsafe fn has_any(folded: __m512i) -> bool {
        // SAFETY: the processor has AVX-512BW.
        unsafe { _mm512_test_epi8_mask(folded, folded) != 0 }
    }

    #[inline(always)]
    unsafe fn utf8_faults_64(from: *const u8) -> __m512i {
        // SAFETY: the caller may read 64 bytes and three before them; the tables are 16 bytes.
        unsafe {
            let low_half = _mm512_set1_epi8(0x0F);
            let high = |bytes: __m512i| _mm512_and_si512(_mm512_srli_epi16::<4>(bytes), low_half);
            let look_up = |table: &[u8; 16], halves: __m512i| {
                let table = _mm512_broadcast_i32x4(_mm_loadu_si128(table.as_ptr().cast()));
                _mm512_shuffle_epi8(table, halves)
            };
            let (bytes, first) = (load(from), load(from.sub(1)));
            let (second, third) = (load(from.sub(2)), load(from.sub(3)));
            let faults = _mm512_and_si512(
                _mm512_and_si512(
                    look_up(&utf8::FIRST_HIGH, high(first)),
                    look_up(&utf8::FIRST_LOW, _mm512_and_si512(first, low_half)),
                ),
                look_up(&utf8::SECOND_HIGH, high(bytes)),
            );
            let continues = _mm512_or_si512(
                _mm512_subs_epu8(second, _mm512_set1_epi8(utf8::THREE_BEGIN as i8)),
                _mm512_subs_epu8(third, _mm512_set1_epi8(utf8::FOUR_BEGIN as i8)),
            );
            let continues = _mm512_and_si512(continues, _mm512_set1_epi8(-0x80));
            _mm512_xor_si512(continues, faults)
        }
    }

    outlined!(#[target_feature(enable = "avx2,avx512f,avx512bw,avx512vl,bmi1,bmi2,lzcnt,popcnt")]);
}
