//! What a schema may cost at one value, told before a value is seen.
//!
//! `$ref`, `allOf` and the like apply further schemas to the same value. Where they share what they refer to, a short text
//! applies a schema as often as there are ways to it, which doubles with every step. The ways are counted here, without
//! walking them; a way that comes back to where it was has no end.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::documents::{Documents, ROOT};
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
}

/// Refuses a schema that costs too much.
pub(super) fn check(documents: &Documents, limits: &Limits) -> Result<Cost, SchemaError> {
    let mut index = Index::default();
    index.note(ROOT, documents.root());
    for (name, document) in documents.references() {
        index.note(name, document);
    }
    if index.patterns > limits.patterns {
        return Err(SchemaError::TooLarge {
            document: ROOT.to_owned(),
            what: "regular expressions",
            limit: limits.patterns as u64,
            mend: "put some of them together",
        });
    }
    let mut counts = Counts { index: &index, known: HashMap::new(), limits };
    for schema in &index.schemas {
        counts.ways(schema)?;
    }
    Ok(Cost { backtracks: index.backtracks })
}

/// Whether a pattern may look around or back, which takes steps back to match.
fn may_backtrack(pattern: &str) -> bool {
    let refers_back = |pair: &[u8]| matches!(pair, [b'\\', b'1'..=b'9' | b'k']);
    ["(?=", "(?!", "(?<"].iter().any(|group| pattern.contains(group))
        || pattern.as_bytes().windows(2).any(refers_back)
}

/// A schema object and the document that it is in.
#[derive(Clone, Copy)]
struct Schema<'d> {
    object: &'d Map<String, Value>,
    document: usize,
}

impl Schema<'_> {
    fn key(&self) -> usize {
        std::ptr::from_ref(self.object) as usize
    }
}

#[derive(Default)]
struct Index<'d> {
    documents: Vec<(&'d str, &'d Value)>,
    /// Every object, schema or not: more than enough.
    schemas: Vec<Schema<'d>>,
    /// By the names that fragments use.
    anchors: HashMap<&'d str, Vec<Schema<'d>>>,
    /// By the last piece of their ids and of the references' names.
    ids: HashMap<&'d str, Vec<Schema<'d>>>,
    patterns: usize,
    backtracks: bool,
}

impl<'d> Index<'d> {
    fn note(&mut self, name: &'d str, document: &'d Value) {
        let number = self.documents.len();
        self.documents.push((name, document));
        if let Value::Object(object) = document {
            self.ids.entry(last_piece(name)).or_default().push(Schema { object, document: number });
        }
        self.walk(document, number);
    }

