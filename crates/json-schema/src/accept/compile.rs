//! A schema to rules. What is not certain becomes [`Part::Unknown`].

mod keywords;
mod members;
mod numeric;
mod shared;

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::objects::ObjectRule;
use super::part::{ANY, Node, Part};
use super::pattern::Pattern;
use super::places::Places;
use super::rules::ArrayRule;
use super::{Acceptor, NodeId};
use crate::draft::Draft;
use crate::library::Documents;
use crate::options::{Formats, Options};

/// The node of what nothing is.
const NEVER: NodeId = 1;
/// The node of what only the library knows.
const UNKNOWN: NodeId = 2;
/// Arrays and objects inside of each other that are looked at by recursion.
const DEPTH_MAX: usize = 128;
/// Schemas that are looked at, each as often as others hold it, and once for all that refer to it; what comes behind is left to the
/// library.
const SHAPES_MAX: usize = 20_000;
/// Schemas that are applied to the same value one by the other.
const STEPS_MAX: usize = 64;

pub(super) fn compile(documents: &Documents, options: &Options) -> Option<Acceptor> {
    if documents.custom_metaschema().is_some() {
        return None;
    }
    let draft = documents.draft();
    let mut compiler = Compiler {
        documents,
        draft,
        asserts_formats: match options.formats {
            Formats::Assert => true,
            Formats::Ignore => false,
            Formats::ByDraft => draft <= Draft::Draft7,
        },
        nodes: vec![Node::any(), Node::never(), Node::unknown()],
        arrays: vec![ArrayRule { items: ANY, count_min: 0, count_max: usize::MAX }],
        objects: vec![ObjectRule {
            properties: Arc::default(),
            places: Places::new(std::iter::empty::<&[u8]>()),
            additional: Some(ANY),
            required: 0,
            count_max: usize::MAX,
            needs_one: false,
            memory: 0,
        }],
        known: HashMap::new(),
        targets: HashMap::new(),
        patterns: HashMap::new(),
        waiting: Vec::new(),
        memory_slots: 1,
        shapes: 0,
        cuts: 0,
        bytes: 0,
        bytes_max: options.limits.acceptor_bytes,
    };
    let root = compiler.node(Place { schema: documents.root(), document: documents.whole() });
    while let Some((id, place)) = compiler.waiting.pop() {
        let node = compiler.shape(place, 0);
        compiler.bytes += node.bytes_behind();
        if compiler.is_full() {
            return None;
        }
        if let Some(slot) = compiler.nodes.get_mut(id as usize) {
            *slot = node.settled();
        }
    }
    let Compiler { nodes, arrays, objects, memory_slots, bytes, .. } = compiler;
    let depth_max = options.limits.record_depth.min(DEPTH_MAX);
    let is_useful = nodes.get(root as usize).is_some_and(Node::may_accept);
    is_useful.then_some(Acceptor { nodes, arrays, objects, root, memory_slots, depth_max, bytes })
}

/// A document, and where it stands.
#[derive(Clone, Copy)]
pub(crate) struct Whole<'d> {
    pub(crate) root: &'d Value,
    pub(crate) base: &'d str,
}

/// A schema and the document that it is in.
#[derive(Clone, Copy)]
struct Place<'d> {
    schema: &'d Value,
    document: Whole<'d>,
}

impl<'d> Place<'d> {
    fn inside(self, schema: &'d Value) -> Place<'d> {
        Place { schema, ..self }
    }
}

struct Compiler<'d> {
    documents: &'d Documents,
    draft: Draft,
    asserts_formats: bool,
    nodes: Vec<Node>,
    arrays: Vec<ArrayRule>,
    objects: Vec<ObjectRule>,
    /// Nodes by the address of their schemas.
    known: HashMap<usize, NodeId>,
    /// The rules of what references lead to, by the same.
    targets: HashMap<usize, Node>,
    /// Patterns by their texts; none where one is left to the library.
    patterns: HashMap<&'d str, Option<Arc<Pattern>>>,
    waiting: Vec<(NodeId, Place<'d>)>,
    memory_slots: usize,
    shapes: usize,
    /// Schemas that were not looked at, since a limit was reached.
    cuts: usize,
    /// Bytes that the rules take, about.
    bytes: usize,
    bytes_max: usize,
}

impl<'d> Compiler<'d> {
    /// Whether the rules take more than they may, and there will be none.
    fn is_full(&self) -> bool {
        self.bytes > self.bytes_max
    }

