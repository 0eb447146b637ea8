//! Time and Time64: hours, minutes and seconds, or a number of ticks.

use crate::encode::State;
use crate::encode::cursor::Cursor;
use crate::encode::fault::Fault;
use crate::encode::{number, string};
use crate::plan::IntKind;
use crate::reject::RejectCode;

/// A Time: seconds in 32 bits.
pub(crate) fn time(c: &mut Cursor<'_>, s: &mut State, out: &mut Vec<u8>) -> Result<(), Fault> {
    let bytes = ticks(4, None, c, s)?.to_le_bytes();
    out.extend_from_slice(&bytes[..4]);
    Ok(())
}

/// A Time64: ticks of `10^-precision` seconds in 64 bits.
pub(crate) fn time_64(
    precision: u8,
    c: &mut Cursor<'_>,
    s: &mut State,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    out.extend_from_slice(&ticks(8, Some(precision), c, s)?.to_le_bytes());
    Ok(())
}

/// A bare number is a count of ticks, as it stands.
fn ticks(bytes: usize, precision: Option<u8>, c: &mut Cursor<'_>, s: &mut State) -> Result<i64, Fault> {
    if c.peek() == b'"' {
        return text(precision, c, s);
    }
    if matches!(c.peek(), b'[' | b'{' | b't' | b'f') {
        return Err(string::mismatch(c, s, "a time"));
    }
    // The reader for Variants checks that 64 bits hold the number, whatever its type keeps of them.
    let bytes = if s.in_variant && s.lenient { 8 } else { bytes };
    let value = number::integer_value(IntKind { bytes, signed: true }, c, s)?.to_le_bytes();
    // The low bytes are what is written.
    let [a, b, d, e, f, g, h, i, ..] = value;
    Ok(i64::from_le_bytes([a, b, d, e, f, g, h, i]))
}

/// `-hhh:mm:ss`, `mm:ss` or `ss`, all numbers of two digits, the first also of one, and of three where it is hours; a fraction where the type
/// keeps one, digits beyond its precision cut off.
fn text(precision: Option<u8>, c: &mut Cursor<'_>, s: &mut State) -> Result<i64, Fault> {
    let at = c.at;
    let raw = string::scan(c)?;
    string::check_escapes(&raw, s)?;
    parse(raw.bytes, precision)
        .ok_or_else(|| Fault::new(RejectCode::InvalidTime, at, "the text is not a time: hh:mm:ss"))
}

fn parse(text: &[u8], precision: Option<u8>) -> Option<i64> {
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let end = text.iter().position(|byte| !byte.is_ascii_digit() && *byte != b':').unwrap_or(text.len());
    let (clock, fraction) = text.split_at(end);
    // Behind a minus, and only there, a fraction may stand alone.
    let clock = if negative && clock.is_empty() && fraction.first() == Some(&b'.') { b"0" } else { clock };
    let mut parts = clock.split(|byte| *byte == b':');
    let first = parts.next().filter(|part| (1..=3).contains(&part.len()))?;
    let mut seconds = number_of(first);
    let mut count = 1;
    for part in parts {
        if count == 3 || part.len() != 2 {
            return None;
        }
        seconds = seconds * 60 + number_of(part);
        count += 1;
    }
    if first.len() == 3 && count < 3 {
        return None;
    }
    let ticks = match precision {
        None => fraction.is_empty().then_some(seconds)?,
        Some(precision) => {
            let kept = match fraction {
                [] => 0,
                [b'.', digits @ ..] if digits.iter().all(u8::is_ascii_digit) => {
                    let kept = &digits[..digits.len().min(usize::from(precision))];
                    number_of(kept) * power(usize::from(precision) - kept.len())
                }
                _ => return None,
            };
            seconds * power(usize::from(precision)) + kept
        }
    };
    Some(if negative { -ticks } else { ticks })
}

/// The value of at most nine digits.
fn number_of(digits: &[u8]) -> i64 {
    digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'))
}

/// A power of ten below 10^10.
fn power(places: usize) -> i64 {
    (0..places).fold(1, |power, _| power * 10)
}
