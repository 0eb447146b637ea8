//! DateTime and DateTime64: text in many notations, or a number of seconds.

use super::best_effort::{self, Moment, TextFault};
use crate::encode::State;
use crate::encode::cursor::Cursor;
use crate::encode::fault::Fault;
use crate::encode::{number, string};
use crate::reject::RejectCode;

/// A DateTime: seconds in 32 bits, clamped.
pub(crate) fn date_time(
    zone: usize,
    c: &mut Cursor<'_>,
    s: &mut State,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    let seconds = if c.peek() == b'"' {
        moment(zone, false, c, s)?.seconds
    } else {
        let seconds = decimal(0, c, s, "a DateTime")?;
        i64::try_from(seconds).unwrap_or(if seconds < 0 { i64::MIN } else { i64::MAX })
    };
    let seconds = seconds.clamp(0, i64::from(u32::MAX));
    out.extend_from_slice(&seconds.to_le_bytes()[..4]);
    Ok(())
}

/// A DateTime64: ticks in 64 bits.
pub(crate) fn date_time_64(
    zone: usize,
    precision: u8,
    c: &mut Cursor<'_>,
    s: &mut State,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    let at = c.at;
    let ticks = if c.peek() == b'"' {
        moment(zone, true, c, s)?.ticks(precision)
    } else {
        i64::try_from(decimal(precision, c, s, "a DateTime64")?).ok()
    };
    let Some(ticks) = ticks else {
        let message = format!("the moment does not fit DateTime64({precision})");
        return Err(Fault::new(RejectCode::OutOfRange, at, message));
    };
    out.extend_from_slice(&ticks.to_le_bytes());
    Ok(())
}

fn moment(zone: usize, fractions: bool, c: &mut Cursor<'_>, s: &mut State) -> Result<Moment, Fault> {
    let at = c.at;
    let raw = string::scan(c)?;
    string::check_escapes(&raw, s)?;
    if let Some(moment) = best_effort::iso(raw.bytes, &mut s.zones[zone]) {
        return Ok(moment);
    }
    best_effort::parse(raw.bytes, fractions, &mut s.zones[zone]).map_err(|fault| match fault {
        TextFault::NoYear => Fault::new(
            RejectCode::DateTimeWithoutYear,
            at,
            "the text has no year, and the year of a clock is not taken",
        ),
        TextFault::Unreadable => {
            Fault::new(RejectCode::InvalidDateTime, at, "the text is not a date with time")
        }
    })
}

/// An unquoted number, scaled by the power of ten; what is behind its point then is cut off.
fn decimal(scale: u8, c: &mut Cursor<'_>, s: &mut State, what: &str) -> Result<i128, Fault> {
    let start = c.at;
    if !matches!(c.peek(), b'0'..=b'9' | b'-' | b'+' | b'.') {
        return Err(string::mismatch(c, s, what));
    }
    if s.lenient {
        c.at = lenient_end(c.bytes, start).ok_or_else(|| c.unexpected("a value"))?;
    } else {
        number::check_any(c, false)?;
    }
    scaled(&c.bytes[start..c.at], scale)
        .ok_or_else(|| Fault::new(RejectCode::OutOfRange, start, "the number is out of range for a moment"))
}

/// The end of the number that ClickHouse reads: it takes any number of points, of which the first counts, and an
/// exponent without digits.
fn lenient_end(bytes: &[u8], start: usize) -> Option<usize> {
    let run = |at: usize, is_part: fn(&u8) -> bool| {
        at + bytes[at..].iter().take_while(|byte| is_part(byte)).count()
    };
    let digits_at = start + usize::from(matches!(bytes.get(start), Some(b'-' | b'+')));
    let end = run(digits_at, |byte| byte.is_ascii_digit() || *byte == b'.');
    if !bytes[digits_at..end].iter().any(u8::is_ascii_digit) {
        return None;
    }
    if !matches!(bytes.get(end), Some(b'e' | b'E')) {
        return Some(end);
    }
    let sign = usize::from(matches!(bytes.get(end + 1), Some(b'-' | b'+')));
    let exponent_end = run(end + 1 + sign, u8::is_ascii_digit);
    // Behind a sign there has to be a digit.
    (sign == 0 || exponent_end > end + 2).then_some(exponent_end)
}

/// Digits of ClickHouse's widest number here.
const DIGITS_MAX: i32 = 38;

/// The number times a power of ten, cut off, as ClickHouse computes it: it keeps 38 digits, counted from the first
/// one that is not a leading zero, or from the point. Zeros count towards the exponent's limit, too.
fn scaled(text: &[u8], scale: u8) -> Option<i128> {
    let (mantissa, exponent) = match text.iter().position(|b| matches!(b, b'e' | b'E')) {
        Some(at) => (&text[..at], exponent(&text[at + 1..])?),
        None => (text, 0),
    };
    let mut value = 0i128;
    let mut digits = 0;
    // Zeros behind the point count once another digit follows.
    let mut zeros = 0;
    let mut behind_point = 0;
    let mut is_leading = true;
    let mut has_point = false;
    for byte in mantissa {
        match byte {
            b'.' => {
                has_point = true;
                is_leading = false;
            }
            b'0' if is_leading => {}
            b'0' if has_point => zeros += 1,
            b'0'..=b'9' => {
                is_leading = false;
                let places = zeros + 1;
                if digits + places > DIGITS_MAX {
                    if has_point {
                        break;
                    }
                    return None;
                }
                digits += places;
                behind_point += if has_point { places } else { 0 };
                zeros = 0;
                value = value * 10i128.pow(places.unsigned_abs()) + i128::from(byte - b'0');
            }
            _ => {}
        }
    }
    let exponent = exponent - i64::from(behind_point);
    // Here the server's exponent has no room left: it divides by zero, or the number becomes another one.
    if exponent <= i64::from(i32::MIN) {
        return None;
    }
    let shift = exponent + i64::from(scale);
    if i64::from(digits) + shift > i64::from(DIGITS_MAX) {
        return None;
    }
    let value = if text.first() == Some(&b'-') { -value } else { value };
    let power = 10i128.checked_pow(u32::try_from(shift.unsigned_abs()).ok()?);
    Some(match power {
        Some(power) if shift >= 0 => value * power,
        Some(power) => value / power,
        // Only a shift to the right gets here: the other one is bounded by the digits.
        None => 0,
    })
}

/// The exponent: none where ClickHouse has no room for it. Nothing is 0.
fn exponent(text: &[u8]) -> Option<i64> {
    if text.is_empty() {
        return Some(0);
    }
    let exponent: i32 = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(i64::from(exponent))
}
