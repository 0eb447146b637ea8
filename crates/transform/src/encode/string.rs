//! Strings: found, copied, unescaped.

use super::State;
use super::cursor::Cursor;
use super::fault::Fault;
use super::{number, skip};
use crate::plan::push_length;
use crate::reject::RejectCode;

/// The text between two quotes, as it stands in the record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Raw<'a> {
    pub(crate) bytes: &'a [u8],
    /// Where the text starts in the record.
    pub(crate) at: usize,
    /// The text has escapes.
    pub(crate) escaped: bool,
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Marks the zero bytes of the word; the lowest mark is exact, which is the only one that is used.
#[inline]
fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGHS
}

/// The offset of the first quote or backslash.
#[inline]
fn find_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(chunk) = bytes[at..].first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        let marks = zero_bytes(word ^ (ONES * b'"' as u64)) | zero_bytes(word ^ (ONES * b'\\' as u64));
        if marks != 0 {
            return Some(at + (marks.trailing_zeros() / 8) as usize);
        }
        at += 8;
    }
    bytes[at..].iter().position(|b| matches!(b, b'"' | b'\\')).map(|offset| at + offset)
}

/// Finds the end of the string at whose opening quote the cursor stands, and moves behind its closing quote.
#[inline]
pub(crate) fn scan<'a>(c: &mut Cursor<'a>) -> Result<Raw<'a>, Fault> {
    let at = c.at + 1;
    let bytes = &c.bytes[at.min(c.bytes.len())..];
    match find_end(bytes) {
        Some(end) if bytes[end] == b'"' => {
            c.at = at + end + 1;
            Ok(Raw { bytes: &bytes[..end], at, escaped: false })
        }
        Some(end) => scan_escaped(c, at, end),
        None => Err(unterminated(c)),
    }
}

#[cold]
fn unterminated(c: &Cursor<'_>) -> Fault {
    Fault::json(c.bytes.len(), "the record ends inside a string")
}

fn scan_escaped<'a>(c: &mut Cursor<'a>, at: usize, first: usize) -> Result<Raw<'a>, Fault> {
    let bytes = &c.bytes[at..];
    let mut end = first;
    loop {
        if bytes[end] == b'"' {
            c.at = at + end + 1;
            return Ok(Raw { bytes: &bytes[..end], at, escaped: true });
        }
        // The backslash and what it escapes.
        end += 2;
        if end > bytes.len() {
            return Err(unterminated(c));
        }
        end += find_end(&bytes[end..]).ok_or_else(|| unterminated(c))?;
    }
}

/// Decodes the escapes of the text into the buffer, which it replaces.
pub(crate) fn decode<'b>(raw: &Raw<'_>, lenient: bool, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], Fault> {
    buffer.clear();
    let mut at = 0;
    while let Some(offset) = raw.bytes[at..].iter().position(|b| *b == b'\\') {
        buffer.extend_from_slice(&raw.bytes[at..at + offset]);
        at += offset;
        at += escape(&raw.bytes[at..], raw.at + at, lenient, buffer)?;
    }
    buffer.extend_from_slice(&raw.bytes[at..]);
    Ok(buffer)
}

/// Decodes a key of a tuple, which ClickHouse reads as a quoted name of SQL: `\xHH` is a byte, `\N` nothing, and what
/// is no escape there, `\u0061` too, stands as it is.
pub(crate) fn decode_quoted<'b>(raw: &Raw<'_>, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], Fault> {
    buffer.clear();
    let mut at = 0;
    while let Some(offset) = raw.bytes[at..].iter().position(|b| *b == b'\\') {
        buffer.extend_from_slice(&raw.bytes[at..at + offset]);
        at += offset + 2;
        // A backslash never ends the text, since it would have escaped the quote.
        let escaped = raw.bytes.get(at - 1).copied().unwrap_or(b'\\');
        match escaped {
            b'N' => {}
            b'x' => {
                let digits = raw.bytes.get(at..at + 2).ok_or_else(|| {
                    Fault::new(RejectCode::InvalidEscape, raw.at + at - 2, "`\\x` needs two digits")
                })?;
                at += 2;
                let digit = |byte: u8| (byte as char).to_digit(16).map_or(0xFF, |n| n.to_le_bytes()[0]);
                buffer.push(digit(digits[0]).wrapping_mul(16).wrapping_add(digit(digits[1])));
            }
            b'a' => buffer.push(0x07),
            b'b' => buffer.push(0x08),
            b'e' => buffer.push(0x1b),
            b'f' => buffer.push(0x0c),
            b'n' => buffer.push(b'\n'),
            b'r' => buffer.push(b'\r'),
            b't' => buffer.push(b'\t'),
            b'v' => buffer.push(0x0b),
            b'0' => buffer.push(0),
            b'\\' | b'"' | b'\'' | b'`' | b'/' | b'=' | 0..0x20 => buffer.push(escaped),
            other => buffer.extend_from_slice(&[b'\\', other]),
        }
    }
    buffer.extend_from_slice(&raw.bytes[at..]);
    Ok(buffer)
}

/// Checks the escapes of a text that is read as it stands: a backslash may be a separator for ClickHouse, but only
/// JSON's escapes are JSON.
pub(crate) fn check_escapes(raw: &Raw<'_>, s: &mut State) -> Result<(), Fault> {
    if raw.escaped && !s.lenient {
        decode(raw, false, &mut s.text)?;
    }
    Ok(())
}

