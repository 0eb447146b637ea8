//! The differences on purpose. Each stands in `docs/differences.md`; what is not listed here is a finding.

use housepipe_transform::{Reject, RejectCode};

use crate::reference::code_of;

/// Why a record is refused that ClickHouse accepts.
#[derive(Debug)]
pub(crate) struct Known {
    code: RejectCode,
    /// The reason, as the report counts it.
    pub(crate) reason: &'static str,
    /// Whether the record is one of those; given the record and the position of the reject.
    applies: fn(&[u8], usize) -> bool,
}

/// With ClickHouse's semantics, and with the strict ones too.
const BOTH: &[Known] = &[
    Known {
        code: RejectCode::TrailingData,
        reason: "one record is one document",
        applies: |record, position| is_one_object(head(record, position)),
    },
    Known {
        code: RejectCode::NotAnObject,
        reason: "one record is one document",
        applies: |record, _| begins(record, b"["),
    },
    Known {
        code: RejectCode::InvalidJson,
        reason: "one record is one document",
        applies: |record, _| begins(record, b"["),
    },
    Known {
        code: RejectCode::InvalidJson,
        reason: "a blank record",
        applies: |record, _| record.iter().all(|byte| is_blank(*byte) || *byte == b';'),
    },
    Known {
        code: RejectCode::InvalidJson,
        reason: "a byte order mark",
        applies: |record, _| begins(record, b"\xef\xbb\xbf"),
    },
    Known {
        code: RejectCode::DateTimeWithoutYear,
        reason: "a date-time without a year",
        applies: |record, position| !holds_year(tail(record, position)),
    },
    Known {
        code: RejectCode::TooDeep,
        reason: "nested too deep",
        applies: |record, _| depth(record) > 1_000,
    },
    Known {
        code: RejectCode::InvalidEscape,
        reason: ODD_DIGITS,
        applies: |record, _| has_odd_digits(record),
    },
    Known { code: RejectCode::InvalidJson, reason: ODD_DIGITS, applies: |record, _| has_odd_digits(record) },
    Known {
        code: RejectCode::InvalidDate,
        reason: "a date with a quote between its numbers",
        applies: |record, position| is_date_around_quote(tail(record, position)),
    },
    Known {
        code: RejectCode::InvalidNumber,
        reason: "nan with brackets, whose verdict depends on the end of the buffer",
        applies: |record, position| {
            let text: Vec<u8> =
                tail(record, position).iter().copied().filter(|byte| !b"\"+-".contains(byte)).collect();
            text.len() > 4 && text[..4].eq_ignore_ascii_case(b"nan(")
        },
    },
    Known {
        code: RejectCode::InvalidJsonColumn,
        reason: "a typed path of a JSON column that stands twice, once as an object",
        applies: |record, position| key_before(record, position).is_some_and(|key| count(record, key) > 1),
    },
];

/// What the strict semantics refuse more.
const STRICT: &[Known] = &[
    Known {
        code: RejectCode::InvalidJson,
        reason: "strict: not JSON",
        applies: |record, _| !is_json(record),
    },
    Known {
        code: RejectCode::InvalidEscape,
        reason: "strict: an escape that JSON does not have",
        applies: |record, _| !is_json(record),
    },
    Known {
        code: RejectCode::OutOfRange,
        reason: "strict: another number would be stored",
        applies: |record, position| holds_digit(tail(record, position)),
    },
    Known {
        code: RejectCode::WrongTupleLength,
        reason: "strict: no number is not 0",
        applies: |record, position| head(record, position).trim_ascii_end().ends_with(b"["),
    },
    Known {
        code: RejectCode::NullEnum,
        reason: "strict: a row that cannot be read again",
        applies: |_, _| true,
    },
    Known {
        code: RejectCode::TrailingData,
        reason: "strict: not JSON",
        applies: |record, position| tail(record, position).iter().all(|byte| is_blank(*byte)),
    },
];

const ODD_DIGITS: &str = "an escape whose digits include a quote or a backslash";

fn has_odd_digits(record: &[u8]) -> bool {
    record.windows(6).any(|six| six.starts_with(b"\\u") && six[2..].iter().any(|byte| b"\"\\".contains(byte)))
}

