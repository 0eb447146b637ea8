//! Every engine gives the rows, the rejects and the counts of the exact path.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use housepipe_transform::{Encoder, Engine, Envelope, LineCounts, NoEnvelope, Path, Plan, Reject, Tier};

use crate::input::Input;
use crate::note::Note;
use crate::{mutate, plans, record};

/// Records that an input writes out are cut here: the byte is no JSON outside of strings, and rare inside.
const SEPARATOR: u8 = 0x1e;
/// The bit of the mode that lets records begin with keys in no order.
const UNORDERED: u8 = 0x80;
/// Copies of each record, at most.
const COPIES_MAX: usize = 24;

pub(crate) fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let Some(plan) = plans::choose(&mut input) else { return };
    let records = batch(&plan, input);
    let records: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
    let lines = records.join(&b'\n');
    let expected = Expected::of(&plan, &records, &lines);
    for engine in engines() {
        expected.compare(&plan, engine, &records, &lines);
    }
}

/// Every path with every tier that this processor has.
fn engines() -> impl Iterator<Item = Engine> {
    [Path::Exact, Path::General, Path::Lockstep]
        .into_iter()
        .flat_map(|path| Tier::all().into_iter().map(move |tier| Engine::new(path, tier)))
}

/// The records that the bytes stand for: written out, or made to fit the columns and then changed.
fn batch(plan: &Plan, mut input: Input<'_>) -> Vec<Vec<u8>> {
    let mode = input.byte();
    let copies = input.below(COPIES_MAX);
    let changes = input.take(usize::from(input_size(mode)));
    let mut changes = Input::new(changes);
    let originals: Vec<Vec<u8>> = if mode & 1 == 0 {
        input.rest().split(|byte| *byte == SEPARATOR).take(16).map(<[u8]>::to_vec).collect()
    } else {
        let mut made = Vec::new();
        while made.is_empty() || (!input.is_empty() && made.len() < 16) {
            made.push(record::made(plan.columns(), &mut input));
        }
        made
    };
    let mut batch = if mode & UNORDERED == 0 { Vec::new() } else { unordered() };
    for original in originals {
        for _ in 0..copies {
            batch.push(mutate::copy(&original, &mut changes));
        }
        batch.push(original);
    }
    batch
}

/// Records in which every key follows another one than it did in the last few: engines stop to guess keys for a while.
fn unordered() -> Vec<Vec<u8>> {
    let record = |step: usize| {
        let keys: Vec<String> = (1..7).map(|at| format!("\"{}\":0", at * step % 7)).collect();
        format!("{{{}}}", keys.join(",")).into_bytes()
    };
    (0..18).map(|n| record(n % 6 + 1)).collect()
}

/// Bytes of the input that say how copies are changed.
fn input_size(mode: u8) -> u8 {
    mode & 0x7e
}

/// What the exact path says about a batch, one record at a time.
#[derive(Debug)]
struct Expected {
    verdicts: Verdicts,
    line_verdicts: Verdicts,
    line_counts: LineCounts,
}

/// What came of a batch.
#[derive(Debug, Default, PartialEq, Eq)]
struct Verdicts {
    rows: Vec<u8>,
    rejects: Vec<(usize, Range<usize>, Reject)>,
    unknown_total: u64,
    unknown: Vec<(String, u64)>,
}

impl Expected {
    fn of(plan: &Arc<Plan>, records: &[&[u8]], lines: &[u8]) -> Self {
        let mut exact = Encoder::with_engine(plan.clone(), Engine::EXACT);
        let mut verdicts = Verdicts::default();
        for (index, record) in records.iter().enumerate() {
            verdicts.record(&mut exact, index, 0..record.len(), record, &Note(index));
        }
        verdicts.count(&exact);

        let mut exact = Encoder::with_engine(plan.clone(), Engine::EXACT);
        let mut line_verdicts = Verdicts::default();
        let mut line_counts = LineCounts::default();
        line_counts.bytes = lines.len();
        for (number, range) in crate::lines::by_hand(lines) {
            line_counts.lines += 1;
            let line = &lines[range.clone()];
            if !crate::lines::is_blank(line, plan) {
                line_counts.records += 1;
                let is_row = line_verdicts.record(&mut exact, number, range, line, &NoEnvelope);
                line_counts.rows += usize::from(is_row);
            }
        }
        line_verdicts.count(&exact);
        Self { verdicts, line_verdicts, line_counts }
    }

