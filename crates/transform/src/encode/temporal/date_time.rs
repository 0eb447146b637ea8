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
        let moment = moment(zone, true, c, s)?;
        i128::from(moment.seconds) * i128::from(power_of_ten(precision))
            + i128::from(fraction(&moment, precision))
    } else {
        decimal(precision, c, s, "a DateTime64")?
    };
    let Ok(ticks) = i64::try_from(ticks) else {
        let message = format!("the moment does not fit DateTime64({precision})");
        return Err(Fault::new(RejectCode::OutOfRange, at, message));
    };
    out.extend_from_slice(&ticks.to_le_bytes());
    Ok(())
}

fn power_of_ten(exponent: u8) -> i64 {
    10i64.pow(u32::from(exponent.min(18)))
}

/// The fraction in ticks; digits beyond the precision are cut off.
fn fraction(moment: &Moment, precision: u8) -> i64 {
    if moment.fraction_digits > precision {
        moment.fraction / power_of_ten(moment.fraction_digits - precision)
    } else {
        moment.fraction * power_of_ten(precision - moment.fraction_digits)
    }
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
    number::check_any(c, s.lenient)?;
    if c.bytes[start..c.at].iter().any(|b| matches!(b, b'n' | b'N')) {
        // `-inf` and `-nan`.
        return Err(Fault::json(start, "expected a number"));
    }
    let text = &c.bytes[start..c.at];
    // ClickHouse reads over an exponent without digits.
    if s.lenient && !text.iter().any(u8::is_ascii_alphabetic) && matches!(c.peek(), b'e' | b'E') {
        c.at += 1;
    }
    scaled(text, scale)
        .ok_or_else(|| Fault::new(RejectCode::OutOfRange, start, "the number is out of range for a moment"))
}

/// The number times a power of ten, cut off; none beyond 38 digits.
fn scaled(text: &[u8], scale: u8) -> Option<i128> {
    let negative = text.first() == Some(&b'-');
    let (mantissa, exponent) = match text.iter().position(|b| matches!(b, b'e' | b'E')) {
        Some(at) => (&text[..at], std::str::from_utf8(&text[at + 1..]).ok()?.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let mut value = 0i128;
    let mut behind_point = None;
    for byte in mantissa {
        match byte {
            b'.' => behind_point = Some(0i64),
            b'0'..=b'9' => {
                if behind_point.is_some_and(|n| n >= 20) {
                    continue;
                }
                value = value.checked_mul(10)?.checked_add(i128::from(byte - b'0'))?;
                behind_point = behind_point.map(|n| n + 1);
            }
            _ => {}
        }
    }
    let mut shift = exponent.checked_add(i64::from(scale))? - behind_point.unwrap_or(0);
    while shift > 0 && value != 0 {
        value = value.checked_mul(10)?;
        shift -= 1;
    }
    while shift < 0 && value != 0 {
        value /= 10;
        shift += 1;
    }
    Some(if negative { -value } else { value })
}
