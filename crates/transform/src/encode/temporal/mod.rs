//! Dates, and dates with time.

mod best_effort;
mod date;
mod date_time;
mod guess;
mod memo;
mod time;
mod zone;

pub(crate) use date::{date, date32};
pub(crate) use date_time::{date_time, date_time_64};
pub(crate) use guess::{Guess, NANOSECONDS, guess};
pub(crate) use memo::DateMemo;
pub(crate) use time::{time, time_64};
pub(crate) use zone::ZoneMemo;
