//! Every level of instructions that is at hand says of random bytes what a loop over them says.

use proptest::prelude::*;

use super::portable::Portable;
use super::simd::Simd;
use super::{has, utf8};
use crate::engine::Level;

/// Runs a generic check with every level that the processor has.
macro_rules! on_every_level {
    ($check:ident($($argument:expr),*)) => {
        if has(Level::Portable) {
            $check::<Portable>($($argument),*)?;
        }
        #[cfg(target_arch = "x86_64")]
        {
            if has(Level::Avx2) {
                $check::<super::avx2::Avx2>($($argument),*)?;
            }
            if has(Level::Avx512) {
                $check::<super::avx512::Avx512>($($argument),*)?;
            }
        }
        #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
        if has(Level::Neon) {
            $check::<super::neon::Neon>($($argument),*)?;
        }
    };
}

/// A bit for each byte of which `is_marked` is true, the first byte's lowest.
fn marks(bytes: &[u8], is_marked: impl Fn(u8) -> bool) -> u64 {
    assert!(bytes.len() <= 64);
    bytes.iter().rev().fold(0, |marks, byte| marks << 1 | u64::from(is_marked(*byte)))
}

fn is_text_mark(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\')
}

fn check_text<S: Simd>(bytes: &[u8]) -> Result<(), TestCaseError> {
    const BEHIND: usize = 64;
    const UNTOUCHED: u8 = 0xA5;
    let expected = marks(&bytes[..64], is_text_mark);
    // SAFETY: the processor has the level, and there are 64 bytes.
    prop_assert_eq!(unsafe { S::marks_64(bytes.as_ptr()) }, expected);
    // SAFETY: as above.
    let has_high = unsafe { S::has_high(S::fold_64(bytes.as_ptr())) };
    prop_assert_eq!(has_high, bytes[..64].iter().any(|byte| *byte > 0x7F));

    // SAFETY: as above.
    let structure = unsafe { S::structure_64(bytes.as_ptr()) };
    prop_assert_eq!(structure.quotes, marks(&bytes[..64], |byte| byte == b'"'));
    prop_assert_eq!(structure.marks, marks(&bytes[..64], |byte| matches!(byte, b',' | b':')));

    let mut copy = [UNTOUCHED; 64 + BEHIND];
    // SAFETY: the processor has the level, and both sides have 64 bytes.
    let found = unsafe { S::copy_text_64(bytes.as_ptr(), copy.as_mut_ptr()) };
    prop_assert_eq!(found.trailing_zeros(), expected.trailing_zeros());
    prop_assert_eq!(found & !expected, 0, "what is no mark was marked");
    let copied = (expected.trailing_zeros() as usize + 1).min(64);
    prop_assert_eq!(&copy[..copied], &bytes[..copied]);
    prop_assert_eq!(&copy[64..], &[UNTOUCHED; BEHIND]);

    let mut copy = [UNTOUCHED; 64 + BEHIND];
    // SAFETY: as above.
    unsafe { S::copy_64(bytes.as_ptr(), copy.as_mut_ptr()) };
    prop_assert_eq!(&copy[..64], &bytes[..64]);
    prop_assert_eq!(&copy[64..], &[UNTOUCHED; BEHIND]);
    Ok(())
}

fn check_differs<S: Simd>(a: &[u8], b: &[u8]) -> Result<(), TestCaseError> {
    let differences: Vec<u8> = a.iter().zip(b).map(|(a, b)| a ^ b).collect();
    let expected = marks(&differences[..64], |difference| difference != 0);
    // SAFETY: the processor has the level, and there are 64 bytes on both sides.
    let (half, whole) =
        unsafe { (S::differs_32(a.as_ptr(), b.as_ptr()), S::differs_64(a.as_ptr(), b.as_ptr())) };
    prop_assert_eq!(whole, expected);
    prop_assert_eq!(u64::from(half), expected & 0xFFFF_FFFF);
    Ok(())
}

fn check_not_digits<S: Simd>(bytes: &[u8]) -> Result<(), TestCaseError> {
    let expected = marks(&bytes[..32], |byte| !byte.is_ascii_digit());
    // SAFETY: the processor has the level, and there are 32 bytes.
    prop_assert_eq!(u64::from(unsafe { S::not_digits_32(bytes.as_ptr()) }), expected);
    Ok(())
}

/// Sixteen bytes of which the last `count` are digits.
fn check_digits<S: Simd>(bytes: &[u8], count: usize) -> Result<(), TestCaseError> {
    let digits = &bytes[16 - count..16];
    let expected = digits.iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0'));
    // SAFETY: the processor has the level, and 16 bytes lie before the end.
    let value = unsafe { S::digits_16(bytes.as_ptr().add(16), count) };
    prop_assert_eq!(value, expected);
    Ok(())
}

/// Bytes of records, those around the limits of the comparisons, and any.
fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![
        8 => b'0'..=b'9',
        4 => b'a'..=b'z',
        1 => prop::sample::select(b"\"\\!#[]/:,+-;\0\x7F\x80\xA2\xAF\xB0\xB9\xDC\xFF".to_vec()),
        1 => any::<u8>(),
    ]
}

