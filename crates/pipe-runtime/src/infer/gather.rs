//! Samples into an inference, with where each came from and what could not be taken.

use std::collections::BTreeMap;

use housepipe_schema_registry::SchemaId;
use housepipe_transform::{Inference, Reject};

use super::report::{LeftOut, SampleOrigin};
use super::schema::Declared;

/// What samples are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origins {
    Records,
    Lines,
}

/// What was seen of samples.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) origins: Origins,
    pub(super) inference: Inference,
    /// The schema that says which columns to expect.
    pub(super) schema: Option<SchemaId>,
    /// What it says and no column can be.
    pub(super) left_out: Vec<LeftOut>,
    /// Where each sample came from; its number is what the inference knows it by.
    places: Vec<SampleOrigin>,
    pub(super) without_value: u64,
    pub(super) framed: u64,
    pub(super) refused_by_code: BTreeMap<&'static str, u64>,
    pub(super) first_refused: Option<FirstRefused>,
}

/// The first sample that was refused.
#[derive(Debug)]
pub(super) struct FirstRefused {
    pub(super) origin: SampleOrigin,
    pub(super) reject: Reject,
    pub(super) is_framed: bool,
    pub(super) begins_with: Option<u8>,
}

impl Gathered {
    pub(super) fn new(origins: Origins) -> Gathered {
        Gathered {
            origins,
            inference: Inference::new(),
            schema: None,
            left_out: Vec::new(),
            places: Vec::new(),
            without_value: 0,
            framed: 0,
            refused_by_code: BTreeMap::new(),
            first_refused: None,
        }
    }

    /// Expects what a schema says. To be called before documents are added.
    pub(super) fn expect(&mut self, declared: Declared) {
        self.schema = Some(declared.id);
        for column in declared.columns {
            let key = column.name.clone();
            if let Err(error) = self.inference.expect(column) {
                self.left_out.push(LeftOut { key, reason: format!("of the schema: {error}") });
            }
        }
    }

    /// Looks at a document.
    pub(super) fn add(&mut self, document: &[u8], is_framed: bool, origin: SampleOrigin) {
        let number = self.places.len() as u64;
        self.places.push(origin);
        self.framed += u64::from(is_framed);
        if let Err(reject) = self.inference.add(document, number) {
            *self.refused_by_code.entry(reject.code.as_str()).or_default() += 1;
            let begins_with = document.trim_ascii_start().first().copied();
            self.first_refused.get_or_insert(FirstRefused { origin, reject, is_framed, begins_with });
        }
    }

    /// Counts a record without a value, of which there is nothing to infer.
    pub(super) fn without_value(&mut self) {
        self.without_value += 1;
    }

    /// Samples that were looked at, those without a value included.
    pub(super) fn read(&self) -> u64 {
        self.places.len() as u64 + self.without_value
    }

    /// Where the sample of this number came from.
    pub(super) fn origin(&self, number: u64) -> Option<SampleOrigin> {
        self.places.get(usize::try_from(number).ok()?).copied()
    }
}
