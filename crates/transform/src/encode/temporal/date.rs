//! Date and Date32: year, month and day, or a count of days.

use super::calendar;
use crate::encode::State;
use crate::encode::cursor::Cursor;
use crate::encode::fault::Fault;
use crate::encode::{number, string};
use crate::plan::IntKind;
use crate::reject::RejectCode;

/// 1900-01-01 and 2299-12-31.
const DATE32_DAYS: std::ops::RangeInclusive<i64> = -25_567..=120_529;
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
    let days = if c.peek() == b'"' {
        let days = text(c, s)?.unwrap_or(*DATE32_DAYS.start());
        days.clamp(*DATE32_DAYS.start(), *DATE32_DAYS.end())
    } else {
        count(4, true, c, s)?
    };
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
    let bytes = if raw.escaped { string::decode(&raw, s.lenient, &mut s.text)? } else { raw.bytes };
    let Some((year, month, day)) = year_month_day(bytes) else {
        return Err(Fault::new(RejectCode::InvalidDate, at, "the text is not a date: YYYY-MM-DD"));
    };
    let exists = (1..=12).contains(&month) && (1..=31).contains(&day);
    Ok(exists.then(|| calendar::days(year, month, day)))
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
    let mut at = 5;
    let mut one_or_two = || {
        let first = digit(at)?;
        at += 1;
        let Some(second) = digit(at) else { return Some(first) };
        at += 1;
        Some(first * 10 + second)
    };
    let month = one_or_two()?;
    let separator = if digit(6).is_some() { 7 } else { 6 };
    bytes.get(separator)?;
    let mut at = separator + 1;
    let mut one_or_two = || {
        let first = digit(at)?;
        at += 1;
        let Some(second) = digit(at) else { return Some(first) };
        at += 1;
        Some(first * 10 + second)
    };
    let day = one_or_two()?;
    (at == bytes.len()).then_some((year, month, day))
}
