//! Whether a record is UTF-8: three look-ups a byte tell all faults of two bytes in a row, after "Validating UTF-8 In
//! Less Than One Instruction Per Byte" (Keiser, Lemire, 2021).
//!
//! Blocks are read with the three bytes before them, so that nothing is carried from block to block.

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

/// Whether the record is UTF-8: at one look where it is ASCII, else block by block.
///
/// `is_ascii` says whether that is worth a look, and then whether it was: producers repeat themselves.
///
/// The record is read where the caller has it, not in the copy of [`Padded`](super::padded::Padded), which was written a
/// moment ago: a processor waits for bytes that it has just written where blocks lie otherwise than they were written.
///
/// # Safety
/// The processor has the level's instructions.
#[inline(always)]
pub(super) unsafe fn is_utf8<S: Simd>(record: &[u8], is_ascii: &mut bool) -> bool {
    // A record begins with a brace and ends with one. The blocks in between have the bytes before them at hand.
    let len = record.len();
    if len < FIRST + BLOCK_BYTES {
        return std::str::from_utf8(record).is_ok();
    }
    let is_cut_off = record[len - 3] >= 0xF0 || record[len - 2] >= 0xE0 || record[len - 1] >= 0xC0;
    if (record[0] | record[1] | record[2]) & 0x80 != 0 || is_cut_off {
        return std::str::from_utf8(record).is_ok();
    }
    // The last block overlaps the one before it. No walk leaves early: where a text stops being ASCII no processor can
    // guess.
    let (start, last) = (record.as_ptr(), len - BLOCK_BYTES);
    // SAFETY: 64 bytes from each block on lie inside the record, and three before it too.
    unsafe {
        let mut all = S::fold_64(start.add(last));
        let mut at = FIRST;
        if *is_ascii {
            while at < last {
                all = S::folded(all, S::fold_64(start.add(at)));
                at += BLOCK_BYTES;
            }
            *is_ascii = !S::has_high(all);
            if *is_ascii {
                return true;
            }
            at = FIRST;
        }
        let mut faults = S::utf8_faults_64(start.add(last));
        while at < last {
            all = S::folded(all, S::fold_64(start.add(at)));
            faults = S::folded(faults, S::utf8_faults_64(start.add(at)));
            at += BLOCK_BYTES;
        }
        *is_ascii = !S::has_high(all);
        !S::has_any(faults)
    }
}

const BLOCK_BYTES: usize = 64;
/// The first byte with three before it.
const FIRST: usize = 3;
