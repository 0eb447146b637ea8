//! What has to hold: each record once, in its table, in order; and stops only where they are needed.

use std::collections::BTreeMap;

use housepipe_runtime::delivery::Halt;

use super::clickhouse::{Insert, Target};
use super::topic::{Kind, Log};

/// How often a record is there, and how often it has to be and may be.
#[derive(Debug, Clone, Copy)]
struct Count {
    is: u32,
    min: u32,
    max: u32,
}

/// Looks at every row that is stored and every commit that is taken.
#[derive(Debug)]
pub(crate) struct Oracle {
    counts: Vec<Vec<Count>>,
    /// The last offset that came into each table for the first time, of each partition.
    newest: [Vec<i64>; 2],
    /// Everything below was there when a commit said so.
    checked: Vec<usize>,
    /// Somebody sets offsets, so that records may be skipped now and read later.
    is_moved: bool,
    pub(crate) violation: Option<String>,
    pub(crate) halts: BTreeMap<&'static str, u64>,
}

impl Oracle {
    pub(crate) fn new(logs: &[Log]) -> Oracle {
        let of = |log: &Log| {
            let once = |kind: &Option<Kind>| {
                let wanted = u32::from(kind.is_some());
                Count { is: 0, min: wanted, max: wanted }
            };
            log.records.iter().map(once).collect()
        };
        Oracle {
            counts: logs.iter().map(of).collect(),
            newest: [vec![-1; logs.len()], vec![-1; logs.len()]],
            checked: vec![0; logs.len()],
            is_moved: false,
            violation: None,
            halts: BTreeMap::new(),
        }
    }

    /// The first violation counts.
    pub(crate) fn violated(&mut self, what: String) {
        self.violation.get_or_insert(what);
    }

    pub(crate) fn halted(&mut self, halt: Halt) {
        let reason = match halt {
            Halt::Newer { .. } => "metadata of a newer version",
            Halt::Damaged => "damaged metadata",
            Halt::OtherPlan => "other columns",
            Halt::OtherRecords => "other records",
            Halt::TooOld { .. } => "a token that may be forgotten",
            Halt::Untold { .. } => "rows that do not tell",
        };
        *self.halts.entry(reason).or_default() += 1;
    }

    /// Rows have become visible. Where the table may have forgotten the insert's token, they may be there twice; returns how
    /// many are.
    pub(crate) fn stored(&mut self, insert: &Insert, logs: &[Log], may_be_forgotten: bool) -> u64 {
        let mut doubled = 0;
        let judged = self.judge(insert, logs, may_be_forgotten, &mut doubled);
        if let Err(what) = judged {
            self.violated(what);
        }
        doubled
    }

    fn judge(
        &mut self,
        insert: &Insert,
        logs: &[Log],
        may_be_forgotten: bool,
        doubled: &mut u64,
    ) -> Result<(), String> {
        let Insert { target, partition, offsets, .. } = insert;
        let of_table = usize::from(*target == Target::Errors);
        // One insert is one block, whose order is nobody's.
        let before = self.newest[of_table][*partition];
        for offset in offsets {
            let at = format!("offset {offset} of partition {partition}");
            let is_right = match logs[*partition].at(*offset) {
                None => return Err(format!("{at} is a row and no record")),
                Some(Kind::Row) => *target == Target::Rows,
                Some(Kind::Reject | Kind::Refused) => *target == Target::Errors,
            };
            if !is_right {
                return Err(format!("{at} is in the wrong table: {target:?}"));
            }
            let index = usize::try_from(*offset).unwrap_or(usize::MAX);
            if index >= logs[*partition].end {
                return Err(format!("{at} is a row before it was produced"));
            }
            let count = &mut self.counts[*partition][index];
            let is_first = count.is == 0;
            count.is += 1;
            if count.is > count.max && may_be_forgotten {
                count.max += 1;
                *doubled += 1;
            }
            if count.is > count.max {
                let Count { is, max, .. } = *count;
                return Err(format!("{at} is there {is} times instead of {max}"));
            }
            if is_first {
                let newest = &mut self.newest[of_table][*partition];
                *newest = (*newest).max(*offset);
                if *offset <= before && !self.is_moved {
                    return Err(format!("{at} comes behind later ones"));
                }
            }
        }
        Ok(())
    }

    /// The group's offset of a partition is set.
    pub(crate) fn committed(&mut self, partition: usize, offset: i64) {
        let below = usize::try_from(offset).unwrap_or(0).min(self.counts[partition].len());
        let first = self.checked[partition];
        for record in first..below {
            let Count { is, min, .. } = self.counts[partition][record];
            if is < min {
                return self.violated(format!(
                    "offset {record} of partition {partition} is there {is} times instead of {min}, and {offset} is committed"
                ));
            }
        }
        self.checked[partition] = first.max(below);
    }

    /// An operator has set the offset from `committed` to `to`, and a range up to `may_be_there` may be loaded.
    pub(crate) fn moved(&mut self, partition: usize, committed: i64, may_be_there: i64, to: i64) {
        self.is_moved = true;
        for (offset, count) in (0i64..).zip(&mut self.counts[partition]) {
            let is_record = u32::from(count.max > 0);
            let is_read_again = offset >= to;
            if offset < committed {
                if is_read_again {
                    count.min += is_record;
                    count.max += is_record;
                }
            } else {
                if !is_read_again {
                    count.min = count.min.saturating_sub(1);
                    count.max = count.max.saturating_sub(1);
                }
                if offset < may_be_there {
                    count.max += is_record;
                }
            }
        }
        self.checked[partition] = self.checked[partition].min(usize::try_from(to).unwrap_or(0));
    }

    /// Where an operator who has looked into the tables sets the offset of a partition that has stopped at `committed`: at
    /// the first record that is not there. Where later ones are there, a part of the range is, which is read again.
    pub(crate) fn mended(&mut self, partition: usize, committed: i64) -> i64 {
        let first = usize::try_from(committed).unwrap_or(0);
        let counts = &mut self.counts[partition];
        let is_missing = |count: &Count| count.max > 0 && count.is < count.min.max(1);
        let Some(missing) = (first..counts.len()).find(|record| is_missing(&counts[*record])) else {
            return i64::try_from(counts.len()).unwrap_or(i64::MAX).max(committed);
        };
        let is_partial = counts[missing..].iter().any(|count| count.is > 0 && !is_missing(count));
        if !is_partial {
            return i64::try_from(missing).unwrap_or(i64::MAX);
        }
        for count in &mut counts[first..] {
            // Read once more than it has to be there.
            count.max += u32::from(count.is > 0 && count.is >= count.min);
        }
        committed
    }

    /// At the end everything is in its place.
    pub(crate) fn finish(&mut self) {
        for partition in 0..self.counts.len() {
            let wrong =
                self.counts[partition].iter().position(|count| count.is < count.min || count.is > count.max);
            if let Some(record) = wrong {
                let Count { is, min, max } = self.counts[partition][record];
                self.violated(format!(
                    "offset {record} of partition {partition} is there {is} times at the end instead of {min} to {max}"
                ));
            }
        }
    }
}
