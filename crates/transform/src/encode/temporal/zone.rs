//! From local time to the moment, as ClickHouse's table of days does it.

use crate::calendar;
use crate::zone::{Change, TimeZone, Timeline};

/// A zone with a memo of its last day: neighbours in a topic share their date.
#[derive(Debug)]
pub(crate) struct ZoneMemo {
    clocks: Timeline<'static>,
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
    pub(crate) fn new(zone: TimeZone) -> Self {
        let clocks = zone.timeline();
        Self { clocks, is_utc: clocks.is_utc(), day: i64::MIN, begin: 0, change_at: i64::MAX, change_by: 0 }
    }

    /// The moment at which the zone's clocks show the time; a time in a gap moves back, of a double hour the first
    /// is meant, and the second where ClickHouse's table of days has no room for it.
    pub(crate) fn moment(&mut self, year: i64, month: i64, day: i64, second_of_day: i64) -> i64 {
        let days = calendar::days(year, month, day);
        if self.is_utc {
            return days * DAY_SECONDS + second_of_day;
        }
        if !TABLE_DAYS.contains(&days) {
            let local = days * DAY_SECONDS + second_of_day;
            return local - self.clocks.last_offset_of_local(local);
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
        self.change_at = i64::MAX;
        self.change_by = 0;
        if let Some(offset) = self.offset_far_from_changes(day) {
            self.begin = day * DAY_SECONDS - offset;
            return;
        }
        self.begin = self.beginning(day);
        let before = self.offset(self.begin - 1);
        let end = self.begin + DAY_SECONDS;
        let is_plain = end == self.beginning(day + 1);
        if is_plain && self.offset(self.begin) == before && self.offset(end - 1) == before {
            return;
        }
        // The first change of the clock on this day: its quarter of an hour, then its second.
        let mut quarter = self.begin;
        while quarter < end && self.offset(quarter) == before {
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

    /// The moment at which the day begins in the zone; where midnight is skipped, when it would have come.
    fn beginning(&self, day: i64) -> i64 {
        let midnight = day * DAY_SECONDS;
        midnight - self.offset_of_midnight(day, midnight)
    }

    fn offset_of_midnight(&self, day: i64, midnight: i64) -> i64 {
        let Some(offset) = self.clocks.offset_of_local(midnight) else {
            return self.offset(midnight - DAY_SECONDS);
        };
        self.stale_offset(day, midnight - offset).unwrap_or(offset)
    }

    /// ClickHouse looks midnight up on days of changes; those between are 24 hours each. So where clocks were put
    /// forward from before midnight to behind it, every day until the next change begins too late.
    fn stale_offset(&self, day: i64, moment: i64) -> Option<i64> {
        let (last, next) = self.clocks.changes_around(moment);
        let last = last.filter(Change::skips_midnight)?;
        let is_next = next.is_some_and(|next| next.first_local().div_euclid(DAY_SECONDS) <= day);
        (!is_next).then_some(last.before)
    }

    /// By how many seconds the day begins ahead of UTC, where clocks do not change around it, as on most days.
    fn offset_far_from_changes(&self, day: i64) -> Option<i64> {
        // No zone is a day ahead of UTC or behind it, and no two changes lie within these three days.
        let midnight = day * DAY_SECONDS;
        let offset = self.offset(midnight - DAY_SECONDS);
        let is_far = self.offset(midnight + 2 * DAY_SECONDS) == offset;
        is_far.then(|| self.stale_offset(day, midnight - offset).unwrap_or(offset))
    }

    /// Seconds by which the zone is ahead of UTC at the moment.
    pub(crate) fn offset(&self, moment: i64) -> i64 {
        self.clocks.offset(moment)
    }
}
