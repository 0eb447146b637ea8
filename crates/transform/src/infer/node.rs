//! What was seen at one path.

use std::collections::HashMap;

use super::mark::{Mark, Seen, earlier};
use super::number::{Floats, Integers};
use super::text::Texts;

/// What was seen at one path: a key of an object, the elements of an array, the values of a Map.
#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    /// How often the path was there, null or not.
    pub(super) present: u64,
    pub(super) nulls: Seen,
    /// The first object that did not have the key, where one was seen.
    pub(super) gap: Option<Mark>,
    pub(super) bools: Seen,
    pub(super) integers: Option<Box<Integers>>,
    pub(super) floats: Option<Box<Floats>>,
    pub(super) texts: Option<Box<Texts>>,
    pub(super) arrays: Option<Box<Arrays>>,
    pub(super) objects: Option<Box<Objects>>,
}

/// Arrays at a path.
#[derive(Debug, Clone, Default)]
pub(super) struct Arrays {
    pub(super) seen: Seen,
    /// None while every array was empty.
    pub(super) element: Option<Node>,
    /// The first array that was not looked into, since a limit was reached.
    pub(super) unread: Option<Mark>,
}

/// Objects at a path.
#[derive(Debug, Clone, Default)]
pub(super) struct Objects {
    pub(super) seen: Seen,
    pub(super) fields: Vec<Field>,
    by_key: HashMap<Box<[u8]>, usize>,
    /// Values of the keys for which there was no more room.
    pub(super) rest: Option<Box<Node>>,
    /// Fields that every object had so far.
    always: usize,
    /// The first object that was not looked into, or not into all of it, since a limit was reached.
    pub(super) unread: Option<Mark>,
    /// The first object with a key twice.
    pub(super) twice: Option<Mark>,
    /// The first object with a key that cannot name an element of a Tuple.
    pub(super) odd_key: Option<Mark>,
    /// The first object that a JSON column would refuse.
    pub(super) no_json: Option<Mark>,
    /// Objects in the sample of this index, and in the sample that had most.
    in_sample: (u64, u64),
    pub(super) in_sample_max: u64,
}

/// A key of objects, and what stands there.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) key: Box<[u8]>,
    pub(super) node: Node,
    /// The number of the last object that had it, from 1 on.
    last: u64,
}

/// Kinds of values, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Kinds(u8);

impl Kinds {
    pub(super) const BOOL: Kinds = Kinds(1);
    pub(super) const INTEGER: Kinds = Kinds(2);
    pub(super) const FLOAT: Kinds = Kinds(4);
    pub(super) const TEXT: Kinds = Kinds(8);
    pub(super) const ARRAY: Kinds = Kinds(16);
    pub(super) const OBJECT: Kinds = Kinds(32);

    pub(super) const fn with(self, other: Kinds) -> Kinds {
        Kinds(self.0 | other.0)
    }

    pub(super) fn is_one(self) -> bool {
        self.0.count_ones() == 1
    }
}

impl Node {
    /// The kinds of values that were seen, and for each how often, and where first.
    pub(super) fn by_kind(&self) -> [(Kinds, Seen); 6] {
        [
            (Kinds::BOOL, self.bools),
            (Kinds::INTEGER, self.integers.as_ref().map(|it| it.seen).unwrap_or_default()),
            (Kinds::FLOAT, self.floats.as_ref().map(|it| it.seen).unwrap_or_default()),
            (Kinds::TEXT, self.texts.as_ref().map(|it| it.seen).unwrap_or_default()),
            (Kinds::ARRAY, self.arrays.as_ref().map(|it| it.seen).unwrap_or_default()),
            (Kinds::OBJECT, self.objects.as_ref().map(|it| it.seen).unwrap_or_default()),
        ]
    }

    pub(super) fn kinds(&self) -> Kinds {
        let seen = self.by_kind().into_iter().filter(|(_, seen)| seen.count > 0);
        seen.fold(Kinds::default(), |kinds, (kind, _)| kinds.with(kind))
    }

    /// Values that are not null.
    pub(super) fn values(&self) -> u64 {
        self.present - self.nulls.count
    }
}