/// Whether the record is a JSON document, as a parser says that is not ours. Bytes that are not UTF-8 and raw control
/// characters in texts are passed over.
fn is_json(record: &[u8]) -> bool {
    let text: String = record
        .iter()
        .map(|byte| match byte {
            b'\t' | b'\n' | b'\r' => ' ',
            // Inside of texts any character will do, outside none will.
            0..0x20 | 0x7f.. => '~',
            byte => char::from(*byte),
        })
        .collect();
    serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok()
}

/// Whether the value at the beginning of the text has a digit.
fn holds_digit(text: &[u8]) -> bool {
    text.iter().take_while(|byte| !b",}]".contains(byte)).any(u8::is_ascii_digit)
}

/// The reason for ClickHouse's texts whose verdict depends on what follows them.
pub(crate) const BUFFER_END: &str = "ClickHouse's verdict depends on the end of its buffer";

/// The reason for paths that stand twice where an expression leaves them out.
const SKIPPED_TWICE: &str = "a path twice inside of what SKIP REGEXP leaves out";

/// The reason for a typed path that stands twice where the JSON type is one of a Variant's: then the Variant takes none.
const TWICE_IN_VARIANT: &str = "a typed path of a JSON in a Variant that stands twice, once as an object";

/// The reason why a record is refused with both semantics that ClickHouse accepts; none where that is a finding.
pub(crate) fn reason(reject: &Reject, columns: &str, record: &[u8]) -> Option<&'static str> {
    if reject.code == RejectCode::TypeMismatch
        && columns.contains("Variant(")
        && columns.contains("JSON(")
        && has_key_twice_and_object(tail(record, reject.position))
    {
        return Some(TWICE_IN_VARIANT);
    }
    if reject.code == RejectCode::InvalidJsonColumn && columns.contains("SKIP REGEXP") {
        return Some(SKIPPED_TWICE);
    }
    if reject.code == RejectCode::InvalidJsonColumn
        && columns.contains("FixedString")
        && is_written_anew(tail(record, reject.position))
    {
        return Some("a value at a FixedString path that ClickHouse writes anew before it counts its bytes");
    }
    let said =
        SAID.iter().find(|(code, message)| *code == reject.code && reject.message.starts_with(message));
    said.map(|(_, message)| *message).or_else(|| find(BOTH, reject, record))
}

/// Whether the value at the beginning is an array, an object or a number that ClickHouse may spell otherwise.
fn is_written_anew(value: &[u8]) -> bool {
    match value.first() {
        Some(b'[' | b'{') => {
            value.iter().any(|byte| matches!(byte, b'\\' | b'/' | b'.' | b'e' | b'A'..=b'Z'))
        }
        Some(b'-' | b'0'..=b'9') => {
            value.iter().take_while(|byte| !b",}]".contains(byte)).any(|byte| matches!(byte, b'e' | b'E'))
        }
        _ => false,
    }
}

/// The reason why ClickHouse shows an error for a record that it has read: where it could not write the row again.
pub(crate) fn unwritten(error: &str, record: &[u8]) -> Option<&'static str> {
    // TOO_DEEP_AST and TOO_DEEP_RECURSION, of the name of the type of a path's value. The insert itself is taken.
    let is_too_deep = matches!(code_of(error), 167 | 306) && depth(record) > WRITTEN_DEPTH;
    let is_of_output = error.contains("FormattingOutputFormat");
    (is_too_deep && is_of_output)
        .then_some("ClickHouse reads it and cannot write it as RowBinary: arrays nested too deep")
}

/// Depth to which ClickHouse writes the value of a JSON column's path in any case.
const WRITTEN_DEPTH: i64 = 60;

/// The reason why the strict semantics alone refuse a record; none where that is a finding.
pub(crate) fn strict_reason(reject: &Reject, record: &[u8]) -> Option<&'static str> {
    find(STRICT, reject, record)
}

fn find(list: &[Known], reject: &Reject, record: &[u8]) -> Option<&'static str> {
    list.iter()
        .find(|known| known.code == reject.code && (known.applies)(record, reject.position))
        .map(|known| known.reason)
}

/// What is refused of values whose place the position does not tell, by how the message begins.
const SAID: &[(RejectCode, &str)] = &[
    (RejectCode::InvalidJson, "the value of a Dynamic is not JSON"),
    (RejectCode::TypeMismatch, "objects of one array have values of several types"),
    (RejectCode::TooDeep, "arrays and objects of a Dynamic are nested deeper"),
    (RejectCode::OutOfRange, "the number does not fit the Decimal, and ClickHouse would store another one"),
];

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c)
}

