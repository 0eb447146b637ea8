//! Strings: found and copied in one step, escapes decoded.

use std::ptr::NonNull;

use super::lane::{Bounds, Lane};
use super::simd::Simd;

/// Copies the string behind whose opening quote the lane stands, with its length before it.
///
/// # Safety
/// The lane is live.
#[inline(always)]
pub(super) unsafe fn text<S: Simd>(lane: Lane, bounds: &Bounds<'_>) -> Option<Lane> {
    if !bounds.has_room(lane) {
        return None;
    }
    // SAFETY: 64 bytes may be read, 65 written; a mark lies below 64, and what it marks is not zero.
    unsafe {
        let marks = S::copy_text_64(lane.at.as_ptr(), lane.out.as_ptr().add(1));
        let length = marks.trailing_zeros() as usize;
        if marks != 0 && lane.byte(length) == b'"' {
            // The length is below 64: one byte.
            lane.out.write(length as u8);
            return Some(Lane { at: lane.at.add(length + 1), out: lane.out.add(length + 1) });
        }
        S::long_text(lane, bounds)
    }
}

/// Bytes that are kept for a length before it is known: that of a text of 128 to 16,383 bytes.
const LENGTH_BYTES: usize = 2;

/// [`text`] for strings of 64 bytes and more, and for those with escapes: copied, and decoded on the way, behind the place
/// of their length.
///
/// # Safety
/// The lane is live.
#[inline(always)]
pub(super) unsafe fn long<S: Simd>(lane: Lane, bounds: &Bounds<'_>) -> Option<Lane> {
    let left = bounds.end as usize - lane.at.as_ptr() as usize;
    // A text becomes no longer than it stands in the record.
    if !bounds.has_room_for(lane, left) {
        return None;
    }
    let from = lane.at.as_ptr().cast_const();
    let (mut read, mut written) = (0, 0);
    // SAFETY: blocks begin inside the record (`read < left`), behind which 128 bytes may be read; what is written starts
    // `LENGTH_BYTES` behind the lane and is never ahead of what was read. All that is taken lies before a quote.
    unsafe {
        let text = lane.out.add(LENGTH_BYTES);
        let to = text.as_ptr();
        while read < left {
            let mut marks = S::marks_64(from.add(read));
            S::copy_64(from.add(read), to.add(written));
            // Bytes of the block that were taken.
            let mut taken = 0;
            while marks != 0 {
                let mark = marks.trailing_zeros() as usize;
                written += mark - taken;
                let at = from.add(read + mark);
                if at.read() == b'"' {
                    let out = place(lane.out, text, written);
                    return Some(Lane { at: lane.at.add(read + mark + 1), out });
                }
                let plain = ESCAPES[usize::from(at.add(1).read())];
                taken = if plain != 0 {
                    to.add(written).write(plain);
                    written += 1;
                    mark + 2
                } else {
                    let rest = left - read - mark;
                    let (code, bytes) = unicode(std::slice::from_raw_parts(at, rest))?;
                    written += push_utf8(code, to.add(written));
                    mark + bytes
                };
                if taken >= 64 {
                    break;
                }
                marks &= u64::MAX << taken;
                S::copy_64(from.add(read + taken), to.add(written));
            }
            written += 64usize.saturating_sub(taken);
            read += taken.max(64);
        }
    }
    None
}

/// Writes the length of a text before it, which moves where [`LENGTH_BYTES`] are not what the length needs; returns where
/// the text ends.
#[inline(always)]
unsafe fn place(out: NonNull<u8>, text: NonNull<u8>, length: usize) -> NonNull<u8> {
    // SAFETY: the caller has room for the text, and three bytes more.
    unsafe {
        let behind = out.add(length_bytes(length));
        if behind != text {
            text.copy_to(behind, length);
        }
        push_length(length, out).add(length)
    }
}

