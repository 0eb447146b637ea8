//! Every object of a schema and of what it refers to, and what a reference may lead to.

use std::collections::HashMap;
use std::rc::Rc;

use serde_json::{Map, Value};

use super::documents::{Documents, ROOT};

/// A schema object and the document that it is in.
#[derive(Clone, Copy)]
pub(super) struct Schema<'d> {
    pub(super) object: &'d Map<String, Value>,
    pub(super) document: usize,
}

impl Schema<'_> {
    pub(super) fn key(&self) -> usize {
        std::ptr::from_ref(self.object) as usize
    }
}

/// Schemas in the order of their keys, each once.
pub(super) type Schemas<'d> = Rc<[Schema<'d>]>;

/// What is found in the documents.
#[derive(Default)]
pub(super) struct Index<'d> {
    /// Every object, schema or not: more than enough.
    pub(super) schemas: Vec<Schema<'d>>,
    pub(super) patterns: usize,
    /// Whether a pattern may take steps back.
    pub(super) backtracks: bool,
    /// The longest list of schemas that the items of an array have one by one.
    pub(super) list_max: usize,
    /// Of the documents.
    names: Vec<&'d str>,
    /// Of each document: itself and whatever has an id in it, since a reference may be relative to any of them.
    roots: Vec<Schemas<'d>>,
    /// By the names that fragments use.
    anchors: HashMap<&'d str, Schemas<'d>>,
    /// By the last piece of their ids and of the references' names.
    ids: HashMap<&'d str, Schemas<'d>>,
}

impl<'d> Index<'d> {
    pub(super) fn of(documents: &'d Documents) -> Index<'d> {
        let mut walk = Walk::default();
        walk.note(ROOT, documents.root());
        for (name, document) in documents.references() {
            walk.note(name, document);
        }
        let Walk { mut found, roots, anchors, ids } = walk;
        found.roots = roots.into_iter().map(sorted).collect();
        found.anchors = anchors.into_iter().map(|(name, list)| (name, sorted(list))).collect();
        found.ids = ids.into_iter().map(|(name, list)| (name, sorted(list))).collect();
        found
    }

    /// The name of a document.
    pub(super) fn name(&self, document: usize) -> &'d str {
        self.names.get(document).copied().unwrap_or(ROOT)
    }

    /// Where a reference may lead to, before its pointer is followed.
    pub(super) fn candidates(&self, from: Schema<'d>, reference: &str) -> Schemas<'d> {
        let (place, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let candidates = if !fragment.is_empty() && !fragment.starts_with('/') {
            self.anchors.get(fragment)
        } else if place.is_empty() {
            self.roots.get(from.document)
        } else {
            self.ids.get(last_piece(place))
        };
        candidates.cloned().unwrap_or_default()
    }
}

/// What a reference with these candidates may lead to: exactly what it does lead to, and sometimes more.
pub(super) fn narrowed<'d>(candidates: Schemas<'d>, reference: &str) -> Schemas<'d> {
    let pointer = reference.split_once('#').map_or("", |(_, fragment)| fragment);
    if !pointer.starts_with('/') {
        return candidates;
    }
    let decoded = percent_decoded(pointer);
    let steps: Vec<String> =
        decoded.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
    let inside = |root: &Schema<'d>| {
        let mut value: Option<&'d Value> = None;
        for step in &steps {
            value = match value {
                None => root.object.get(step),
                Some(Value::Object(object)) => object.get(step),
                Some(Value::Array(items)) => items.get(step.parse::<usize>().ok()?),
                Some(_) => None,
            };
            value?;
        }
        Some(Schema { object: value?.as_object()?, document: root.document })
    };
    sorted(candidates.iter().filter_map(inside).collect())
}

fn sorted(mut schemas: Vec<Schema<'_>>) -> Schemas<'_> {
    schemas.sort_unstable_by_key(Schema::key);
    schemas.dedup_by_key(|schema| schema.key());
    schemas.into()
}

/// What is being found.
#[derive(Default)]
struct Walk<'d> {
    found: Index<'d>,
    roots: Vec<Vec<Schema<'d>>>,
    anchors: HashMap<&'d str, Vec<Schema<'d>>>,
    ids: HashMap<&'d str, Vec<Schema<'d>>>,
}

impl<'d> Walk<'d> {
    fn note(&mut self, name: &'d str, document: &'d Value) {
        let number = self.found.names.len();
        self.found.names.push(name);
        let root = document.as_object().map(|object| Schema { object, document: number });
        self.roots.push(root.into_iter().collect());
        if let Some(root) = root {
            self.ids.entry(last_piece(name)).or_default().push(root);
        }
        self.walk(document, number);
    }

    /// As deep as the text, which has a limit.
    fn walk(&mut self, value: &'d Value, document: usize) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.walk(item, document)),
            Value::Object(object) => {
                let schema = Schema { object, document };
                self.found.schemas.push(schema);
                self.names(schema);
                self.patterns(object);
                let list = object.get("items").and_then(Value::as_array).map_or(0, Vec::len);
                self.found.list_max = self.found.list_max.max(list);
                object.values().for_each(|value| self.walk(value, document));
            }
            _ => {}
        }
    }

    /// What a reference may call a schema.
    fn names(&mut self, schema: Schema<'d>) {
        for keyword in ["$anchor", "$dynamicAnchor", "$id", "id"] {
            let Some(text) = schema.object.get(keyword).and_then(Value::as_str) else { continue };
            let fragment = text.split_once('#').map(|(_, anchor)| anchor).filter(|a| !a.is_empty());
            if keyword.ends_with("nchor") {
                self.anchors.entry(text).or_default().push(schema);
            } else if let Some(anchor) = fragment {
                self.anchors.entry(anchor).or_default().push(schema);
            } else {
                self.ids.entry(last_piece(text)).or_default().push(schema);
                if let Some(roots) = self.roots.get_mut(schema.document) {
                    roots.push(schema);
                }
            }
        }
    }

    fn patterns(&mut self, object: &'d Map<String, Value>) {
        let pattern = object.get("pattern").and_then(Value::as_str);
        let names = object.get("patternProperties").and_then(Value::as_object);
        let names = names.into_iter().flat_map(Map::keys).map(String::as_str);
        for pattern in pattern.into_iter().chain(names) {
            self.found.patterns += 1;
            self.found.backtracks |= may_backtrack(pattern);
        }
    }
}

/// Whether a pattern may look around or back, which takes steps back to match.
fn may_backtrack(pattern: &str) -> bool {
    let refers_back = |pair: &[u8]| matches!(pair, [b'\\', b'1'..=b'9' | b'k']);
    ["(?=", "(?!", "(?<"].iter().any(|group| pattern.contains(group))
        || pattern.as_bytes().windows(2).any(refers_back)
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
