//! What the transform is to reach: ratios of medians within one run, and no allocation.

use serde::Serialize;

use super::cases::{GENERAL, OURS, STRICT};
use super::clickhouse::TO_ROW_BINARY;
use super::flat::{self, Flat};
use super::report::CorpusReport;
use super::run::UNSPOILT;

/// A ratio of two rows of one corpus.
struct Target {
    corpus: &'static str,
    /// The row that is to be fast.
    case: &'static str,
    /// The row it is compared with.
    against: &'static str,
    floor: f64,
    goal: f64,
    /// Where the floor is known to be missed, what is guarded in its place.
    guard: Option<f64>,
}

const fn target(corpus: &'static str, against: &'static str, floor: f64, goal: f64) -> Target {
    Target { corpus, case: OURS, against, floor, goal, guard: None }
}

/// Rejecting what is not UTF-8, against ours without that.
const fn strict(corpus: &'static str, guard: Option<f64>) -> Target {
    Target { corpus, case: STRICT, against: OURS, floor: 0.85, goal: 0.93, guard }
}

/// Cost of a record by how many there are, against that of a thousand.
const FLAT: (f64, f64) = (0.8, 0.95);

const TARGETS: [Target; 18] = [
    target("logs", "sonic-rs typed", 2.5, 7.0),
    target("logs", "simd-json typed", 3.3, 8.0),
    target("logs", "serde_json typed", 4.5, 12.0),
    target("logs", TO_ROW_BINARY, 6.0, 15.0),
    target("events", "sonic-rs typed", 1.9, 5.0),
    target("events", "simd-json typed", 2.2, 6.0),
    target("events", "serde_json typed", 2.8, 7.0),
    target("events", TO_ROW_BINARY, 4.5, 10.0),
    target("shuffled", "sonic-rs typed", 1.1, 2.5),
    target("nested", "sonic-rs typed", 1.5, 4.0),
    target("bad-1-percent", UNSPOILT, 0.8, 0.95),
    strict("logs", None),
    strict("events", None),
    // Where nearly every letter has several bytes, the check costs a fifth of what encoding does. The guard is there to
    // tell when it costs more.
    strict("multibyte", Some(0.7)),
    target("shapes-1", GENERAL, 0.8, 1.0),
    target("shapes-4", GENERAL, 0.8, 1.0),
    target("shapes-16", GENERAL, 0.8, 1.0),
    target("shapes-64", GENERAL, 0.8, 1.0),
];

/// Rejected records have a message each; everywhere else the steady state allocates nothing.
const MAY_ALLOCATE: &str = "bad-1-percent";
/// Fewer a record than this is the growth of a buffer, not a cost of records.
const ALLOCATIONS_RECORD_MAX: f64 = 0.000_5;

/// What became of a target.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    /// The corpus.
    pub corpus: String,
    /// Its size.
    pub size: &'static str,
    /// What is compared with what.
    pub what: String,
    /// At least this, or at most this for allocations.
    pub floor: f64,
    /// Where we want to be.
    pub goal: f64,
    /// Where we are; none where one of the two rows was left out of the run.
    pub measured: Option<f64>,
    /// Whether the floor holds.
    pub floor_held: bool,
    /// The floor is known to be missed, and what is guarded in its place holds.
    pub known_miss: bool,
    /// Whether the goal is reached.
    pub goal_reached: bool,
}

/// Judges every target of the corpora that were measured, and what a record costs by how many there are.
#[must_use]
pub fn judge(corpora: &[CorpusReport], costs: &[Flat]) -> Vec<Verdict> {
    corpora.iter().flat_map(judge_one).chain(costs.iter().filter_map(judge_flat)).collect()
}

/// Judges an encoder that has been made before; what a new one costs is in the report.
fn judge_flat(cost: &Flat) -> Option<Verdict> {
    if cost.records == flat::BASE {
        return None;
    }
    let measured = cost.by_base;
    let (floor, goal) = FLAT;
    Some(Verdict {
        corpus: cost.corpus.clone(),
        size: "flat",
        what: format!("{} records by {}", cost.records, flat::BASE),
        floor,
        goal,
        measured: Some(measured),
        floor_held: measured >= floor,
        known_miss: false,
        goal_reached: measured >= goal,
    })
}

