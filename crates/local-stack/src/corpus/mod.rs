//! Records for demos, tests and benchmarks: made from a seed and an index, so that any record can be made again
//! anywhere, in any order, without keeping the others.
//!
//! ```
//! use housepipe_local_stack::corpus::{Corpus, Events};
//!
//! let events = Events::new(7).with_id();
//! let mut record = Vec::new();
//! events.write(3, &mut record);
//! assert!(record.starts_with(br#"{"id":3,"ts":"2026-02-16T"#));
//! assert!(events.columns().starts_with("id UInt64, ts DateTime64(6, 'UTC'), "));
//! ```

mod events;
mod logs;
mod random;

pub use events::Events;
pub use logs::Logs;

/// Numbered JSON records of one shape.
pub trait Corpus: Send + Sync {
    /// Short name for tables, topics and reports.
    fn name(&self) -> &'static str;

    /// The columns as ClickHouse writes them, `name Type, name Type`, in the order of the fields.
    fn columns(&self) -> String;

    /// Replaces the content of `record` by the record with this number: one JSON object without a line break.
    /// The same corpus writes the same bytes for the same number, always.
    fn write(&self, index: u64, record: &mut Vec<u8>);
}

/// Opens the object, with the number where it is asked for.
fn open(record: &mut Vec<u8>, id: Option<u64>) {
    record.clear();
    record.push(b'{');
    if let Some(id) = id {
        record.extend_from_slice(b"\"id\":");
        random::number(record, id);
        record.push(b',');
    }
}

/// The columns, with the number's where it is asked for.
fn columns(columns: &str, with_id: bool) -> String {
    if with_id { format!("id UInt64, {columns}") } else { columns.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: u64 = 42;
    const RECORDS: u64 = 2_000;

    fn all() -> Vec<Box<dyn Corpus>> {
        vec![
            Box::new(Events::new(SEED)),
            Box::new(Events::new(SEED).with_id()),
            Box::new(Logs::new(SEED)),
            Box::new(Logs::new(SEED).with_id()),
        ]
    }

    /// Names of the columns; a comma inside of a type is not followed by a name and a capital letter.
    fn names(columns: &str) -> Vec<String> {
        columns
            .split(", ")
            .filter_map(|column| column.split_once(' '))
            .filter(|(_, kind)| kind.starts_with(char::is_uppercase))
            .map(|(name, _)| name.to_owned())
            .collect()
    }

    /// Keys of the object in their order.
    fn keys(record: &[u8]) -> Vec<String> {
        struct Keys(Vec<String>);
        impl<'de> serde::Deserialize<'de> for Keys {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl<'de> serde::de::Visitor<'de> for Visitor {
                    type Value = Keys;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }
                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                        let mut keys = Vec::new();
                        while let Some((key, _)) = map.next_entry::<String, serde::de::IgnoredAny>()? {
                            keys.push(key);
                        }
                        Ok(Keys(keys))
                    }
                }
                deserializer.deserialize_map(Visitor)
            }
        }
        serde_json::from_slice::<Keys>(record).unwrap().0
    }

    #[test]
    fn every_record_is_an_object_with_the_columns_as_keys() {
        for corpus in all() {
            let names = names(&corpus.columns());
            let mut record = Vec::new();
            for index in 0..RECORDS {
                corpus.write(index, &mut record);
                assert_eq!(keys(&record), names, "{} {index}", corpus.name());
                assert!(!record.contains(&b'\n'));
            }
        }
    }

    #[test]
    fn there_are_12_and_38_columns_of_about_280_and_1300_bytes() {
        let cases: [(Box<dyn Corpus>, usize, std::ops::Range<usize>); 2] =
            [(Box::new(Events::new(SEED)), 12, 265..295), (Box::new(Logs::new(SEED)), 38, 1_200..1_400)];
        for (corpus, columns, bytes) in cases {
            assert_eq!(names(&corpus.columns()).len(), columns);
            let mut record = Vec::new();
            let mut total = 0;
            for index in 0..RECORDS {
                corpus.write(index, &mut record);
                total += record.len();
            }
            let mean = total / usize::try_from(RECORDS).unwrap();
            assert!(bytes.contains(&mean), "{} has {mean} bytes", corpus.name());
        }
    }

    #[test]
    fn a_record_depends_on_seed_and_index_and_on_nothing_else() {
        let make = |seed, index| {
            let mut record = b"remains of another record".to_vec();
            Events::new(seed).write(index, &mut record);
            record
        };
        assert_eq!(make(1, 5), make(1, 5));
        assert_ne!(make(1, 5), make(1, 6));
        assert_ne!(make(1, 5), make(2, 5));
        // Seeds and indexes next to one another must not give each other's records.
        assert_ne!(make(1, 6), make(2, 5));
    }

    #[test]
    fn the_number_changes_nothing_else() {
        let (mut with, mut without) = (Vec::new(), Vec::new());
        Logs::new(SEED).with_id().write(9, &mut with);
        Logs::new(SEED).write(9, &mut without);
        assert_eq!(with.strip_prefix(b"{\"id\":9,"), without.strip_prefix(b"{"));
    }
}
