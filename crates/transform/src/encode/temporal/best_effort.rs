//! Dates with time in the notations that ClickHouse's `best_effort` reads.

use super::ZoneMemo;
use crate::calendar;

/// A moment: seconds since 1970, and a fraction of `fraction / 10^fraction_digits` seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) seconds: i64,
    pub(crate) fraction: i64,
    pub(crate) fraction_digits: u8,
}

impl Moment {
    /// The moment in ticks of `10^-precision` seconds, digits beyond the precision cut off; none where 64 bits have no
    /// room for it.
    pub(crate) fn ticks(&self, precision: u8) -> Option<i64> {
        // ClickHouse refuses whole seconds that do not fit, even where the fraction would bring them back.
        let whole = self.seconds.checked_mul(power_of_ten(precision))?;
        whole.checked_add(if self.fraction_digits > precision {
            self.fraction / power_of_ten(self.fraction_digits - precision)
        } else {
            self.fraction * power_of_ten(precision - self.fraction_digits)
        })
    }
}

fn power_of_ten(exponent: u8) -> i64 {
    10i64.pow(u32::from(exponent.min(18)))
}

/// Why a text is not a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextFault {
    /// ClickHouse would take the year of its clock.
    NoYear,
    /// Anything else.
    Unreadable,
}

/// Digits of a fraction that are kept.
const FRACTION_DIGITS_MAX: usize = 18;

/// The value of the digits.
fn number(digits: &[u8]) -> i64 {
    digits.iter().fold(0i64, |n, digit| n.wrapping_mul(10).wrapping_add(i64::from(digit.wrapping_sub(b'0'))))
}

/// Adds the digits to a field, which has eight bits in ClickHouse.
fn add(field: &mut i64, digits: &[u8]) {
    *field = (*field + number(digits)) & 0xFF;
}

/// The way most texts go: `YYYY-MM-DD`, a blank or `T`, `hh:mm:ss`, perhaps a fraction, perhaps `Z`.
#[inline]
pub(crate) fn iso(text: &[u8], zone: &mut ZoneMemo) -> Option<Moment> {
    let (head, tail) = text.split_first_chunk::<19>()?;
    let d = |at: usize| head[at].wrapping_sub(b'0');
    let mut worst = 0u8;
    for at in [0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18] {
        worst = worst.max(d(at));
    }
    let punctuated = head[4] == b'-' && head[7] == b'-' && head[13] == b':' && head[16] == b':';
    if worst > 9 || !punctuated || !matches!(head[10], b' ' | b'T') {
        return None;
    }
    let two = |at: usize| i64::from(d(at)) * 10 + i64::from(d(at + 1));
    let (year, month, day) = (two(0) * 100 + two(2), two(5), two(8));
    let (hour, minute, second) = (two(11), two(14), two(17));
    let calm =
        (1..=12).contains(&month) && (1..=28).contains(&day) && hour < 24 && minute < 60 && second < 60;
    if !calm || year < 1000 {
        return None;
    }
    let (tail, is_utc) = match tail.split_last() {
        Some((b'Z', rest)) => (rest, true),
        _ => (tail, false),
    };
    let mut fraction = 0;
    let mut fraction_digits = 0;
    if let Some((point, digits)) = tail.split_first() {
        if *point != b'.' || digits.is_empty() || digits.len() > 9 {
            return None;
        }
        for byte in digits {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            fraction = fraction * 10 + i64::from(digit);
            fraction_digits += 1;
        }
    }
    let second_of_day = hour * 3600 + minute * 60 + second;
    let seconds = if is_utc {
        calendar::days(year, month, day) * 86_400 + second_of_day
    } else {
        zone.moment(year, month, day, second_of_day)
    };
    Some(Moment { seconds, fraction, fraction_digits })
}

/// Reads a text in any of the notations. `fractions` says whether the column keeps them: only then a
/// count of seconds may have one.
pub(crate) fn parse(text: &[u8], fractions: bool, zone: &mut ZoneMemo) -> Result<Moment, TextFault> {
    let mut parser = Parser { text, ..Parser::default() };
    if let Some(moment) = parser.run(fractions)? {
        return Ok(moment);
    }
    parser.moment(zone)
}

