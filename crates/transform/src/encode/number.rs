//! Integers, floats and Bool.

use super::State;
use super::cursor::Cursor;
use super::fault::Fault;
use super::string::mismatch;
use crate::plan::IntKind;
use crate::reject::RejectCode;

/// Digits that always fit 64 bits.
const SAFE_DIGITS: usize = 19;

/// A run of digits.
struct Digits {
    /// The value modulo 2^64.
    low: u64,
    count: usize,
    start: usize,
}

/// Reads the digits at the cursor.
#[inline]
fn digits(c: &mut Cursor<'_>) -> Digits {
    let start = c.at;
    let mut low = 0u64;
    while let Some(chunk) = c.rest().first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        if !all_digits(word) {
            break;
        }
        low = low.wrapping_mul(100_000_000).wrapping_add(eight_digits(word));
        c.at += 8;
    }
    while let Some(byte) = c.bytes.get(c.at) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        low = low.wrapping_mul(10).wrapping_add(u64::from(digit));
        c.at += 1;
    }
    Digits { low, count: c.at - start, start }
}

/// Whether all eight bytes are digits: the high nibble is 3, and stays 3 when 6 is added.
#[inline]
fn all_digits(word: u64) -> bool {
    let high = word & 0xF0F0_F0F0_F0F0_F0F0;
    let carried = word.wrapping_add(0x0606_0606_0606_0606) & 0xF0F0_F0F0_F0F0_F0F0;
    high == 0x3030_3030_3030_3030 && carried == 0x3030_3030_3030_3030
}

/// The value of eight digits: pairs, then fours, then all.
#[inline]
fn eight_digits(word: u64) -> u64 {
    let ones = word & 0x0F0F_0F0F_0F0F_0F0F;
    let pairs = ones.wrapping_mul(10).wrapping_add(ones >> 8) & 0x00FF_00FF_00FF_00FF;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_FFFF_0000_FFFF;
    fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xFFFF_FFFF
}

/// A number's sign and its magnitude modulo 2^128, and whether it is larger than that.
struct Magnitude {
    negative: bool,
    value: u128,
    overflow: bool,
}

/// Takes a sign; an unsigned type takes no minus.
#[inline]
pub(crate) fn sign(c: &mut Cursor<'_>, signed: bool) -> Result<Option<u8>, Fault> {
    let sign = Some(c.peek()).filter(|byte| matches!(byte, b'+' | b'-'));
    if sign == Some(b'-') && !signed {
        return Err(Fault::new(RejectCode::OutOfRange, c.at, "an unsigned integer takes no sign"));
    }
    c.at += usize::from(sign.is_some());
    Ok(sign)
}

/// Checks what stands behind the digits that begin at `first`: a sign needs digits and stands before them.
#[inline]
pub(crate) fn check_sign(c: &Cursor<'_>, start: usize, first: usize, sign: Option<u8>) -> Result<(), Fault> {
    if sign.is_some() && c.at == first {
        return Err(Fault::new(RejectCode::InvalidNumber, start, "a sign without digits"));
    }
    if matches!(c.peek(), b'+' | b'-') {
        return Err(Fault::new(RejectCode::InvalidNumber, c.at, "a sign inside a number"));
    }
    Ok(())
}

/// Reads sign and digits as ClickHouse does: a sign without digits is a fault, nothing at all is 0.
#[inline]
fn magnitude(c: &mut Cursor<'_>, signed: bool) -> Result<Magnitude, Fault> {
    let start = c.at;
    let sign = sign(c, signed)?;
    let negative = sign == Some(b'-');
    let digits = digits(c);
    check_sign(c, start, digits.start, sign)?;
    if digits.count <= SAFE_DIGITS {
        return Ok(Magnitude { negative, value: u128::from(digits.low), overflow: false });
    }
    let mut value = 0u128;
    let mut overflow = false;
    for byte in &c.bytes[digits.start..c.at] {
        let digit = u128::from(byte - b'0');
        overflow |= value.checked_mul(10).and_then(|v| v.checked_add(digit)).is_none();
        value = value.wrapping_mul(10).wrapping_add(digit);
    }
    Ok(Magnitude { negative, value, overflow })
}

