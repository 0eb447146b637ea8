//! Summer and winter of the years to come.

use crate::calendar;

/// The clocks of every year behind the last change that is listed, as POSIX describes them in `TZ`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    /// Seconds ahead of UTC outside of the summer.
    pub(super) winter: i64,
    /// Seconds ahead of UTC in the summer, which may be less: Ireland's summer, by law, is the winter.
    pub(super) summer: i64,
    /// In winter's time.
    pub(super) begin: RuleDay,
    /// In summer's time.
    pub(super) end: RuleDay,
}

/// The weekday (0 is Sunday) of a week of the month; week 5 is the last one that has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct RuleDay {
    pub(super) month: i64,
    pub(super) week: i64,
    pub(super) weekday: i64,
    /// The second of that day; below 0 it is on a day before, from 86,400 on a day after.
    pub(super) second: i64,
}

const DAY_SECONDS: i64 = 86_400;
/// 1970-01-01 was a Thursday.
const EPOCH_WEEKDAY: i64 = 4;

impl Rule {
    /// Seconds ahead of UTC at the moment. No rule changes clocks around New Year, so the year is that of the winter.
    pub(super) fn offset(&self, moment: i64) -> i64 {
        let year = calendar::year((moment + self.winter).div_euclid(DAY_SECONDS));
        let begin = self.begin.local(year) - self.winter;
        let end = self.end.local(year) - self.summer;
        let is_summer =
            if begin < end { (begin..end).contains(&moment) } else { !(end..begin).contains(&moment) };
        if is_summer { self.summer } else { self.winter }
    }
}

impl RuleDay {
    /// The time of the year's change on the clocks before it, in seconds since 1970 as if it were UTC.
    fn local(&self, year: i64) -> i64 {
        let first = calendar::days(year, self.month, 1);
        let ahead = (self.weekday - first - EPOCH_WEEKDAY).rem_euclid(7);
        let day = first + ahead + (self.week - 1) * 7;
        let is_beyond = day >= first + calendar::days_in_month(year, self.month);
        (if is_beyond { day - 7 } else { day }) * DAY_SECONDS + self.second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_found_by_week_and_weekday() {
        let day = |month, week, weekday| RuleDay { month, week, weekday, second: 0 };
        let date = |year, month, day| calendar::days(year, month, day) * DAY_SECONDS;
        assert_eq!(day(3, 5, 0).local(2024), date(2024, 3, 31));
        assert_eq!(day(10, 5, 0).local(2025), date(2025, 10, 26));
        assert_eq!(day(3, 2, 0).local(2026), date(2026, 3, 8));
        assert_eq!(day(2, 5, 4).local(2024), date(2024, 2, 29));
        assert_eq!(day(9, 1, 6).local(2029), date(2029, 9, 1));
    }

    #[test]
    fn summers_of_the_south_span_new_year() {
        let day = |month, week, second| RuleDay { month, week, weekday: 0, second };
        let sydney = Rule { winter: 36_000, summer: 39_600, begin: day(10, 1, 7200), end: day(4, 1, 10_800) };
        let at = |year, month, day| sydney.offset(calendar::days(year, month, day) * DAY_SECONDS);
        assert_eq!([at(2300, 1, 1), at(2300, 7, 1), at(2300, 12, 31)], [39_600, 36_000, 39_600]);
    }
}
