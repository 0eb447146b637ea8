//! The rule that stops a pipe whose records are mostly rejected: nothing disappears into an error table unseen.

use std::collections::VecDeque;
use std::fmt;

/// Records that the rule looks at, at least: fewer say nothing yet.
pub const RECORDS_MIN: u64 = 1_000;

/// Batches that are remembered for what the server refuses of them later, at least: more than are inserted at once.
const BATCHES_KEPT: usize = 128;

/// A share of records, in millionths: above 0, and 1 at most.
///
/// ```
/// use housepipe_runtime::delivery::Share;
///
/// let share: Share = "0.25".parse()?;
/// assert_eq!(share.to_string(), "25 %");
/// assert!("1.5".parse::<Share>().is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(u32);

/// The whole, in millionths.
const WHOLE: u32 = 1_000_000;

impl Share {
    /// Half of the records.
    pub const HALF: Share = Share(WHOLE / 2);

    /// Whether `part` of `all` is more than this share.
    pub(crate) fn is_passed(self, part: u64, all: u64) -> bool {
        u128::from(part) * u128::from(WHOLE) > u128::from(all) * u128::from(self.0)
    }
}

impl std::str::FromStr for Share {
    type Err = String;

    /// Reads a decimal such as `0.5`.
    fn from_str(text: &str) -> Result<Share, String> {
        let wrong = || format!("expected a share such as 0.5, above 0 and at most 1, found `{text}`");
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || fraction.len() > 6 || !is_number(whole) || !is_number(fraction) {
            return Err(wrong());
        }
        let millionths: u64 = format!("{whole}{fraction:0<6}").parse().map_err(|_| wrong())?;
        let share = u32::try_from(millionths).ok().filter(|share| (1..=WHOLE).contains(share));
        share.map(Share).ok_or_else(wrong)
    }
}

/// In percent.
impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", f64::from(self.0) / 10_000.0)
    }
}

/// What the rule says of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectVerdict {
    /// Load it.
    Load,
    /// Load it, and tell somebody.
    Warn(Rejected),
    /// Do not load it: keep the offsets and stop.
    Stop(Rejected),
}

/// How many of the last records were rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rejected {
    /// Rejected records.
    pub rejected: u64,
    /// The records that were looked at.
    pub records: u64,
    /// The share that they have passed.
    pub share: Share,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rejected { rejected, records, share } = self;
        write!(f, "{rejected} of the last {records} records were rejected, which is more than {share}")
    }
}

/// Judges batches by the rejects of the last [`RECORDS_MIN`] records or more.
///
/// A batch is judged before it is loaded: where the rule stops the pipe, its records are read again by the next run,
/// when what was wrong is mended.
///
/// ```
/// use housepipe_runtime::delivery::{RejectRule, RejectVerdict, Share};
///
/// let mut rule = RejectRule::new(Some(Share::HALF), None);
/// assert_eq!(rule.judge(900, 900).verdict, RejectVerdict::Load); // too few to say
/// assert!(matches!(rule.judge(200, 0).verdict, RejectVerdict::Stop(_))); // 900 of 1,100
/// ```
#[derive(Debug, Clone, Default)]
pub struct RejectRule {
    stop: Option<Share>,
    warn: Option<Share>,
    /// The last batches, the newest last: records and rejects.
    batches: VecDeque<(u64, u64)>,
    /// The number of the first of them.
    first: u64,
    /// The records of all of them.
    records: u64,
    /// What the server has refused since a batch was judged was too much.
    overdue: Option<Rejected>,
}

/// What the rule says of a batch, and by which name it knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// What to do.
    pub verdict: RejectVerdict,
    /// For [`RejectRule::refused`].
    pub batch: JudgedBatch,
}

/// Names a batch that was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JudgedBatch(u64);

impl RejectRule {
    /// A rule that stops above one share and warns above another; neither where both are absent.
    #[must_use]
    pub fn new(stop: Option<Share>, warn: Option<Share>) -> RejectRule {
        RejectRule { stop, warn, ..RejectRule::default() }
    }

    /// Has the rule stop and warn above other shares from the next batch on. What was looked at so far counts.
    pub fn change(&mut self, stop: Option<Share>, warn: Option<Share>) {
        (self.stop, self.warn) = (stop, warn);
        // What was too much before need not be any more.
        self.overdue = self.overdue.and_then(|Rejected { rejected, records, .. }| {
            let share = stop?;
            share.is_passed(rejected, records).then_some(Rejected { rejected, records, share })
        });
    }

