//! Every time zone, compared with ClickHouse where `CLICKHOUSE_URL` names one: local times around each change of
//! the clocks that the server knows of, and at random.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are test code too")]

mod support;

use std::fmt::Write as _;
use std::sync::Arc;

use housepipe_transform::{Columns, Encoder, Plan, PlanOptions, TimeZone};
use support::oracle::Oracle;

const DAY_SECONDS: i64 = 86_400;
const QUARTER_SECONDS: i64 = 900;
/// The years of ClickHouse's table of days, from 1900-01-01 to 2300-01-01.
const TABLE_SECONDS: std::ops::Range<i64> = -2_208_988_800..10_413_792_000;
/// Around changes until then every quarter of an hour is compared; the rules behind it are the same every year.
const HISTORY_END: i64 = 2_208_988_800; // 2040-01-01
const TIMES_PER_LATER_CHANGE: usize = 4;
/// After 400 years the calendar repeats itself, weekdays included.
const CALENDAR_SECONDS: i64 = 146_097 * DAY_SECONDS;
const RANDOM_TIMES: usize = 400;
/// Random times go beyond the table: 1800-01-01 to 2500-01-01.
const RANDOM_SECONDS: std::ops::Range<i64> = -5_364_662_400..16_725_225_600;
/// A query has 256 KiB at most, and a time 22 bytes.
const TIMES_PER_QUERY: usize = 10_000;

const WRONG_SHOWN_MAX: usize = 50;

/// A generator of numbers (Marsaglia's xorshift): every run compares the same times.
struct Random(u64);

impl Random {
    fn below(&mut self, end: i64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        i64::try_from(self.0 >> 16).unwrap() % end
    }
}

/// A day at whose end the server's clocks are ahead of UTC by other seconds than at its beginning.
struct Change {
    end: i64,
    before: i64,
    after: i64,
}

fn changes(oracle: &mut Oracle, zone: &str) -> Vec<Change> {
    let days = (TABLE_SECONDS.end - TABLE_SECONDS.start) / DAY_SECONDS - 2;
    let offset = |at: &str| format!("toInt64(timezoneOffset(toDateTime64({at}, 0, '{zone}')))");
    let answer = oracle.query(&format!(
        "SELECT {} + {DAY_SECONDS} * (number + 2) AS at, {} AS before, {} AS after \
         FROM numbers({days}) WHERE before != after FORMAT RowBinary",
        TABLE_SECONDS.start,
        offset(&format!("at - {DAY_SECONDS}")),
        offset("at"),
    ));
    let numbers = integers(&answer.unwrap());
    numbers
        .as_chunks()
        .0
        .iter()
        .map(|[end, before, after]| Change { end: *end, before: *before, after: *after })
        .collect()
}

/// Local times in seconds since 1970, as if they were UTC.
fn times(changes: &[Change], random: &mut Random) -> Vec<i64> {
    let mut times = Vec::new();
    for change in changes {
        // The day as its clocks show it, an hour more at each end.
        let begin = change.end - DAY_SECONDS + change.before.min(change.after) - 3600;
        let length = DAY_SECONDS + (change.before - change.after).abs() + 7200;
        if change.end < HISTORY_END {
            let quarters = (0..length / QUARTER_SECONDS).map(|quarter| begin + quarter * QUARTER_SECONDS);
            // What counts is on which side of a quarter a second is.
            times.extend(quarters.map(|time| time + random.below(3) - 1));
        } else {
            times.extend((0..TIMES_PER_LATER_CHANGE).map(|_| begin + random.below(length)));
            // Behind the table the server looks at the clocks in another way.
            times.push(begin + random.below(length) + CALENDAR_SECONDS);
        }
    }
    let span = RANDOM_SECONDS.end - RANDOM_SECONDS.start;
    times.extend((0..RANDOM_TIMES).map(|_| RANDOM_SECONDS.start + random.below(span)));
    times
}

/// A record whose array has these times as texts.
fn record_of(times: &[i64]) -> String {
    let mut record = "{\"a\":[".to_owned();
    for (index, time) in times.iter().enumerate() {
        let (year, month, day) = date(time.div_euclid(DAY_SECONDS));
        let second = time.rem_euclid(DAY_SECONDS);
        let comma = if index == 0 { "" } else { "," };
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(record, "{comma}\"{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}\"").unwrap();
    }
    record + "]}"
}

/// The date of the day (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn date(day: i64) -> (i64, i64, i64) {
    let day = day + 719_468;
    let (era, day_of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

fn integers(bytes: &[u8]) -> Vec<i64> {
    bytes.as_chunks().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect()
}

/// The moments of an array's row, behind its length.
fn moments(row: &[u8], count: usize) -> Vec<i64> {
    integers(&row[row.len() - count * 8..])
}

#[test]
fn clickhouse_agrees_with_every_zone() {
    let Some(mut oracle) = Oracle::from_environment() else { return };
    let names = oracle.query("SELECT time_zone FROM system.time_zones ORDER BY time_zone FORMAT TSVRaw");
    let names = String::from_utf8(names.unwrap()).unwrap();
    assert_eq!(names.lines().collect::<Vec<_>>(), TimeZone::all().map(TimeZone::name).collect::<Vec<_>>());
    let version =
        oracle.query("SELECT value FROM system.build_options WHERE name = 'TZDATA_VERSION' FORMAT TSVRaw");
    assert_eq!(version.unwrap().trim_ascii(), TimeZone::database_version().as_bytes());

    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut compared, mut wrong) = (0, Vec::new());
    for zone in TimeZone::all() {
        let columns = format!("a Array(DateTime64(0, '{zone}'))");
        let list: Columns = columns.parse().unwrap();
        let mut encoder = Encoder::new(Arc::new(Plan::compile(&list, &PlanOptions::default()).unwrap()));
        let changes = changes(&mut oracle, zone.name());
        for times in times(&changes, &mut random).chunks(TIMES_PER_QUERY) {
            let record = record_of(times);
            let mut ours = Vec::new();
            encoder.encode(record.as_bytes(), &mut ours).unwrap();
            let theirs = oracle.query(&format!(
                "SELECT * FROM format(JSONEachRow, '{}', '{record}') FORMAT RowBinary",
                columns.replace('\'', "\\'")
            ));
            let (ours, theirs) = (moments(&ours, times.len()), moments(&theirs.unwrap(), times.len()));
            compared += times.len();
            for ((time, ours), theirs) in times.iter().zip(ours).zip(theirs) {
                if ours != theirs {
                    wrong
                        .push(format!("{zone}: {}: ours {ours}, ClickHouse's {theirs}", record_of(&[*time])));
                }
            }
        }
    }
    println!("{compared} times in {} zones, {} differ", TimeZone::all().count(), wrong.len());
    wrong.truncate(WRONG_SHOWN_MAX);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
