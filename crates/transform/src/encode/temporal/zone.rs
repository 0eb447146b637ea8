//! From local time to the moment, as ClickHouse's table of days does it.

use chrono::{LocalResult, NaiveDate, NaiveDateTime, Offset, TimeDelta, TimeZone};
use chrono_tz::Tz;

use super::calendar;

/// A zone with a memo of its last day: neighbours in a topic share their date.
#[derive(Debug)]
pub(crate) struct ZoneMemo {
    zone: Tz,
    is_utc: bool,
    day: i64,
    /// The moment at which the day begins.
    begin: i64,
    /// Seconds after the beginning at which the clock is changed, and by how many seconds it is put forward.
    change_at: i64,
    change_by: i64,
}

/// The first and the last day of ClickHouse's table: 1900-01-01 and 2299-12-31.
const TABLE_DAYS: std::ops::RangeInclusive<i64> = -25_567..=120_529;
const DAY_SECONDS: i64 = 86_400;

impl ZoneMemo {
    pub(crate) fn new(zone: Tz) -> Self {
        let is_utc = matches!(zone, Tz::UTC | Tz::Etc__UTC | Tz::GMT | Tz::Etc__GMT | Tz::Zulu | Tz::UCT);
        Self { zone, is_utc, day: i64::MIN, begin: 0, change_at: i64::MAX, change_by: 0 }
    }

    /// The moment at which the zone's clocks show the time; a time in a gap moves back, of a double hour the first
    /// is meant.
    pub(crate) fn moment(&mut self, year: i64, month: i64, day: i64, second_of_day: i64) -> i64 {
        let days = calendar::days(year, month, day);
        if self.is_utc {
            return days * DAY_SECONDS + second_of_day;
        }
        let clamped = days.clamp(*TABLE_DAYS.start(), *TABLE_DAYS.end());
        if self.day != clamped {
            self.look_up(clamped);
        }
        let change = if second_of_day >= self.change_at { self.change_by } else { 0 };
        self.begin + (days - clamped) * DAY_SECONDS + second_of_day - change
    }

    fn look_up(&mut self, day: i64) {
        self.day = day;
        self.begin = self.beginning(day);
        self.change_at = i64::MAX;
        self.change_by = 0;
        if self.begin + DAY_SECONDS == self.beginning(day + 1) {
            return;
        }
        // A change of the clock, found in steps of a quarter of an hour.
        let offset = self.offset(self.begin);
        let mut at = 900;
        while at < DAY_SECONDS && self.offset(self.begin + at) == offset {
            at += 900;
        }
        if at < DAY_SECONDS {
            self.change_by = self.offset(self.begin + at) - offset;
            self.change_at = if at + self.change_by < 0 { -self.change_by } else { at };
        }
    }

    /// The moment at which the day begins in the zone.
    fn beginning(&self, day: i64) -> i64 {
        let Some(local) = naive(day * DAY_SECONDS) else { return day * DAY_SECONDS };
        match self.zone.offset_from_local_datetime(&local) {
            LocalResult::Single(offset) | LocalResult::Ambiguous(offset, _) => {
                day * DAY_SECONDS - i64::from(offset.fix().local_minus_utc())
            }
            // Midnight is skipped: the day begins when the clock is put forward.
            LocalResult::None => {
                let mut moment = day * DAY_SECONDS - self.offset(day * DAY_SECONDS - DAY_SECONDS);
                let before = self.offset(moment - DAY_SECONDS / 4);
                while self.offset(moment - 1) != before {
                    moment -= 1;
                }
                moment
            }
        }
    }

    /// Seconds by which the zone is ahead of UTC at the moment.
    fn offset(&self, moment: i64) -> i64 {
        naive(moment)
            .map_or(0, |utc| i64::from(self.zone.offset_from_utc_datetime(&utc).fix().local_minus_utc()))
    }
}

fn naive(moment: i64) -> Option<NaiveDateTime> {
    NaiveDate::from_ymd_opt(1970, 1, 1)?
        .and_hms_opt(0, 0, 0)?
        .checked_add_signed(TimeDelta::try_seconds(moment)?)
}
