//! Texts of dates and times, in every notation of best_effort and some that it refuses.

use crate::random::Random;

/// Local times around which clocks were set, of the zones in the table of types, and the ends of the types.
const EDGES: &[&str] = &[
    "2024-03-31 01:59:59",
    "2024-03-31 02:30:00",
    "2024-10-27 02:30:00",
    "2024-10-27 02:59:59.999999999",
    "2024-03-10 02:30:00",
    "2024-11-03 01:30:00",
    "2024-10-06 02:15:00",
    "2024-04-07 01:45:00",
    "2018-11-04 00:30:00",
    "2018-02-17 23:30:00",
    "2011-12-30 12:00:00",
    "1972-01-07 00:20:00",
    "1985-12-31 23:59:59",
    "1986-01-01 00:10:00",
    "1969-12-31 23:59:59",
    "1970-01-01 00:00:00",
    "2106-02-07 06:28:15",
    "2106-02-07 06:28:16",
    "1900-01-01 00:00:00",
    "1899-12-31 23:59:59",
    "2299-12-31 23:59:59.999999999",
    "2300-01-01 00:00:00",
    "1677-09-21 00:12:43.145224192",
    "2262-04-11 23:47:16.854775807",
    "2262-04-11 23:47:16.854775808",
    "9999-12-31 23:59:59",
    "0000-00-00 00:00:00",
    "2024-02-29 00:00:00",
    "2023-02-29 00:00:00",
    "2149-06-06",
    "2149-06-07",
];

const MONTHS: &[&str] = &[
    "Jan", "feb", "MAR", "April", "may", "Jun", "July", "aug", "Sept", "Sep", "October", "Nov", "dec", "Foo",
];
const DAYS: &[&str] = &["Mon, ", "Tue ", "wednesday, ", "Sun, ", "Xyz "];
const ZONES: &[&str] = &[
    "",
    "",
    "",
    "",
    "Z",
    " UTC",
    " GMT",
    "+02:00",
    "-0330",
    "+5",
    " +05:45",
    " MSK",
    " MSD",
    " CET",
    " PM",
    " am",
    " PM +01:00",
    "Z+1",
    "+99:99",
    "-00:00",
    " UTC+3",
    "z",
    "+1",
    "-12",
    "+0",
    "+123",
];

/// A date and time between quotes, or a number.
pub(crate) fn date_time(r: &mut Random) -> String {
    match r.below(20) {
        0..=2 => unix(r),
        3..=5 => format!("\"{}{}\"", r.pick(EDGES), r.pick(ZONES)),
        // The notation of most producers.
        6..=9 => {
            let fraction = fraction(r);
            let end = r.pick(&["Z", "", "Z", "+02:00"]);
            format!("\"{}{}{}{fraction}{end}\"", day(r), r.pick(&["T", " "]), clock(r))
        }
        _ => format!("\"{}\"", odd(r)),
    }
}

/// Mostly a local time of some year: what it means is the zone's to say.
pub(crate) fn zoned(r: &mut Random) -> String {
    if r.chance(20) {
        return date_time(r);
    }
    let year = if r.chance(60) { r.range(1900, 2040) } else { r.range(1890, 2320) };
    format!("\"{year:04}-{:02}-{:02} {}\"", r.range(1, 13), r.range(1, 29), clock(r))
}

fn day(r: &mut Random) -> String {
    format!("{:04}-{:02}-{:02}", r.range(1970, 2100), r.range(1, 13), r.range(1, 29))
}

fn clock(r: &mut Random) -> String {
    format!("{:02}:{:02}:{:02}", r.below(24), r.below(60), r.below(60))
}

fn fraction(r: &mut Random) -> String {
    if r.chance(50) {
        return String::new();
    }
    let count = r.pick(&[0, 1, 2, 3, 3, 6, 6, 7, 9, 10, 12, 19]);
    format!(".{}", r.digits(count))
}