/// Moves the lane behind the string behind whose opening quote it stands; none where it has escapes.
///
/// # Safety
/// The lane is live.
#[inline(always)]
pub(super) unsafe fn skip<S: Simd>(lane: Lane, bounds: &Bounds<'_>) -> Option<Lane> {
    let left = bounds.end as usize - lane.at.as_ptr() as usize;
    let mut at = 0;
    // SAFETY: blocks begin inside the record; the closing quote lies inside it too.
    unsafe {
        while at < left {
            let marks = S::marks_64(lane.at.as_ptr().add(at));
            if marks != 0 {
                at += marks.trailing_zeros() as usize;
                let end = lane.at.add(at);
                return (end.read() == b'"').then(|| Lane { at: end.add(1), out: lane.out });
            }
            at += 64;
        }
    }
    None
}

/// Bytes of a length as ClickHouse writes it. Records of this path are far shorter than 2^21 bytes.
#[inline(always)]
fn length_bytes(length: usize) -> usize {
    1 + usize::from(length >= 1 << 7) + usize::from(length >= 1 << 14)
}

/// Writes a length below 2^21, seven bits a byte.
#[inline(always)]
pub(super) unsafe fn push_length(length: usize, out: NonNull<u8>) -> NonNull<u8> {
    debug_assert!(length < 1 << 21);
    // SAFETY: the caller has room for three bytes. Masked or below 128, each part fits its byte.
    unsafe {
        if length < 1 << 7 {
            out.write(length as u8);
            return out.add(1);
        }
        out.write((length & 0x7F) as u8 | 0x80);
        if length < 1 << 14 {
            out.add(1).write((length >> 7) as u8);
            return out.add(2);
        }
        out.add(1).write((length >> 7 & 0x7F) as u8 | 0x80);
        out.add(2).write((length >> 14) as u8);
        out.add(3)
    }
}

/// What the byte behind a backslash stands for; 0 where it is none of JSON's escapes, or `u`.
static ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table[b'/' as usize] = b'/';
    table[b'b' as usize] = 0x08;
    table[b'f' as usize] = 0x0C;
    table[b'n' as usize] = b'\n';
    table[b'r' as usize] = b'\r';
    table[b't' as usize] = b'\t';
    table
};

/// The code point of the `\u` escape at the beginning, or of a pair of them, with the bytes that it takes; none where it is
/// no such escape, or where a high surrogate stands alone.
#[inline(always)]
fn unicode(text: &[u8]) -> Option<(u32, usize)> {
    if text.get(1) != Some(&b'u') {
        return None;
    }
    let unit = hex(text.get(2..6)?)?;
    if !(0xD800..0xDC00).contains(&unit) {
        return Some((unit, 6));
    }
    if text.get(6..8)? != b"\\u" {
        return None;
    }
    let low = hex(text.get(8..12)?)?;
    (0xDC00..0xE000).contains(&low).then(|| (0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00), 12))
}

#[inline(always)]
fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |value, digit| Some(value << 4 | char::from(*digit).to_digit(16)?))
}

/// Writes a code point in UTF-8, a low surrogate too; returns how many bytes it has. The caller may write four.
#[inline(always)]
unsafe fn push_utf8(code: u32, to: *mut u8) -> usize {
    let tail = |shift: u32| (code >> shift & 0x3F) as u8 | 0x80;
    // SAFETY: four bytes may be written. Each head is masked by the range of its arm.
    unsafe {
        match code {
            0..0x80 => {
                to.write(code as u8);
                1
            }
            0x80..0x800 => {
                to.cast::<[u8; 2]>().write_unaligned([(code >> 6) as u8 | 0xC0, tail(0)]);
                2
            }
            0x800..0x1_0000 => {
                to.cast::<[u8; 3]>().write_unaligned([(code >> 12) as u8 | 0xE0, tail(6), tail(0)]);
                3
            }
            _ => {
                let bytes = [(code >> 18) as u8 | 0xF0, tail(12), tail(6), tail(0)];
                to.cast::<[u8; 4]>().write_unaligned(bytes);
                4
            }
        }
    }
}