fn begins(record: &[u8], mark: &[u8]) -> bool {
    let start = record.iter().position(|byte| !is_blank(*byte)).unwrap_or(record.len());
    record[start..].starts_with(mark)
}

/// The key of the value at the position, with its quotes.
fn key_before(record: &[u8], position: usize) -> Option<&[u8]> {
    let head = record.get(..position)?.trim_ascii_end().strip_suffix(b":")?.trim_ascii_end();
    let start = head.strip_suffix(b"\"")?.iter().rposition(|byte| *byte == b'"')?;
    Some(&head[start..])
}

fn count(record: &[u8], key: &[u8]) -> usize {
    record.windows(key.len()).filter(|window| *window == key).count()
}

/// Whether the object at the beginning of the text has a key twice, once before an object.
fn has_key_twice_and_object(text: &[u8]) -> bool {
    let is_key =
        |at: &usize| text[*at] == b':' && at.checked_sub(1).is_some_and(|before| text[before] == b'"');
    (0..text.len()).filter(is_key).any(|at| {
        text[at + 1..].trim_ascii_start().starts_with(b"{")
            && key_before(text, at + 1).is_some_and(|key| count(text, key) > 1)
    })
}

/// The record up to the position, or from there on; nothing where a position lies behind it, which is a finding.
fn head(record: &[u8], position: usize) -> &[u8] {
    record.get(..position).unwrap_or_default()
}

fn tail(record: &[u8], position: usize) -> &[u8] {
    record.get(position..).unwrap_or_default()
}

/// Whether the text begins with a date whose year or month is followed by the quote that ends the text.
fn is_date_around_quote(text: &[u8]) -> bool {
    let Some(text) = text.strip_prefix(b"\"").filter(|text| text.len() > 4) else { return false };
    let (year, rest) = text.split_at(4);
    let month = rest[1..].iter().take(2).take_while(|byte| byte.is_ascii_digit()).count();
    year.iter().all(u8::is_ascii_digit)
        && (rest[0] == b'"' || !rest[0].is_ascii_digit() && month > 0 && rest.get(1 + month) == Some(&b'"'))
}

/// The levels behind each byte of what these brackets open and close, those in texts left out.
fn levels<'r>(record: &'r [u8], open: &'r [u8], close: &'r [u8]) -> impl Iterator<Item = i64> + 'r {
    let (mut in_text, mut escaped) = (false, false);
    record.iter().scan(0, move |level, byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_text,
            b'"' => in_text = !in_text,
            byte if !in_text => *level += i64::from(open.contains(byte)) - i64::from(close.contains(byte)),
            _ => {}
        }
        Some(*level)
    })
}

fn depth(record: &[u8]) -> i64 {
    levels(record, b"[{", b"]}").max().unwrap_or(0)
}

/// Whether the bytes are one object and blanks around it, by its braces: ClickHouse leaves brackets inside of an object
/// uncounted.
fn is_one_object(bytes: &[u8]) -> bool {
    let end = bytes.iter().rposition(|byte| !is_blank(*byte)).map_or(0, |last| last + 1);
    let start = bytes.iter().position(|byte| !is_blank(*byte)).unwrap_or(end);
    let bytes = &bytes[start..end];
    bytes.starts_with(b"{")
        && levels(bytes, b"{", b"}").position(|level| level == 0) == Some(bytes.len().wrapping_sub(1))
}

