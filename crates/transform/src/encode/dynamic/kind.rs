//! What a JSON value is taken for, before its type is settled.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::encode::fault::Fault;
use crate::reject::RejectCode;

/// What a JSON value is taken for.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// A null, or the elements of an empty array.
    Nothing,
    Bool,
    /// A whole number of 64 bits. Whether it is negative counts beside larger numbers alone.
    Int {
        is_negative: bool,
    },
    /// A whole number that only fits without a sign.
    UInt,
    Float,
    String,
    Date,
    DateTime,
    DateTime64,
    Nullable(Box<Kind>),
    Array(Box<Kind>),
    /// An array whose elements are not of one kind, as far as is known.
    Mixed(Box<[Run]>),
    /// An object, by its keys.
    Object(Rc<Object>),
    /// A tuple with names: an object that is settled.
    Named(Vec<(Box<[u8]>, Kind)>),
    /// Each value by itself.
    Dynamic,
}

/// So many elements of one kind, one behind the other.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) kind: Kind,
    pub(super) count: usize,
}

/// An object, or what several have in common.
#[derive(Debug, Clone, Default)]
pub(super) struct Object {
    pub(super) tree: Tree,
    /// Objects were made one whose values have nothing in common, so that nobody knows what ClickHouse makes of them.
    pub(super) is_unclear: bool,
}

/// An object's keys in the order of their bytes.
pub(super) type Tree = BTreeMap<Box<[u8]>, Node>;

/// What stands at a key: of several objects, or of one that has the key twice, both can be there.
#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    pub(super) leaf: Option<Kind>,
    pub(super) below: Tree,
}

impl Kind {
    /// A null.
    pub(super) fn null() -> Kind {
        Kind::Nullable(Box::new(Kind::Nothing))
    }

    /// Neither a value nor a hint at one.
    pub(super) fn is_nothing(&self) -> bool {
        match self {
            Kind::Nothing => true,
            Kind::Nullable(inner) => matches!(**inner, Kind::Nothing),
            _ => false,
        }
    }

    /// Whether both have the same signs, given that they are one kind.
    pub(super) fn has_signs_of(&self, other: &Kind) -> bool {
        match (self, other) {
            (Kind::Int { is_negative: a }, Kind::Int { is_negative: b }) => a == b,
            (Kind::Nullable(a), Kind::Nullable(b)) | (Kind::Array(a), Kind::Array(b)) => a.has_signs_of(b),
            (Kind::Mixed(a), Kind::Mixed(b)) => are_alike(a, b, Kind::has_signs_of),
            _ => true,
        }
    }

    /// Whether nothing in it is open.
    pub(super) fn is_complete(&self) -> bool {
        match self {
            Kind::Nothing => false,
            Kind::Nullable(inner) | Kind::Array(inner) => inner.is_complete(),
            Kind::Mixed(runs) => runs.iter().all(|run| run.kind.is_complete()),
            _ => true,
        }
    }

    /// Whether ClickHouse has a Nullable of it.
    pub(super) fn can_be_null(&self) -> bool {
        !matches!(
            self,
            Kind::Nullable(_)
                | Kind::Array(_)
                | Kind::Mixed(_)
                | Kind::Object(_)
                | Kind::Named(_)
                | Kind::Dynamic
        )
    }

    /// Whether both are one kind.
    pub(super) fn is(&self, other: &Kind) -> bool {
        match (self, other) {
            (Kind::Nullable(a), Kind::Nullable(b)) | (Kind::Array(a), Kind::Array(b)) => a.is(b),
            (Kind::Mixed(a), Kind::Mixed(b)) => are_alike(a, b, Kind::is),
            (Kind::Object(a), Kind::Object(b)) => Rc::ptr_eq(a, b) || are_same_trees(&a.tree, &b.tree),
            (Kind::Named(a), Kind::Named(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.0 == b.0 && a.1.is(&b.1))
            }
            (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
        }
    }
}

/// Whether both have as many elements, and those at the same place are alike.
fn are_alike(a: &[Run], b: &[Run], alike: fn(&Kind, &Kind) -> bool) -> bool {
    let mut aligned = Aligned::new(&[a, b]);
    while let Some((kinds, _)) = aligned.next() {
        if !alike(kinds[0], kinds[1]) {
            return false;
        }
    }
    aligned.is_even()
}

fn are_same_trees(a: &Tree, b: &Tree) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|((a_key, a), (b_key, b))| {
            let leaves = match (&a.leaf, &b.leaf) {
                (Some(a), Some(b)) => a.is(b),
                (None, None) => true,
                _ => false,
            };
            a_key == b_key && leaves && are_same_trees(&a.below, &b.below)
        })
}

