//! Whether a record is UTF-8: three look-ups a byte tell all faults of two bytes in a row, after "Validating UTF-8 In
//! Less Than One Instruction Per Byte" (Keiser, Lemire, 2021).
//!
//! The zeros around the record stand in for bytes that would have to be carried from block to block: three bytes before
//! every block may be read, and a character that the end cuts off is found by the zero behind it.

use super::lane::Bounds;
use super::simd::Simd;

/// A byte that begins a character, and no byte that continues it.
const TOO_SHORT: u8 = 1 << 0;
/// ASCII, and a byte that continues a character.
const TOO_LONG: u8 = 1 << 1;
/// Three bytes for what two can say.
const OVERLONG_3: u8 = 1 << 2;
/// Beyond the last character, U+10FFFF.
const TOO_LARGE: u8 = 1 << 3;
/// Half of a surrogate pair.
const SURROGATE: u8 = 1 << 4;
/// Two bytes for what one can say.
const OVERLONG_2: u8 = 1 << 5;
/// Four bytes for what three can say, or far beyond the last character: the second byte tells which, both are faults.
const OVERLONG_4_OR_TOO_LARGE: u8 = 1 << 6;
/// Two bytes that continue a character: right only behind a beginning of three or four.
const TWO_CONTINUE: u8 = 1 << 7;
/// Faults that the lower half of the first byte has no say in.
const WHATEVER: u8 = TOO_SHORT | TOO_LONG | TWO_CONTINUE;

/// By the upper half of a byte: the faults that it may begin.
pub(super) static FIRST_HIGH: [u8; 16] = {
    let mut table = [TOO_LONG; 16];
    table[0x8] = TWO_CONTINUE;
    table[0x9] = TWO_CONTINUE;
    table[0xA] = TWO_CONTINUE;
    table[0xB] = TWO_CONTINUE;
    table[0xC] = TOO_SHORT | OVERLONG_2;
    table[0xD] = TOO_SHORT;
    table[0xE] = TOO_SHORT | OVERLONG_3 | SURROGATE;
    table[0xF] = TOO_SHORT | TOO_LARGE | OVERLONG_4_OR_TOO_LARGE;
    table
};

/// By the lower half of a byte.
pub(super) static FIRST_LOW: [u8; 16] = {
    let mut table = [WHATEVER | TOO_LARGE | OVERLONG_4_OR_TOO_LARGE; 16];
    table[0x0] = WHATEVER | OVERLONG_2 | OVERLONG_3 | OVERLONG_4_OR_TOO_LARGE;
    table[0x1] = WHATEVER | OVERLONG_2;
    table[0x2] = WHATEVER;
    table[0x3] = WHATEVER;
    table[0x4] = WHATEVER | TOO_LARGE;
    table[0xD] |= SURROGATE;
    table
};

/// By the upper half of the byte behind it: the faults that it makes true.
pub(super) static SECOND_HIGH: [u8; 16] = {
    let mut table = [TOO_SHORT; 16];
    table[0x8] = TOO_LONG | TWO_CONTINUE | OVERLONG_2 | OVERLONG_3 | OVERLONG_4_OR_TOO_LARGE;
    table[0x9] = TOO_LONG | TWO_CONTINUE | OVERLONG_2 | OVERLONG_3 | TOO_LARGE;
    table[0xA] = TOO_LONG | TWO_CONTINUE | OVERLONG_2 | SURROGATE | TOO_LARGE;
    table[0xB] = table[0xA];
    table
};

/// The least byte that begins three bytes, less the bit that marks: what is left of a byte above has that bit.
pub(super) const THREE_BEGIN: u8 = 0xE0 - 0x80;
/// The same of four bytes.
pub(super) const FOUR_BEGIN: u8 = 0xF0 - 0x80;

/// Whether the byte is wrong behind the three before it; `before[2]` is the nearest.
pub(super) fn is_fault(before: [u8; 3], byte: u8) -> bool {
    let [third, second, first] = before;
    let at = |half: u8| usize::from(half);
    let faults = FIRST_HIGH[at(first >> 4)] & FIRST_LOW[at(first & 0x0F)] & SECOND_HIGH[at(byte >> 4)];
    let continues = (second.saturating_sub(THREE_BEGIN) | third.saturating_sub(FOUR_BEGIN)) & TWO_CONTINUE;
    continues ^ faults != 0
}

/// Whether the record is UTF-8, block by block.
///
/// # Safety
/// The bounds are those of a live record, and the processor has the level's instructions.
#[inline(always)]
pub(super) unsafe fn is_utf8<S: Simd>(bounds: &Bounds<'_>) -> bool {
    let mut at = bounds.start;
    let mut is_open = false;
    // The block that begins with the first zero behind the record finds a character that is cut off.
    while at <= bounds.end {
        // SAFETY: the block begins inside the record or right behind it: 64 bytes from there and three before it lie
        // between the zeros around the record.
        unsafe {
            let has_high = S::has_high_64(at);
            if (has_high || is_open) && S::utf8_faults_64(at) {
                return false;
            }
            is_open = has_high;
            at = at.add(64);
        }
    }
    true
}
