//! What a record costs by how many there are: a plan and an encoder are made for each measurement, so that a cost of
//! the start would show with few records.

use std::hint::black_box;
use std::time::Instant;

use housepipe_transform::{Encoder, PlanOptions};
use serde::Serialize;

use super::cases::{SLICE_BYTES, plan};
use super::corpora::Dataset;
use crate::median;

/// How many records.
pub const COUNTS: [usize; 3] = [10, 1_000, 100_000];

/// Nanoseconds a record for so many records.
#[derive(Debug, Clone, Serialize)]
pub struct Flat {
    /// The corpus.
    pub corpus: String,
    /// How many records.
    pub records: usize,
    /// With an encoder that has seen the records before.
    pub warm_ns_record: f64,
    /// With a new encoder, its making included.
    pub new_ns_record: f64,
}

/// Measures each count; the records come round again where the corpus has fewer.
///
/// # Errors
/// Where the columns cannot be compiled.
pub fn measure(dataset: &Dataset, rounds: usize) -> anyhow::Result<Vec<Flat>> {
    let plan = plan(&dataset.columns, &PlanOptions::default())?;
    let mut results = Vec::new();
    let mut out = Vec::new();
    for count in COUNTS {
        let some: Vec<&[u8]> = dataset.records().take(count).collect();
        let bytes: usize = some.iter().map(|record| record.len()).sum();
        let slice = (some.len() * SLICE_BYTES / bytes.max(1)).clamp(1, some.len());
        let mut encode = |encoder: &mut Encoder| {
            let mut left = count;
            out.clear();
            while left > 0 {
                for slice in some.chunks(slice) {
                    let slice = &slice[..slice.len().min(left)];
                    left -= slice.len();
                    black_box(encoder.encode_batch(slice, &mut out, |_, _| {}));
                }
            }
        };
        let mut warm = Encoder::new(plan.clone());
        encode(&mut warm);
        let (mut old, mut new) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let started = Instant::now();
            encode(&mut warm);
            old.push(started.elapsed().as_secs_f64());
            let started = Instant::now();
            encode(&mut Encoder::new(plan.clone()));
            new.push(started.elapsed().as_secs_f64());
        }
        let ns_record = |seconds| median(seconds) * 1e9 / count as f64;
        results.push(Flat {
            corpus: dataset.name.clone(),
            records: count,
            warm_ns_record: ns_record(old),
            new_ns_record: ns_record(new),
        });
    }
    Ok(results)
}
