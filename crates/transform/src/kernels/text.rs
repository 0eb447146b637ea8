//! Strings: found and copied in one step, escapes decoded.

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

/// What a search for the end of a string has found, in bytes from the lane on.
struct Found {
    length: usize,
    escaped: bool,
}

/// Finds the closing quote. The bytes before it may hold zeros of the record, yet the quote itself is not zero.
#[inline(always)]
unsafe fn find<S: Simd>(lane: Lane, bounds: &Bounds<'_>) -> Option<Found> {
    let left = bounds.end as usize - lane.at.as_ptr() as usize;
    let mut at = 0;
    let mut escaped = false;
    // SAFETY: `at` stays below `left`, so 64 bytes may be read there.
    unsafe {
        while at < left {
            let marks = S::marks_64(lane.at.as_ptr().add(at));
            if marks == 0 {
                at += 64;
                continue;
            }
            at += marks.trailing_zeros() as usize;
            if lane.at.as_ptr().add(at).read() == b'"' {
                return Some(Found { length: at, escaped });
            }
            // The backslash and what it escapes.
            escaped = true;
            at += 2;
        }
    }
    None
}

/// [`text`] for strings of 64 bytes and more, and for those with escapes.
///
/// # Safety
/// The lane is live.
#[inline(always)]
pub(super) unsafe fn long<S: Simd>(lane: Lane, bounds: &Bounds<'_>) -> Option<Lane> {
    // SAFETY: the text lies before its quote, inside the record; there is room for it, its length and one block more.
    unsafe {
        let found = find::<S>(lane, bounds)?;
        if !bounds.has_room_for(lane, found.length) {
            return None;
        }
        let behind = lane.at.add(found.length + 1);
        if !found.escaped {
            let out = push_length(found.length, lane.out);
            copy::<S>(lane.at.as_ptr(), out.as_ptr(), found.length);
            return Some(Lane { at: behind, out: out.add(found.length) });
        }
        let width = length_bytes(found.length);
        let from = lane.out.add(width);
        let length = decode::<S>(lane.at.as_ptr(), found.length, from.as_ptr())?;
        let out = push_length(length, lane.out);
        if out != from {
            // The text became so much shorter that its length needs fewer bytes.
            from.copy_to(out, length);
        }
        Some(Lane { at: behind, out: out.add(length) })
    }
}

/// Moves the lane behind the string behind whose opening quote it stands; none where it has escapes.
///
/// # Safety
/// The lane is live.
#[inline(always)]
pub(super) unsafe fn skip<S: Simd>(lane: Lane, bounds: &Bounds<'_>) -> Option<Lane> {
    // SAFETY: the closing quote lies inside the record.
    unsafe {
        let found = find::<S>(lane, bounds)?;
        (!found.escaped).then(|| Lane { at: lane.at.add(found.length + 1), out: lane.out })
    }
}

/// Copies `length` bytes in blocks; up to 63 bytes behind them are read and written too.
#[inline(always)]
unsafe fn copy<S: Simd>(from: *const u8, to: *mut u8, length: usize) {
    let mut at = 0;
    while at < length {
        // SAFETY: the blocks begin inside the text; zeros follow the record, and room the row.
        unsafe { S::copy_64(from.add(at), to.add(at)) };
        at += 64;
    }
}

/// Bytes of a length as ClickHouse writes it. Records of this path are far shorter than 2^21 bytes.
#[inline(always)]
fn length_bytes(length: usize) -> usize {
    1 + usize::from(length >= 1 << 7) + usize::from(length >= 1 << 14)
}

/// Writes a length below 2^21, seven bits a byte.
#[inline(always)]
pub(super) unsafe fn push_length(length: usize, out: std::ptr::NonNull<u8>) -> std::ptr::NonNull<u8> {
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

/// Decodes a text of `length` bytes, which a quote follows; returns how many bytes it became. None where an escape is
/// not one of JSON, or a surrogate stands alone.
#[inline(always)]
unsafe fn decode<S: Simd>(from: *const u8, length: usize, to: *mut u8) -> Option<usize> {
    let (mut read, mut written) = (0, 0);
    // SAFETY: `read` stays at or below `length`, `written` at or below `read`: an escape is longer than what it stands
    // for. The text was scanned before: each backslash is followed by a byte of the text.
    unsafe {
        while read < length {
            let marks = S::copy_text_64(from.add(read), to.add(written));
            let plain = (marks.trailing_zeros() as usize).min(length - read);
            read += plain;
            written += plain;
            if read == length {
                break;
            }
            if marks == 0 {
                continue;
            }
            let escaped = from.add(read + 1).read();
            let plain = ESCAPES[usize::from(escaped)];
            if plain != 0 {
                to.add(written).write(plain);
                read += 2;
                written += 1;
                continue;
            }
            if escaped != b'u' {
                return None;
            }
            let (code, bytes) = unicode(std::slice::from_raw_parts(from.add(read), length - read))?;
            written += push_utf8(code, to.add(written));
            read += bytes;
        }
    }
    Some(written)
}

/// The code point of a `\u` escape, or of a pair of them, with the bytes that it takes.
#[inline(always)]
fn unicode(text: &[u8]) -> Option<(u32, usize)> {
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