impl Magnitude {
    fn fits(&self, kind: IntKind) -> bool {
        let bits = 8 * kind.bytes;
        let max = if !kind.signed {
            u128::MAX >> (128 - bits)
        } else if self.negative {
            1u128 << (bits - 1)
        } else {
            (1u128 << (bits - 1)) - 1
        };
        !self.overflow && self.value <= max
    }

    fn wrapped(&self) -> u128 {
        if self.negative { self.value.wrapping_neg() } else { self.value }
    }
}

/// An integer of any width.
#[inline]
pub(crate) fn integer(
    kind: IntKind,
    c: &mut Cursor<'_>,
    s: &mut State,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    // The common case: an unquoted number of at most 19 digits that starts with a digit from 1 to 9.
    let start = c.at;
    if matches!(c.peek(), b'1'..=b'9') {
        let digits = digits(c);
        let bits = 8 * kind.bytes - usize::from(kind.signed);
        let fits = digits.count <= SAFE_DIGITS && (bits >= 64 || digits.low >> bits == 0);
        if fits && matches!(c.peek(), b',' | b'}' | b']') {
            push_low(u128::from(digits.low), kind.bytes, out);
            return Ok(());
        }
        c.at = start;
    }
    let value = integer_value(kind, c, s)?;
    push_low(value, kind.bytes, out);
    Ok(())
}

#[inline]
fn push_low(value: u128, bytes: usize, out: &mut Vec<u8>) {
    let le = value.to_le_bytes();
    match bytes {
        1 => out.push(le[0]),
        2 => out.extend_from_slice(&le[..2]),
        4 => out.extend_from_slice(&le[..4]),
        8 => out.extend_from_slice(&le[..8]),
        _ => out.extend_from_slice(&le),
    }
}

/// The value of an integer, quoted or not, modulo 2^128.
pub(crate) fn integer_value(kind: IntKind, c: &mut Cursor<'_>, s: &mut State) -> Result<u128, Fault> {
    let start = c.at;
    // Up to 64 bits, the readers for a Variant check what the others wrap around.
    let strict = !s.lenient || (s.in_variant && kind.bytes <= 8);
    let value = integer_with(c, s, |c| {
        let magnitude = magnitude(c, kind.signed)?;
        if strict && !magnitude.fits(kind) {
            let sign = if kind.signed { "" } else { "U" };
            let message = format!("the number does not fit {sign}Int{}", 8 * kind.bytes);
            return Err(Fault::new(RejectCode::OutOfRange, start, message));
        }
        Ok(magnitude.wrapped())
    })?;
    Ok(match value {
        Read::Truth(truth) => u128::from(truth),
        Read::Number(value) => value,
    })
}

/// What stands where an integer should.
pub(crate) enum Read<N> {
    /// `true` or `false`.
    Truth(bool),
    /// A number.
    Number(N),
}

/// Reads an integer, quoted or not, whose sign and digits `read` takes.
pub(crate) fn integer_with<'a, N>(
    c: &mut Cursor<'a>,
    s: &mut State,
    read: impl FnOnce(&mut Cursor<'a>) -> Result<N, Fault>,
) -> Result<Read<N>, Fault> {
    let start = c.at;
    let quoted = c.eat(b'"');
    let word = |fault: Fault| if quoted { not_a_number(start) } else { fault };
    let value = match c.peek() {
        b't' => c.literal("true").map(|()| Read::Truth(true)).map_err(word)?,
        b'f' => c.literal("false").map(|()| Read::Truth(false)).map_err(word)?,
        b'[' | b'{' if !quoted => return Err(mismatch(c, s, "an integer")),
        _ => {
            if !quoted && !s.lenient {
                check_integer_token(c)?;
            }
            Read::Number(read(c)?)
        }
    };
    if quoted {
        if !c.eat(b'"') {
            return Err(not_a_number(start));
        }
    } else if matches!(c.peek(), b'.' | b'e' | b'E') {
        return Err(Fault::new(RejectCode::InvalidNumber, start, "a decimal number is not an integer"));
    }
    Ok(value)
}

