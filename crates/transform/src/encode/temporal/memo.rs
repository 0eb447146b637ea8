//! The last date of a zone, by its text.

use super::ZoneMemo;
use crate::calendar;

/// A date's text, and what the calendar said about it: neighbours in a topic share their date.
#[derive(Debug, Default)]
pub(crate) struct DateMemo {
    /// `YYYY-MM-`, then `DD`: the bytes as words, the first one lowest. No date is all zeros.
    head: u64,
    tail: u64,
    days: i64,
    /// The moment at which the day begins in the zone, unless clocks are changed on it.
    begin: Option<i64>,
}

impl DateMemo {
    /// Whether the date was looked up last.
    #[inline]
    pub(crate) fn holds(&self, head: u64, tail: u64) -> bool {
        self.head == head && self.tail == tail
    }

    /// Looks up a date, whose digits and hyphens were checked; none where the calendar does not have it.
    #[cold]
    pub(crate) fn look_up(&mut self, head: u64, tail: u64, zone: Option<&mut ZoneMemo>) -> Option<()> {
        let (h, t) = (head.to_le_bytes(), tail.to_le_bytes());
        let two = |tens: u8, ones: u8| i64::from(tens & 0x0F) * 10 + i64::from(ones & 0x0F);
        let (year, month, day) = (two(h[0], h[1]) * 100 + two(h[2], h[3]), two(h[5], h[6]), two(t[0], t[1]));
        let exists = year >= 1000
            && (1..=12).contains(&month)
            && (1..=calendar::days_in_month(year, month)).contains(&day);
        if !exists {
            return None;
        }
        let days = calendar::days(year, month, day);
        *self = Self { head, tail, days, begin: zone.and_then(|zone| zone.plain_day(days)) };
        Some(())
    }

    /// Days since 1970.
    #[inline]
    pub(crate) fn days(&self) -> i64 {
        self.days
    }

    /// The moment at which the day begins in the zone; none where clocks are changed on it.
    #[inline]
    pub(crate) fn begin(&self) -> Option<i64> {
        self.begin
    }

    /// The moment at which the day begins in UTC.
    #[inline]
    pub(crate) fn begin_utc(&self) -> i64 {
        self.days * 86_400
    }
}
