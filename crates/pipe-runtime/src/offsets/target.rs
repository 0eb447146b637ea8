//! Where offsets are to be set to, as people write it.

use std::fmt;

use chrono::{DateTime, SecondsFormat};
use serde::{Serialize, Serializer};

use crate::errors::parse_moment;

/// Where an offset is to be set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetTarget {
    /// The oldest record that is left.
    Earliest,
    /// The end: what is written from now on.
    Latest,
    /// The first record whose timestamp is this or later; the end where there is none.
    Time {
        /// Milliseconds since 1970-01-01 UTC.
        unix_ms: i64,
    },
    /// This offset.
    At(i64),
    /// So many records behind the committed offset, or, where it is negative, before it.
    Relative(i64),
}

impl OffsetTarget {
    /// Reads `earliest`, `latest`, an offset, a distance with its sign, an RFC 3339 time, or how long before `now_ms`.
    ///
    /// ```
    /// use housepipe_runtime::OffsetTarget;
    ///
    /// assert_eq!(OffsetTarget::parse("1000", 0), Ok(OffsetTarget::At(1_000)));
    /// assert_eq!(OffsetTarget::parse("-1000", 0), Ok(OffsetTarget::Relative(-1_000)));
    /// assert_eq!(OffsetTarget::parse("1970-01-01T00:00:01Z", 0), Ok(OffsetTarget::Time { unix_ms: 1_000 }));
    /// assert!(OffsetTarget::parse("2026-01-01T00:00:00", 0).is_err());
    /// ```
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str, now_ms: i64) -> Result<OffsetTarget, String> {
        let text = text.trim();
        match text {
            "earliest" => return Ok(OffsetTarget::Earliest),
            "latest" => return Ok(OffsetTarget::Latest),
            _ => {}
        }
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_') {
            let number = text.replace('_', "").parse::<i64>();
            let number = number.map_err(|_| format!("`{text}` is too large for an offset"))?;
            let is_relative = digits.len() < text.len();
            return Ok(if is_relative { OffsetTarget::Relative(number) } else { OffsetTarget::At(number) });
        }
        if let Ok(unix_ms) = parse_moment(text, now_ms) {
            return Ok(OffsetTarget::Time { unix_ms });
        }
        if is_without_zone(text) {
            return Err(format!(
                "`{text}` has no time zone; write it as 2026-01-01T00:00:00Z, or with a zone such as +02:00"
            ));
        }
        Err(format!(
            "expected `earliest`, `latest`, an offset such as 1000, a distance from the committed offset such as -1000 or \
             +1000, a time such as 2026-01-01T00:00:00Z, or how long ago such as 30m, 2h or 7d; found `{text}`"
        ))
    }
}

/// A date, or a date and a time of day, that would be a moment with a zone.
fn is_without_zone(text: &str) -> bool {
    [format!("{text}Z"), format!("{text}:00Z"), format!("{text}T00:00:00Z")]
        .iter()
        .any(|with_zone| DateTime::parse_from_rfc3339(with_zone).is_ok())
}

impl fmt::Display for OffsetTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OffsetTarget::Earliest => f.write_str("earliest"),
            OffsetTarget::Latest => f.write_str("latest"),
            OffsetTarget::Time { unix_ms } => match DateTime::from_timestamp_millis(*unix_ms) {
                Some(time) => f.write_str(&time.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
                None => write!(f, "{unix_ms} ms since 1970"),
            },
            OffsetTarget::At(offset) => offset.fmt(f),
            OffsetTarget::Relative(distance) => write!(f, "{distance:+}"),
        }
    }
}

impl Serialize for OffsetTarget {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_767_225_600_000;

    #[test]
    fn every_form_is_read_and_shown() {
        for (text, target, shown) in [
            ("earliest", OffsetTarget::Earliest, "earliest"),
            (" latest ", OffsetTarget::Latest, "latest"),
            ("0", OffsetTarget::At(0), "0"),
            ("1_000_000", OffsetTarget::At(1_000_000), "1000000"),
            ("9223372036854775807", OffsetTarget::At(i64::MAX), "9223372036854775807"),
            ("-1000", OffsetTarget::Relative(-1_000), "-1000"),
            ("+1_000", OffsetTarget::Relative(1_000), "+1000"),
            ("-0", OffsetTarget::Relative(0), "+0"),
            ("2026-01-01T00:00:00Z", OffsetTarget::Time { unix_ms: NOW_MS }, "2026-01-01T00:00:00Z"),
            (
                "2026-01-01T02:00:00.5+02:00",
                OffsetTarget::Time { unix_ms: NOW_MS + 500 },
                "2026-01-01T00:00:00.500Z",
            ),
            ("2h", OffsetTarget::Time { unix_ms: NOW_MS - 7_200_000 }, "2025-12-31T22:00:00Z"),
        ] {
            let read = OffsetTarget::parse(text, NOW_MS);
            assert_eq!(read, Ok(target), "{text}");
            assert_eq!(target.to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_place_says_what_would_be() {
        for text in ["2026-01-01T00:00:00", "2026-01-01", "2026-01-01 00:00", "2026-01-01T00:00:00.25"] {
            let error = OffsetTarget::parse(text, NOW_MS).unwrap_err();
            assert!(error.contains("has no time zone; write it as 2026-01-01T00:00:00Z"), "{text}: {error}");
        }
        for text in ["", "+", "-", "--5", "1.5", "0x10", "end", "-2h", "2026-13-01", "yesterday"] {
            let error = OffsetTarget::parse(text, NOW_MS).unwrap_err();
            assert!(error.starts_with("expected `earliest`, `latest`, an offset"), "{text}: {error}");
        }
        assert!(OffsetTarget::parse("99999999999999999999", 0).unwrap_err().contains("too large"));
    }
}