/// Reads a text as ClickHouse does where it looks for the type of a text: the whole date has to be there, in parts, with
/// `-`, `/` or `:` between them, or a count of units smaller than seconds. Says beside the moment whether the text has a
/// fraction.
pub(crate) fn parse_strictly(text: &[u8], zone: &mut ZoneMemo) -> Option<(Moment, bool)> {
    let mut parser = Parser { text, is_strict: true, ..Parser::default() };
    if let Some(counted) = parser.run(true).ok()? {
        return Some((counted, true));
    }
    let is_whole = parser.year != 0 && parser.month != 0 && parser.day != 0;
    is_whole.then_some(())?;
    Some((parser.moment(zone).ok()?, parser.has_fraction))
}

/// What has been read so far; 0 stands for "not yet" as in ClickHouse, so month 0 and day 0 pass.
#[derive(Debug, Default)]
struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    /// Runs of digits that could be anything are refused.
    is_strict: bool,
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    has_time: bool,
    /// The text names a zone: hours and minutes by which it is away from UTC, and the direction.
    has_offset: bool,
    offset_hours: i64,
    offset_minutes: i64,
    is_behind_utc: bool,
    /// A comma stood where a time should follow.
    has_comma: bool,
    is_am: bool,
    is_pm: bool,
    /// A point stood behind the time.
    has_fraction: bool,
    fraction: i64,
    fraction_digits: u8,
}