    /// As deep as the text, which has a limit.
    fn walk(&mut self, value: &'d Value, document: usize) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.walk(item, document)),
            Value::Object(object) => {
                let schema = Schema { object, document };
                self.schemas.push(schema);
                for keyword in ["$anchor", "$dynamicAnchor", "$id", "id"] {
                    let Some(text) = object.get(keyword).and_then(Value::as_str) else { continue };
                    if keyword.ends_with("nchor") {
                        self.anchors.entry(text).or_default().push(schema);
                    } else if let Some(anchor) =
                        text.split_once('#').map(|(_, anchor)| anchor).filter(|a| !a.is_empty())
                    {
                        self.anchors.entry(anchor).or_default().push(schema);
                    } else {
                        self.ids.entry(last_piece(text)).or_default().push(schema);
                    }
                }
                let pattern = object.get("pattern").and_then(Value::as_str);
                let names = object.get("patternProperties").and_then(Value::as_object);
                for pattern in
                    pattern.into_iter().chain(names.into_iter().flat_map(Map::keys).map(String::as_str))
                {
                    self.patterns += 1;
                    self.backtracks |= may_backtrack(pattern);
                }
                object.values().for_each(|value| self.walk(value, document));
            }
            _ => {}
        }
    }

    /// What a reference may lead to: exactly what it does lead to, and sometimes more.
    fn targets(&self, from: Schema<'d>, reference: &'d str) -> Vec<Schema<'d>> {
        let (place, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let mut roots: Vec<Schema<'d>> = Vec::new();
        if place.is_empty() {
            if let Some((_, Value::Object(object))) = self.documents.get(from.document) {
                roots.push(Schema { object, document: from.document });
            }
            let inner = self.ids.values().flatten().filter(|schema| schema.document == from.document);
            roots.extend(inner.copied());
        } else {
            roots.extend(self.ids.get(last_piece(place)).into_iter().flatten().copied());
        }
        roots.sort_unstable_by_key(Schema::key);
        roots.dedup_by_key(|schema| schema.key());
        if fragment.is_empty() {
            return roots;
        }
        if !fragment.starts_with('/') {
            return self.anchors.get(fragment).cloned().unwrap_or_default();
        }
        let decoded = percent_decoded(fragment);
        let inside = |root: Schema<'d>| {
            let mut value: Option<&'d Value> = None;
            for step in decoded.split('/').skip(1) {
                let step = step.replace("~1", "/").replace("~0", "~");
                value = match value {
                    None => root.object.get(&step),
                    Some(Value::Object(object)) => object.get(&step),
                    Some(Value::Array(items)) => items.get(step.parse::<usize>().ok()?),
                    Some(_) => None,
                };
                value?;
            }
            Some(Schema { object: value?.as_object()?, document: root.document })
        };
        let mut found: Vec<Schema<'d>> = roots.into_iter().filter_map(inside).collect();
        found.sort_unstable_by_key(Schema::key);
        found.dedup_by_key(|schema| schema.key());
        found
    }
}

fn last_piece(uri: &str) -> &str {
    let uri = uri.split('#').next().unwrap_or_default();
    uri.rsplit(['/', ':']).next().unwrap_or_default()
}

fn percent_decoded(fragment: &str) -> String {
    let mut bytes = Vec::with_capacity(fragment.len());
    let mut rest = fragment.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = (*first == b'%').then(|| tail.get(..2)).flatten();
        let code = code.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

struct Counts<'i, 'd> {
    index: &'i Index<'d>,
    /// The ways through a schema; none while they are being counted.
    known: HashMap<usize, Option<u64>>,
    limits: &'i Limits,
}

/// A schema whose ways are being counted.
struct Frame<'d> {
    schema: Schema<'d>,
    /// What is applied to the same value. Of an inner list, one is, and the costliest is counted.
    steps: Vec<Vec<Schema<'d>>>,
    /// How far the counting is.
    at: (usize, usize),
    largest: u64,
    sum: u64,
}

impl<'d> Counts<'_, 'd> {
    fn frame(&self, schema: Schema<'d>) -> Frame<'d> {
        let mut steps: Vec<Vec<Schema<'d>>> = Vec::new();
        let mut inside = |value: &'d Value| {
            if let Value::Object(object) = value {
                steps.push(vec![Schema { object, document: schema.document }]);
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
                steps.push(self.index.targets(schema, reference));
            }
        }
        Frame { schema, steps, at: (0, 0), largest: 0, sum: 1 }
    }

    /// Counts the ways through a schema, without recursion.
    fn ways(&mut self, schema: &Schema<'d>) -> Result<(), SchemaError> {
        if self.known.contains_key(&schema.key()) {
            return Ok(());
        }
        self.known.insert(schema.key(), None);
        let mut open = vec![self.frame(*schema)];
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
                    let frame = self.frame(next);
                    open.push(frame);
                }
            }
        }
        Ok(())
    }

    fn name(&self, document: usize) -> String {
        let name = self.index.documents.get(document).map_or(ROOT, |(name, _)| *name);
        if name == ROOT { name.to_owned() } else { format!("the reference {:?}", quote::shorten(name)) }
    }
}