    /// Judges the next batch: `records` of which `rejected` are known to be rejected.
    pub fn judge(&mut self, records: u64, rejected: u64) -> Judged {
        self.batches.push_back((records, rejected));
        self.records += records;
        while self.batches.len() > BATCHES_KEPT
            && let Some((oldest, _)) = self.batches.front().copied()
            && self.records - oldest >= RECORDS_MIN
        {
            self.batches.pop_front();
            self.records -= oldest;
            self.first += 1;
        }
        let newest = self.batches.len() - 1;
        let verdict = match (self.overdue, self.passed(self.stop, newest), self.passed(self.warn, newest)) {
            (Some(rejected), ..) | (None, Some(rejected), _) => RejectVerdict::Stop(rejected),
            (None, None, Some(rejected)) => RejectVerdict::Warn(rejected),
            (None, None, None) => RejectVerdict::Load,
        };
        Judged { verdict, batch: JudgedBatch(self.first + newest as u64) }
    }

    /// Rows of a batch that was judged already were refused by the server: they count for the batches to come.
    pub fn refused(&mut self, batch: JudgedBatch, rows: u64) {
        // One that is not kept any more is long over.
        let at = batch.0.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
        let Some((at, (records, rejected))) = at.and_then(|at| Some((at, self.batches.get_mut(at)?))) else {
            return;
        };
        *rejected += rows.min(*records - *rejected);
        // In the window that ended with its batch: those behind it may be of so many records that it is in theirs no more.
        self.overdue = self.overdue.or(self.passed(self.stop, at));
    }

