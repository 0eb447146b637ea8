//! The results as a table in Markdown.

use std::collections::BTreeMap;

use housepipe_tests::faults::{Mode, ROWS};

use crate::record::Record;

/// Sums of one row and mode.
#[derive(Default)]
struct Sum {
    runs: u64,
    produced: u64,
    lost: u64,
    duplicated: u64,
    other: u64,
    stuck: u64,
    calm_s: f64,
}

pub(crate) fn print(records: &[Record]) {
    let mut sums: BTreeMap<(usize, &str), Sum> = BTreeMap::new();
    for record in records {
        let place = ROWS.iter().position(|row| row.name == record.row).unwrap_or(ROWS.len());
        let sum = sums.entry((place, record.mode.name())).or_default();
        sum.runs += 1;
        sum.produced += record.produced;
        sum.calm_s = sum.calm_s.max(record.calm_s);
        match record.verdict {
            Some(verdict) => {
                sum.lost += verdict.lost;
                sum.duplicated += verdict.duplicated;
                sum.other += verdict.phantom + verdict.corrupted + verdict.misplaced;
                if record.mode == Mode::ExactlyOnce {
                    sum.other += verdict.disordered;
                }
            }
            None => sum.stuck += 1,
        }
    }
    println!(
        "| fault | mode | runs | records | lost | duplicated | phantom, corrupted, misplaced, out of order | stuck | slowest calm |"
    );
    println!("|---|---|---:|---:|---:|---:|---:|---:|---:|");
    for ((place, mode), sum) in sums {
        let what = ROWS.get(place).map_or("(a row that is no more)", |row| row.what);
        let Sum { runs, produced, lost, duplicated, other, stuck, calm_s } = sum;
        println!(
            "| {what} | {mode} | {runs} | {produced} | {lost} | {duplicated} | {other} | {stuck} | {calm_s:.1} s |"
        );
    }
}
