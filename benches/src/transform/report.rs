//! The result of a run.

use serde::Serialize;

use super::flat::Flat;
use super::machine::Machine;
use super::measure::Timing;
use super::targets::Verdict;

/// Everything that was measured, as `--json` writes it.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Where.
    pub machine: Machine,
    /// Seed of the corpora.
    pub seed: u64,
    /// Rounds over all cases.
    pub rounds: usize,
    /// Bytes of records that one call of ours gets.
    pub slice_bytes: usize,
    /// A table each.
    pub corpora: Vec<CorpusReport>,
    /// Nanoseconds a record by the number of records.
    pub flat: Vec<Flat>,
    /// What became of the targets.
    pub targets: Vec<Verdict>,
}

/// One corpus in one size.
#[derive(Debug, Clone, Serialize)]
pub struct CorpusReport {
    /// Its name.
    pub corpus: String,
    /// `l2` or `dram`, or `file` for a user's own.
    pub size: &'static str,
    /// How many columns.
    pub columns: usize,
    /// Bytes of JSON.
    pub bytes: usize,
    /// Records, rejected ones included.
    pub records: usize,
    /// Records without a row.
    pub rejected: usize,
    /// A row each.
    pub timings: Vec<Timing>,
}

impl CorpusReport {
    /// The row of a case.
    #[must_use]
    pub fn timing(&self, case: &str) -> Option<&Timing> {
        self.timings.iter().find(|timing| timing.case == case)
    }
}