#[cold]
fn not_a_number(at: usize) -> Fault {
    Fault::new(RejectCode::InvalidNumber, at, "the text is not an integer")
}

/// Refuses what JSON does not call a number: nothing, `+1`, `01`, `-`.
fn check_integer_token(c: &Cursor<'_>) -> Result<(), Fault> {
    let digits_at = c.at + usize::from(c.peek() == b'-');
    let digit = |at: usize| c.bytes.get(at).is_some_and(u8::is_ascii_digit);
    if !digit(digits_at) {
        return Err(c.unexpected("a value"));
    }
    if c.bytes[digits_at] == b'0' && digit(digits_at + 1) {
        return Err(Fault::json(c.at, "a number has a leading zero"));
    }
    Ok(())
}

/// The end of the JSON number at `start`.
pub(crate) fn json_number_end(bytes: &[u8], start: usize) -> Result<usize, Fault> {
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let run = |mut at: usize| {
        while digit(at) {
            at += 1;
        }
        at
    };
    let mut at = start + usize::from(bytes.get(start) == Some(&b'-'));
    if !digit(at) {
        let what = if start >= bytes.len() {
            "the record ends where a value should follow"
        } else {
            "expected a value"
        };
        return Err(Fault::json(start, what));
    }
    if bytes[at] == b'0' && digit(at + 1) {
        return Err(Fault::json(start, "a number has a leading zero"));
    }
    at = run(at);
    if bytes.get(at) == Some(&b'.') {
        if !digit(at + 1) {
            return Err(Fault::json(at, "a number has no digit behind its point"));
        }
        at = run(at + 1);
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        if !digit(at + 1 + sign) {
            return Err(Fault::json(at, "a number has no digit in its exponent"));
        }
        at = run(at + 1 + sign);
    }
    Ok(at)
}

/// The end of the number that ClickHouse reads as a float at `start`: also `+1`, `.5`, `1.`, `01`, `inf`, `NaN`.
fn lenient_float_end(bytes: &[u8], start: usize) -> Option<usize> {
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let run = |mut at: usize| {
        while digit(at) {
            at += 1;
        }
        at
    };
    let first = start + usize::from(matches!(bytes.get(start), Some(b'-' | b'+')));
    for word in [&b"infinity"[..], b"inf", b"nan"] {
        if bytes.get(first..first + word.len()).is_some_and(|text| text.eq_ignore_ascii_case(word)) {
            return Some(first + word.len());
        }
    }
    let whole = run(first);
    let mut at = whole;
    if bytes.get(at) == Some(&b'.') {
        at = run(at + 1);
        if at == whole + 1 && whole == first {
            return None;
        }
    } else if whole == first {
        return None;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        if digit(at + 1 + sign) {
            at = run(at + 1 + sign);
        }
    }
    Some(at)
}

/// Reads over a number whose text is kept.
pub(crate) fn check_any(c: &mut Cursor<'_>, lenient: bool) -> Result<(), Fault> {
    if !lenient {
        c.at = json_number_end(c.bytes, c.at)?;
        return Ok(());
    }
    let end = lenient_float_end(c.bytes, c.at).ok_or_else(|| c.unexpected("a value"))?;
    let number = &c.bytes[c.at..end];
    // Words such as `-inf` pass behind a sign, since only then a number is expected.
    let signed = matches!(number.first(), Some(b'-' | b'+'));
    if !signed && number.iter().any(|b| b.is_ascii_alphabetic() && !matches!(b, b'e' | b'E')) {
        return Err(c.unexpected("a value"));
    }
    c.at = end;
    Ok(())
}

/// The text of a number for a float, with the position behind it.
fn float_text<'a>(c: &mut Cursor<'a>, s: &mut State) -> Result<&'a [u8], Fault> {
    let start = c.at;
    let (from, end) = if c.peek() == b'"' {
        let end = lenient_float_end(c.bytes, start + 1).filter(|end| c.bytes.get(*end) == Some(&b'"'));
        let end = end.ok_or_else(|| {
            let fault = not_a_float(start);
            if is_odd_nan(&c.bytes[start..]) { fault.made_final() } else { fault }
        })?;
        c.at = end + 1;
        (start + 1, end)
    } else {
        if matches!(c.peek(), b'[' | b'{') {
            return Err(mismatch(c, s, "a float"));
        }
        let end = if s.lenient {
            lenient_float_end(c.bytes, start).ok_or_else(|| c.unexpected("a value"))?
        } else {
            json_number_end(c.bytes, start)?
        };
        c.at = end;
        (start, end)
    };
    Ok(&c.bytes[from + usize::from(c.bytes[from] == b'+')..end])
}

