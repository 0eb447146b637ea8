//! 200 columns: numbers, texts, fractions and truths by turns.

use super::Writer;
use super::random::{Random, text};

const COLUMNS: usize = 200;

pub(super) fn make(seed: u64) -> (String, Writer) {
    let columns: Vec<String> = (0..COLUMNS)
        .map(|at| format!("c{at:03} {}", ["UInt64", "String", "Float64", "Bool"][at % 4]))
        .collect();
    (columns.join(", "), Box::new(move |index, record| write(&mut Random::new(seed, index), record)))
}

fn write(random: &mut Random, record: &mut Vec<u8>) {
    for at in 0..COLUMNS {
        text(record, format_args!("{}\"c{at:03}\":", if at == 0 { '{' } else { ',' }));
        match at % 4 {
            0 => text(record, format_args!("{}", random.next() >> (10 + random.below(50)))),
            1 => text(record, format_args!("\"value {}\"", random.below(100_000))),
            2 => text(record, format_args!("{}", random.below(1_000_000) as f64 / 100.0)),
            _ => text(record, format_args!("{}", random.below(2) == 0)),
        }
    }
    record.push(b'}');
}
