//! What the clocks of a zone show, from the first one to the last.

use super::rule::Rule;

/// By how many seconds a zone is ahead of UTC, and when that changes.
///
/// A change is a number of 64 bits: the moment in seconds since 1970 times 2^[`OFFSET_BITS`], plus the seconds ahead
/// of UTC from then on plus [`OFFSET_BIAS`]. No two changes are less than three days apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeline<'a> {
    /// Before the first change.
    pub(super) first: i64,
    pub(super) changes: &'a [[u8; 8]],
    /// What holds from the last change on; without it, the last change does.
    pub(super) rule: Option<Rule>,
}

/// One of the changes that are listed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change {
    moment: i64,
    /// Seconds ahead of UTC until the moment.
    pub(crate) before: i64,
    after: i64,
}

const DAY_SECONDS: i64 = 86_400;
const OFFSET_BITS: u32 = 20;
const OFFSET_BIAS: i64 = 1 << (OFFSET_BITS - 1);
/// More than any zone is ahead of UTC or behind it, and less than half of what lies between two changes.
const OFFSET_SECONDS_MAX: i64 = 86_400;

impl Timeline<'_> {
    pub(crate) const UTC: Timeline<'static> = Timeline { first: 0, changes: &[], rule: None };

    /// Whether its clocks have always shown UTC.
    pub(crate) fn is_utc(&self) -> bool {
        self.first == 0 && self.changes.is_empty() && self.rule.is_none()
    }

    /// Seconds by which the zone is ahead of UTC at the moment.
    pub(crate) fn offset(&self, moment: i64) -> i64 {
        let passed = self.passed(moment);
        match self.rule {
            Some(rule) if passed == self.changes.len() => rule.offset(moment),
            _ => self.listed_offset(passed),
        }
    }

    /// Seconds by which the zone is ahead of UTC when its clocks show the time, seconds since 1970 as if they were
    /// UTC: of two, those that come first; none where the clocks skip it.
    pub(crate) fn offset_of_local(&self, local: i64) -> Option<i64> {
        self.offsets_around(local).into_iter().find(|offset| self.offset(local - offset) == *offset)
    }

    /// The same: of two, those that come last; where the clocks skip it, those behind the gap.
    pub(crate) fn last_offset_of_local(&self, local: i64) -> i64 {
        let [early, late] = self.offsets_around(local);
        let shows = |offset| self.offset(local - offset) == offset;
        if shows(early) && !shows(late) { early } else { late }
    }

    /// Between the two moments of these offsets the clocks show the time, if ever, and change once at most.
    fn offsets_around(&self, local: i64) -> [i64; 2] {
        [local - OFFSET_SECONDS_MAX, local + OFFSET_SECONDS_MAX].map(|moment| self.offset(moment))
    }

    /// The change before the moment or at it, and the one behind; none where a rule says what holds.
    pub(crate) fn changes_around(&self, moment: i64) -> (Option<Change>, Option<Change>) {
        let passed = self.passed(moment);
        if passed == self.changes.len() && self.rule.is_some() {
            return (None, None);
        }
        (passed.checked_sub(1).and_then(|last| self.change(last)), self.change(passed))
    }

    fn change(&self, at: usize) -> Option<Change> {
        let (moment, after) = Self::unpack(*self.changes.get(at)?);
        Some(Change { moment, before: self.listed_offset(at), after })
    }

    /// How many changes are not behind the moment.
    fn passed(&self, moment: i64) -> usize {
        self.changes.partition_point(|change| Self::unpack(*change).0 <= moment)
    }

    /// Seconds ahead of UTC after so many changes.
    fn listed_offset(&self, passed: usize) -> i64 {
        let last = passed.checked_sub(1).and_then(|last| self.changes.get(last));
        last.map_or(self.first, |change| Self::unpack(*change).1)
    }

    /// The moment of a change, and the seconds ahead of UTC from then on.
    pub(super) fn unpack(change: [u8; 8]) -> (i64, i64) {
        let change = i64::from_le_bytes(change);
        (change >> OFFSET_BITS, (change & ((1 << OFFSET_BITS) - 1)) - OFFSET_BIAS)
    }
}

impl Change {
    /// What the clocks show at the change, before or after it: the smaller one of the two.
    pub(crate) fn first_local(&self) -> i64 {
        self.moment + self.before.min(self.after)
    }

    /// Whether clocks are put forward from before midnight to behind it.
    pub(crate) fn skips_midnight(&self) -> bool {
        let (from, to) = (self.moment + self.before, self.moment + self.after);
        let midnight = to.div_euclid(DAY_SECONDS) * DAY_SECONDS;
        from < midnight && midnight < to
    }
}

#[cfg(test)]
mod tests {
    use crate::TimeZone;

    /// From 2024-10-27 01:00 UTC on, Berlin is one hour ahead of UTC, no longer two.
    const BERLIN_AUTUMN: i64 = 1_729_990_800;
    /// From 2024-03-31 01:00 UTC on, it is two hours ahead.
    const BERLIN_SPRING: i64 = 1_711_846_800;

    #[test]
    fn clocks_change_at_the_moment() {
        let berlin = "Europe/Berlin".parse::<TimeZone>().unwrap().timeline();
        assert_eq!([-1, 0].map(|second| berlin.offset(BERLIN_SPRING + second)), [3600, 7200]);
        assert_eq!([-1, 0].map(|second| berlin.offset(BERLIN_AUTUMN + second)), [7200, 3600]);
        assert_eq!(berlin.offset(-3_000_000_000), 3208, "local mean time");
    }

    #[test]
    fn of_a_double_hour_the_first_counts_and_a_skipped_one_is_none() {
        let berlin = "Europe/Berlin".parse::<TimeZone>().unwrap().timeline();
        let autumn = BERLIN_AUTUMN + 3600;
        assert_eq!(
            [0, 3599, 3600].map(|second| berlin.offset_of_local(autumn + second)),
            [Some(7200), Some(7200), Some(3600)]
        );
        let spring = BERLIN_SPRING + 3600;
        assert_eq!(
            [-1, 0, 3599, 3600].map(|second| berlin.offset_of_local(spring + second)),
            [Some(3600), None, None, Some(7200)]
        );
    }

    #[test]
    fn zones_without_a_change_are_utc() {
        for zone in ["UTC", "Etc/GMT", "Zulu", "Factory"] {
            assert!(zone.parse::<TimeZone>().unwrap().timeline().is_utc(), "{zone}");
        }
        assert!(!"Etc/GMT+1".parse::<TimeZone>().unwrap().timeline().is_utc());
        assert!(!"Europe/London".parse::<TimeZone>().unwrap().timeline().is_utc());
    }
}