/// Decodes one escape; returns how many bytes it has.
fn escape(bytes: &[u8], position: usize, lenient: bool, out: &mut Vec<u8>) -> Result<usize, Fault> {
    let fault = |message: &str| Fault::new(RejectCode::InvalidEscape, position, message);
    let byte = match bytes.get(1) {
        Some(b'u') => return unicode(bytes, position, lenient, out),
        Some(b'b') => 8,
        Some(b'f') => 0x0c,
        Some(b'n') => b'\n',
        Some(b'r') => b'\r',
        Some(b't') => b'\t',
        Some(byte @ (b'"' | b'\\' | b'/')) => *byte,
        Some(byte) if lenient => {
            // ClickHouse takes any other byte for itself.
            out.push(*byte);
            return Ok(2);
        }
        Some(_) => return Err(fault("JSON has no such escape")),
        None => return Err(fault("the text ends inside an escape")),
    };
    out.push(byte);
    Ok(2)
}

fn unicode(bytes: &[u8], position: usize, lenient: bool, out: &mut Vec<u8>) -> Result<usize, Fault> {
    let fault = |message: &str| Fault::new(RejectCode::InvalidEscape, position, message);
    let unit = hex(bytes, 2, lenient).ok_or_else(|| fault("a `\\u` escape has four hexadecimal digits"))?;
    if !(0xD800..0xDC00).contains(&unit) {
        push_utf8(u32::from(unit), out);
        return Ok(6);
    }
    if bytes.get(6) != Some(&b'\\') || bytes.get(7) != Some(&b'u') {
        return Err(fault("a high surrogate without its low one"));
    }
    let low = hex(bytes, 8, lenient).ok_or_else(|| fault("a `\\u` escape has four hexadecimal digits"))?;
    if !(0xDC00..0xE000).contains(&low) {
        return Err(fault("a high surrogate without its low one"));
    }
    push_utf8(0x1_0000 + ((u32::from(unit) - 0xD800) << 10) + (u32::from(low) - 0xDC00), out);
    Ok(12)
}

/// Four hexadecimal digits; ClickHouse reads any other byte as 0xFF.
fn hex(bytes: &[u8], at: usize, lenient: bool) -> Option<u16> {
    let digits = bytes.get(at..at + 4)?;
    let digit = |byte: u8| match (byte as char).to_digit(16) {
        Some(digit) => u16::try_from(digit).ok(),
        // ClickHouse takes any byte. These end the text, or would: nobody means that.
        None => (lenient && !matches!(byte, b'"' | b'\\')).then_some(0xFF),
    };
    digits.iter().try_fold(0u16, |unit, byte| Some(unit.wrapping_mul(16).wrapping_add(digit(*byte)?)))
}

/// Appends the code point in UTF-8; a low surrogate that stands alone too.
fn push_utf8(code: u32, out: &mut Vec<u8>) {
    // Masked to 6 bits and below, every cast keeps its value.
    let tail = |shift: u32| ((code >> shift) & 0x3F).to_le_bytes()[0] | 0x80;
    let head = |shift: u32, mark: u8| (code >> shift).to_le_bytes()[0] | mark;
    match code {
        0..0x80 => out.push(head(0, 0)),
        0x80..0x800 => out.extend_from_slice(&[head(6, 0xC0), tail(0)]),
        0x800..0x1_0000 => out.extend_from_slice(&[head(12, 0xE0), tail(6), tail(0)]),
        _ => out.extend_from_slice(&[head(18, 0xF0), tail(12), tail(6), tail(0)]),
    }
}

#[inline]
fn push_text(text: &[u8], out: &mut Vec<u8>) {
    push_length(text.len(), out);
    out.extend_from_slice(text);
}

/// A String: quoted text, or the raw text of anything else.
#[inline]
pub(crate) fn string(c: &mut Cursor<'_>, s: &mut State, out: &mut Vec<u8>) -> Result<(), Fault> {
    if c.peek() != b'"' {
        return raw_text(c, s, out);
    }
    let raw = scan(c)?;
    if raw.escaped {
        push_text(decode(&raw, s.lenient, &mut s.text)?, out);
    } else {
        push_text(raw.bytes, out);
    }
    Ok(())
}

fn raw_text(c: &mut Cursor<'_>, s: &mut State, out: &mut Vec<u8>) -> Result<(), Fault> {
    let start = c.at;
    match c.peek() {
        b'{' | b'[' if s.lenient => skip::brackets(c, s)?,
        b'{' | b'[' => skip::value_strict(c, s)?,
        b't' => c.literal("true")?,
        b'f' => c.literal("false")?,
        _ => number::check_any(c, s.lenient)?,
    }
    push_text(&c.bytes[start..c.at], out);
    Ok(())
}

/// A FixedString: quoted text of at most its length.
pub(crate) fn fixed_string(
    bytes: usize,
    c: &mut Cursor<'_>,
    s: &mut State,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    let at = c.at;
    let raw = quoted(c, s, "a FixedString")?;
    let text = if raw.escaped { decode(&raw, s.lenient, &mut s.text)? } else { raw.bytes };
    if text.len() > bytes {
        let message = format!("the text has {} bytes, the column {bytes}", text.len());
        return Err(Fault::new(RejectCode::StringTooLong, at, message));
    }
    out.extend_from_slice(text);
    out.resize(out.len() + bytes - text.len(), 0);
    Ok(())
}

/// The quoted text that a type needs.
pub(crate) fn quoted<'a>(c: &mut Cursor<'a>, s: &mut State, what: &str) -> Result<Raw<'a>, Fault> {
    if c.peek() == b'"' {
        return scan(c);
    }
    Err(mismatch(c, s, what))
}

/// The fault of a value of the wrong kind, or of what is no JSON value.
#[cold]
pub(crate) fn mismatch(c: &mut Cursor<'_>, s: &mut State, what: &str) -> Fault {
    let at = c.at;
    match skip::value(c, s) {
        Ok(()) => {
            Fault::new(RejectCode::TypeMismatch, at, format!("{what} does not take this kind of value"))
        }
        Err(fault) => fault,
    }
}