/// `true` or `false` where a number would stand, in quotes or not.
fn truth(c: &mut Cursor<'_>) -> Option<bool> {
    let texts: [(&[u8], bool); 4] =
        [(b"true", true), (b"false", false), (b"\"true\"", true), (b"\"false\"", false)];
    if !matches!(c.peek(), b't' | b'f' | b'"') {
        return None;
    }
    texts.iter().find(|(text, _)| c.eat_text(text)).map(|(_, truth)| *truth)
}

/// A Float64.
#[inline]
pub(crate) fn float64(c: &mut Cursor<'_>, s: &mut State, out: &mut Vec<u8>) -> Result<(), Fault> {
    let start = c.at;
    let value: f64 = match truth(c) {
        Some(truth) => f64::from(u8::from(truth)),
        None => fast_float2::parse(float_text(c, s)?).map_err(|_| not_a_float(start))?,
    };
    out.extend_from_slice(&value.to_le_bytes());
    Ok(())
}

/// A Float32, rounded once.
pub(crate) fn float32(c: &mut Cursor<'_>, s: &mut State, out: &mut Vec<u8>) -> Result<(), Fault> {
    let start = c.at;
    let value: f32 = match truth(c) {
        Some(truth) => f32::from(u8::from(truth)),
        None => fast_float2::parse(float_text(c, s)?).map_err(|_| not_a_float(start))?,
    };
    out.extend_from_slice(&value.to_le_bytes());
    Ok(())
}

/// A BFloat16: a Float32 whose low half is cut off, not rounded, as ClickHouse does it.
pub(crate) fn bfloat16(c: &mut Cursor<'_>, s: &mut State, out: &mut Vec<u8>) -> Result<(), Fault> {
    let start = out.len();
    float32(c, s, out)?;
    out.drain(start..start + 2);
    Ok(())
}

/// Takes the sign from a NaN of 2, 4 or 8 bytes.
pub(crate) fn without_sign_of_nan(bytes: &mut [u8]) {
    let is_nan = match *bytes {
        [a, b] => f32::from_le_bytes([0, 0, a, b]).is_nan(),
        [a, b, c, d] => f32::from_le_bytes([a, b, c, d]).is_nan(),
        [a, b, c, d, e, f, g, h] => f64::from_le_bytes([a, b, c, d, e, f, g, h]).is_nan(),
        _ => false,
    };
    if let (true, Some(high)) = (is_nan, bytes.last_mut()) {
        *high &= 0x7F;
    }
}

/// `nan(...)`, on which ClickHouse's verdict depends on the end of its buffer: no member of a Variant may be taken for it.
fn is_odd_nan(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"\"").unwrap_or(text);
    let text = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
    text.get(..4).is_some_and(|head| head.eq_ignore_ascii_case(b"nan("))
}

#[cold]
fn not_a_float(at: usize) -> Fault {
    Fault::new(RejectCode::InvalidNumber, at, "the text is not a number")
}

/// A Bool: `true`, `false`, `1`, `0`.
pub(crate) fn boolean(c: &mut Cursor<'_>, s: &mut State, out: &mut Vec<u8>) -> Result<(), Fault> {
    let value = match c.peek() {
        b't' => {
            c.literal("true")?;
            1
        }
        b'f' => {
            c.literal("false")?;
            0
        }
        // A Bool in a Variant is a word.
        byte @ (b'0' | b'1')
            if !s.in_variant && !matches!(c.bytes.get(c.at + 1), Some(b'0'..=b'9' | b'.' | b'e' | b'E')) =>
        {
            c.at += 1;
            byte - b'0'
        }
        _ => return Err(mismatch(c, s, "a Bool")),
    };
    out.push(value);
    Ok(())
}
