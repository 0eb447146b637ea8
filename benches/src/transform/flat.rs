//! What a record costs by how many there are: a cost of the start would show with few records, and one that grows with
//! many.
//!
//! The records come round again from a set that stays in a cache, and rows are dropped after each call: only the number
//! of records changes from one measurement to the next. In turns with each, a thousand records are measured, so that a
//! slow moment of the machine hits both.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use housepipe_transform::{Encoder, Plan, PlanOptions};
use serde::Serialize;

use super::cases::{SLICE_BYTES, plan};
use super::corpora::Dataset;
use crate::median;

/// How many records.
pub const COUNTS: [usize; 4] = [10, BASE, 100_000, 10_000_000];
/// The number that the others are compared with.
pub const BASE: usize = 1_000;
/// Records that are told apart; more come round again.
const SET_RECORDS: usize = BASE;
/// Records between two looks at the clock: fewer are encoded again and again, more in pieces.
const PIECE_RECORDS: usize = 10_000;
/// Records of all rounds together, about.
const RECORDS_MAX: usize = 10_000_000;

/// Nanoseconds a record for so many records.
#[derive(Debug, Clone, Serialize)]
pub struct Flat {
    /// The corpus.
    pub corpus: String,
    /// How many records.
    pub records: usize,
    /// With an encoder that has seen the records before.
    pub warm_ns_record: f64,
    /// The speed beside that of a thousand records, measured in turns: the middle of all pieces.
    pub by_base: f64,
    /// With a new encoder, its making included.
    pub new_ns_record: f64,
}

/// Measures each count.
///
/// # Errors
/// Where the columns cannot be compiled.
pub fn measure(dataset: &Dataset, rounds: usize) -> anyhow::Result<Vec<Flat>> {
    let plan = plan(&dataset.columns, &PlanOptions::default())?;
    let records: Vec<&[u8]> = dataset.records().take(SET_RECORDS).collect();
    Ok(COUNTS.map(|count| cost(dataset, &plan, &records, count, rounds)).into())
}

fn cost(dataset: &Dataset, plan: &Arc<Plan>, records: &[&[u8]], count: usize, rounds: usize) -> Flat {
    let mut few = Source::new(&records[..records.len().min(count)]);
    let mut base = Source::new(records);
    let (mut warm, mut warm_base) = (Encoder::new(Arc::clone(plan)), Encoder::new(Arc::clone(plan)));
    few.seconds(&mut warm, PIECE_RECORDS);
    base.seconds(&mut warm_base, PIECE_RECORDS);
    let rounds = rounds.min(RECORDS_MAX / count).max(1);
    let (mut pieces, mut ratios, mut new) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds * count.div_ceil(PIECE_RECORDS) {
        let seconds = few.seconds(&mut warm, PIECE_RECORDS);
        ratios.push(base.seconds(&mut warm_base, PIECE_RECORDS) / seconds);
        pieces.push(seconds);
    }
    // In pieces too: a long run would hold the time that the machine gave to others, and short ones would not.
    let again = PIECE_RECORDS.div_ceil(count);
    for _ in 0..rounds {
        let started = Instant::now();
        let mut fresh = Encoder::new(Arc::clone(plan));
        few.seconds(&mut fresh, count.min(PIECE_RECORDS));
        (1..again).for_each(|_| {
            few.seconds(&mut Encoder::new(Arc::clone(plan)), count);
        });
        let first = started.elapsed().as_secs_f64();
        let others = count.div_ceil(PIECE_RECORDS) - 1;
        let rest: Vec<f64> = (0..others).map(|_| few.seconds(&mut fresh, PIECE_RECORDS)).collect();
        new.push(first + if rest.is_empty() { 0.0 } else { median(rest) * others as f64 });
    }
    Flat {
        corpus: dataset.name.clone(),
        records: count,
        warm_ns_record: median(pieces) * 1e9 / PIECE_RECORDS as f64,
        by_base: median(ratios),
        new_ns_record: median(new) * 1e9 / (count * again) as f64,
    }
}

/// Records that come round again, cut into calls as a fetch would bring them.
struct Source<'r> {
    records: &'r [&'r [u8]],
    call_records: usize,
    out: Vec<u8>,
}

impl<'r> Source<'r> {
    fn new(records: &'r [&'r [u8]]) -> Self {
        let bytes: usize = records.iter().map(|record| record.len()).sum();
        let call_records = (records.len() * SLICE_BYTES / bytes.max(1)).clamp(1, records.len().max(1));
        Source { records, call_records, out: Vec::new() }
    }

    /// What so many records take.
    fn seconds(&mut self, encoder: &mut Encoder, count: usize) -> f64 {
        let started = Instant::now();
        let mut left = count;
        while left > 0 {
            for call in self.records.chunks(self.call_records) {
                let call = &call[..call.len().min(left)];
                left -= call.len();
                self.out.clear();
                black_box(encoder.encode_batch(call, &mut self.out, |_, _| {}));
            }
        }
        started.elapsed().as_secs_f64()
    }
}
