//! The rule at the end of a compiled time zone: `CET-1CEST,M3.5.0,M10.5.0/3`.

use anyhow::{Context, bail};

/// Summer and winter of every year to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rule {
    /// Seconds ahead of UTC outside of the summer.
    pub(super) winter: i32,
    /// Seconds ahead of UTC in the summer.
    pub(super) summer: i32,
    pub(super) begin: RuleDay,
    pub(super) end: RuleDay,
}

/// The weekday (0 is Sunday) of a week of the month (5 is the last), and the second of that day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RuleDay {
    pub(super) month: u8,
    pub(super) week: u8,
    pub(super) weekday: u8,
    pub(super) second: i32,
}

/// The seconds ahead of UTC without a summer, and the rule where the zone has summers.
///
/// The notation is that of `TZ` in POSIX, with the hours beyond a day of RFC 9636. Days are given by month, week and
/// weekday in every zone that there is; other notations are an error.
pub(super) fn parse(text: &str) -> anyhow::Result<(i32, Option<Rule>)> {
    read(text).with_context(|| format!("the rule `{text}`"))
}

fn read(text: &str) -> anyhow::Result<(i32, Option<Rule>)> {
    let mut parts = text.split(',');
    let (winter, rest) = offset(parts.next().unwrap_or_default())?;
    let winter = winter.context("no offset")?;
    if rest.is_empty() {
        if parts.next().is_some() {
            bail!("days of a summer that has no name");
        }
        return Ok((winter, None));
    }
    let (summer, rest) = offset(rest)?;
    let (Some(begin), Some(end), None, "") = (parts.next(), parts.next(), parts.next(), rest) else {
        bail!("not two days of a summer");
    };
    let summer = summer.unwrap_or(winter + 3600);
    Ok((winter, Some(Rule { winter, summer, begin: day(begin)?, end: day(end)? })))
}

/// The seconds ahead of UTC behind a name, if they are given, and the rest.
fn offset(text: &str) -> anyhow::Result<(Option<i32>, &str)> {
    let rest = match text.strip_prefix('<') {
        Some(quoted) => quoted.split_once('>').context("`<` without `>`")?.1,
        None => text.trim_start_matches(|c: char| c.is_ascii_alphabetic()),
    };
    let end = rest.find(|c: char| !"+-:0123456789".contains(c)).unwrap_or(rest.len());
    let (time, rest) = rest.split_at(end);
    // POSIX counts westwards.
    Ok((if time.is_empty() { None } else { Some(-seconds(time)?) }, rest))
}

/// `M3.5.0/-1`; without a time it is two in the morning.
fn day(text: &str) -> anyhow::Result<RuleDay> {
    let (date, time) = text.split_once('/').unwrap_or((text, "2"));
    let date = date.strip_prefix('M').context("a day without month, week and weekday")?;
    let parts = date.split('.').map(str::parse).collect::<Result<Vec<u8>, _>>()?;
    let [month @ 1..=12, week @ 1..=5, weekday @ 0..=6] = parts[..] else { bail!("an odd day") };
    Ok(RuleDay { month, week, weekday, second: seconds(time)? })
}

/// `-1`, `26` or `3:30:15`.
fn seconds(text: &str) -> anyhow::Result<i32> {
    let unsigned = text.trim_start_matches(['+', '-']);
    let mut sum = 0;
    for (part, unit) in unsigned.split(':').zip([3600, 60, 1]) {
        sum += part.parse::<u8>().map(i32::from)? * unit;
    }
    Ok(if text.starts_with('-') { -sum } else { sum })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read() {
        let day = |month, week, weekday, second| RuleDay { month, week, weekday, second };
        let rule = |winter, summer, begin, end| Some(Rule { winter, summer, begin, end });
        for (text, expected) in [
            ("<+0545>-5:45", (20_700, None)),
            ("MST7", (-25_200, None)),
            (
                "CET-1CEST,M3.5.0,M10.5.0/3",
                (3600, rule(3600, 7200, day(3, 5, 0, 7200), day(10, 5, 0, 10_800))),
            ),
            ("IST-1GMT0,M10.5.0,M3.5.0/1", (3600, rule(3600, 0, day(10, 5, 0, 7200), day(3, 5, 0, 3600)))),
            (
                "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
                (-7200, rule(-7200, -3600, day(3, 5, 0, -3600), day(10, 5, 0, 0))),
            ),
        ] {
            assert_eq!(parse(text).unwrap(), expected, "{text}");
        }
        for wrong in
            ["", "CET", "CET-1CEST", "CET-1CEST,J60,J300", "CET-1CEST,M13.1.0,M10.5.0", "CET-1,M3.5.0"]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
