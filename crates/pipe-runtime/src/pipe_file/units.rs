//! Numbers with units: `32MiB`, `5s`, `100_000`.

use crate::delivery::Share;

/// A whole number within `[least, most]`.
pub(super) fn integer(text: &str, least: u64, most: u64) -> Result<u64, String> {
    let value: u64 = text
        .replace('_', "")
        .parse()
        .map_err(|_| format!("expected a whole number from {least} to {most}, found `{text}`"))?;
    within(value, least, most, &|n| n.to_string())
}

/// A size in bytes: a number alone, or with B, KB, MB, GB (powers of 1000) or KiB, MiB, GiB (powers of 1024).
pub(super) fn bytes(text: &str, least: u64, most: u64) -> Result<u64, String> {
    const UNITS: [(&str, u64); 8] = [
        ("", 1),
        ("B", 1),
        ("KB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
    ];
    let value =
        scaled(text, &UNITS).ok_or_else(|| format!("expected a size such as 32MiB, found `{text}`"))?;
    within(value, least, most, &|n| format!("{n} bytes"))
}

/// A duration in milliseconds: a number with ms, s, m or h.
pub(super) fn duration_ms(text: &str, least_ms: u64, most_ms: u64) -> Result<u64, String> {
    const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];
    let value = scaled(text, &UNITS)
        .ok_or_else(|| format!("expected a duration such as 5s or 200ms, found `{text}`"))?;
    within(value, least_ms, most_ms, &|n| format!("{n} ms"))
}

/// A share of records, or none where it says `off`.
pub(super) fn share_or_off(text: &str) -> Result<Option<Share>, String> {
    if text == "off" {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|error: String| format!("{error}; `off` turns the rule off"))
}

fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let digits = text.bytes().take_while(|b| b.is_ascii_digit() || *b == b'_').count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.replace('_', "").parse().ok()?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.checked_mul(*factor)
}

fn within(value: u64, least: u64, most: u64, show: &dyn Fn(u64) -> String) -> Result<u64, String> {
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        Err(format!("{} is out of bounds: from {} to {}", show(value), show(least), show(most)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_sizes() {
        assert_eq!(bytes("32MiB", 1, u64::MAX), Ok(32 << 20));
        assert_eq!(bytes("1 GB", 1, u64::MAX), Ok(1_000_000_000));
        assert_eq!(bytes("4096", 1, u64::MAX), Ok(4096));
        for wrong in ["", "MiB", "1.5MiB", "-1", "1mib", "99999999999999GiB"] {
            assert!(bytes(wrong, 1, u64::MAX).is_err(), "{wrong}");
        }
    }

    #[test]
    fn reads_durations_and_holds_their_bounds() {
        assert_eq!(duration_ms("5s", 1, 60_000), Ok(5_000));
        assert_eq!(duration_ms("200ms", 1, 60_000), Ok(200));
        assert_eq!(
            duration_ms("5", 1, 60_000),
            Err("expected a duration such as 5s or 200ms, found `5`".into())
        );
        assert_eq!(
            duration_ms("2h", 1, 60_000),
            Err("7200000 ms is out of bounds: from 1 ms to 60000 ms".into())
        );
    }

    #[test]
    fn reads_grouped_integers() {
        assert_eq!(integer("100_000", 1, 1_000_000), Ok(100_000));
        assert!(integer("0", 1, 10).is_err());
        assert!(integer("ten", 1, 10).is_err());
    }
}
