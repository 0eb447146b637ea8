//! Copies of a record with small changes: what a producer sends again and again, and now and then breaks.

use crate::input::Input;

/// A copy of the record with the change that the bytes choose.
pub(crate) fn copy(record: &[u8], input: &mut Input<'_>) -> Vec<u8> {
    let mut copy = record.to_vec();
    if copy.is_empty() {
        return copy;
    }
    let change = input.below(16);
    let place = (input.below(256) << 8 | input.below(256)) % copy.len();
    match change {
        // As it was.
        0 | 1 => {}
        // Other digits of the same length: the shape stays.
        2..=4 => {
            let by = input.byte() % 10;
            for byte in copy[place..].iter_mut().filter(|byte| byte.is_ascii_digit()) {
                *byte = b'0' + (*byte - b'0' + by) % 10;
            }
        }
        // Other letters.
        5 => {
            for byte in copy[place..].iter_mut().filter(|byte| byte.is_ascii_lowercase()).take(3) {
                *byte = b'a' + (*byte - b'a' + 1) % 26;
            }
        }
        // A longer or a shorter value.
        6..=8 => {
            let count = input.below(70);
            let byte = if copy[place].is_ascii_digit() { b'7' } else { b'x' };
            copy.splice(place..place, std::iter::repeat_n(byte, count));
        }
        9 => {
            let end = (place + 1 + input.below(8)).min(copy.len());
            copy.drain(place..end);
        }
        // A byte of any kind, in place of one or between two.
        10 => copy[place] = input.byte(),
        11 => copy.insert(place, input.byte()),
        12 => {
            let odd = input.pick(&[
                " ", "\"", "\\", "\\u00e9", "null", "{", "}", "[", "]", ",", ":", "-", "1e5", "é", "\t",
                ",\"a\":1",
            ]);
            copy.splice(place..place, odd.bytes());
        }
        // The value behind a colon becomes null.
        13 => {
            if let Some(colon) = copy[place..].iter().position(|byte| *byte == b':') {
                let start = place + colon + 1;
                let length = copy[start..].iter().position(|byte| matches!(byte, b',' | b'}')).unwrap_or(0);
                copy.splice(start..start + length, *b"null");
            }
        }
        14 => copy.truncate(place),
        // A key in other letter case.
        _ => {
            let letter = copy[place..].iter_mut().find(|byte| byte.is_ascii_alphabetic());
            if let Some(letter) = letter {
                *letter ^= 0x20;
            }
        }
    }
    copy
}
