//! Formats that can be told at once. What is not certainly right is left to the library.

use std::net::Ipv6Addr;

use super::block::{byte, digits, every, fits, lane, load};
use crate::draft::Draft;

/// Formats that are looked at here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    DateTime,
    Date,
    Time,
    Uuid,
    Ipv4,
    Ipv6,
    Email,
}

impl Format {
    /// The format of a name, where it can be told at once.
    pub(super) fn by_name(name: &str, draft: Draft) -> Option<Format> {
        Some(match name {
            "date-time" => Format::DateTime,
            "date" => Format::Date,
            "time" => Format::Time,
            "uuid" if draft >= Draft::Draft201909 => Format::Uuid,
            "ipv4" => Format::Ipv4,
            "ipv6" => Format::Ipv6,
            "email" => Format::Email,
            _ => return None,
        })
    }

    /// The place of the quote that ends the text which begins at `at`, where all of it is certainly of this format.
    #[inline]
    pub(super) fn end(self, bytes: &[u8], at: usize) -> Option<usize> {
        let end = match self {
            Format::DateTime => date_time(bytes, at)?,
            Format::Date => date(bytes, at)?,
            Format::Time => time(bytes, at)?,
            Format::Uuid => uuid(bytes, at)?,
            Format::Ipv4 => ipv4(bytes, at)?,
            Format::Ipv6 => ipv6(bytes, at)?,
            Format::Email => email(bytes, at)?,
        };
        (byte(bytes, end) == b'"').then_some(end)
    }
}

/// Digits and separators of a text: `0` stands for a digit, `?` for anything of ASCII, and all else for itself.
struct Shape {
    text: u128,
    /// What is left in each lane above a digit (9), a separator (0) or anything (127).
    room: u128,
}

impl Shape {
    const fn new(text: [u8; 16]) -> Shape {
        let mut room = [0; 16];
        let mut at = 0;
        while at < 16 {
            room[at] = match text[at] {
                b'0' => 0x76,
                b'?' => 0,
                _ => 0x7F,
            };
            at += 1;
        }
        Shape { text: u128::from_le_bytes(text), room: u128::from_le_bytes(room) }
    }

    /// The block as the values of its digits, where it has this shape.
    #[inline(always)]
    const fn values(&self, block: u128) -> Option<u128> {
        let values = block ^ self.text;
        if fits(values, self.room) { Some(values) } else { None }
    }
}

const MOMENT: Shape = Shape::new(*b"0000-00-00T00:00");
const DATE: Shape = Shape::new(*b"0000-00-00\"?????");
/// Hours and minutes, of a day and of a zone.
const CLOCK: Shape = Shape::new(*b"00:00???????????");

#[inline(always)]
fn pair(values: u128, at: u32) -> u8 {
    lane(values, at) * 10 + lane(values, at + 1)
}

/// Whether the day exists. The first ten lanes are a date's.
#[inline(always)]
fn is_date(values: u128) -> bool {
    let (month, day) = (pair(values, 5), pair(values, 8));
    (1..=12).contains(&month) && day >= 1 && (day <= 28 || is_late_day(values, month, day))
}