impl Objects {
    /// Begins the next object.
    pub(super) fn begin(&mut self, mark: Mark) {
        self.seen.note(mark);
        let (index, count) = self.in_sample;
        self.in_sample = if index == mark.index { (index, count + 1) } else { (mark.index, 1) };
        self.in_sample_max = self.in_sample_max.max(self.in_sample.1);
    }

    /// The place of a key, which is expected at `guess`.
    pub(super) fn find(&self, key: &[u8], guess: usize) -> Option<usize> {
        match self.fields.get(guess) {
            Some(field) if *field.key == *key => Some(guess),
            _ => self.by_key.get(key).copied(),
        }
    }

    /// Notes that the object at hand has the field. Says whether it had it before.
    pub(super) fn meet(&mut self, at: usize) -> bool {
        let Some(field) = self.fields.get_mut(at) else { return false };
        std::mem::replace(&mut field.last, self.seen.count) == self.seen.count
    }

    /// A new field, which the object at hand is the first to have; its place.
    pub(super) fn push(&mut self, key: &[u8]) -> usize {
        let at = self.fields.len();
        let is_first = self.seen.count == 1;
        let gap = if is_first { None } else { self.seen.first };
        self.always += usize::from(is_first);
        self.by_key.insert(key.into(), at);
        let node = Node { gap, ..Node::default() };
        self.fields.push(Field { key: key.into(), node, last: 0 });
        at
    }

    /// Ends the object at hand, of whose fields `met` never failed before: notes where one fails now.
    pub(super) fn end(&mut self, met: usize, mark: Mark) {
        if met == self.always {
            return;
        }
        for field in &mut self.fields {
            if field.node.gap.is_none() && field.last != self.seen.count {
                field.node.gap = Some(mark);
                self.always -= 1;
            }
        }
    }

    /// Adds what was seen of other objects.
    pub(super) fn merge(&mut self, other: &Objects, distinct_max: usize) {
        let firsts = (self.seen.first, other.seen.first);
        for field in &other.fields {
            match self.by_key.get(&field.key).copied() {
                Some(at) => self.fields[at].node.merge(&field.node, distinct_max),
                None => {
                    self.by_key.insert(field.key.clone(), self.fields.len());
                    let mut field = field.clone();
                    field.node.gap = earlier(field.node.gap, firsts.0);
                    self.fields.push(field);
                }
            }
        }
        for field in self.fields.iter_mut().filter(|field| !other.by_key.contains_key(&field.key)) {
            field.node.gap = earlier(field.node.gap, firsts.1);
        }
        if let Some(rest) = &other.rest {
            self.rest.get_or_insert_default().merge(rest, distinct_max);
        }
        self.seen.merge(&other.seen);
        self.unread = earlier(self.unread, other.unread);
        self.twice = earlier(self.twice, other.twice);
        self.odd_key = earlier(self.odd_key, other.odd_key);
        self.no_json = earlier(self.no_json, other.no_json);
        self.in_sample_max += other.in_sample_max;
    }
}

impl Node {
    /// Adds what was seen at another path.
    pub(super) fn merge(&mut self, other: &Node, distinct_max: usize) {
        self.present += other.present;
        self.nulls.merge(&other.nulls);
        self.gap = earlier(self.gap, other.gap);
        self.bools.merge(&other.bools);
        if let Some(integers) = &other.integers {
            self.integers.get_or_insert_default().merge(integers, distinct_max);
        }
        if let Some(floats) = &other.floats {
            self.floats.get_or_insert_default().merge(floats);
        }
        if let Some(texts) = &other.texts {
            self.texts.get_or_insert_default().merge(texts, distinct_max);
        }
        if let Some(arrays) = &other.arrays {
            let mine = self.arrays.get_or_insert_default();
            mine.seen.merge(&arrays.seen);
            mine.unread = earlier(mine.unread, arrays.unread);
            if let Some(element) = &arrays.element {
                mine.element.get_or_insert_default().merge(element, distinct_max);
            }
        }
        if let Some(objects) = &other.objects {
            self.objects.get_or_insert_default().merge(objects, distinct_max);
        }
    }
}
