//! Orders with items: what is inside of what, three levels deep.

use super::Writer;
use super::random::{Random, text};

const COLUMNS: &str = "id UInt64, tags Array(String), attributes Map(String, String), \
     items Array(Tuple(sku String, quantity UInt32, price Float64)), matrix Array(Array(Int32)), \
     buyer Tuple(id UInt64, name String), scores Map(String, Float64)";

const NAMES: [&str; 6] = ["color", "size", "material", "origin", "weight class", "batch"];
const WORDS: [&str; 6] = ["red", "large", "oiled oak", "Lisbon", "heavy", "2026-02"];

pub(super) fn make(seed: u64) -> (String, Writer) {
    (COLUMNS.to_owned(), Box::new(move |index, record| write(&mut Random::new(seed, index), record)))
}

fn write(random: &mut Random, record: &mut Vec<u8>) {
    text(record, format_args!("{{\"id\":{},\"tags\":[", random.below(1 << 40)));
    let count = random.below(4);
    list(record, count, |record| text(record, format_args!("\"{}\"", random.pick(&WORDS))));
    record.extend_from_slice(b"],\"attributes\":{");
    let first = random.index(NAMES.len());
    let mut at = first;
    let count = 1 + random.below(4);
    list(record, count, |record| {
        text(record, format_args!("\"{}\":\"{}\"", NAMES[at % NAMES.len()], random.pick(&WORDS)));
        at += 1;
    });
    record.extend_from_slice(b"},\"items\":[");
    let count = 1 + random.below(5);
    list(record, count, |record| {
        let price = random.below(100_000) as f64 / 100.0;
        let (sku, quantity) = (random.below(1 << 32), 1 + random.below(20));
        text(record, format_args!("{{\"sku\":\"SKU-{sku:08x}\",\"quantity\":{quantity},\"price\":{price}}}"));
    });
    record.extend_from_slice(b"],\"matrix\":[");
    let (count, width) = (1 + random.below(3), 1 + random.below(4));
    list(record, count, |record| {
        record.push(b'[');
        list(record, width, |record| text(record, format_args!("{}", i128::from(random.below(2000)) - 1000)));
        record.push(b']');
    });
    text(
        record,
        format_args!(
            "],\"buyer\":{{\"id\":{},\"name\":\"buyer {}\"}},\"scores\":{{",
            random.below(1 << 30),
            random.below(1000)
        ),
    );
    let mut at = 0;
    let count = 1 + random.below(3);
    list(record, count, |record| {
        text(record, format_args!("\"{}\":{}", NAMES[at], random.below(1000) as f64 / 8.0));
        at += 1;
    });
    record.extend_from_slice(b"}}");
}

/// Values with commas between them.
fn list(record: &mut Vec<u8>, count: u64, mut value: impl FnMut(&mut Vec<u8>)) {
    for at in 0..count {
        if at > 0 {
            record.push(b',');
        }
        value(record);
    }
}