fn is_late_day(values: u128, month: u8, day: u8) -> bool {
    let year = u16::from(pair(values, 0)) * 100 + u16::from(pair(values, 2));
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    day <= match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// RFC 3339, with a large `T` and `Z`. Leap seconds are left to the library.
#[inline]
fn date_time(bytes: &[u8], at: usize) -> Option<usize> {
    let values = MOMENT.values(load(bytes, at))?;
    let is_moment = is_date(values) && pair(values, 11) <= 23 && pair(values, 14) <= 59;
    if is_moment { second(bytes, at + 16) } else { None }
}

#[inline]
fn date(bytes: &[u8], at: usize) -> Option<usize> {
    let values = DATE.values(load(bytes, at))?;
    is_date(values).then_some(at + 10)
}

#[inline]
fn time(bytes: &[u8], at: usize) -> Option<usize> {
    let values = CLOCK.values(load(bytes, at))?;
    if pair(values, 0) <= 23 && pair(values, 3) <= 59 { second(bytes, at + 5) } else { None }
}

/// Seconds with their fraction, and the zone.
#[inline(always)]
fn second(bytes: &[u8], at: usize) -> Option<usize> {
    let block = load(bytes, at);
    let second = block ^ u128::from_le_bytes(*b":00\0\0\0\0\0\0\0\0\0\0\0\0\0");
    let is_second = lane(second, 0) == 0 && lane(second, 1) <= 5 && lane(second, 2) <= 9;
    if !is_second {
        return None;
    }
    let mut at = at + 3;
    if lane(block, 3) == b'.' {
        let (count, _) = digits(block >> 32);
        if count == 0 {
            return None;
        }
        at += 1 + count as usize;
        // The block may have ended among the digits.
        while byte(bytes, at).is_ascii_digit() {
            at += 1;
        }
    }
    match byte(bytes, at) {
        b'Z' => Some(at + 1),
        b'+' | b'-' => {
            let values = CLOCK.values(load(bytes, at + 1))?;
            (pair(values, 0) <= 23 && pair(values, 3) <= 59).then_some(at + 6)
        }
        _ => None,
    }
}

/// RFC 4122: 32 hexadecimal digits in groups.
#[inline]
fn uuid(bytes: &[u8], at: usize) -> Option<usize> {
    let (first, second, third) = (load(bytes, at), load(bytes, at + 16), load(bytes, at + 20));
    // xxxxxxxx-xxxx-xx xx-xxxx-xxxxxxxx xxxx-xxxxxxxxxxxx
    let hyphens = [(first, 8), (first, 13), (second, 2), (second, 7)];
    let has_hyphens = hyphens.iter().all(|(block, at)| lane(*block, *at) == b'-');
    let filled = |block: u128, at: [u32; 2]| {
        at.iter().fold(block, |block, at| block ^ (u128::from(b'-' ^ b'0') << (8 * at)))
    };
    // The third block lies over the second one; its hyphen is the second's last.
    let third_filled = third ^ (u128::from(b'-' ^ b'0') << (8 * 3));
    (has_hyphens && is_hex(filled(first, [8, 13])) && is_hex(filled(second, [2, 7])) && is_hex(third_filled))
        .then_some(at + 36)
}

/// Whether every lane is a hexadecimal digit.
#[inline(always)]
fn is_hex(block: u128) -> bool {
    const TOPS: u128 = every(0x80);
    if block & TOPS != 0 {
        return false;
    }
    // The top bit tells that a lane is at least so much.
    let at_least = |block: u128, byte: u8| block + every(0x80 - byte);
    let digits = at_least(block, b'0') & !at_least(block, b'9' + 1);
    let lower = block | every(0x20);
    let letters = at_least(lower, b'a') & !at_least(lower, b'f' + 1);
    (digits | letters) & TOPS == TOPS
}

/// Four numbers up to 255 without zeros before them.
#[inline]
fn ipv4(bytes: &[u8], mut at: usize) -> Option<usize> {
    for part in 0..4 {
        let (mut number, start) = (0_u32, at);
        while at < start + 3 && byte(bytes, at).is_ascii_digit() {
            number = number * 10 + u32::from(byte(bytes, at) - b'0');
            at += 1;
        }
        let has_zero = byte(bytes, start) == b'0' && at > start + 1;
        if at == start || number > 255 || has_zero {
            return None;
        }
        if part < 3 {
            if byte(bytes, at) != b'.' {
                return None;
            }
            at += 1;
        }
    }
    Some(at)
}

fn ipv6(bytes: &[u8], at: usize) -> Option<usize> {
    const LONGEST: usize = "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255".len();
    let rest = bytes.get(at..)?;
    let length =
        rest.iter().take(LONGEST + 1).position(|byte| !byte.is_ascii_hexdigit() && !b":.".contains(byte))?;
    let text = std::str::from_utf8(rest.get(..length)?).ok()?;
    text.parse::<Ipv6Addr>().ok().map(|_| at + length)
}

/// The addresses that people have: words with dots between them, and a domain of two labels at least.
fn email(bytes: &[u8], at: usize) -> Option<usize> {
    const LOCAL_BYTES: usize = 64;
    const DOMAIN_BYTES: usize = 253;
    let local = words(bytes, at, |byte| byte.is_ascii_alphanumeric() || b"_+-".contains(&byte))?.0;
    if byte(bytes, local) != b'@' || local - at > LOCAL_BYTES {
        return None;
    }
    let (end, count) = words(bytes, local + 1, |byte| byte.is_ascii_alphanumeric())?;
    (count >= 2 && end - local - 1 <= DOMAIN_BYTES).then_some(end)
}

/// Passes words with single dots between them: where they end, and how many they are. A word has at most 63 bytes.
fn words(bytes: &[u8], mut at: usize, is_inside: impl Fn(u8) -> bool) -> Option<(usize, usize)> {
    let mut count = 0;
    loop {
        let start = at;
        while is_inside(byte(bytes, at)) {
            at += 1;
        }
        if at == start || at - start > 63 {
            return None;
        }
        count += 1;
        if byte(bytes, at) != b'.' {
            return Some((at, count));
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(format: Format, text: &str) -> bool {
        let record = format!("\"{text}\"");
        format.end(record.as_bytes(), 1) == Some(record.len() - 1)
    }

    #[track_caller]
    fn check(format: Format, right: &[&str], others: &[&str]) {
        for text in right {
            assert!(accepts(format, text), "{text}");
        }
        for text in others {
            assert!(!accepts(format, text), "{text}");
        }
    }

    #[test]
    fn moments() {
        check(
            Format::DateTime,
            &[
                "2026-02-16T10:23:45Z",
                "2026-02-16T10:23:45.1Z",
                "2026-02-16T10:23:45.123456Z",
                "2026-02-16T10:23:45.123456789012Z",
                "2026-02-16T10:23:45.1234567890123456789012345678901234567890Z",
                "2024-02-29T23:59:59+23:59",
                "2000-02-29T00:00:00.000-00:00",
                "2026-12-31T00:00:00Z",
            ],
            &[
                "2026-02-16T10:23:45",
                "2026-02-16T10:23:45.Z",
                "2026-02-16T10:23Z",
                "2026-02-29T10:23:45Z",
                "1900-02-29T10:23:45Z",
                "2026-04-31T10:23:45Z",
                "2026-00-10T10:23:45Z",
                "2026-13-10T10:23:45Z",
                "2026-01-00T10:23:45Z",
                "2026-01-32T10:23:45Z",
                "2026-02-16T24:23:45Z",
                "2026-02-16T10:60:45Z",
                "2026-02-16T10:23:60Z",
                "2026-02-16T10:23:45+24:00",
                "2026-02-16T10:23:45+00:60",
                "2026-02-16T10:23:45+0000",
                "2026-02-16T10:23:45ZZ",
                "2026-02-16 10:23:45Z",
                "2026/02/16T10:23:45Z",
                "",
                "2026",
            ],
        );
        check(
            Format::Date,
            &["2026-02-16", "2024-02-29"],
            &["2026-02-30", "2026-2-16", "2026-02-161", "2026-02-16T"],
        );
        check(
            Format::Time,
            &["10:23:45Z", "10:23:45.5+01:00", "10:23:45.1234567890123456Z"],
            &["24:00:00Z", "10:23:45", "10:23Z", "10:23:60Z"],
        );
    }

    #[test]
    fn ids_and_addresses() {
        check(
            Format::Uuid,
            &["123e4567-e89b-12d3-a456-426614174000", "ABCDEFab-0000-0000-0000-000000000000"],
            &[
                "123e4567-e89b-12d3-a456-42661417400",
                "123e4567-e89b-12d3-a456-4266141740000",
                "123e4567-e89b-12d3-a456-42661417400g",
                "123e4567-e89b-12d3-a4560-42661417400",
                "123e4567-e89b-12d3-a456_426614174000",
                "/23e4567-e89b-12d3-a456-426614174000",
                "123e4567-e89b-12d3-a456-42661417400:",
                "123e4567-e89b-12d3-a4\u{e9}-426614174000",
                "123e4567-e89b-12d3-@456-426614174000",
            ],
        );
        check(
            Format::Ipv4,
            &["0.0.0.0", "255.255.255.255", "1.20.0.3"],
            &["256.0.0.1", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.4 ", "1..2.3", "", "1.2.3.1234"],
        );
        check(
            Format::Ipv6,
            &[
                "::1",
                "2001:db8::ff00:42:8329",
                "::ffff:1.2.3.4",
                "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
            ],
            &["1::2::3", "::1%eth0", "12345::", "", "1.2.3.4"],
        );
        check(
            Format::Email,
            &["joe@example.com", "a.b+c_d-e@mail.example.co"],
            &["joe", "joe@", "@example.com", "a..b@example.com", ".a@example.com", "joe@localhost", "a@b..c"],
        );
    }
}
