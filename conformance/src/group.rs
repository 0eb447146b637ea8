//! A group: one list of columns and the records that go through one encoder, in order.

use crate::random::Random;
use crate::shape::{Shape, Table, compiles};
use crate::suited::Suited;
use crate::types::Kind;
use crate::values::{key_of, other_key, value};

/// Records of each group.
pub(crate) const RECORDS_PER_GROUP: usize = 100;

/// Nesting of types, at most.
const TYPE_DEPTH: usize = 5;

/// Columns of a list, at most, and how often, of a hundred, a list has more than a few.
const COLUMNS_MAX: usize = 80;
const WIDE_PERCENT: usize = 2;

/// Bytes of a record, at most: arrays of arrays of many items would slow the whole run.
const RECORD_BYTES_MAX: usize = 200_000;

/// Names of columns, as a list of columns spells them: alike but for letter case, with dots, quotes and escapes.
const NAMES: &[&str] = &[
    "a",
    "b",
    "c",
    "A",
    "id",
    "Id",
    "ID",
    "timestamp",
    "`with space`",
    "`dotted.name`",
    "`é`",
    "`É`",
    "`q\"q`",
    "`b\\\\s`",
    "`null`",
    "`1st`",
    "a_rather_long_name_of_a_column_that_fills_words",
    "`tick\\`s`",
    "x",
    "y",
    "level",
    "message",
];

/// One column: the name as a list of columns spells it, and the type.
pub(crate) type ColumnShape = (String, Shape);

/// Columns and records.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) columns: Vec<ColumnShape>,
    pub(crate) records: Vec<Vec<u8>>,
}

/// The text of a list of columns.
pub(crate) fn list_of(columns: &[ColumnShape]) -> String {
    columns.iter().map(|(name, shape)| format!("{name} {shape}")).collect::<Vec<_>>().join(", ")
}

impl Group {
    /// The group of this index: the seed, the index and the table decide everything.
    pub(crate) fn generate(seed: u64, index: u64, table: &Table) -> Group {
        let mut r = Random::of_group(seed, index);
        let columns = loop {
            let columns = columns(&mut r, table);
            if compiles(&list_of(&columns)).is_ok() {
                break columns;
            }
        };
        let mut records = Vec::with_capacity(RECORDS_PER_GROUP);
        while records.len() < RECORDS_PER_GROUP {
            let count = if r.chance(70) { r.range(10, 41) } else { r.range(1, 4) };
            run(&mut r, &columns, count, &mut records);
        }
        records.truncate(RECORDS_PER_GROUP);
        Group { columns, records }
    }
}

fn columns(r: &mut Random, table: &Table) -> Vec<ColumnShape> {
    let is_wide = r.chance(WIDE_PERCENT);
    let count = if is_wide { r.range(9, COLUMNS_MAX + 1) } else { r.pick(&[1, 1, 2, 2, 3, 4, 6, 8]) };
    let mut names: Vec<String> = NAMES.iter().map(|name| (*name).to_owned()).collect();
    if is_wide {
        names.extend(
            (0..count).map(|at| format!("{}{at}", if at % 3 == 0 { "c" } else { "field_of_number_" })),
        );
    }
    if r.chance(60) {
        r.shuffle(&mut names);
    }
    let shape = |r: &mut Random| {
        let depth = r.below(if is_wide { 2 } else { TYPE_DEPTH } + 1);
        loop {
            let shape = table.shape(r, depth);
            if compiles(&format!("a {shape}")).is_ok() {
                return shape;
            }
        }
    };
    names.into_iter().take(count).map(|name| (name, shape(r))).collect()
}

/// One key and the type of what stands there; no type where the column does not exist.
struct Slot {
    key: String,
    shape: Option<Shape>,
    suited: Option<Suited>,
}

/// The keys of the columns, in their order.
fn slots(r: &mut Random, columns: &[ColumnShape], suits: bool) -> Vec<Slot> {
    let mut slots = Vec::new();
    let mut push = |key: String, shape: Shape| {
        let suited = suits.then(|| Suited::new(&shape));
        slots.push(Slot { key, shape: Some(shape), suited });
    };
    for (name, shape) in columns {
        // A Nested column is filled by arrays of its elements.
        if let Shape::Nested(elements) = shape
            && r.chance(90)
        {
            for (element, shape) in elements {
                let key = format!("{}.{}", key_of(name), key_of(element.unwrap_or_default()));
                push(key, Shape::Array(Box::new(shape.clone())));
            }
            continue;
        }
        push(key_of(name), shape.clone());
    }
    slots
}

