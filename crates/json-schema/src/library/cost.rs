//! What a schema may cost at one value, told before a value is seen.
//!
//! `$ref`, `allOf` and the like apply further schemas to the same value. Where they share what they refer to, a short text
//! applies a schema as often as there are ways to it, which doubles with every step. The ways are counted here, without
//! walking them; a way that comes back to where it was has no end.

use std::collections::HashMap;
use std::rc::Rc;

use serde_json::{Map, Value};

use super::documents::{Documents, ROOT};
use super::index::{Index, Schema, Schemas, narrowed};
use super::quote;
use crate::error::SchemaError;
use crate::limits::Limits;

/// Keywords that apply a schema to the same value.
const ONE: [&str; 6] = ["not", "if", "then", "else", "unevaluatedProperties", "unevaluatedItems"];
/// Keywords that apply a list of schemas to the same value.
const LISTS: [&str; 3] = ["allOf", "anyOf", "oneOf"];
/// Keywords that apply the schemas of an object to the same value.
const MAPS: [&str; 2] = ["dependentSchemas", "dependencies"];
/// Keywords that refer to a schema.
const REFERENCES: [&str; 3] = ["$ref", "$dynamicRef", "$recursiveRef"];

/// What is known of a schema's cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    /// Whether a pattern cannot be matched in linear time.
    pub(super) backtracks: bool,
    /// The longest list of schemas that the items of an array have one by one.
    pub(super) list_max: usize,
    /// Objects in the texts, which may be schemas.
    pub(super) objects: usize,
    pub(super) patterns: usize,
}

/// Refuses a schema that costs too much.
pub(super) fn check(documents: &Documents, limits: &Limits) -> Result<Cost, SchemaError> {
    let index = Index::of(documents);
    if index.patterns > limits.patterns {
        return Err(SchemaError::TooLarge {
            document: ROOT.to_owned(),
            what: "regular expressions",
            limit: limits.patterns as u64,
            mend: "put some of them together",
        });
    }
    let mut counts = Counts { index: &index, known: HashMap::new(), places: 0, limits };
    for schema in &index.schemas {
        counts.ways(schema)?;
    }
    Ok(Cost {
        backtracks: index.backtracks,
        list_max: index.list_max,
        objects: index.schemas.len(),
        patterns: index.patterns,
    })
}

struct Counts<'i, 'd> {
    index: &'i Index<'d>,
    /// The ways through a schema; none while they are being counted.
    known: HashMap<usize, Option<u64>>,
    /// Places that references were looked for at.
    places: usize,
    limits: &'i Limits,
}

/// A schema whose ways are being counted.
struct Frame<'d> {
    schema: Schema<'d>,
    /// What is applied to the same value. Of an inner list, one is, and the costliest is counted.
    steps: Vec<Schemas<'d>>,
    /// How far the counting is.
    at: (usize, usize),
    largest: u64,
    sum: u64,
}

impl<'d> Counts<'_, 'd> {
    fn frame(&mut self, schema: Schema<'d>) -> Result<Frame<'d>, SchemaError> {
        let mut steps: Vec<Schemas<'d>> = Vec::new();
        let mut inside = |value: &'d Value| {
            if let Value::Object(object) = value {
                steps.push(Rc::from([Schema { object, document: schema.document }]));
            }
        };
        for keyword in ONE {
            schema.object.get(keyword).into_iter().for_each(&mut inside);
        }
        for keyword in LISTS {
            schema.object.get(keyword).and_then(Value::as_array).into_iter().flatten().for_each(&mut inside);
        }
        for keyword in MAPS {
            let map = schema.object.get(keyword).and_then(Value::as_object);
            map.into_iter().flat_map(Map::values).for_each(&mut inside);
        }
        for keyword in REFERENCES {
            if let Some(reference) = schema.object.get(keyword).and_then(Value::as_str) {
                let candidates = self.index.candidates(schema, reference);
                self.count_places(candidates.len(), schema.document)?;
                steps.push(narrowed(candidates, reference));
            }
        }
        Ok(Frame { schema, steps, at: (0, 0), largest: 0, sum: 1 })
    }

    /// References beside ids cost their product to follow.
    fn count_places(&mut self, places: usize, document: usize) -> Result<(), SchemaError> {
        self.places = self.places.saturating_add(places);
        if self.places <= self.limits.reference_places {
            return Ok(());
        }
        Err(SchemaError::TooLarge {
            document: self.name(document),
            what: "places that its references may lead to, because of the ids inside of it,",
            limit: self.limits.reference_places as u64,
            mend: "leave out ids that nothing refers to, also in examples",
        })
    }

    /// Counts the ways through a schema, without recursion.
    fn ways(&mut self, schema: &Schema<'d>) -> Result<(), SchemaError> {
        if self.known.contains_key(&schema.key()) {
            return Ok(());
        }
        self.known.insert(schema.key(), None);
        let mut open = vec![self.frame(*schema)?];
        while let Some(frame) = open.last_mut() {
            let (step, choice) = frame.at;
            let Some(choices) = frame.steps.get(step) else {
                let (key, sum) = (frame.schema.key(), frame.sum);
                if sum > self.limits.schemas_at_a_value {
                    return Err(SchemaError::TooLarge {
                        document: self.name(frame.schema.document),
                        what: "schemas for one and the same value",
                        limit: self.limits.schemas_at_a_value,
                        mend: "refer to shared schemas less often, or leave out alternatives",
                    });
                }
                self.known.insert(key, Some(sum));
                open.pop();
                continue;
            };
            let Some(next) = choices.get(choice).copied() else {
                frame.sum = frame.sum.saturating_add(frame.largest);
                frame.largest = 0;
                frame.at = (step + 1, 0);
                continue;
            };
            match self.known.get(&next.key()) {
                Some(Some(ways)) => {
                    frame.largest = frame.largest.max(*ways);
                    frame.at.1 += 1;
                }
                // Where it is not certain that this is what is meant, the others count.
                Some(None) if choices.len() > 1 => frame.at.1 += 1,
                Some(None) => {
                    let place = self.name(next.document);
                    return Err(SchemaError::Endless { place });
                }
                None => {
                    self.known.insert(next.key(), None);
                    let frame = self.frame(next)?;
                    open.push(frame);
                }
            }
        }
        Ok(())
    }

    fn name(&self, document: usize) -> String {
        let name = self.index.name(document);
        if name == ROOT { name.to_owned() } else { format!("the reference {:?}", quote::shorten(name)) }
    }
}
