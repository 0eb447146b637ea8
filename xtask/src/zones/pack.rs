//! The table of the transform; `crates/transform/src/zone/table.rs` says what stands where.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};

use super::posix::{Rule, RuleDay};
use super::tzif::Zone;

const MAGIC: &[u8] = b"HPZONES1";
const VERSION_BYTES: usize = 8;
/// A change is its moment times two to this power, plus the offset and its bias.
const OFFSET_BITS: u32 = 20;
const OFFSET_BIAS: i64 = 1 << (OFFSET_BITS - 1);
/// The transform expects one change at most around a day: on it, on the day before and on the one after.
const CHANGES_APART_SECONDS_MIN: i64 = 3 * 86_400;
const OFFSET_SECONDS_MAX: i32 = 86_400;

/// The bytes of the table.
pub(super) fn pack(version: &str, zones: &BTreeMap<&str, Zone>) -> anyhow::Result<Vec<u8>> {
    let mut known: Vec<&Zone> = Vec::new();
    let mut rules: Vec<Rule> = Vec::new();
    let (mut names, mut changes) = (Vec::new(), Vec::new());
    let (mut zone_records, mut timeline_records) = (Vec::new(), Vec::new());
    for (name, zone) in zones {
        check(zone).with_context(|| (*name).to_owned())?;
        let timeline = number(&mut known, zone);
        if timeline * 12 == timeline_records.len() {
            let rule = zone.rule.map_or(0, |rule| number(&mut rules, rule) + 1);
            timeline_records.extend(u32::try_from(changes.len() / 8)?.to_le_bytes());
            timeline_records.extend(u16::try_from(zone.changes.len())?.to_le_bytes());
            timeline_records.extend(u16::try_from(rule)?.to_le_bytes());
            timeline_records.extend(zone.first.to_le_bytes());
            changes.extend(zone.changes.iter().flat_map(|change| packed(*change)));
        }
        for field in [names.len(), name.len(), timeline] {
            zone_records.extend(u16::try_from(field)?.to_le_bytes());
        }
        names.extend(name.bytes());
    }

    let mut table = MAGIC.to_vec();
    table.extend(version.bytes());
    ensure!(version.len() <= VERSION_BYTES, "the version `{version}` is too long");
    table.resize(MAGIC.len() + VERSION_BYTES, 0);
    for count in [zones.len(), known.len(), rules.len(), names.len()] {
        table.extend(u16::try_from(count)?.to_le_bytes());
    }
    table.extend(u32::try_from(changes.len() / 8)?.to_le_bytes());
    let rules = rules.iter().flat_map(rule_record).collect();
    Ok([table, zone_records, timeline_records, rules, changes, names].concat())
}

/// The place of `item` in the list, at its end where it is new.
fn number<T: PartialEq>(list: &mut Vec<T>, item: T) -> usize {
    list.iter().position(|known| *known == item).unwrap_or_else(|| {
        list.push(item);
        list.len() - 1
    })
}

/// What the transform takes for granted.
fn check(zone: &Zone) -> anyhow::Result<()> {
    let apart = zone.changes.windows(2).all(|pair| pair[1].0 - pair[0].0 > CHANGES_APART_SECONDS_MIN);
    ensure!(apart, "two changes of its clocks are hardly apart");
    let mut offsets = zone.changes.iter().map(|(_, offset)| *offset).chain([zone.first]);
    ensure!(offsets.all(|offset| offset.abs() < OFFSET_SECONDS_MAX), "it is more than a day ahead of UTC");
    Ok(())
}

fn packed((moment, offset): (i64, i32)) -> [u8; 8] {
    ((moment << OFFSET_BITS) + i64::from(offset) + OFFSET_BIAS).to_le_bytes()
}

fn rule_record(rule: &Rule) -> Vec<u8> {
    let day = |day: RuleDay| [&[day.month, day.week, day.weekday, 0][..], &day.second.to_le_bytes()].concat();
    [rule.winter.to_le_bytes().to_vec(), rule.summer.to_le_bytes().to_vec(), day(rule.begin), day(rule.end)]
        .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_zones_and_rules_stand_once() {
        let day = RuleDay { month: 3, week: 5, weekday: 0, second: 7200 };
        let rule = Rule { winter: 0, summer: 3600, begin: day, end: day };
        let zone = |first| Zone { first, changes: vec![(0, 0), (1_000_000, 3600)], rule: Some(rule) };
        let two = pack("2026c", &BTreeMap::from([("A", zone(1)), ("B", zone(2))])).unwrap();
        let equal = pack("2026c", &BTreeMap::from([("A", zone(1)), ("B", zone(1))])).unwrap();
        // A timeline has 12 bytes, and 8 for each change.
        assert_eq!(two.len() - equal.len(), 12 + 2 * 8);
        assert_eq!(equal.len(), 28 + 2 * 6 + 12 + 24 + 2 * 8 + 2);
    }

    #[test]
    fn changes_that_are_hardly_apart_are_an_error() {
        let zone = Zone { first: 0, changes: vec![(0, 0), (86_400, 3600)], rule: None };
        assert!(pack("2026c", &BTreeMap::from([("A", zone)])).is_err());
    }
}
