//! Columns that are filled from inside of one field: a tree of the keys and indexes that lead to them.

use super::{Field, KeyTable};
use crate::key_path::PathStep;

/// What a value inside of a field is for. The columns below a node stand in the row in the order of the tree.
#[derive(Debug)]
pub(crate) enum PathNode {
    /// A column.
    Column(Box<Field>),
    /// An object some of whose keys lead on.
    Object(ObjectNode),
    /// An array some of whose elements lead on.
    Array(ArrayNode),
}

/// The keys of an object that lead to columns.
#[derive(Debug)]
pub(crate) struct ObjectNode {
    pub(crate) children: Vec<PathNode>,
    /// From a key to its child.
    pub(crate) keys: KeyTable,
    pub(crate) place: Place,
}

/// The elements of an array that lead to columns, by ascending index.
#[derive(Debug)]
pub(crate) struct ArrayNode {
    pub(crate) children: Vec<(usize, PathNode)>,
    pub(crate) place: Place,
}

/// How messages name a node.
#[derive(Debug)]
pub(crate) struct Place {
    /// Its path.
    pub(crate) path: Box<str>,
    /// The first column below it.
    pub(crate) column: Box<str>,
}

/// A column and the steps that lead to it from here.
pub(super) struct Leaf<'c> {
    pub(super) steps: &'c [PathStep],
    pub(super) field: Field,
}

/// Two columns want the same value, or one wants what contains the other's: the second one's name.
pub(super) struct Overlap(pub(super) String);

impl PathNode {
    /// The tree of these columns, of which there is one at least; `path` leads here. `exact` takes keys as they stand.
    pub(super) fn build(path: &str, mut leaves: Vec<Leaf<'_>>, exact: bool) -> Result<PathNode, Overlap> {
        if let Some(end) = leaves.iter().position(|leaf| leaf.steps.is_empty()) {
            let field = leaves.remove(end).field;
            // Of two, whichever stands later in the list of columns.
            return match leaves.into_iter().next() {
                Some(other) if end == 0 => Err(Overlap(other.field.name)),
                Some(_) => Err(Overlap(field.name)),
                None => Ok(PathNode::Column(Box::new(field))),
            };
        }
        let column = leaves.first().map(|leaf| leaf.field.name.as_str().into()).unwrap_or_default();
        let place = Place { path: path.into(), column };
        let mut by_step: Vec<(PathStep, Vec<Leaf<'_>>)> = Vec::new();
        for leaf in leaves {
            let Some((step, steps)) = leaf.steps.split_first() else { continue };
            let leaf = Leaf { steps, field: leaf.field };
            match by_step.iter_mut().find(|(known, _)| known == step) {
                Some((_, leaves)) => leaves.push(leaf),
                None => by_step.push((step.clone(), vec![leaf])),
            }
        }
        let is_array = matches!(by_step.first(), Some((PathStep::Index(_), _)));
        let (mut objects, mut keys, mut elements) = (Vec::new(), Vec::new(), Vec::new());
        for (step, leaves) in by_step {
            let first = leaves.first().map(|leaf| leaf.field.name.clone()).unwrap_or_default();
            match step {
                PathStep::Key(key) if !is_array => {
                    let child = PathNode::build(&format!("{path}.{key}"), leaves, exact)?;
                    keys.push(key.into_bytes().into_boxed_slice());
                    objects.push(child);
                }
                PathStep::Index(index) if is_array => {
                    elements.push((index, PathNode::build(&format!("{path}[{index}]"), leaves, exact)?));
                }
                // The same value would have to be an object and an array.
                PathStep::Key(_) | PathStep::Index(_) => return Err(Overlap(first)),
            }
        }
        if is_array {
            elements.sort_by_key(|(index, _)| *index);
            return Ok(PathNode::Array(ArrayNode { children: elements, place }));
        }
        Ok(PathNode::Object(ObjectNode { children: objects, keys: KeyTable::new(keys, exact), place }))
    }

    /// Appends what the columns below it get where the record has nothing for them.
    pub(crate) fn push_missing(&self, out: &mut Vec<u8>) {
        match self {
            PathNode::Column(field) => out.extend_from_slice(&field.missing),
            PathNode::Object(object) => object.children.iter().for_each(|child| child.push_missing(out)),
            PathNode::Array(array) => array.children.iter().for_each(|(_, child)| child.push_missing(out)),
        }
    }

    /// The bytes of [`push_missing`](Self::push_missing).
    pub(crate) fn missing_bytes(&self) -> usize {
        match self {
            PathNode::Column(field) => field.missing.len(),
            PathNode::Object(object) => object.children.iter().map(PathNode::missing_bytes).sum(),
            PathNode::Array(array) => array.children.iter().map(|(_, child)| child.missing_bytes()).sum(),
        }
    }

    /// The names of the columns below it, in the order of the row.
    pub(super) fn columns<'n>(&'n self, names: &mut Vec<&'n str>) {
        match self {
            PathNode::Column(field) => names.push(&field.name),
            PathNode::Object(object) => object.children.iter().for_each(|child| child.columns(names)),
            PathNode::Array(array) => array.children.iter().for_each(|(_, child)| child.columns(names)),
        }
    }

    /// Whether no column below it has any bytes.
    pub(super) fn has_no_bytes(&self) -> bool {
        match self {
            PathNode::Column(field) => !field.marks && field.op.has_no_bytes(),
            PathNode::Object(object) => object.children.iter().all(PathNode::has_no_bytes),
            PathNode::Array(array) => array.children.iter().all(|(_, child)| child.has_no_bytes()),
        }
    }
}
