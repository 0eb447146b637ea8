//! Date and Date32: year, month and day, or a count of days.

use crate::calendar;
use crate::encode::State;
use crate::encode::cursor::Cursor;
use crate::encode::fault::Fault;
use crate::encode::{number, string};
use crate::plan::IntKind;
use crate::reject::RejectCode;

/// 1900-01-01, which ClickHouse writes for dates that do not exist.
const DATE32_DAY_MIN: i64 = -25_567;
const DATE_DAYS_MAX: i64 = 65_535;

/// A Date.
pub(crate) fn date(c: &mut Cursor<'_>, s: &mut State, out: &mut Vec<u8>) -> Result<(), Fault> {
    let days = if c.peek() == b'"' {
        text(c, s)?.map_or(0, |days| days.clamp(0, DATE_DAYS_MAX))
    } else {
        count(2, false, c, s)?
    };
    out.extend_from_slice(&days.to_le_bytes()[..2]);
    Ok(())
}

/// A Date32.
pub(crate) fn date32(c: &mut Cursor<'_>, s: &mut State, out: &mut Vec<u8>) -> Result<(), Fault> {
    let days = if c.peek() == b'"' { text(c, s)?.unwrap_or(DATE32_DAY_MIN) } else { count(4, true, c, s)? };
    out.extend_from_slice(&days.to_le_bytes()[..4]);
    Ok(())
}

/// A number is a count of days.
fn count(bytes: usize, signed: bool, c: &mut Cursor<'_>, s: &mut State) -> Result<i64, Fault> {
    if matches!(c.peek(), b'[' | b'{') {
        return Err(string::mismatch(c, s, "a date"));
    }
    let value = number::integer_value(IntKind { bytes, signed }, c, s)?;
    // The low bytes are what is written.
    let [a, b, d, e, ..] = value.to_le_bytes();
    Ok(i64::from(i32::from_le_bytes([a, b, d, e])))
}

/// The days since 1970 of a text; none where month or day lie outside of the calendar.
fn text(c: &mut Cursor<'_>, s: &mut State) -> Result<Option<i64>, Fault> {
    let at = c.at;
    let raw = string::scan(c)?;
    string::check_escapes(&raw, s)?;
    let Some((year, month, day)) = year_month_day(raw.bytes) else {
        return Err(Fault::new(RejectCode::InvalidDate, at, "the text is not a date: YYYY-MM-DD"));
    };
    let exists = (1..=12).contains(&month) && (1..=31).contains(&day);
    Ok(exists.then(|| calendar::days(year, month, day)))
}

/// Whether the text is a date that a Date holds, its parts separated as dates are.
pub(super) fn is_date(text: &[u8]) -> bool {
    let is_separated = text.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'/' | b':'));
    let Some((year, month, day)) = year_month_day(text).filter(|_| is_separated) else { return false };
    (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..=DATE_DAYS_MAX).contains(&calendar::days(year, month, day))
}

/// Four digits, then month and day of one or two digits behind any byte; or eight digits.
fn year_month_day(bytes: &[u8]) -> Option<(i64, i64, i64)> {
    let digit = |at: usize| bytes.get(at).filter(|b| b.is_ascii_digit()).map(|b| i64::from(b - b'0'));
    let year = digit(0)? * 1000 + digit(1)? * 100 + digit(2)? * 10 + digit(3)?;
    if digit(4).is_some() {
        let month = digit(4)? * 10 + digit(5)?;
        let day = digit(6)? * 10 + digit(7)?;
        return (bytes.len() == 8).then_some((year, month, day));
    }
    bytes.get(4)?;
    let (month, at) = one_or_two(bytes, 5)?;
    bytes.get(at).filter(|b| !b.is_ascii_digit())?;
    let (day, at) = one_or_two(bytes, at + 1)?;
    (at == bytes.len()).then_some((year, month, day))
}

/// The number of one or two digits, and where it ends.
fn one_or_two(bytes: &[u8], at: usize) -> Option<(i64, usize)> {
    let digit = |at: usize| bytes.get(at).filter(|b| b.is_ascii_digit()).map(|b| i64::from(b - b'0'));
    let first = digit(at)?;
    Some(digit(at + 1).map_or((first, at + 1), |second| (first * 10 + second, at + 2)))
}
