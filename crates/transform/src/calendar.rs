//! The Gregorian calendar, in days since 1970-01-01.

/// Days from 1970-01-01 to the date. Month and day may lie outside of the calendar by a little: they carry over.
///
/// The arithmetic counts years from March, so that the leap day ends a year (Howard Hinnant, "chrono-compatible
/// low-level date algorithms").
pub(crate) fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The year of the day, the other way of the same arithmetic.
pub(crate) fn year(days: i64) -> i64 {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days - era * 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // The last 59 or 60 days of a year that begins in March are January and February of the next.
    era * 400 + year_of_era + i64::from(day_of_year >= 306)
}

/// Days of the month.
pub(crate) fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::{days, year};

    #[test]
    fn counts_days() {
        assert_eq!(days(1970, 1, 1), 0);
        assert_eq!(days(1969, 12, 31), -1);
        assert_eq!(days(2000, 3, 1), 11_017);
        assert_eq!(days(1900, 1, 1), -25_567);
        assert_eq!(days(2024, 2, 30), days(2024, 3, 1));
    }

    #[test]
    fn a_day_has_its_year() {
        for of in -800..2400 {
            assert_eq!([year(days(of, 1, 1)), year(days(of, 12, 31))], [of, of]);
        }
    }
}
