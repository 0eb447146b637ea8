//! From local time to the moment, as ClickHouse's table of days does it.

use chrono::{LocalResult, NaiveDate, NaiveDateTime, Offset, TimeDelta, TimeZone};
use chrono_tz::Tz;

use crate::calendar;

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
const QUARTER_SECONDS: i64 = 900;

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
        if !TABLE_DAYS.contains(&days) {
            let local = days * DAY_SECONDS + second_of_day;
            return local - self.offset_of_local(local);
        }
        if self.day != days {
            self.look_up(days);
        }
        let change = if second_of_day >= self.change_at { self.change_by } else { 0 };
        self.begin + second_of_day - change
    }

    /// The moment at which the day begins; none where clocks are changed on it, or where the table ends.
    pub(crate) fn plain_day(&mut self, days: i64) -> Option<i64> {
        if self.is_utc {
            return Some(days * DAY_SECONDS);
        }
        if !TABLE_DAYS.contains(&days) {
            return None;
        }
        if self.day != days {
            self.look_up(days);
        }
        (self.change_at == i64::MAX).then_some(self.begin)
    }

    fn look_up(&mut self, day: i64) {
        self.day = day;
        self.begin = self.beginning(day);
        self.change_at = i64::MAX;
        self.change_by = 0;
        let before = self.offset(self.begin - 1);
        let is_plain = self.begin + DAY_SECONDS == self.beginning(day + 1);
        if is_plain && self.offset(self.begin) == before {
            return;
        }
        // The first change of the clock on this day: its quarter of an hour, then its second.
        let mut quarter = self.begin;
        while quarter < self.begin + DAY_SECONDS && self.offset(quarter) == before {
            quarter += QUARTER_SECONDS;
        }
        let after = self.offset(quarter);
        if after == before {
            return;
        }
        let change = self.change_between(quarter - QUARTER_SECONDS, quarter);
        // ClickHouse's table keeps whole quarters of both, the rest cut off. A change that began on the day before
        // has no place in it.
        let at = change + before - day * DAY_SECONDS;
        self.change_by = (after - before) / QUARTER_SECONDS * QUARTER_SECONDS;
        let at = at / QUARTER_SECONDS * QUARTER_SECONDS;
        if at >= 0 {
            // Where the clock is put back behind midnight, the second midnight begins the day.
            self.change_at = if at + self.change_by < 0 { 0 } else { at };
        }
    }

    /// The first moment with another offset than at `low`; at `high` the offset is another one.
    fn change_between(&self, mut low: i64, mut high: i64) -> i64 {
        let before = self.offset(low);
        while high - low > 1 {
            let middle = i64::midpoint(low, high);
            if self.offset(middle) == before {
                low = middle;
            } else {
                high = middle;
            }
        }
        high
    }

    /// The moment at which the day begins in the zone: where midnight is skipped, the moment of the change.
    fn beginning(&self, day: i64) -> i64 {
        let local = day * DAY_SECONDS;
        if self.known_offset_of_local(local).is_some() {
            return local - self.offset_of_local(local);
        }
        let high = local - self.offset(local - DAY_SECONDS);
        self.change_between(local - self.offset(high), high)
    }

    /// Seconds by which the zone is ahead of UTC when its clocks show the time: the first of two, the later one in a
    /// gap.
    fn offset_of_local(&self, local: i64) -> i64 {
        self.known_offset_of_local(local).unwrap_or_else(|| {
            let before = self.offset(local - DAY_SECONDS);
            self.offset(local - before)
        })
    }

    /// The same; none in a gap.
    fn known_offset_of_local(&self, local: i64) -> Option<i64> {
        let naive = naive(within_rules(local))?;
        match self.zone.offset_from_local_datetime(&naive) {
            LocalResult::Single(offset) | LocalResult::Ambiguous(offset, _) => {
                Some(i64::from(offset.fix().local_minus_utc()))
            }
            LocalResult::None => None,
        }
    }

    /// Seconds by which the zone is ahead of UTC at the moment.
    pub(crate) fn offset(&self, moment: i64) -> i64 {
        naive(within_rules(moment))
            .map_or(0, |utc| i64::from(self.zone.offset_from_utc_datetime(&utc).fix().local_minus_utc()))
    }
}

/// The compiled time zones end with this year; the rules of their last years go on for ever.
const RULES_END: i64 = 3_786_912_000; // 2090-01-01

/// A moment with the same rules: the calendar repeats itself, weekdays included, after 28 years within a century and
/// after 400 years always.
fn within_rules(moment: i64) -> i64 {
    if moment < RULES_END {
        return moment;
    }
    let day = moment.div_euclid(DAY_SECONDS);
    let mut year = 1970 + day / 366;
    while calendar::days(year + 1, 1, 1) <= day {
        year += 1;
    }
    let start = calendar::days(year, 1, 1);
    let length = calendar::days(year + 1, 1, 1) - start;
    let alike = (2060..2088).find(|alike| {
        let alike_start = calendar::days(*alike, 1, 1);
        (start - alike_start) % 7 == 0 && calendar::days(alike + 1, 1, 1) - alike_start == length
    });
    moment - (start - calendar::days(alike.unwrap_or(2060), 1, 1)) * DAY_SECONDS
}

fn naive(moment: i64) -> Option<NaiveDateTime> {
    NaiveDate::from_ymd_opt(1970, 1, 1)?
        .and_hms_opt(0, 0, 0)?
        .checked_add_signed(TimeDelta::try_seconds(moment)?)
}
