//! Interleaved rounds: every case once a round, so that a slow moment of the machine hits all alike.

use std::hint::black_box;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::allocations;
use super::cases::Case;
use crate::median;

/// How long is measured.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Rounds over all cases.
    pub rounds: usize,
    /// A case repeats its work in a round until this much time has passed.
    pub round_min: Duration,
}

impl Effort {
    /// For figures.
    pub const FULL: Effort = Effort { rounds: 15, round_min: Duration::from_millis(10) };
    /// To see that it works.
    pub const QUICK: Effort = Effort { rounds: 3, round_min: Duration::from_millis(1) };
}

/// What a case took.
#[derive(Debug, Clone, Serialize)]
pub struct Timing {
    /// The case.
    pub case: String,
    /// Gigabytes (10^9) of JSON a second, the middle of the rounds.
    pub median_gb_s: f64,
    /// The same of the best round.
    pub best_gb_s: f64,
    /// Nanoseconds a record, the middle of the rounds.
    pub median_ns_record: f64,
    /// Allocations a record once warm; none where they cannot be counted.
    pub allocations_record: Option<f64>,
}

/// Runs the cases in rounds over `bytes` of JSON in `records` records.
pub fn measure(cases: &mut [Case<'_>], bytes: usize, records: usize, effort: Effort) -> Vec<Timing> {
    let mut out = Vec::with_capacity(bytes + bytes / 2);
    // The second pass is warm and says how often a round repeats.
    let repeats: Vec<u32> = cases
        .iter_mut()
        .map(|case| {
            (case.run)(&mut out);
            let started = Instant::now();
            black_box((case.run)(&mut out));
            let passes = effort.round_min.as_secs_f64() / started.elapsed().as_secs_f64().max(1e-9);
            // From 1 to 10,000: no value is lost.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
            let passes = passes.ceil().clamp(1.0, 10_000.0) as u32;
            passes
        })
        .collect();
    let mut seconds = vec![Vec::with_capacity(effort.rounds); cases.len()];
    for _ in 0..effort.rounds {
        for ((case, repeats), seconds) in cases.iter_mut().zip(&repeats).zip(&mut seconds) {
            let started = Instant::now();
            for _ in 0..*repeats {
                black_box((case.run)(&mut out));
                black_box(out.as_slice());
            }
            seconds.push(started.elapsed().as_secs_f64() / f64::from(*repeats));
        }
    }
    cases
        .iter_mut()
        .zip(seconds)
        .map(|(case, seconds)| {
            let allocated = allocations::count(|| {
                black_box((case.run)(&mut out));
            });
            timing(case.name.clone(), seconds, bytes, records, Some(allocated as f64 / records as f64))
        })
        .collect()
}

/// The figures of one case from the seconds of its rounds.
#[must_use]
pub fn timing(
    case: String,
    seconds: Vec<f64>,
    bytes: usize,
    records: usize,
    allocations_record: Option<f64>,
) -> Timing {
    let best = seconds.iter().copied().fold(f64::INFINITY, f64::min);
    let middle = median(seconds);
    Timing {
        case,
        median_gb_s: bytes as f64 / middle / 1e9,
        best_gb_s: bytes as f64 / best / 1e9,
        median_ns_record: middle * 1e9 / records as f64,
        allocations_record,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_come_from_the_middle_and_the_best_round() {
        let timing = timing("x".to_owned(), vec![3.0, 1.0, 2.0], 2_000_000_000, 4, None);
        assert_eq!((timing.median_gb_s, timing.best_gb_s, timing.median_ns_record), (1.0, 2.0, 5e8));
    }
}