fn judge_one(report: &CorpusReport) -> Vec<Verdict> {
    let speed = |case: &str| report.timing(case).map(|timing| timing.median_gb_s);
    let mut verdicts: Vec<Verdict> = TARGETS
        .iter()
        .filter(|target| target.corpus == report.corpus)
        .map(|target| {
            let measured = speed(target.case).zip(speed(target.against)).map(|(ours, theirs)| ours / theirs);
            Verdict {
                corpus: report.corpus.clone(),
                size: report.size,
                what: format!("{} by {}", target.case, target.against),
                floor: target.floor,
                goal: target.goal,
                measured,
                floor_held: measured.is_some_and(|measured| measured >= target.floor),
                known_miss: measured
                    .zip(target.guard)
                    .is_some_and(|(measured, guard)| (guard..target.floor).contains(&measured)),
                goal_reached: measured.is_some_and(|measured| measured >= target.goal),
            }
        })
        .collect();
    let allocations = report.timing(OURS).and_then(|timing| timing.allocations_record);
    if let Some(measured) = allocations.filter(|_| report.corpus != MAY_ALLOCATE) {
        let held = measured < ALLOCATIONS_RECORD_MAX;
        verdicts.push(Verdict {
            corpus: report.corpus.clone(),
            size: report.size,
            what: "allocations a record".to_owned(),
            floor: 0.0,
            goal: 0.0,
            measured: Some(measured),
            floor_held: held,
            known_miss: false,
            goal_reached: held,
        });
    }
    verdicts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::measure::timing;

    fn logs(ours_seconds: f64, allocations: f64) -> CorpusReport {
        CorpusReport {
            corpus: "logs".to_owned(),
            size: "l2",
            columns: 38,
            bytes: 1_000,
            records: 1,
            rejected: 0,
            timings: vec![
                timing(OURS.to_owned(), vec![ours_seconds], 1_000, 1, Some(allocations)),
                timing("sonic-rs typed".to_owned(), vec![10.0], 1_000, 1, None),
            ],
        }
    }

    #[test]
    fn a_floor_holds_or_is_missed() {
        let verdicts = judge(&[logs(2.0, 0.0)], &[]);
        assert!(verdicts[0].floor_held && !verdicts[0].goal_reached);
        // What was left out of the run is said, and no floor is held without a figure.
        let left_out: Vec<&Verdict> = verdicts.iter().filter(|verdict| verdict.measured.is_none()).collect();
        assert_eq!(left_out.len(), TARGETS.iter().filter(|target| target.corpus == "logs").count() - 1);
        assert!(left_out.iter().all(|verdict| !verdict.floor_held && !verdict.goal_reached));
        assert!(!judge(&[logs(5.0, 0.0)], &[])[0].floor_held);
        assert!(judge(&[logs(1.0, 0.0)], &[])[0].goal_reached);
    }

    #[test]
    fn an_allocation_a_record_misses_the_floor() {
        let allocations = |count: f64| judge(&[logs(1.0, count)], &[]).pop().unwrap();
        assert!(allocations(0.0).floor_held);
        assert!(!allocations(0.01).floor_held);
    }

    #[test]
    fn a_known_miss_is_told_and_guarded() {
        let strict = |seconds: f64| {
            let mut report = logs(1.0, 0.0);
            report.corpus = "multibyte".to_owned();
            report.timings.push(timing(STRICT.to_owned(), vec![seconds], 1_000, 1, None));
            let verdict = judge(&[report], &[]).swap_remove(0);
            (verdict.floor_held, verdict.known_miss)
        };
        assert_eq!(strict(1.0 / 0.9), (true, false));
        assert_eq!(strict(1.0 / 0.76), (false, true));
        assert_eq!(strict(1.0 / 0.6), (false, false));
    }

    #[test]
    fn a_cost_that_grows_with_the_records_misses_the_floor() {
        let cost = |records: usize, by_base: f64| Flat {
            corpus: "logs".to_owned(),
            records,
            warm_ns_record: 200.0 / by_base,
            by_base,
            new_ns_record: 1_000.0,
        };
        let verdicts = judge(&[], &[cost(10, 0.9), cost(1_000, 1.0), cost(10_000_000, 0.7)]);
        let held: Vec<_> = verdicts.iter().map(|verdict| (&*verdict.what, verdict.floor_held)).collect();
        assert_eq!(held, [("10 records by 1000", true), ("10000000 records by 1000", false)]);
    }
}
