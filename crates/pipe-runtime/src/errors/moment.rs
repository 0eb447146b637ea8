//! Points in time as people write them.

use chrono::DateTime;

/// Units of a duration, in milliseconds.
const UNITS: [(&str, i64); 5] =
    [("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("w", 604_800_000)];

/// Reads an RFC 3339 time, or a duration before `now_ms` such as `30m`, `2h` or `7d`; in milliseconds since 1970.
///
/// # Errors
/// What was expected.
///
/// ```
/// use housepipe_runtime::parse_moment;
///
/// assert_eq!(parse_moment("1970-01-01T01:00:00+01:00", 0), Ok(0));
/// assert_eq!(parse_moment("2h", 10_000_000), Ok(2_800_000));
/// assert!(parse_moment("yesterday", 0).is_err());
/// ```
pub fn parse_moment(text: &str, now_ms: i64) -> Result<i64, String> {
    let text = text.trim();
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.timestamp_millis());
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let ago_ms = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .and_then(|(_, factor)| number.parse::<i64>().ok()?.checked_mul(*factor));
    ago_ms.and_then(|ago_ms| now_ms.checked_sub(ago_ms)).ok_or_else(|| {
        format!("expected a time such as 2026-01-01T00:00:00Z, or how long ago such as 30m, 2h or 7d; found `{text}`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_durations_are_read_and_nothing_else() {
        assert_eq!(parse_moment("2026-01-01T00:00:00Z", 0), Ok(1_767_225_600_000));
        assert_eq!(parse_moment(" 2026-01-01 00:00:00.5+00:00 ", 0), Ok(1_767_225_600_500));
        assert_eq!(parse_moment("7d", 604_800_000), Ok(0));
        for wrong in ["", "2", "h", "2y", "-2h", "2 h", "2h30m", "2026-01-01", "99999999999999999999h"] {
            assert!(parse_moment(wrong, 0).is_err(), "{wrong}");
        }
    }
}