    /// What the last batches up to number `at` of those that are kept were rejected, where it is more than that share. They are as
    /// few as have enough records.
    fn passed(&self, share: Option<Share>, at: usize) -> Option<Rejected> {
        let share = share?;
        let (mut records, mut rejected) = (0, 0);
        for (more, rejects) in self.batches.range(..=at).rev() {
            records += more;
            rejected += rejects;
            if records >= RECORDS_MIN {
                return share.is_passed(rejected, records).then_some(Rejected { rejected, records, share });
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn share(text: &str) -> Share {
        text.parse().unwrap()
    }

    #[test]
    fn shares_are_decimals_up_to_one() {
        assert_eq!(share("0.5"), Share::HALF);
        assert_eq!(share("1"), share("1.0"));
        assert_eq!(share("0.000001").to_string(), "0.0001 %");
        for wrong in
            ["", ".", ".5", "0", "0.0", "1.000001", "2", "-0.5", "50%", "0.0000001", "1e-1", "0.5.5", " 0.5"]
        {
            assert!(wrong.parse::<Share>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_rule_waits_for_a_thousand_records() {
        let mut rule = RejectRule::new(Some(Share::HALF), None);
        assert_eq!(rule.judge(999, 999).verdict, RejectVerdict::Load);
        let stopped = Rejected { rejected: 1_000, records: 1_000, share: Share::HALF };
        assert_eq!(rule.judge(1, 1).verdict, RejectVerdict::Stop(stopped));
        assert_eq!(
            stopped.to_string(),
            "1000 of the last 1000 records were rejected, which is more than 50 %"
        );
    }

    #[test]
    fn half_is_not_more_than_half() {
        let mut rule = RejectRule::new(Some(Share::HALF), None);
        assert_eq!(rule.judge(1_000, 500).verdict, RejectVerdict::Load);
        assert!(matches!(rule.judge(1_000, 501).verdict, RejectVerdict::Stop(_)));
        let mut never = RejectRule::new(Some(share("1")), None);
        assert_eq!(never.judge(5_000, 5_000).verdict, RejectVerdict::Load);
    }

    #[test]
    fn old_batches_leave_the_window() {
        let mut rule = RejectRule::new(Some(Share::HALF), Some(share("0.1")));
        assert!(matches!(rule.judge(1_000, 400).verdict, RejectVerdict::Warn(_)));
        assert_eq!(rule.judge(100_000, 10).verdict, RejectVerdict::Load);
        assert!(
            matches!(rule.judge(1_000, 501).verdict, RejectVerdict::Stop(_)),
            "good records of long ago hide nothing"
        );
    }

    #[test]
    fn what_the_server_refuses_counts_for_the_next_batch() {
        let mut rule = RejectRule::new(Some(Share::HALF), None);
        let first = rule.judge(800, 0);
        assert_eq!(first.verdict, RejectVerdict::Load);
        rule.refused(first.batch, 800);
        assert!(matches!(
            rule.judge(400, 0).verdict,
            RejectVerdict::Stop(Rejected { rejected: 800, records: 1_200, .. })
        ));
    }

    #[test]
    fn it_counts_also_where_the_next_batch_alone_fills_the_window() {
        let mut rule = RejectRule::new(Some(Share::HALF), None);
        let large = rule.judge(100_000, 0);
        for _ in 0..50_000 {
            rule.refused(large.batch, 1);
        }
        assert_eq!(rule.judge(100_000, 0).verdict, RejectVerdict::Load, "half is not more than half");
        rule.refused(large.batch, 1);
        let stopped = Rejected { rejected: 50_001, records: 100_000, share: Share::HALF };
        assert_eq!(rule.judge(100_000, 0).verdict, RejectVerdict::Stop(stopped));
    }

    #[test]
    fn what_is_refused_counts_for_its_own_batch() {
        let mut rule = RejectRule::new(Some(Share::HALF), None);
        let large = rule.judge(100_000, 0);
        let small = rule.judge(1_000, 0);
        // A few of many: none of them is of the small batch behind it.
        rule.refused(large.batch, 2_000);
        assert_eq!(rule.judge(1_000, 0).verdict, RejectVerdict::Load);
        rule.refused(small.batch, 5_000);
        let stopped = Rejected { rejected: 1_000, records: 1_000, share: Share::HALF };
        assert_eq!(rule.judge(1_000, 0).verdict, RejectVerdict::Stop(stopped), "no more than there are");
    }

    #[test]
    fn shares_that_change_hold_for_what_was_seen() {
        let mut rule = RejectRule::new(Some(Share::HALF), None);
        let first = rule.judge(1_000, 400);
        assert_eq!(first.verdict, RejectVerdict::Load);
        rule.change(Some(Share::HALF), Some(share("0.3")));
        assert!(matches!(rule.judge(1, 0).verdict, RejectVerdict::Warn(_)));
        rule.refused(first.batch, 300);
        rule.change(Some(share("0.8")), None);
        assert_eq!(rule.judge(1, 0).verdict, RejectVerdict::Load, "700 of 1,002 are few enough by now");
        rule.refused(first.batch, 200);
        rule.change(Some(share("0.85")), None);
        let passed = Rejected { rejected: 900, records: 1_000, share: share("0.85") };
        assert_eq!(rule.judge(1, 0).verdict, RejectVerdict::Stop(passed));
        rule.change(None, None);
        assert_eq!(rule.judge(1, 1).verdict, RejectVerdict::Load);
    }

    #[test]
    fn batches_that_are_long_over_are_forgotten() {
        let mut rule = RejectRule::new(Some(Share::HALF), None);
        let old = rule.judge(1_000, 0);
        for _ in 0..BATCHES_KEPT {
            rule.judge(1_000, 0);
        }
        assert_eq!(rule.batches.len(), BATCHES_KEPT);
        rule.refused(old.batch, 1_000);
        assert_eq!(rule.judge(1_000, 0).verdict, RejectVerdict::Load);
        // However small they are, there are enough of them for a window.
        let mut rule = RejectRule::new(Some(Share::HALF), None);
        let last = (0..5_000).map(|_| rule.judge(1, 1).verdict).last();
        assert!(matches!(last, Some(RejectVerdict::Stop(Rejected { rejected: 1_000, records: 1_000, .. }))));
        assert_eq!(rule.batches.len(), 1_000);
    }

    proptest! {
        /// The window is the shortest run of last batches with enough records, whatever came before.
        #[test]
        fn the_window_is_the_last_batches(batches in prop::collection::vec((1u64..700, 0u64..700), 1..40)) {
            let warn = share("0.3");
            let mut rule = RejectRule::new(Some(Share::HALF), Some(warn));
            let mut seen: Vec<(u64, u64)> = Vec::new();
            for (records, rejected) in batches {
                let rejected = rejected.min(records);
                seen.push((records, rejected));
                let (mut all, mut bad) = (0, 0);
                for (records, rejected) in seen.iter().rev() {
                    all += records;
                    bad += rejected;
                    if all >= RECORDS_MIN {
                        break;
                    }
                }
                let counts = |share| Rejected { rejected: bad, records: all, share };
                let expected = match () {
                    () if all < RECORDS_MIN => RejectVerdict::Load,
                    () if 2 * bad > all => RejectVerdict::Stop(counts(Share::HALF)),
                    () if 10 * bad > 3 * all => RejectVerdict::Warn(counts(warn)),
                    () => RejectVerdict::Load,
                };
                prop_assert_eq!(rule.judge(records, rejected).verdict, expected);
            }
        }
    }
}