type Step<T = ()> = Result<T, TextFault>;
const UNREADABLE: Step = Err(TextFault::Unreadable);

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn eat(&mut self, bytes: &[u8]) -> Option<u8> {
        let byte = self.peek().filter(|b| bytes.contains(b))?;
        self.at += 1;
        Some(byte)
    }

    /// Takes at most this many digits.
    fn digits(&mut self, max: usize) -> &'a [u8] {
        let start = self.at;
        while self.at - start < max && self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        &self.text[start..self.at]
    }

    /// The value of the next one or two digits.
    fn one_or_two(&mut self) -> Step<i64> {
        match self.digits(20) {
            digits @ ([_] | [_, _]) => Ok(number(digits)),
            _ => Err(TextFault::Unreadable),
        }
    }

    /// Reads the text; a moment where it is a count of seconds or of smaller units.
    fn run(&mut self, fractions: bool) -> Step<Option<Moment>> {
        while self.at < self.text.len() {
            let digits = self.digits(20);
            let fresh = self.year == 0 && !self.has_time;
            match digits.len() {
                0 => self.mark()?,
                // A count of seconds, or of parts of them, ends the text.
                13 if fresh => return self.unix(digits, 3, false),
                16 if fresh => return self.unix(digits, 6, false),
                19 if fresh => return self.unix(digits, 9, false),
                6 | 8.. if self.is_strict => return Err(TextFault::Unreadable),
                9 | 10 if fresh => return self.unix(digits, 0, fractions),
                14 if fresh => {
                    self.date(&digits[..8]);
                    self.time(&digits[8..]);
                }
                8 if self.year == 0 => self.date(digits),
                6 if self.year == 0 && self.month == 0 => {
                    self.year = number(&digits[..4]);
                    self.month = number(&digits[4..]);
                }
                6 if !self.has_time => self.time(digits),
                4 if self.year == 0 => self.after_year(number(digits))?,
                1 | 2 if self.year == 0 || !self.has_time => self.short(number(digits))?,
                _ => return Err(TextFault::Unreadable),
            }
        }
        Ok(None)
    }

    fn unix(&mut self, digits: &[u8], fraction_digits: u8, point: bool) -> Step<Option<Moment>> {
        let (whole, fraction) = digits.split_at(digits.len() - usize::from(fraction_digits));
        let mut moment = Moment { seconds: number(whole), fraction: number(fraction), fraction_digits };
        if point && self.eat(b".").is_some() {
            let digits = self.digits(FRACTION_DIGITS_MAX);
            moment.fraction = number(digits);
            moment.fraction_digits = u8::try_from(digits.len()).unwrap_or(0);
            // One more digit is read and cut off.
            self.digits(1);
        }
        if self.at == self.text.len() { Ok(Some(moment)) } else { Err(TextFault::Unreadable) }
    }

    /// Eight digits: ClickHouse adds month and day to what was read before.
    fn date(&mut self, digits: &[u8]) {
        self.year = number(&digits[..4]);
        add(&mut self.month, &digits[4..6]);
        add(&mut self.day, &digits[6..]);
    }

    /// Six digits, added in the same way.
    fn time(&mut self, digits: &[u8]) {
        add(&mut self.hour, &digits[..2]);
        add(&mut self.minute, &digits[2..4]);
        add(&mut self.second, &digits[4..]);
        self.has_time = true;
    }

    /// Behind four digits: month and day, where a separator follows.
    fn after_year(&mut self, year: i64) -> Step {
        self.year = year;
        // ClickHouse takes these for the end of the text.
        if matches!(self.peek(), Some(b',' | b';' | b'\'')) {
            return UNREADABLE;
        }
        // Behind "Jan 2024", a sign starts the offset of a zone.
        if self.month != 0 {
            return Ok(());
        }
        let Some(separator) = self.peek() else { return Ok(()) };
        if !(b' '..=0x7F).contains(&separator) {
            return UNREADABLE;
        }
        self.at += 1;
        match self.digits(20) {
            digits @ ([_] | [_, _]) => self.month = number(digits),
            // ClickHouse reads over other numbers behind a blank: the day of the year, say.
            _ if separator == b' ' => return Ok(()),
            _ => return UNREADABLE,
        }
        if self.day == 0 && self.eat(&[separator]).is_some() {
            self.day = self.one_or_two()?;
        }
        if self.is_strict && !matches!(separator, b'-' | b'/' | b':') {
            return UNREADABLE;
        }
        Ok(())
    }

    /// One or two digits: the hour before a colon, else the day of the month.
    fn short(&mut self, value: i64) -> Step {
        if self.eat(b":").is_some() {
            if self.has_time {
                return UNREADABLE;
            }
            self.hour = value;
            self.has_time = true;
            self.minute = self.one_or_two()?;
            if self.eat(b":").is_some() {
                self.second = self.one_or_two()?;
            }
            return Ok(());
        }
        if self.eat(b",").is_some() {
            if self.month != 0 && self.day == 0 {
                self.day = value;
            }
            return Ok(());
        }
        let separators: &[u8] = if self.is_strict { b"/-" } else { b"/.-" };
        if self.eat(separators).is_some() {
            if self.day != 0 || self.month != 0 {
                return UNREADABLE;
            }
            self.day = value;
            match self.digits(20) {
                digits @ ([_] | [_, _]) => self.month = number(digits),
                [] => self.month_by_name()?,
                _ => return UNREADABLE,
            }
            if self.month > 12 {
                // The other way round, as it is written in America.
                std::mem::swap(&mut self.day, &mut self.month);
            }
            if self.eat(separators).is_some() {
                if self.year != 0 {
                    return UNREADABLE;
                }
                self.year = match self.digits(20) {
                    digits @ [_, _] if number(digits) < 70 => 2000 + number(digits),
                    digits @ [_, _] => 1900 + number(digits),
                    digits @ [_, _, _, _] => number(digits),
                    _ => return UNREADABLE,
                };
            }
            return Ok(());
        }
        if self.day == 0 {
            self.day = value;
        } else if self.is_strict && self.hour != 0 {
            return UNREADABLE;
        } else {
            self.hour = value;
        }
        Ok(())
    }

    fn month_by_name(&mut self) -> Step {
        let word = self.word();
        self.month = month(word).ok_or(TextFault::Unreadable)?;
        Ok(())
    }

    /// The letters at the cursor.
    fn word(&mut self) -> &'a [u8] {
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_alphabetic()) {
            self.at += 1;
        }
        &self.text[start..self.at]
    }

    /// Anything but a digit.
    fn mark(&mut self) -> Step {
        let Some(byte) = self.peek() else { return Ok(()) };
        match byte {
            b' ' => self.at += 1,
            b'T' if self.year != 0 && !self.has_time => self.at += 1,
            // Several commas pass, but not one behind the other.
            b',' if (self.year != 0) != self.has_time
                && self.text.get(self.at.wrapping_sub(1)) != Some(&b',') =>
            {
                self.at += 1;
                self.has_comma = true;
            }
            b'Z' => {
                self.at += 1;
                self.has_offset = true;
            }
            b'.' if self.has_time && !self.has_fraction => {
                self.at += 1;
                self.has_fraction = true;
                let digits = self.digits(FRACTION_DIGITS_MAX);
                self.fraction = number(digits);
                self.fraction_digits = u8::try_from(digits.len()).unwrap_or(0);
                // One more digit is read and cut off; what follows is read as something new.
                self.digits(1);
            }
            b'+' | b'-' => self.zone_offset(byte)?,
            _ => self.name()?,
        }
        Ok(())
    }

    fn zone_offset(&mut self, sign: u8) -> Step {
        self.at += 1;
        let digits = self.digits(20);
        let has_date = self.year != 0 && self.month != 0 && self.day != 0;
        if digits.len() == 6 && has_date && !self.has_time {
            self.time(digits);
            return Ok(());
        }
        let (hours, mut minutes) = match digits {
            [_, _, _, _] => (number(&digits[..2]), number(&digits[2..])),
            [_] | [_, _] => (number(digits), 0),
            [_, _, _] => (number(&digits[..1]), number(&digits[1..])),
            _ => return UNREADABLE,
        };
        if digits.len() <= 2 && self.eat(b":").is_some() {
            minutes = self.one_or_two()?;
        }
        // Of several offsets ClickHouse adds the amounts; one minus makes the sum negative.
        self.has_offset = true;
        self.is_behind_utc |= sign == b'-';
        self.offset_hours = (self.offset_hours + hours) & 0xFF;
        self.offset_minutes = (self.offset_minutes + minutes) & 0xFF;
        Ok(())
    }

    fn name(&mut self) -> Step {
        let word = self.word();
        if word.is_empty() {
            return UNREADABLE;
        }
        if word.eq_ignore_ascii_case(b"am") {
            self.is_am = true;
        } else if word.eq_ignore_ascii_case(b"pm") {
            self.is_pm = true;
        } else if word.eq_ignore_ascii_case(b"utc") || word.eq_ignore_ascii_case(b"gmt") {
            // Beside an offset, the word says nothing new.
            self.has_offset = true;
        } else if word.eq_ignore_ascii_case(b"msk") {
            self.has_offset = true;
            self.offset_hours = 3;
        } else if word.eq_ignore_ascii_case(b"msd") {
            self.has_offset = true;
            self.offset_hours = 4;
        } else if let Some(month) = month(word) {
            self.month = month;
        } else if named(word, &DAYS).is_some() {
            self.eat(b",");
        } else {
            return UNREADABLE;
        }
        Ok(())
    }

    fn moment(&mut self, zone: &mut ZoneMemo) -> Result<Moment, TextFault> {
        if self.year == 0 && self.month == 0 && self.day == 0 && !self.has_time {
            return Err(TextFault::Unreadable);
        }
        let is_whole = self.year != 0 && self.month != 0 && self.day != 0 && self.has_time;
        if self.has_comma && !is_whole {
            return Err(TextFault::Unreadable);
        }
        let month = if self.month == 0 { 1 } else { self.month };
        let day = if self.day == 0 { 1 } else { self.day };
        if month > 12 || day > calendar::days_in_month(if self.year == 0 { 2000 } else { self.year }, month) {
            return Err(TextFault::Unreadable);
        }
        if self.year == 0 {
            return Err(TextFault::NoYear);
        }
        let mut hour = self.hour;
        if self.is_am && hour == 12 {
            hour = 0;
        }
        if self.is_pm && hour < 12 {
            hour += 12;
        }
        let second_of_day = hour * 3600 + self.minute * 60 + self.second;
        let seconds = if self.has_offset {
            let offset = self.offset_hours * 3600 + self.offset_minutes * 60;
            let ahead_of_utc = if self.is_behind_utc { -offset } else { offset };
            calendar::days(self.year, month, day) * 86_400 + second_of_day - ahead_of_utc
        } else {
            zone.moment(self.year, month, day, second_of_day)
        };
        Ok(Moment { seconds, fraction: self.fraction, fraction_digits: self.fraction_digits })
    }
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// The index of a name, which may be cut to three letters.
fn named(word: &[u8], names: &[&str]) -> Option<usize> {
    names.iter().position(|name| {
        word.eq_ignore_ascii_case(name.as_bytes()) || word.eq_ignore_ascii_case(&name.as_bytes()[..3])
    })
}

fn month(word: &[u8]) -> Option<i64> {
    i64::try_from(named(word, &MONTHS)? + 1).ok()
}