/// Whether all are one kind.
pub(super) fn are_same(kinds: &[Kind]) -> bool {
    kinds.windows(2).all(|pair| pair[0].is(&pair[1]))
}

/// Walks several lists of runs side by side.
pub(super) struct Aligned<'r> {
    lists: Vec<(&'r [Run], usize)>,
}

impl<'r> Aligned<'r> {
    pub(super) fn new(lists: &[&'r [Run]]) -> Self {
        Self { lists: lists.iter().map(|runs| (*runs, 0)).collect() }
    }

    /// The kinds of the next elements in all lists, and for how many elements that holds; none where a list has ended.
    pub(super) fn next(&mut self) -> Option<(Vec<&'r Kind>, usize)> {
        let mut kinds = Vec::with_capacity(self.lists.len());
        let mut count = usize::MAX;
        for (runs, used) in &self.lists {
            let run = runs.first()?;
            kinds.push(&run.kind);
            count = count.min(run.count - used);
        }
        for (runs, used) in &mut self.lists {
            *used += count;
            if *used == runs[0].count {
                (*runs, *used) = (&runs[1..], 0);
            }
        }
        Some((kinds, count))
    }

    /// Whether all lists have ended.
    pub(super) fn is_even(&self) -> bool {
        self.lists.iter().all(|(runs, _)| runs.is_empty())
    }
}

/// Adds elements to the runs. Says whether that took a run of its own.
pub(super) fn push_run(runs: &mut Vec<Run>, kind: Kind, count: usize) -> bool {
    if let Some(last) = runs.last_mut().filter(|last| last.kind.is(&kind) && last.kind.has_signs_of(&kind)) {
        // ClickHouse goes on with the last one.
        last.kind = kind;
        last.count += count;
        return false;
    }
    runs.push(Run { kind, count });
    true
}

/// Kinds that are kept of one value at a time, at most, copies counted: some 100 bytes each.
const KINDS_MAX: usize = 1_000_000;

/// Counts what is kept of a value.
#[derive(Debug)]
pub(super) struct Budget {
    left: usize,
    /// Where the value begins.
    at: usize,
}

impl Budget {
    pub(super) fn new(at: usize) -> Self {
        Self { left: KINDS_MAX, at }
    }

    pub(super) fn take(&mut self, count: usize) -> Result<(), Fault> {
        match self.left.checked_sub(count) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(Fault::new(
                RejectCode::RecordTooLarge,
                self.at,
                "the value of a Dynamic mixes more kinds of values than the limit",
            )),
        }
    }

    pub(super) fn left(&self) -> usize {
        self.left
    }

    pub(super) fn give_back(&mut self, count: usize) {
        self.left += count;
    }

    /// Copies, and counts what is copied.
    pub(super) fn copy<'k, K>(&mut self, kinds: K) -> Result<Vec<Kind>, Fault>
    where
        K: IntoIterator<Item = &'k Kind, IntoIter: Clone>,
    {
        let kinds = kinds.into_iter();
        self.take(kinds.clone().map(size_of_copy).sum())?;
        Ok(kinds.cloned().collect())
    }

    /// A fault of the value as a whole.
    pub(super) fn fault(&self, code: RejectCode, message: impl Into<String>) -> Fault {
        Fault::new(code, self.at, message)
    }
}

/// How many kinds there are in it, with itself.
pub(super) fn size(kind: &Kind) -> usize {
    count(kind, &|object| size_of_tree(&object.tree))
}

/// How many kinds a copy makes: objects are shared.
pub(super) fn size_of_copy(kind: &Kind) -> usize {
    count(kind, &|_| 0)
}

fn count(kind: &Kind, object: &impl Fn(&Object) -> usize) -> usize {
    1 + match kind {
        Kind::Nullable(inner) | Kind::Array(inner) => count(inner, object),
        Kind::Mixed(runs) => runs.iter().map(|run| count(&run.kind, object)).sum(),
        Kind::Object(inner) => object(inner),
        Kind::Named(elements) => elements.iter().map(|(_, kind)| count(kind, object)).sum(),
        _ => 0,
    }
}

fn size_of_tree(tree: &Tree) -> usize {
    tree.values().map(|node| 1 + node.leaf.as_ref().map_or(0, size) + size_of_tree(&node.below)).sum()
}
