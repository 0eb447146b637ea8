//! Records that leave out most of what they may hold.

use super::Writer;
use super::random::{Random, text};

/// Ten texts, ten numbers, ten texts that may be null; by turns.
const FIELDS: usize = 30;

pub(super) fn make(seed: u64) -> (String, Writer) {
    let columns: Vec<String> = (0..FIELDS)
        .map(|at| format!("f{at:02} {}", ["String", "UInt64", "Nullable(String)"][at % 3]))
        .collect();
    (columns.join(", "), Box::new(move |index, record| write(&mut Random::new(seed, index), record)))
}

fn write(random: &mut Random, record: &mut Vec<u8>) {
    record.push(b'{');
    for at in 0..FIELDS {
        if random.below(3) != 0 {
            continue;
        }
        if record.len() > 1 {
            record.push(b',');
        }
        match at % 3 {
            0 => text(record, format_args!("\"f{at:02}\":\"text {}\"", random.below(1_000_000))),
            1 => text(record, format_args!("\"f{at:02}\":{}", random.next() >> random.below(60))),
            _ if random.below(4) == 0 => text(record, format_args!("\"f{at:02}\":null")),
            _ => text(record, format_args!("\"f{at:02}\":\"maybe {:x}\"", random.next())),
        }
    }
    record.push(b'}');
}