    /// The node of a schema that is applied to another value; its rules come later.
    fn node(&mut self, place: Place<'d>) -> NodeId {
        match place.schema {
            Value::Bool(true) => return ANY,
            Value::Bool(false) => return NEVER,
            _ => {}
        }
        let key = std::ptr::from_ref(place.schema) as usize;
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        let Ok(id) = NodeId::try_from(self.nodes.len()) else { return UNKNOWN };
        self.nodes.push(Node::unknown());
        self.bytes += size_of::<Node>();
        self.known.insert(key, id);
        self.waiting.push((id, place));
        id
    }

    /// The rules of a schema, those of the schemas that it applies to the same value included.
    fn shape(&mut self, place: Place<'d>, steps: usize) -> Node {
        self.shapes += 1;
        if self.shapes > SHAPES_MAX || steps > STEPS_MAX || self.is_full() {
            self.cuts += 1;
            return Node::unknown();
        }
        let object = match place.schema {
            Value::Bool(true) => return Node::any(),
            Value::Bool(false) => return Node::never(),
            Value::Object(object) => object,
            _ => return Node::unknown(),
        };
        let is_root = std::ptr::eq(place.schema, place.document.root);
        let names_itself =
            ["$id", "id", "$schema"].iter().any(|name| object.get(*name).is_some_and(Value::is_string));
        if !is_root && names_itself {
            return Node::unknown();
        }
        let reference = object.get("$ref");
        // Before 2019-09 nothing counts beside a reference.
        if let Some(reference) = reference
            && self.draft <= Draft::Draft7
        {
            return self.referred(place, reference, steps);
        }
        let mut node = self.own(place, object, steps);
        if let Some(reference) = reference {
            node = node.and(self.referred(place, reference, steps));
        }
        node
    }

    /// The rules of the keywords of a schema.
    fn own(&mut self, place: Place<'d>, object: &'d Map<String, Value>, steps: usize) -> Node {
        let mut node = Node::any();
        node.number = node.number.and(self.numeric(object));
        node.text = node.text.and(self.textual(object));
        node.array = node.array.and(self.items(place, object));
        node.object = node.object.and(self.members(place, object));
        if let Some(types) = object.get("type") {
            node = node.and(keywords::types(types));
        }
        if let Some(choices) = object.get("enum") {
            let choices = choices.as_array().map(Vec::as_slice);
            self.bytes += choices.map_or(0, keywords::choices_bytes);
            node = node.and(choices.map_or_else(Node::unknown, keywords::choices));
        }
        if let Some(only) = object.get("const")
            && self.draft >= Draft::Draft6
        {
            node = node.and(keywords::choices(std::slice::from_ref(only)));
        }
        for keyword in ["allOf", "anyOf", "oneOf"] {
            let Some(schemas) = object.get(keyword) else { continue };
            let schemas = schemas.as_array().map(Vec::as_slice).unwrap_or_default();
            let shapes: Vec<Node> =
                schemas.iter().map(|schema| self.shape(place.inside(schema), steps + 1)).collect();
            node = node.and(match keyword {
                "allOf" => shapes.into_iter().fold(Node::any(), Node::and),
                "anyOf" => Node::any_of(&shapes),
                _ => Node::one_of(&shapes),
            });
        }
        if keywords::UNKNOWN.iter().any(|keyword| object.contains_key(*keyword)) {
            node = node.and(Node::unknown());
        }
        node
    }

    /// The rules of arrays.
    fn items(&mut self, place: Place<'d>, object: &'d Map<String, Value>) -> Part<u32> {
        if keywords::holds_unknown(object, &keywords::UNKNOWN_OF_ARRAYS) {
            return Part::Unknown;
        }
        let items = match object.get("items") {
            None => ANY,
            Some(Value::Array(_)) => return Part::Unknown,
            Some(schema) => self.node(place.inside(schema)),
        };
        let (Some(count_min), Some(count_max)) =
            (keywords::count(object, "minItems", 0), keywords::count(object, "maxItems", usize::MAX))
        else {
            return Part::Unknown;
        };
        if items == ANY && count_min == 0 && count_max == usize::MAX {
            return Part::Any;
        }
        self.arrays.push(ArrayRule { items, count_min, count_max });
        self.bytes += size_of::<ArrayRule>();
        Part::one(u32::try_from(self.arrays.len() - 1).ok())
    }
}
