//! The table of time zones, as it stands in `zones.bin`: looked up in place, never read as a whole.
//!
//! `cargo xtask zones` writes the file. Numbers are little-endian. Behind [`MAGIC`] and the version of the database
//! (8 bytes, filled up with zeros) stand the counts: of zones, timelines, rules and bytes of names (16 bits each),
//! then of changes (32 bits). The records follow in this order:
//!
//! - zones, sorted by name: where the name begins, how long it is, the number of the timeline (16 bits each);
//! - timelines: the first change (32 bits), how many (16 bits), the number of the rule plus 1, or 0 (16 bits), the
//!   seconds ahead of UTC before the first change (32 bits);
//! - rules: the seconds ahead of UTC outside of the summer and in it (32 bits each), then the days on which it begins
//!   and ends: month, week, weekday, a zero, and the second of that day (32 bits);
//! - changes, see [`Timeline`];
//! - the names.
//!
//! Many zones have equal timelines, and many timelines equal rules, so each stands once.

use super::rule::{Rule, RuleDay};
use super::timeline::Timeline;

const FILE: &[u8] = include_bytes!("zones.bin");
const MAGIC: &[u8] = b"HPZONES1";

/// The records of a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table<'a> {
    version: &'a [u8; 8],
    zones: &'a [[u8; 6]],
    timelines: &'a [[u8; 12]],
    rules: &'a [[u8; 24]],
    changes: &'a [[u8; 8]],
    names: &'a [u8],
}

impl Table<'static> {
    /// The table that the crate brings along; a test holds that it is whole.
    pub(super) fn built_in() -> Option<Self> {
        Table::open(FILE)
    }
}

impl<'a> Table<'a> {
    /// Finds the records; none where the file is cut off, or another one.
    pub(super) fn open(file: &'a [u8]) -> Option<Self> {
        let rest = file.strip_prefix(MAGIC)?;
        let (version, rest) = rest.split_first_chunk::<8>()?;
        let (counts, mut rest) = rest.split_first_chunk::<12>()?;
        let table = Self {
            version,
            zones: take(&mut rest, u16_at(counts, 0)?.into())?,
            timelines: take(&mut rest, u16_at(counts, 2)?.into())?,
            rules: take(&mut rest, u16_at(counts, 4)?.into())?,
            changes: take(&mut rest, u32_at(counts, 8)?)?,
            names: rest,
        };
        (rest.len() == usize::from(u16_at(counts, 6)?)).then_some(table)
    }

    pub(super) fn version(&self) -> &'a str {
        let len = self.version.iter().take_while(|byte| **byte != 0).count();
        self.version.get(..len).and_then(|text| str::from_utf8(text).ok()).unwrap_or_default()
    }

    pub(super) fn names(self) -> impl Iterator<Item = &'a str> {
        self.zones.iter().filter_map(move |zone| self.name_of(zone))
    }

    /// The name as it stands in the table.
    pub(super) fn name(&self, name: &str) -> Option<&'a str> {
        self.name_of(self.find(name)?)
    }

    pub(super) fn timeline(&self, name: &str) -> Option<Timeline<'a>> {
        let timeline = self.timelines.get(usize::from(u16_at(self.find(name)?, 4)?))?;
        let changes = self.changes.get(u32_at(timeline, 0)?..)?.get(..usize::from(u16_at(timeline, 4)?))?;
        let rule = match usize::from(u16_at(timeline, 6)?).checked_sub(1) {
            Some(number) => Some(rule(self.rules.get(number)?)?),
            None => None,
        };
        Some(Timeline { first: i32_at(timeline, 8)?, changes, rule })
    }

    fn find(&self, name: &str) -> Option<&'a [u8; 6]> {
        let at = self.zones.binary_search_by(|zone| self.name_of(zone).cmp(&Some(name))).ok()?;
        self.zones.get(at)
    }

    fn name_of(&self, zone: &[u8; 6]) -> Option<&'a str> {
        let name = self.names.get(usize::from(u16_at(zone, 0)?)..)?.get(..usize::from(u16_at(zone, 2)?))?;
        str::from_utf8(name).ok()
    }
}

fn rule(record: &[u8; 24]) -> Option<Rule> {
    let day = |at: usize| {
        let part = |offset| record.get(at + offset).copied().map(i64::from);
        Some(RuleDay { month: part(0)?, week: part(1)?, weekday: part(2)?, second: i32_at(record, at + 4)? })
    };
    Some(Rule { winter: i32_at(record, 0)?, summer: i32_at(record, 4)?, begin: day(8)?, end: day(16)? })
}

/// So many records of `N` bytes, cut off from what is left.
fn take<'a, const N: usize>(rest: &mut &'a [u8], count: usize) -> Option<&'a [[u8; N]]> {
    let (records, tail) = rest.split_at_checked(count.checked_mul(N)?)?;
    *rest = tail;
    Some(records.as_chunks().0)
}

fn u16_at(record: &[u8], at: usize) -> Option<u16> {
    record.get(at..)?.first_chunk().copied().map(u16::from_le_bytes)
}

fn u32_at(record: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(*record.get(at..)?.first_chunk()?)).ok()
}

fn i32_at(record: &[u8], at: usize) -> Option<i64> {
    record.get(at..)?.first_chunk().copied().map(i32::from_le_bytes).map(i64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Moments from before the first change to behind the last one.
    const MOMENTS: [i64; 4] = [-5_000_000_000, 0, 2_000_000_000, 200_000_000_000];

    #[test]
    fn the_changes_of_every_timeline_are_in_order_and_three_days_apart() {
        let table = Table::built_in().unwrap();
        for name in table.names() {
            let timeline = table.timeline(name).unwrap();
            let moments: Vec<i64> =
                timeline.changes.iter().map(|change| Timeline::unpack(*change).0).collect();
            assert!(moments.windows(2).all(|pair| pair[1] - pair[0] > 3 * 86_400), "{name}");
        }
    }

    #[test]
    fn a_damaged_table_does_no_harm() {
        for len in 0..FILE.len().min(12_000) {
            assert!(Table::open(&FILE[..len]).is_none(), "{len}");
        }
        let names: Vec<&str> = Table::built_in().unwrap().names().collect();
        let mut file = FILE.to_vec();
        for at in (0..FILE.len()).step_by(7) {
            for damage in [0x00, 0x80, 0xff] {
                let byte = std::mem::replace(&mut file[at], damage);
                if let Some(table) = Table::open(&file) {
                    let name = names[at % names.len()];
                    let timeline = table.timeline(name).unwrap_or(Timeline::UTC);
                    for moment in MOMENTS {
                        timeline.offset(moment);
                        timeline.offset_of_local(moment);
                    }
                }
                file[at] = byte;
            }
        }
    }
}
