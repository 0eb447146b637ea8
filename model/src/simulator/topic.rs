//! The topic: what stands at each offset.

use super::random::Random;
use super::setting::Setting;

/// What becomes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A row.
    Row,
    /// The transform rejects it.
    Reject,
    /// It is a row, and ClickHouse refuses it, with all that is in the same insert.
    Refused,
}

/// The log of one partition.
#[derive(Debug)]
pub(crate) struct Log {
    /// By offset; none where compaction or a transaction has left a gap.
    pub(crate) records: Vec<Option<Kind>>,
    /// Offsets below were produced.
    pub(crate) end: usize,
}

impl Log {
    pub(crate) fn of(setting: &Setting, random: &mut Random) -> Log {
        let mut records = Vec::with_capacity(setting.records);
        for _ in 0..setting.records {
            let kind = if random.permille(setting.rejected_permille) {
                Kind::Reject
            } else if random.permille(setting.refused_permille) {
                Kind::Refused
            } else {
                Kind::Row
            };
            records.push((!random.permille(setting.gaps_permille)).then_some(kind));
        }
        if let Some(last) = records.last_mut() {
            // Behind a gap at the end nothing would tell that everything was read.
            last.get_or_insert(Kind::Row);
        }
        Log { records, end: 0 }
    }

    /// The record at an offset.
    pub(crate) fn at(&self, offset: i64) -> Option<Kind> {
        usize::try_from(offset).ok().and_then(|offset| self.records.get(offset).copied().flatten())
    }

    /// Whether everything will have been produced.
    pub(crate) fn is_whole(&self) -> bool {
        self.end == self.records.len()
    }

    /// The first record at `offset` or behind it that was produced, and its offset.
    pub(crate) fn next(&self, offset: i64) -> Option<(i64, Kind)> {
        let first = usize::try_from(offset).ok()?;
        let behind = self.records.get(first..self.end)?;
        let (skipped, kind) =
            behind.iter().enumerate().find_map(|(skipped, kind)| kind.map(|kind| (skipped, kind)))?;
        Some((offset + i64::try_from(skipped).unwrap_or(0), kind))
    }
}
