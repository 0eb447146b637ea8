//! Other readers of JSON, at their best settings: typed records that borrow what they can, written by hand as
//! RowBinary. A record that a peer does not read is skipped, as ours is.

mod flat;
mod nested;
mod values;
mod wide;

use serde::Deserialize;
use simd_json::Buffers;
use values::{Put, Text};

use super::corpora::Dataset;

/// A reader of JSON that we compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// sonic-rs, from slices.
    SonicRs,
    /// simd-json through serde, with buffers that are used again. It writes into its input: the copy is its cost.
    SimdJson,
    /// serde_json with `float_roundtrip`.
    SerdeJson,
}

impl Peer {
    /// All of them, the fastest first.
    pub const ALL: [Peer; 3] = [Peer::SonicRs, Peer::SimdJson, Peer::SerdeJson];

    /// Its name, also that of its crate.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Peer::SonicRs => "sonic-rs",
            Peer::SimdJson => "simd-json",
            Peer::SerdeJson => "serde_json",
        }
    }

    /// Appends the rows of all records; says how many there are.
    pub fn encode(self, typed: Typed, dataset: &Dataset, scratch: &mut Scratch, out: &mut Vec<u8>) -> usize {
        match typed {
            Typed::Logs => self.encode_as::<Logs>(dataset, scratch, out),
            Typed::Events => self.encode_as::<Events>(dataset, scratch, out),
            Typed::Nested => self.encode_as::<Nested>(dataset, scratch, out),
            Typed::Sparse => self.encode_as::<Sparse>(dataset, scratch, out),
            Typed::Texts => self.encode_as::<Texts>(dataset, scratch, out),
            Typed::Wide => self.encode_as::<Wide>(dataset, scratch, out),
        }
    }

    fn encode_as<F: Family>(self, dataset: &Dataset, scratch: &mut Scratch, out: &mut Vec<u8>) -> usize {
        let mut rows = 0;
        match self {
            Peer::SonicRs => {
                for record in dataset.records() {
                    rows += row(sonic_rs::from_slice::<F::Record<'_>>(record), out);
                }
            }
            Peer::SimdJson => {
                for record in dataset.records() {
                    scratch.copy.clear();
                    scratch.copy.extend_from_slice(record);
                    let read = simd_json::serde::from_slice_with_buffers::<F::Record<'_>>(
                        &mut scratch.copy,
                        &mut scratch.buffers,
                    );
                    rows += row(read, out);
                }
            }
            Peer::SerdeJson => {
                for record in dataset.records() {
                    rows += row(serde_json::from_slice::<F::Record<'_>>(record), out);
                }
            }
        }
        rows
    }
}

/// Writes the record where it was read: 1 row or 0.
#[inline]
fn row<E>(read: Result<impl Put, E>, out: &mut Vec<u8>) -> usize {
    match read {
        Ok(record) => {
            record.put(out);
            1
        }
        Err(_) => 0,
    }
}

/// What a peer keeps between calls.
pub struct Scratch {
    copy: Vec<u8>,
    buffers: Buffers,
}

impl Default for Scratch {
    fn default() -> Self {
        Scratch { copy: Vec::new(), buffers: Buffers::new(4096) }
    }
}

/// The struct that reads a corpus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named after its struct")]
pub enum Typed {
    Logs,
    Events,
    Nested,
    Sparse,
    Texts,
    Wide,
}

/// Records of one type, for every lifetime of the input.
trait Family {
    type Record<'a>: Deserialize<'a> + Put;
}

macro_rules! families {
    ($($family:ident<$life:lifetime> = $record:ty,)*) => {
        $(struct $family;
        impl Family for $family {
            type Record<$life> = $record;
        })*
    };
}

families! {
    Logs<'a> = flat::Logs<Text<'a>>,
    Events<'a> = flat::Events<Text<'a>>,
    Nested<'a> = nested::Nested<Text<'a>>,
    Sparse<'a> = flat::Sparse<Text<'a>>,
    Texts<'a> = flat::Texts<Text<'a>>,
    Wide<'a> = wide::Wide<Text<'a>>,
}