/// Seconds and their fractions since 1970, bare or between quotes.
fn unix(r: &mut Random) -> String {
    let count = r.pick(&[1, 4, 5, 6, 7, 8, 9, 10, 10, 10, 11, 12, 13, 13, 14, 16, 17, 19, 20, 25]);
    let number = r.digits(count);
    let tail = if r.chance(25) { fraction(r) } else { String::new() };
    let exponent = if r.chance(5) { format!("e{}", r.below(12)) } else { String::new() };
    let sign = r.pick(&["", "", "", "", "", "-", "+"]);
    if r.chance(50) {
        format!("{sign}{number}{tail}{exponent}")
    } else {
        format!("\"{sign}{number}{tail}{exponent}\"")
    }
}

fn odd(r: &mut Random) -> String {
    let (y, m, d) = (r.range(1890, 2320), r.below(14), r.below(33));
    let date = match r.below(12) {
        0 => format!("{y:04}{m:02}{d:02}"),
        1 => format!("{y}/{m}/{d}"),
        2 => format!("{d} {} {y}", r.pick(MONTHS)),
        3 => format!("{}{d} {} {y}", r.pick(DAYS), r.pick(MONTHS)),
        4 => format!("{d:02}.{m:02}.{y}"),
        5 => format!("{d:02}/{m:02}/{:02}", y % 100),
        6 => format!("{} {d}, {y}", r.pick(MONTHS)),
        7 => format!("{y}-{}-{d}", r.pick(MONTHS)),
        8 => format!("{y}-{m}"),
        9 => format!("{m}-{d}-{y}"),
        10 => String::new(),
        _ => format!("{y:04}-{m:02}-{d:02}"),
    };
    let (h, min, s) = (r.below(26), r.below(62), r.below(62));
    let time = match r.below(9) {
        0 => String::new(),
        1 => format!("{h}:{min}"),
        2 => format!("{h:02}{min:02}{s:02}"),
        3 => format!("{h}"),
        4 => format!("{h:02}{min:02}"),
        _ => format!("{h:02}:{min:02}:{s:02}"),
    };
    let joint = r.pick(&[" ", "T", "T", "  ", "t", ", ", "", "\\t", "-"]);
    let (fraction, zone) = (fraction(r), r.pick(ZONES));
    if r.chance(10) {
        return format!("{time}{fraction}{joint}{date}{zone}");
    }
    format!("{date}{joint}{time}{fraction}{zone}")
}

/// A date between quotes, or a number of days.
pub(crate) fn date(r: &mut Random) -> String {
    match r.below(12) {
        0 => {
            let count = r.range(1, 12);
            let sign = r.pick(&["", "", "-"]);
            format!("{sign}{}", r.digits(count))
        }
        1 => format!("\"{}\"", &r.pick(EDGES)[..10]),
        2 => date_time(r),
        3 => {
            let separators = [r.pick(b"-/.: ax,"), r.pick(b"-/.: ax,")].map(char::from);
            format!(
                "\"{}{}{}{}{}\"",
                r.range(1890, 2320),
                separators[0],
                r.below(14),
                separators[1],
                r.below(33)
            )
        }
        4 => format!("\"{:04}{:02}{:02}\"", r.range(1890, 2320), r.below(14), r.below(33)),
        5 => format!("\"{:04}-{:02}-{:02}\"", r.below(10_000), r.below(14), r.below(34)),
        _ => format!("\"{}\"", day(r)),
    }
}

/// A time of day or longer between quotes, or a number of ticks.
pub(crate) fn time(r: &mut Random) -> String {
    match r.below(8) {
        0 => unix(r),
        1 => format!(
            "\"{}{}:{:02}:{:02}{}\"",
            r.pick(&["-", "", "+"]),
            r.below(1002),
            r.below(100),
            r.below(100),
            fraction(r)
        ),
        2 => format!("\"{}:{}\"", r.below(100), r.below(100)),
        3 => format!("\"{}\"", r.below(100)),
        4 => date_time(r),
        _ => format!("\"{}{}\"", clock(r), fraction(r)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_edge_begins_with_a_whole_date() {
        assert!(EDGES.iter().all(|text| text.len() >= 10 && text.is_char_boundary(10)));
    }

    #[test]
    fn texts_have_both_quotes_or_none() {
        let mut r = Random::of_group(5, 5);
        for make in [date, date_time, zoned, time] {
            for _ in 0..5_000 {
                let text = make(&mut r);
                assert_eq!(text.starts_with('"'), text.len() > 1 && text.ends_with('"'), "{text}");
            }
        }
    }
}