/// The text with the ASCII characters that stand in it as `\u0031`.
fn without_escapes(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut rest = text;
    while let [first, behind @ ..] = rest {
        let digits = rest.strip_prefix(b"\\u00").and_then(|rest| std::str::from_utf8(rest.get(..2)?).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(u8::is_ascii) {
            Some(byte) => {
                plain.push(byte);
                rest = &rest[6..];
            }
            None => {
                plain.push(*first);
                rest = behind;
            }
        }
    }
    plain
}

/// Whether the text at the beginning has four digits in a row and no more, or day, month and year in any order. What
/// stands behind a time and a sign is a zone.
fn holds_year(text: &[u8]) -> bool {
    let text: Vec<u8> = text.iter().skip(1).copied().take_while(|byte| *byte != b'"').collect();
    let text = without_escapes(&text);
    let is_zone = |start: usize| {
        let before = text[..start].rsplit(|byte| is_blank(*byte)).next().unwrap_or_default();
        let Some(rest) = before.strip_suffix(b"-") else { return before.ends_with(b"+") };
        // A year behind a sign has day and month before it, parted like it: `1-2-2024`.
        let word = rest.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let parts = &rest[..rest.len() - word];
        rest.contains(&b':')
            || word == 0
            || !(parts.ends_with(b"-") || parts.ends_with(b"/") || parts.ends_with(b"."))
    };
    let mut start = 0;
    let mut runs = text.split(|byte| !byte.is_ascii_digit()).map(|run| {
        let begins = start;
        start += run.len() + 1;
        (begins, run)
    });
    // The digits of a fraction are no year, and behind many of them others are the day again.
    let clock_end = fraction(&text).unwrap_or(text.len());
    runs.any(|(begins, run)| {
        begins < clock_end && !run.starts_with(b"0000") && matches!(run.len(), 4 | 8 | 14) && !is_zone(begins)
    })
}

/// Where the fraction of a second begins: a point behind the digits of a clock, with colons or without.
fn fraction(text: &[u8]) -> Option<usize> {
    text.iter().enumerate().filter(|(_, byte)| **byte == b'.').map(|(at, _)| at).find(|at| {
        let head = &text[..*at];
        let digits = head.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        digits > 0 && (head[..head.len() - digits].ends_with(b":") || digits > 4)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_stands_twice_in_a_variant_is_known() {
        let columns = "a Variant(JSON(c UInt8), UInt8)";
        let of = |columns, record: &[u8]| reason(RejectCode::TypeMismatch, columns, record, 5);
        assert_eq!(of(columns, br#"{"a":{"c":{},"c":null}}"#), Some(TWICE_IN_VARIANT));
        assert_eq!(of(columns, br#"{"a":{"c":{},"d":null}}"#), None);
        assert_eq!(of(columns, br#"{"a":{"c":1,"c":null}}"#), None);
        assert_eq!(of("a JSON(c UInt8)", br#"{"a":{"c":{},"c":null}}"#), None);
    }

    #[test]
    fn a_row_that_cannot_be_written_was_read() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(150), "]".repeat(150));
        let error =
            "Code: 167. DB::Exception: AST is too deep: While executing ParallelFormattingOutputFormat.";
        assert!(unwritten(error, deep.as_bytes()).is_some());
        assert_eq!(unwritten(error, b"{\"a\":[]}"), None, "it is not deep");
        let reading = error.replace("FormattingOutput", "ParsingBlockInput");
        assert_eq!(unwritten(&reading, deep.as_bytes()), None);
        assert_eq!(unwritten(&error.replace("167", "27"), deep.as_bytes()), None);
    }

    fn reason(code: RejectCode, columns: &str, record: &[u8], position: usize) -> Option<&'static str> {
        super::reason(&Reject::new(code, position, ""), columns, record)
    }

    fn strict_reason(code: RejectCode, record: &[u8], position: usize) -> Option<&'static str> {
        super::strict_reason(&Reject::new(code, position, ""), record)
    }

    #[test]
    fn a_reason_needs_its_record() {
        assert!(reason(RejectCode::InvalidJson, "", b" \t", 2).is_some());
        assert_eq!(reason(RejectCode::InvalidJson, "", b"{\"a\"}", 4), None);
        assert_eq!(reason(RejectCode::TooDeep, "", b"[[[[", 4), None);
        assert_eq!(reason(RejectCode::TooDeep, "", "[],".repeat(2_000).as_bytes(), 4), None);
        assert!(reason(RejectCode::TooDeep, "", "[".repeat(1_001).as_bytes(), 4).is_some());
        assert!(reason(RejectCode::TrailingData, "", b"{\"a\":\"}\"} {}", 10).is_some());
        assert!(reason(RejectCode::TrailingData, "", b"\x0b{}\x0b;", 4).is_some());
        assert!(reason(RejectCode::TrailingData, "", b"{\"a\":{[}},", 9).is_some());
        for text in ["2024\"4-7\"", "2024-4\"7\"", "2024-12\"7\""] {
            let record = format!("{{\"a\":\"{text}}}");
            assert!(reason(RejectCode::InvalidDate, "", record.as_bytes(), 5).is_some(), "{text}");
        }
        for text in ["2024-04-07\"", "2024-\"4-7\"", "202404\"7\"", "24-4\"7\"", "2024"] {
            let record = format!("{{\"a\":\"{text}}}");
            assert_eq!(reason(RejectCode::InvalidDate, "", record.as_bytes(), 5), None, "{text}");
        }
        assert_eq!(reason(RejectCode::TrailingData, "", b"{\"b\":{\"x\":1},\"a\":2}", 13), None);
        assert!(reason(RejectCode::DateTimeWithoutYear, "", b"{\"a\":\"2-0+2115\"}", 5).is_some());
        assert!(reason(RejectCode::DateTimeWithoutYear, "", b"{\"a\":\"12:30\"}", 5).is_some());
        assert_eq!(reason(RejectCode::DateTimeWithoutYear, "", b"{\"a\":\"2024-01-02 03:04:05\"}", 5), None);
        assert!(reason(RejectCode::DateTimeWithoutYear, "", b"{\"a\":\"6:6-2286UTC\"}", 5).is_some());
        assert!(reason(RejectCode::DateTimeWithoutYear, "", b"{\"a\":\"\\u0031\"}", 5).is_some());
        assert_eq!(reason(RejectCode::DateTimeWithoutYear, "", b"{\"a\":\"\\u0031999\"}", 5), None);
        for text in
            ["2024-01-02 03:04:05.123", "2024-01-02T03:04:05.1234Z", "20240102030405.5", "1.2.2024 3:04"]
        {
            let record = format!("{{\"a\":\"{text}\"}}");
            assert_eq!(reason(RejectCode::DateTimeWithoutYear, "", record.as_bytes(), 5), None, "{text}");
        }
        for text in [
            "9:7-2-2023",
            "Nov210723-0330",
            "8 -0330",
            "1:2:03.2024",
            "1:2:03.123456789 2024",
            "April197919.4330",
        ] {
            let record = format!("{{\"a\":\"{text}\"}}");
            assert!(reason(RejectCode::DateTimeWithoutYear, "", record.as_bytes(), 5).is_some(), "{text}");
        }
        assert_eq!(reason(RejectCode::DateTimeWithoutYear, "", b"{\"a\":\"6:6 1-2-2024\"}", 5), None);
        assert_eq!(reason(RejectCode::InvalidJsonColumn, "a JSON(SKIP a)", b"{}", 1), None);
        assert!(reason(RejectCode::InvalidJsonColumn, "a JSON(SKIP REGEXP 'a')", b"{}", 1).is_some());
        let fixed =
            |record: &[u8]| reason(RejectCode::InvalidJsonColumn, "a JSON(b FixedString(9))", record, 10);
        assert!(fixed(br#"{"a":{"b":{"\"":""}}}"#).is_some());
        assert!(fixed(br#"{"a":{"b":1e30}}"#).is_some());
        assert!(fixed(br#"{"a":{"b":[1.5]}}"#).is_some());
        assert_eq!(fixed(br#"{"a":{"b":1.5}}"#), None);
        assert_eq!(fixed(br#"{"a":{"b":{"x":""}}}"#), None);
        assert_eq!(fixed(br#"{"a":{"b":"ten bytes, E"}}"#), None);
        assert_eq!(reason(RejectCode::InvalidNumber, "", b"{}", 50), None);
        assert_eq!(reason(RejectCode::TypeMismatch, "", b"{\"a\":1}", 5), None);
        assert!(reason(RejectCode::InvalidEscape, "", b"{\"a\":\"\\u\"d83\"}", 6).is_some());
        assert_eq!(reason(RejectCode::InvalidEscape, "", b"{\"a\":\"\\ud83d\"}", 6), None);
        assert_eq!(strict_reason(RejectCode::TypeMismatch, b"{\"a\":1}", 5), None);
        assert_eq!(strict_reason(RejectCode::InvalidJson, b"{\"a\":1}", 5), None);
        assert!(strict_reason(RejectCode::InvalidJson, b"{\"a\":01}", 5).is_some());
        assert!(strict_reason(RejectCode::InvalidEscape, b"{\"a\":\"\\q\"}", 6).is_some());
        assert!(strict_reason(RejectCode::TrailingData, b"{}\x0b", 2).is_some());
        assert_eq!(strict_reason(RejectCode::TrailingData, b"{}1", 2), None);
    }
}
