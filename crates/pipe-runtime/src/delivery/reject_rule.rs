//! The rule that stops a pipe whose records are mostly rejected: nothing disappears into an error table unseen.

use std::collections::VecDeque;
use std::fmt;

/// Records that the rule looks at, at least: fewer say nothing yet.
pub const RECORDS_MIN: u64 = 1_000;

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
    fn is_passed(self, part: u64, all: u64) -> bool {
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
/// assert_eq!(rule.judge(900, 900), RejectVerdict::Load); // too few to say
/// assert!(matches!(rule.judge(200, 0), RejectVerdict::Stop(_))); // 900 of 1,100
/// ```
#[derive(Debug, Clone, Default)]
pub struct RejectRule {
    stop: Option<Share>,
    warn: Option<Share>,
    /// The last batches, the newest last: records and rejects.
    batches: VecDeque<(u64, u64)>,
    records: u64,
    rejected: u64,
}

impl RejectRule {
    /// A rule that stops above one share and warns above another; neither where both are absent.
    #[must_use]
    pub fn new(stop: Option<Share>, warn: Option<Share>) -> RejectRule {
        RejectRule { stop, warn, batches: VecDeque::new(), records: 0, rejected: 0 }
    }

    /// Judges the next batch: `records` of which `rejected` are known to be rejected.
    pub fn judge(&mut self, records: u64, rejected: u64) -> RejectVerdict {
        self.batches.push_back((records, rejected));
        self.records += records;
        self.rejected += rejected;
        while let Some((oldest, its_rejects)) = self.batches.front().copied()
            && self.records - oldest >= RECORDS_MIN
        {
            self.batches.pop_front();
            self.records -= oldest;
            self.rejected -= its_rejects;
        }
        if self.records < RECORDS_MIN {
            return RejectVerdict::Load;
        }
        let passed = |share: &Share| share.is_passed(self.rejected, self.records);
        let counts = |share| Rejected { rejected: self.rejected, records: self.records, share };
        match (self.stop.filter(passed), self.warn.filter(passed)) {
            (Some(share), _) => RejectVerdict::Stop(counts(share)),
            (None, Some(share)) => RejectVerdict::Warn(counts(share)),
            (None, None) => RejectVerdict::Load,
        }
    }

    /// Rows of a batch that was judged already were refused by the server: they count for the batches to come.
    pub fn refused(&mut self, rows: u64) {
        // They are among the records of a batch that may have left the window: never more than the window holds.
        let rows = rows.min(self.records - self.rejected);
        if let Some((records, rejected)) = self.batches.back_mut() {
            let rows = rows.min(*records - *rejected);
            *rejected += rows;
            self.rejected += rows;
        }
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
        assert_eq!(rule.judge(999, 999), RejectVerdict::Load);
        let stopped = Rejected { rejected: 1_000, records: 1_000, share: Share::HALF };
        assert_eq!(rule.judge(1, 1), RejectVerdict::Stop(stopped));
        assert_eq!(
            stopped.to_string(),
            "1000 of the last 1000 records were rejected, which is more than 50 %"
        );
    }

    #[test]
    fn half_is_not_more_than_half() {
        let mut rule = RejectRule::new(Some(Share::HALF), None);
        assert_eq!(rule.judge(1_000, 500), RejectVerdict::Load);
        assert!(matches!(rule.judge(1_000, 501), RejectVerdict::Stop(_)));
        let mut never = RejectRule::new(Some(share("1")), None);
        assert_eq!(never.judge(5_000, 5_000), RejectVerdict::Load);
    }

    #[test]
    fn old_batches_leave_the_window() {
        let mut rule = RejectRule::new(Some(Share::HALF), Some(share("0.1")));
        assert!(matches!(rule.judge(1_000, 400), RejectVerdict::Warn(_)));
        assert_eq!(rule.judge(100_000, 10), RejectVerdict::Load);
        assert!(
            matches!(rule.judge(1_000, 501), RejectVerdict::Stop(_)),
            "good records of long ago hide nothing"
        );
    }

    #[test]
    fn what_the_server_refuses_counts_for_the_next_batch() {
        let mut rule = RejectRule::new(Some(Share::HALF), None);
        assert_eq!(rule.judge(800, 0), RejectVerdict::Load);
        rule.refused(800);
        assert!(matches!(
            rule.judge(400, 0),
            RejectVerdict::Stop(Rejected { rejected: 800, records: 1_200, .. })
        ));
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
                prop_assert_eq!(rule.judge(records, rejected), expected);
            }
        }
    }
}
