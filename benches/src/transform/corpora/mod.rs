//! The corpora, each made from a seed: the same bytes in every run.

mod dataset;
mod derived;
mod nested;
mod random;
mod sparse;
mod texts;
mod wide;

use anyhow::Context;
pub use dataset::Dataset;
use housepipe_local_stack::corpus::{Events, Logs};

use super::peers::Typed;

/// Writes the record with a number.
type Writer = Box<dyn FnMut(u64, &mut Vec<u8>)>;

/// The seed of the published figures.
pub const SEED: u64 = 1;

/// One kind of records.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// How it is called on the command line and in reports.
    pub name: &'static str,
    /// What is in it.
    pub about: &'static str,
    /// How the peers read it.
    pub typed: Typed,
    make: fn(u64) -> (String, Writer),
}

/// All kinds, in the order of the report.
pub const KINDS: [Kind; 13] = [
    Kind {
        name: "logs",
        about: "38 flat fields, mostly texts, 1.3 KB",
        typed: Typed::Logs,
        make: |seed| stack(Logs::new(seed)),
    },
    Kind {
        name: "events",
        about: "12 flat fields, mostly numbers, 280 B",
        typed: Typed::Events,
        make: |seed| stack(Events::new(seed)),
    },
    Kind {
        name: "nested",
        about: "arrays of tuples, maps, arrays of arrays",
        typed: Typed::Nested,
        make: nested::make,
    },
    Kind {
        name: "sparse",
        about: "30 optional fields, a random third of them present",
        typed: Typed::Sparse,
        make: sparse::make,
    },
    Kind { name: "escaped", about: "texts full of escapes", typed: Typed::Texts, make: texts::escaped },
    Kind {
        name: "multibyte",
        about: "texts in CJK, Cyrillic and emoji",
        typed: Typed::Texts,
        make: texts::multibyte,
    },
    Kind {
        name: "shuffled",
        about: "events, keys in another order in every record",
        typed: Typed::Events,
        make: derived::shuffled,
    },
    Kind { name: "wide", about: "200 columns", typed: Typed::Wide, make: wide::make },
    Kind {
        name: "bad-1-percent",
        about: "events, one record in 100 is rejected",
        typed: Typed::Events,
        make: derived::bad,
    },
    Kind {
        name: "shapes-1",
        about: "events of one shape, some keys missing",
        typed: Typed::Events,
        make: |seed| derived::shapes(seed, 1),
    },
    Kind {
        name: "shapes-4",
        about: "events of 4 shapes, mixed at random",
        typed: Typed::Events,
        make: |seed| derived::shapes(seed, 4),
    },
    Kind {
        name: "shapes-16",
        about: "events of 16 shapes, mixed at random",
        typed: Typed::Events,
        make: |seed| derived::shapes(seed, 16),
    },
    Kind {
        name: "shapes-64",
        about: "events of 64 shapes, mixed at random",
        typed: Typed::Events,
        make: |seed| derived::shapes(seed, 64),
    },
];

impl Kind {
    /// The kind of this name.
    ///
    /// # Errors
    /// Where no kind has it; the error lists those that exist.
    pub fn by_name(name: &str) -> anyhow::Result<Kind> {
        KINDS.into_iter().find(|kind| kind.name == name).with_context(|| {
            let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
            format!("there is no corpus `{name}`; the corpora are {}", names.join(", "))
        })
    }

    /// Its records, about this many bytes of them.
    #[must_use]
    pub fn generate(&self, seed: u64, bytes: usize) -> Dataset {
        let (columns, mut write) = (self.make)(seed);
        let mut dataset = Dataset::new(self.name, columns, Some(self.typed));
        let mut record = Vec::new();
        let mut index = 0;
        while dataset.bytes() < bytes {
            record.clear();
            write(index, &mut record);
            dataset.push(&record);
            index += 1;
        }
        dataset
    }
}

/// A corpus of the local stack, without the record's number.
fn stack(corpus: impl housepipe_local_stack::corpus::Corpus + 'static) -> (String, Writer) {
    (corpus.columns(), Box::new(move |index, record| corpus.write(index, record)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_bytes_and_another_seed_others() {
        for kind in KINDS {
            let make = |seed| kind.generate(seed, 20_000).lines().to_vec();
            assert_eq!(make(1), make(1), "{}", kind.name);
            assert_ne!(make(1), make(2), "{}", kind.name);
        }
    }

    #[test]
    fn every_line_is_one_record() {
        for kind in KINDS {
            let dataset = kind.generate(SEED, 50_000);
            let lines = dataset.lines().split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            assert!(lines.eq(dataset.records()), "{}", kind.name);
        }
    }
}
