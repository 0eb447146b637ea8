//! Sixteen bytes at once, in integers and vectors that every processor of its kind has.

use wide::i8x16;

/// The same byte in every lane.
pub(super) const fn every(byte: u8) -> u128 {
    u128::from_le_bytes([byte; 16])
}

/// The top bit of every lane.
const TOPS: u128 = every(0x80);

/// The bytes at `at`; behind the end of the record zeros.
#[inline(always)]
pub(super) fn load(bytes: &[u8], at: usize) -> u128 {
    match bytes.get(at..).and_then(<[u8]>::first_chunk) {
        Some(block) => u128::from_le_bytes(*block),
        None => load_end(bytes, at),
    }
}

#[cold]
#[inline(never)]
fn load_end(bytes: &[u8], at: usize) -> u128 {
    bytes
        .get(at..)
        .unwrap_or_default()
        .iter()
        .take(16)
        .rev()
        .fold(0, |block, byte| block << 8 | u128::from(*byte))
}

/// The byte at `at`; zero behind the end.
#[inline(always)]
pub(super) fn byte(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at).copied().unwrap_or(0)
}

/// The lower eight bytes.
#[inline(always)]
pub(super) const fn low(block: u128) -> u64 {
    #[expect(clippy::cast_possible_truncation, reason = "that is what is wanted")]
    let low = block as u64;
    low
}

/// One byte of a block.
#[inline(always)]
pub(super) const fn lane(block: u128, lane: u32) -> u8 {
    #[expect(clippy::cast_possible_truncation, reason = "that is what is wanted")]
    let byte = (block >> (8 * lane)) as u8;
    byte
}

/// The first lane whose top bit is set in `tops`, 16 where there is none.
#[inline(always)]
const fn first(tops: u128) -> u32 {
    tops.trailing_zeros() / 8
}

/// A bit for each byte that ends a run of plain text: a quote, a backslash, a control character or one beyond ASCII.
#[inline(always)]
pub(super) fn specials(block: [u8; 16]) -> u32 {
    let text = i8x16::new(block.map(u8::cast_signed));
    let quotes = text.simd_eq(i8x16::splat(b'"'.cast_signed()));
    let backslashes = text.simd_eq(i8x16::splat(b'\\'.cast_signed()));
    // Bytes beyond ASCII are negative here.
    let others = text.simd_lt(i8x16::splat(b' '.cast_signed()));
    (quotes | backslashes | others).to_bitmask()
}

/// The first of those bytes; 16 where there is none.
#[inline(always)]
pub(super) fn first_special(block: u128) -> u32 {
    (specials(block.to_le_bytes()) | 1 << 16).trailing_zeros()
}

/// How many digits the block begins with, and the block with digits as their values.
#[inline(always)]
pub(super) fn digits(block: u128) -> (u32, u128) {
    let values = block ^ every(b'0');
    // A lane of 10 to 127 overflows into its top bit, one beyond has it already.
    (first((values.wrapping_add(every(0x76)) | values) & TOPS), values)
}

/// The number that the first `count` digits make, of at most sixteen. The same work whatever the count is, since no processor
/// foresees how long numbers are.
#[inline(always)]
pub(super) fn number(values: u128, count: u32) -> u64 {
    debug_assert!((1..=16).contains(&count));
    // The last digit comes to the top, zeros before the first one.
    let digits = values << (8 * (16 - count));
    eight(low(digits)) * 100_000_000 + eight(low(digits >> 64))
}

/// The number that eight digits make.
#[inline(always)]
const fn eight(digits: u64) -> u64 {
    let pairs = (digits.wrapping_mul(10) + (digits >> 8)) & 0x00FF_00FF_00FF_00FF;
    let fours = (pairs.wrapping_mul(100) + (pairs >> 16)) & 0x0000_FFFF_0000_FFFF;
    (fours.wrapping_mul(10_000) + (fours >> 32)) & 0xFFFF_FFFF
}

/// Whether each lane is at most what `allowed` has for it, where the lanes are below 128.
#[inline(always)]
pub(super) const fn fits(lanes: u128, room: u128) -> bool {
    (lanes.wrapping_add(room) | lanes) & TOPS == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_end_in_zeros() {
        let bytes: Vec<u8> = (1..=20).collect();
        assert_eq!(load(&bytes, 2).to_le_bytes()[..3], [3, 4, 5]);
        assert_eq!(load(&bytes, 18).to_le_bytes()[..4], [19, 20, 0, 0]);
        assert_eq!((load(&bytes, 20), load(&bytes, 99), byte(&bytes, 20)), (0, 0, 0));
    }

    #[test]
    fn the_first_special_byte_is_found_in_every_lane() {
        for value in 0..=255_u8 {
            let is_special = matches!(value, b'"' | b'\\' | 0..=0x1f | 0x80..);
            for at in 0..16 {
                for behind in [b'a', b'"', 0x21, 0x23, 0x20, 0xff] {
                    let mut bytes = [b'a'; 16];
                    bytes[at..].fill(behind);
                    bytes[at] = value;
                    let expected = (0..16).find(|i| matches!(bytes[*i], b'"' | b'\\' | 0..=0x1f | 0x80..));
                    let expected = expected.map_or(16, |at| u32::try_from(at).unwrap());
                    assert!(!is_special || expected == u32::try_from(at).unwrap());
                    let block = u128::from_le_bytes(bytes);
                    assert_eq!(first_special(block), expected, "{bytes:?}");
                }
            }
        }
    }

    #[test]
    fn numbers_are_read() {
        for text in
            ["1", "12", "123", "1234567", "12345678", "900000009", "123456789012345", "9999999999999999"]
        {
            let (count, values) = digits(load(format!("{text},98765432109876543210").as_bytes(), 0));
            assert_eq!(count as usize, text.len());
            assert_eq!(number(values, count), text.parse::<u64>().unwrap());
        }
        assert_eq!(digits(load(b"/1", 0)).0, 0);
        assert_eq!(digits(load(b"1:2", 0)).0, 1);
        assert_eq!(digits(load(b"1\xb02", 0)).0, 1);
        assert_eq!(digits(load(b"1234567890123456", 0)).0, 16);
    }
}
