//! Types for texts.

use super::super::keys::TimeUnit;
use super::super::names::Name;
use super::super::node::Node;
use super::super::text::{DATE, IPV4, IPV6, MOMENT, Texts, UUID};
use super::numbers::precision;
use super::words::counted;
use super::{Choice, Chooser};
use crate::types::DataType;
use crate::zone::TimeZone;

/// What a Date holds: 1970-01-01 to 2149-06-06, in seconds since 1970. It clamps all other days.
const DATE_SECONDS: std::ops::RangeInclusive<i64> = 0..=65_535 * 86_400;
/// What a DateTime64 of nanoseconds holds at the end of its range, in seconds since 1970.
const NANOSECOND_SECONDS_MAX: i64 = 9_223_372_035;

impl Chooser<'_> {
    /// The type of texts.
    pub(super) fn texts(&self, node: &Node, texts: &Texts, name: &Name) -> Choice {
        let count = texts.seen.count;
        let choice = |ty, one: &str, many: &str, more: &str| {
            Choice::new(ty, node, count, counted(count, one, many) + more, texts.widened)
        };
        let has = |class: u8| texts.classes & class != 0;
        if has(UUID) {
            return choice(DataType::Uuid, "UUID", "UUIDs", "");
        }
        if has(IPV4) && !name.is_version() {
            return choice(DataType::Ipv4, "IPv4 address", "IPv4 addresses", "");
        }
        if has(IPV6) && !has(IPV4) {
            return choice(DataType::Ipv6, "IP address", "IP addresses", ", of version 6 in part or all");
        }
        if has(DATE) {
            let is_narrow = DATE_SECONDS.contains(&texts.low) && DATE_SECONDS.contains(&texts.high);
            let (ty, more) = if is_narrow {
                (DataType::Date, "")
            } else {
                (DataType::Date32, ", some outside of 1970 to 2149")
            };
            let time = Some(TimeUnit::Column { low: texts.low, high: texts.high });
            return Choice { time, ..choice(ty, "date", "dates", more) };
        }
        if has(MOMENT) {
            return moments(node, texts).unwrap_or_else(|| {
                let mut plain = self.plain(node, texts, name);
                plain.reason.push_str(
                    "; dates with time, but no DateTime64 holds all of them with nine digits of a second",
                );
                plain
            });
        }
        self.plain(node, texts, name)
    }

    /// A String, by a dictionary or not.
    fn plain(&self, node: &Node, texts: &Texts, name: &Name) -> Choice {
        let count = texts.seen.count;
        let string = |ty, why: String| Choice::new(ty, node, count, why, texts.widened);
        let mut texts_in_words = counted(count, "text", "texts");
        if texts.empty > 0 {
            texts_in_words.push_str(&format!(" ({} empty)", texts.empty));
        }
        let repeats = if name.is_id() { texts.distinct.repeats_much() } else { texts.distinct.repeats() };
        if let (true, Some(distinct)) = (repeats && !name.is_free_text(), texts.distinct.count())
            && self.options.low_cardinality
        {
            let why = format!("{texts_in_words}, only {distinct} different ones");
            return string(DataType::LowCardinality(Box::new(DataType::String)), why);
        }
        let different = match texts.distinct.count() {
            _ if count == 1 => String::new(),
            Some(1) => ", all the same".to_owned(),
            Some(distinct) if distinct as u64 == count => ", all different".to_owned(),
            Some(distinct) => format!(", {distinct} different ones"),
            None => format!(", more than {} different ones", self.distinct_max),
        };
        string(DataType::String, texts_in_words + &different)
    }
}

/// Dates with time; none where no precision holds all of them as they are.
fn moments(node: &Node, texts: &Texts) -> Option<Choice> {
    let precision = precision(texts.digits_max);
    let fits = precision < 9 || texts.high <= NANOSECOND_SECONDS_MAX;
    fits.then_some(())?;
    let ty = DataType::DateTime64(precision, Some(TimeZone::UTC));
    let digits = match texts.digits_max {
        0 => ", to the second, with room for three digits more".to_owned(),
        1 => ", with 1 digit of a second".to_owned(),
        digits => format!(", with up to {digits} digits of a second"),
    };
    let mut reason = counted(texts.seen.count, "date with time", "dates with time") + &digits;
    if texts.zoneless.is_some() {
        reason.push_str(", some without a zone and taken for UTC");
    }
    let time = Some(TimeUnit::Column { low: texts.low, high: texts.high });
    Some(Choice { time, ..Choice::new(ty, node, texts.seen.count, reason, texts.widened) })
}
