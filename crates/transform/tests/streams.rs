//! Streams as topics have them: runs of records of one shape, other runs behind them, pieces of records between them.
//! With any options and limits, every engine gives the rows, the rejects and the counts of the exact path.
//!
//! A fast path is only taken by records that fit, and a group only where four in a row do: most values fit here, and a
//! part of the streams holds nothing else.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are test code too")]

#[path = "streams/make.rs"]
mod make;
#[path = "streams/random.rs"]
mod random;

use std::ops::ControlFlow;
use std::sync::Arc;

use housepipe_transform::{
    Columns, Encoder, Engine, Limits, Path, Plan, PlanOptions, Reject, RowFormat, Semantics, Tier,
};
use random::Random;

/// Streams of one run of the test.
const STREAMS: u64 = 5_000;

/// What an encoder made of a stream.
#[derive(Debug, PartialEq)]
struct Outcome {
    rows: Vec<u8>,
    verdicts: Vec<Result<usize, Reject>>,
    unknown: Vec<(String, u64)>,
    unknown_total: u64,
}

/// Encodes the records in pieces that end at the cuts, pieces of one record by the call for one.
fn encode(plan: &Arc<Plan>, engine: Engine, records: &[&[u8]], cuts: &[usize]) -> Outcome {
    let mut encoder = Encoder::with_engine(Arc::clone(plan), engine);
    let (mut rows, mut verdicts) = (Vec::new(), Vec::new());
    let mut start = 0;
    for cut in cuts.iter().chain([&records.len()]) {
        let piece = &records[start..*cut];
        start = *cut;
        if let [record] = piece {
            verdicts.push(encoder.encode(record, &mut rows).map(|()| rows.len()));
            continue;
        }
        let count = encoder.encode_each(piece, &mut rows, |_, verdict| {
            verdicts.push(verdict);
            ControlFlow::Continue(())
        });
        assert_eq!(count, piece.len());
    }
    let unknown = encoder.unknown_keys();
    let names = unknown.iter().map(|(name, count)| (name.into_owned(), count)).collect();
    Outcome { rows, verdicts, unknown: names, unknown_total: unknown.total() }
}

/// Options of any kind; limits so low that records meet them.
fn options(r: &mut Random) -> PlanOptions {
    let mut limits = Limits::default();
    if r.chance(25) {
        limits.fields_max = r.below(40);
    }
    if r.chance(25) {
        limits.depth_max = r.below(12);
    }
    if r.chance(25) {
        limits.row_bytes_max = 40 + r.below(800);
    }
    if r.chance(15) {
        limits.record_bytes_max = r.below(500);
    }
    if r.chance(25) {
        limits.unknown_keys_max = r.below(5);
    }
    let semantics = if r.chance(50) { Semantics::Strict } else { Semantics::ClickHouse };
    let format = if r.chance(60) { RowFormat::RowBinary } else { RowFormat::RowBinaryWithDefaults };
    PlanOptions::default()
        .with_limits(limits)
        .with_semantics(semantics)
        .with_format(format)
        .with_strict_utf8(r.chance(30))
}

/// Compares all engines on the stream of this number; how many records were accepted and rejected.
fn compare(number: u64) -> (usize, usize) {
    let mut random = Random::new(number);
    let r = &mut random;
    let columns = make::columns(r);
    let options = options(r);
    let mut list: Columns = columns.text().parse().unwrap();
    if options.format == RowFormat::RowBinaryWithDefaults {
        let with_default = |column: &housepipe_transform::Column| column.clone().with_default_expression();
        list = list
            .iter()
            .map(|column| if r.chance(40) { with_default(column) } else { column.clone() })
            .collect();
    }
    let Ok(plan) = Plan::compile(&list, &options) else { return (0, 0) };
    let plan = Arc::new(plan);
    // The chance, of a hundred, that a value does not fit.
    let hostile = *r.one(&[0, 0, 1, 10, 30]);
    let records = make::stream(r, &columns, hostile);
    let records: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
    let mut cuts: Vec<usize> = (0..r.below(4)).map(|_| r.below(records.len() + 1)).collect();
    cuts.sort_unstable();
    let exact = encode(&plan, Engine::EXACT, &records, &cuts);
    for tier in Tier::all() {
        for path in [Path::General, Path::Lockstep] {
            let fast = encode(&plan, Engine::new(path, tier), &records, &cuts);
            if fast == exact {
                continue;
            }
            let first = fast.verdicts.iter().zip(&exact.verdicts).position(|(fast, exact)| fast != exact);
            let both = first.map(|at| (&fast.verdicts[at], &exact.verdicts[at]));
            let record = first.map(|at| String::from_utf8_lossy(records[at]));
            panic!(
                "stream {number}: {path:?} with {tier} differs on `{}` with {options:?}\nfirst at {first:?}: {both:?}\n\
                 record {record:?}\nunknown {:?}, exact {:?}",
                columns.text(),
                fast.unknown,
                exact.unknown
            );
        }
    }
    let accepted = exact.verdicts.iter().filter(|verdict| verdict.is_ok()).count();
    (accepted, exact.verdicts.len() - accepted)
}

#[test]
fn every_engine_agrees() {
    let (mut accepted, mut rejected) = (0, 0);
    for number in 0..STREAMS {
        let (more_accepted, more_rejected) = compare(number);
        accepted += more_accepted;
        rejected += more_rejected;
    }
    // Both kinds are there in numbers, or the comparison says little.
    assert!(accepted > 10_000 && rejected > 10_000, "{accepted} accepted, {rejected} rejected");
}