/// Any alignment: the bytes are read from this place on.
fn block() -> impl Strategy<Value = (Vec<u8>, usize)> {
    (prop::collection::vec(byte(), 128), 0usize..64)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn on_blocks((bytes, from) in block()) {
        on_every_level!(check_text(&bytes[from..]));
        on_every_level!(check_not_digits(&bytes[from..]));
    }

    #[test]
    fn on_differences(
        (bytes, from) in block(),
        other in 0usize..64,
        changes in prop::collection::vec((0usize..64, any::<u8>()), 0..5),
    ) {
        let mut changed = vec![0; other];
        changed.extend_from_slice(&bytes[from..from + 64]);
        for (at, byte) in changes {
            changed[other + at] = byte;
        }
        on_every_level!(check_differs(&bytes[from..], &changed[other..]));
    }

    #[test]
    fn on_digits(
        (mut bytes, from) in block(),
        digits in prop::collection::vec(b'0'..=b'9', 16),
        count in 1usize..=16,
    ) {
        bytes[from + 16 - count..from + 16].copy_from_slice(&digits[..count]);
        on_every_level!(check_digits(&bytes[from..], count));
    }
}

/// Each byte at each place, with nothing else around it.
#[test]
fn on_every_byte_at_every_place() -> Result<(), TestCaseError> {
    for filler in [b'0', b' ', 0, 0xFF] {
        for at in 0..64 {
            for byte in 0..=u8::MAX {
                let mut bytes = [filler; 64];
                bytes[at] = byte;
                on_every_level!(check_text(&bytes));
                on_every_level!(check_not_digits(&bytes));
                on_every_level!(check_differs(&bytes, &[filler; 64]));
            }
        }
    }
    Ok(())
}

/// The least and the greatest value of every length, with every byte before the digits.
#[test]
fn on_every_length_of_digits() -> Result<(), TestCaseError> {
    for before in 0..=u8::MAX {
        for count in 1..=16 {
            for digit in [b'0', b'1', b'9'] {
                let mut bytes = [before; 16];
                bytes[16 - count..].fill(digit);
                on_every_level!(check_digits(&bytes, count));
            }
        }
    }
    Ok(())
}

fn check_utf8<S: Simd>(record: &[u8]) -> Result<(), TestCaseError> {
    for is_ascii in [true, false] {
        // SAFETY: the processor has the level.
        let is_utf8 = unsafe { S::is_utf8(record, &mut is_ascii.clone()) };
        prop_assert_eq!(is_utf8, std::str::from_utf8(record).is_ok(), "{:?}", record);
    }
    Ok(())
}

/// Every four of the bytes at which UTF-8 changes its mind, at the beginning of a record, across two blocks, and where
/// the record ends.
#[test]
fn on_utf8() -> Result<(), TestCaseError> {
    const EDGES: [u8; 20] = [
        0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xED, 0xEF, 0xF0,
        0xF3, 0xF4, 0xF5,
    ];
    let mut record = Vec::new();
    for number in 0..EDGES.len().pow(4) {
        let edge = |digit: u32| EDGES[number / EDGES.len().pow(digit) % EDGES.len()];
        let four = [0, 1, 2, 3].map(edge);
        let (before, behind) = [(0, 0), (64, 0), (3, 61), (65, 70), (63, 0), (1, 90)][number % 6];
        record.clear();
        record.resize(before, b'a');
        record.extend_from_slice(&four);
        record.resize(before + 4 + behind, b'a');
        on_every_level!(check_utf8(&record));
    }
    Ok(())
}

proptest! {
    #[test]
    fn on_texts_of_utf8(text in "[a-z é日𝄞\u{7ff}\u{800}\u{ffff}\u{10ffff}]{0,120}", at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = text.into_bytes();
        on_every_level!(check_utf8(&bytes));
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] = byte;
            on_every_level!(check_utf8(&bytes));
            on_every_level!(check_utf8(&bytes[..at]));
            on_every_level!(check_utf8(&bytes[at..]));
        }
    }
}

/// What the blocks say is what the table says byte by byte.
#[test]
fn on_faults_of_utf8() -> Result<(), TestCaseError> {
    fn check<S: Simd>(bytes: &[u8]) -> Result<(), TestCaseError> {
        let expected = bytes.windows(4).any(|four| utf8::is_fault([four[0], four[1], four[2]], four[3]));
        // SAFETY: the processor has the level, and three bytes lie before the 64.
        prop_assert_eq!(unsafe { S::has_any(S::utf8_faults_64(bytes.as_ptr().add(3))) }, expected);
        Ok(())
    }
    for first in 0..=u8::MAX {
        for second in 0..=u8::MAX {
            let at = 3 + usize::from(first.wrapping_mul(7) ^ second) % 62;
            let mut bytes = [b'a'; 67];
            bytes[at] = first;
            bytes[at + 1] = second;
            on_every_level!(check(&bytes));
        }
    }
    Ok(())
}