    /// Runs the batch twice by each way: what an encoder has learned from the first run may not show in the second.
    fn compare(&self, plan: &Arc<Plan>, engine: Engine, records: &[&[u8]], lines: &[u8]) {
        let mut single = Encoder::with_engine(plan.clone(), engine);
        let mut batched = Encoder::with_engine(plan.clone(), engine);
        let mut lined = Encoder::with_engine(plan.clone(), engine);
        for round in ["first", "second"] {
            let mut verdicts = Verdicts::default();
            for (index, record) in records.iter().enumerate() {
                verdicts.record(&mut single, index, 0..record.len(), record, &Note(index));
            }
            verdicts.is(&self.verdicts, &format!("encode, {round} round, {engine:?}"));

            let mut verdicts = Verdicts::default();
            let taken = batched.encode_each_with(records, Note, &mut verdicts.rows, |index, row| {
                verdicts.rejects.extend(row.err().map(|reject| (index, 0..records[index].len(), reject)));
                ControlFlow::Continue(())
            });
            assert_eq!(taken, records.len(), "encode_each takes all, {engine:?}");
            verdicts.is(&self.verdicts, &format!("encode_each, {round} round, {engine:?}"));

            let mut verdicts = Verdicts::default();
            let counts = lined.encode_lines(lines, &mut verdicts.rows, |line| {
                verdicts.rejects.push((line.line, line.bytes, line.reject));
            });
            assert_eq!(counts, self.line_counts, "encode_lines counts, {engine:?}");
            verdicts.is(&self.line_verdicts, &format!("encode_lines, {round} round, {engine:?}"));
        }
        let ways = [
            (&single, &self.verdicts, "encode"),
            (&batched, &self.verdicts, "encode_each"),
            (&lined, &self.line_verdicts, "encode_lines"),
        ];
        for (encoder, expected, way) in ways {
            let keys = encoder.unknown_keys();
            assert_eq!(keys.total(), 2 * expected.unknown_total, "unknown keys of {way}, {engine:?}");
            let names: Vec<(String, u64)> =
                keys.iter().map(|(name, count)| (name.into_owned(), count)).collect();
            let twice: Vec<(String, u64)> =
                expected.unknown.iter().map(|(name, count)| (name.clone(), 2 * count)).collect();
            assert_eq!(names, twice, "unknown keys of {way}, {engine:?}");
        }
    }
}

impl Verdicts {
    /// Encodes one record and notes what came of it; whether it has a row.
    fn record(
        &mut self,
        encoder: &mut Encoder,
        index: usize,
        range: Range<usize>,
        record: &[u8],
        envelope: &impl Envelope,
    ) -> bool {
        match encoder.encode_with(record, envelope, &mut self.rows) {
            Ok(()) => true,
            Err(reject) => {
                self.rejects.push((index, range, reject));
                false
            }
        }
    }

    fn count(&mut self, encoder: &Encoder) {
        let keys = encoder.unknown_keys();
        self.unknown_total = keys.total();
        self.unknown = keys.iter().map(|(name, count)| (name.into_owned(), count)).collect();
    }

    /// Rows and rejects are the same; keys are compared when both rounds are over.
    fn is(&self, expected: &Verdicts, what: &str) {
        assert_eq!(self.rejects, expected.rejects, "rejects of {what}");
        assert!(
            self.rows == expected.rows,
            "rows of {what}:\n  {:02x?}\nare not\n  {:02x?}",
            self.rows,
            expected.rows
        );
    }
}
