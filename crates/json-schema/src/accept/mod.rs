//! The fast way: one pass over the bytes, without a tree. It says that a record is valid for certain, or nothing.

mod block;
mod compile;
mod format;
mod numbers;
mod objects;
mod part;
mod pattern;
mod places;
mod rules;
mod run;
mod texts;

use crate::library::Documents;
use crate::options::Options;

use objects::ObjectRule;
use part::Node;
use rules::ArrayRule;

pub(crate) use compile::Whole;
pub(crate) use run::Memory;

/// The place of a node.
type NodeId = u32;

/// Schemas as rules by the kind of the value.
#[derive(Debug)]
pub(crate) struct Acceptor {
    nodes: Vec<Node>,
    arrays: Vec<ArrayRule>,
    objects: Vec<ObjectRule>,
    root: NodeId,
    /// Keys that are remembered, over all objects.
    memory_slots: usize,
    /// Arrays and objects inside of each other that are looked at.
    depth_max: usize,
    /// Bytes that the rules take, about.
    bytes: usize,
}

impl Acceptor {
    /// The rules of a schema; none where nothing could ever be accepted by them, or where they take too much.
    pub(crate) fn compile(documents: &Documents, options: &Options) -> Option<Acceptor> {
        compile::compile(documents, options)
    }

    /// Bytes that the rules take, about.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}
