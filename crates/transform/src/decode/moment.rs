//! Dates and moments as text.

use chrono::{NaiveDate, NaiveDateTime, TimeDelta};

use super::json;
use crate::encode::ZoneMemo;
use crate::zone::TimeZone;

// These dates exist: the compiler evaluates the constants, and a wrong one is no program.
const EPOCH: NaiveDate = NaiveDate::from_ymd_opt(1970, 1, 1).expect("1970-01-01 is a date");
/// ClickHouse prints no date behind this one, and none before the year 0.
const LAST: NaiveDate = NaiveDate::from_ymd_opt(9999, 12, 31).expect("9999-12-31 is a date");
const FIRST: NaiveDate = NaiveDate::from_ymd_opt(0, 1, 1).expect("0000-01-01 is a date");

/// The years 0 to 9999 in any zone.
const SECONDS: std::ops::Range<i64> = -62_167_305_600..253_402_387_200;

/// Appends the date that is so many days after 1970-01-01.
pub(super) fn date(days: i64, out: &mut String) {
    let date = TimeDelta::try_days(days).and_then(|delta| EPOCH.checked_add_signed(delta));
    let date = date.unwrap_or(if days < 0 { FIRST } else { LAST }).clamp(FIRST, LAST);
    json::push(out, format_args!("\"{date}\""));
}

/// Appends a moment in the zone's time: `ticks` of `10^-precision` seconds since 1970.
pub(super) fn moment(ticks: i64, precision: u8, zone: TimeZone, out: &mut String) {
    let second = 10i64.pow(u32::from(precision.min(18)));
    let (seconds, mut fraction) = (ticks.div_euclid(second), ticks.rem_euclid(second));
    let local = Some(seconds)
        .filter(|seconds| SECONDS.contains(seconds))
        .and_then(|seconds| TimeDelta::try_seconds(seconds + ZoneMemo::new(zone).offset(seconds)))
        .and_then(|delta| NaiveDateTime::from(EPOCH).checked_add_signed(delta))
        .filter(|local| (FIRST..=LAST).contains(&local.date()));
    match local {
        Some(local) => json::push(out, format_args!("\"{}", local.format("%Y-%m-%d %H:%M:%S"))),
        None => {
            fraction = 0;
            out.push_str(if ticks < 0 { "\"0000-01-01 00:00:00" } else { "\"9999-12-31 23:59:59" });
        }
    }
    if precision > 0 {
        json::push(out, format_args!(".{fraction:0width$}", width = usize::from(precision)));
    }
    out.push('"');
}

/// Appends a time: `ticks` of `10^-precision` seconds; of larger ones ClickHouse prints the last second that it knows.
pub(super) fn time(ticks: i64, precision: u8, out: &mut String) {
    let second = 10i64.pow(u32::from(precision.min(18)));
    let last = 999 * 3600 + 59 * 60 + 59;
    let magnitude = ticks.checked_abs().unwrap_or(i64::MAX);
    let (seconds, fraction) = ((magnitude / second).min(last), magnitude % second);
    let sign = if ticks < 0 { "-" } else { "" };
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    json::push(out, format_args!("\"{sign}{hours:02}:{minutes:02}:{:02}", seconds % 60));
    if precision > 0 {
        json::push(out, format_args!(".{fraction:0width$}", width = usize::from(precision)));
    }
    out.push('"');
}