/// Records of one shape: the same keys in the same order, with different values.
fn run(r: &mut Random, columns: &[ColumnShape], count: usize, records: &mut Vec<Vec<u8>>) {
    let suits = columns.len() > 8 || r.chance(if columns.len() > 2 { 60 } else { 10 });
    let mut slots = slots(r, columns, suits);
    if r.chance(35) {
        r.shuffle(&mut slots);
    }
    if r.chance(20) {
        let kept = r.below(slots.len() + 1);
        slots.truncate(kept);
    }
    if r.chance(20) {
        let key = r.pick(&["unknown", "", "aa", "\\u00e9t\\u00e9", "k\\\"", "unknown"]).to_owned();
        slots.insert(r.below(slots.len() + 1), Slot { key, shape: None, suited: None });
    }
    let comma = r.pick(&[",", ",", ",", ",", ", ", " ,\t", "\r,\u{b}", ",\n  "]);
    let colon = r.pick(&[":", ":", ":", ": ", " : "]);
    let end = r.pick(&["", "", "", " ", "\r", "\t", "\n", "\r\n"]);
    let unknown = Shape::Scalar("Dynamic", Kind::Any);
    // Some runs are clean, as the records of a good producer are; in the others something is wrong now and then.
    let hostile = r.pick(&[0, 0, 1, 4, 12]);
    for _ in 0..count {
        let mut fields = Vec::with_capacity(slots.len());
        // One value of a record is left as it comes.
        let wild = r.below(slots.len() + 1);
        for (at, slot) in slots.iter_mut().enumerate() {
            if r.chance(hostile / 2) {
                continue;
            }
            let shape = slot.shape.as_ref().unwrap_or(&unknown);
            let text = match &mut slot.suited {
                Some(suited) if at != wild => suited.value(|| value(r, shape, hostile)),
                _ => value(r, shape, hostile),
            };
            let key = if r.chance(hostile / 2) { other_key(r, &slot.key) } else { slot.key.clone() };
            fields.push(format!("\"{key}\"{colon}{text}"));
        }
        if r.chance(hostile / 3) && !fields.is_empty() {
            let copy = fields[r.below(fields.len())].clone();
            fields.insert(r.below(fields.len() + 1), copy);
        }
        if r.chance(hostile / 2) {
            r.shuffle(&mut fields);
        }
        let mut record = format!("{{{}}}{end}", fields.join(comma)).into_bytes();
        if r.chance(hostile) {
            damage(r, &mut record);
        }
        if record.len() <= RECORD_BYTES_MAX {
            records.push(record);
        }
    }
}

/// Bytes that matter to a parser of JSON.
const MARKS: &[u8] = b"\",:{}[]\\ 0-+.eE1tnu'/;\x0b\x01\x00\x7f\x80\xbf\xc3\xed\xf0\xff\r\t\n";

/// What whole documents may have around them.
const AROUND: &[(&[u8], &[u8])] = &[
    (b"", b"{}"),
    (b"", b","),
    (b"", b"}"),
    (b"", b" ;"),
    (b"[", b"]"),
    (b" ", b""),
    (b"\xef\xbb\xbf", b""),
    (b",", b""),
    (b"", b"x"),
    (b"\x0b\x0c\r\t ", b"\x0b\x0c"),
    (b"\0", b""),
    (b"", b"\0"),
];

/// Spoils the record: bytes changed, lost, added or doubled, an end too early, something around it.
fn damage(r: &mut Random, record: &mut Vec<u8>) {
    for _ in 0..r.pick(&[1, 1, 1, 2, 5]) {
        if record.is_empty() {
            return;
        }
        let at = r.below(record.len());
        match r.below(8) {
            0 => {
                record.remove(at);
            }
            1 | 2 => record.insert(at, r.pick(MARKS)),
            3 | 4 => record[at] = r.pick(MARKS),
            5 => record.truncate(at),
            6 => {
                let end = r.range(at, record.len() + 1).min(at + 20);
                let copy = record[at..end].to_vec();
                record.splice(at..at, copy);
            }
            _ => {
                let (before, behind) = r.pick(AROUND);
                record.splice(0..0, before.iter().copied());
                record.extend_from_slice(behind);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_the_same_each_time() {
        let table = Table::new(|_| true, |_| Ok(())).unwrap();
        for index in 0..50 {
            let (one, two) = (Group::generate(7, index, &table), Group::generate(7, index, &table));
            assert_eq!((one.columns, one.records), (two.columns, two.records));
        }
    }

    #[test]
    fn groups_hold_runs_of_one_shape_and_spoiled_records() {
        let table = Table::new(|_| true, |_| Ok(())).unwrap();
        let (mut valid, mut all, mut eight, mut wide, mut long) = (0, 0, 0, 0, 0);
        for index in 0..200 {
            let group = Group::generate(1, index, &table);
            assert_eq!(group.records.len(), RECORDS_PER_GROUP);
            eight += usize::from(group.columns.len() == 8);
            wide += usize::from(group.columns.len() > 64);
            long += group.records.iter().filter(|record| record.len() > 20_000).count();
            all += group.records.len();
            valid += group
                .records
                .iter()
                .filter(|r| serde_json::from_slice::<serde_json::Value>(r).is_ok())
                .count();
        }
        assert!(eight > 5, "{eight} groups have 8 columns");
        assert!(wide > 0, "no group has more columns than a word has bits");
        assert!((1..all / 20).contains(&long), "{long} of {all} records are long");
        assert!(valid > all / 3 && valid < all * 98 / 100, "{valid} of {all} records are JSON");
    }
}
