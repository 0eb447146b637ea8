//! Whether a text of no known type is a date or a date with time.

use super::{ZoneMemo, best_effort, date};

/// What a text is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guess {
    Date,
    /// Whole seconds that fit 32 bits.
    DateTime,
    /// Nanoseconds that fit 64 bits.
    DateTime64,
}

/// Digits of the fraction that ClickHouse keeps of a text of no known type.
pub(crate) const NANOSECONDS: u8 = 9;
/// Bytes of a date with time, at most: ClickHouse looks at no longer texts.
const TEXT_BYTES_MAX: usize = 50;
/// Bytes of a date: `Y-M-D` with a year of four digits, and one or two for the others.
const DATE_BYTES: std::ops::RangeInclusive<usize> = 8..=10;

/// What ClickHouse takes the text for, with `date_time_input_format = 'best_effort'`; none for any other text.
pub(crate) fn guess(text: &[u8], zone: &mut ZoneMemo) -> Option<Guess> {
    let digits = text.iter().filter(|byte| byte.is_ascii_digit()).count();
    if text.len() > TEXT_BYTES_MAX || digits == 0 || digits == text.len() {
        return None;
    }
    if DATE_BYTES.contains(&text.len()) && date::is_date(text) {
        return Some(Guess::Date);
    }
    let (moment, has_fraction) = best_effort::parse_strictly(text, zone)?;
    if !has_fraction && u32::try_from(moment.seconds).is_ok() {
        return Some(Guess::DateTime);
    }
    moment.ticks(NANOSECONDS).map(|_| Guess::DateTime64)
}
