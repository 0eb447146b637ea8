//! What holds for the values of one kind.

use super::NodeId;
use super::numbers::NumberRule;
use super::texts::TextRule;

/// Rules for the values of one kind.
#[derive(Debug, Clone)]
pub(super) enum Part<R> {
    /// None of them is valid, for certain.
    Never,
    /// Only the library knows.
    Unknown,
    /// All of them are valid.
    Any,
    /// Those that keep the rule.
    One(R),
    /// Those that all parts accept.
    All(Box<[Part<R>]>),
    /// Those that any of the parts accepts.
    Either(Box<[Part<R>]>),
}

/// Parts of a value that is tried in several ways.
const PARTS_MAX: usize = 8;

/// Two rules as one.
pub(super) trait Merge: Sized {
    /// The rule that holds where both do, where there is one.
    fn merged(&self, other: &Self) -> Option<Self>;
}

impl Merge for () {
    fn merged(&self, (): &()) -> Option<()> {
        Some(())
    }
}

/// Rules of arrays and objects are kept one by one.
impl Merge for u32 {
    fn merged(&self, other: &u32) -> Option<u32> {
        (self == other).then_some(*self)
    }
}

impl<R> Part<R> {
    /// Bytes that its own parts take.
    fn bytes_behind(&self) -> usize {
        match self {
            Part::All(parts) | Part::Either(parts) => {
                parts.iter().map(|part| size_of::<Part<R>>() + part.bytes_behind()).sum()
            }
            Part::Never | Part::Unknown | Part::Any | Part::One(_) => 0,
        }
    }
}

impl<R: Clone + Merge> Part<R> {
    pub(super) fn is_never(&self) -> bool {
        matches!(self, Part::Never)
    }

    /// Whether a value may be accepted.
    pub(super) fn may_accept(&self) -> bool {
        !matches!(self, Part::Never | Part::Unknown)
    }

    pub(super) fn one(rule: Option<R>) -> Self {
        rule.map_or(Part::Unknown, Part::One)
    }

    /// What both accept. A value that one of them refuses is refused, whatever the other is.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Part::Never, _) | (_, Part::Never) => Part::Never,
            (Part::Unknown, _) | (_, Part::Unknown) => Part::Unknown,
            (Part::Any, part) | (part, Part::Any) => part,
            (first, second) => {
                let mut parts: Vec<Self> = Vec::new();
                for part in [first, second] {
                    match part {
                        Part::All(inner) => inner.into_iter().for_each(|part| add(&mut parts, part)),
                        part => add(&mut parts, part),
                    }
                }
                match parts.len() {
                    1 => parts.pop().unwrap_or(Part::Unknown),
                    2..=PARTS_MAX => Part::All(parts.into()),
                    _ => Part::Unknown,
                }
            }
        }
    }

    /// What any of them accepts.
    pub(super) fn any_of(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut open: Vec<Self> = parts.into_iter().filter(|part| !part.is_never()).collect();
        if open.iter().any(|part| matches!(part, Part::Any)) {
            return Part::Any;
        }
        if open.is_empty() {
            return Part::Never;
        }
        open.retain(Part::may_accept);
        match open.len() {
            0 => Part::Unknown,
            1 => open.pop().unwrap_or(Part::Unknown),
            2..=PARTS_MAX => Part::Either(open.into()),
            _ => Part::Unknown,
        }
    }

    /// What exactly one of them accepts: told where all others refuse it for certain.
    pub(super) fn one_of(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut open = parts.into_iter().filter(|part| !part.is_never());
        match (open.next(), open.next()) {
            (None, _) => Part::Never,
            (Some(part), None) => part,
            (Some(_), Some(_)) => Part::Unknown,
        }
    }
}

/// Adds a part to those that all have to accept, merged with another where that can be.
fn add<R: Clone + Merge>(parts: &mut Vec<Part<R>>, part: Part<R>) {
    if let Part::One(rule) = &part {
        for other in parts.iter_mut() {
            if let Part::One(own) = other
                && let Some(merged) = own.merged(rule)
            {
                *own = merged;
                return;
            }
        }
    }
    parts.push(part);
}

/// Everything that holds for a value.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) text: Part<TextRule>,
    pub(super) number: Part<NumberRule>,
    /// The rule is a place among the objects' rules.
    pub(super) object: Part<u32>,
    /// The rule is a place among the arrays' rules.
    pub(super) array: Part<u32>,
    pub(super) null: Part<()>,
    pub(super) yes: Part<()>,
    pub(super) no: Part<()>,
    /// Which of the three words are valid for certain, as bits by their [`Word`].
    pub(super) words: u8,
}

/// The words of JSON.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word {
    pub(super) text: u64,
    pub(super) mask: u64,
    pub(super) length: usize,
}

impl Word {
    /// By two bits of their first bytes, which tell them apart. The last one is none.
    pub(super) const ALL: [Word; 4] = [
        Word::new(*b"false\0\0\0", 5),
        Word::new(*b"null\0\0\0\0", 4),
        Word::new(*b"true\0\0\0\0", 4),
        Word { text: 1, mask: 0, length: 0 },
    ];

    const fn new(text: [u8; 8], length: usize) -> Word {
        Word { text: u64::from_le_bytes(text), mask: u64::MAX >> (64 - 8 * length), length }
    }

    /// The place of the word that begins with this byte.
    pub(super) const fn place(first: u8) -> usize {
        (first >> 3 & 3) as usize
    }
}

impl Node {
    pub(super) const fn any() -> Node {
        Node {
            text: Part::Any,
            number: Part::Any,
            object: Part::Any,
            array: Part::Any,
            null: Part::Any,
            yes: Part::Any,
            no: Part::Any,
            words: 0b111,
        }
    }

    pub(super) const fn never() -> Node {
        Node {
            text: Part::Never,
            number: Part::Never,
            object: Part::Never,
            array: Part::Never,
            null: Part::Never,
            yes: Part::Never,
            no: Part::Never,
            words: 0,
        }
    }

    pub(super) const fn unknown() -> Node {
        Node {
            text: Part::Unknown,
            number: Part::Unknown,
            object: Part::Unknown,
            array: Part::Unknown,
            null: Part::Unknown,
            yes: Part::Unknown,
            no: Part::Unknown,
            words: 0,
        }
    }

    /// Notes which words are valid for certain.
    pub(super) fn settled(mut self) -> Node {
        let parts = [(b'f', &self.no), (b'n', &self.null), (b't', &self.yes)];
        self.words = parts
            .iter()
            .fold(0, |words, (first, part)| words | u8::from(is_certain(part)) << Word::place(*first));
        self
    }

    /// Bytes that its parts take behind it.
    pub(super) fn bytes_behind(&self) -> usize {
        self.text.bytes_behind()
            + self.number.bytes_behind()
            + self.object.bytes_behind()
            + self.array.bytes_behind()
            + self.null.bytes_behind()
            + self.yes.bytes_behind()
            + self.no.bytes_behind()
    }

    pub(super) fn may_accept(&self) -> bool {
        self.text.may_accept()
            || self.number.may_accept()
            || self.object.may_accept()
            || self.array.may_accept()
            || self.null.may_accept()
            || self.yes.may_accept()
            || self.no.may_accept()
    }

    pub(super) fn and(self, other: Node) -> Node {
        Node {
            text: self.text.and(other.text),
            number: self.number.and(other.number),
            object: self.object.and(other.object),
            array: self.array.and(other.array),
            null: self.null.and(other.null),
            yes: self.yes.and(other.yes),
            no: self.no.and(other.no),
            words: self.words & other.words,
        }
    }

    pub(super) fn any_of(nodes: &[Node]) -> Node {
        Node {
            text: Part::any_of(nodes.iter().map(|node| node.text.clone())),
            number: Part::any_of(nodes.iter().map(|node| node.number.clone())),
            object: Part::any_of(nodes.iter().map(|node| node.object.clone())),
            array: Part::any_of(nodes.iter().map(|node| node.array.clone())),
            null: Part::any_of(nodes.iter().map(|node| node.null.clone())),
            yes: Part::any_of(nodes.iter().map(|node| node.yes.clone())),
            no: Part::any_of(nodes.iter().map(|node| node.no.clone())),
            words: 0,
        }
    }

    pub(super) fn one_of(nodes: &[Node]) -> Node {
        Node {
            text: Part::one_of(nodes.iter().map(|node| node.text.clone())),
            number: Part::one_of(nodes.iter().map(|node| node.number.clone())),
            object: Part::one_of(nodes.iter().map(|node| node.object.clone())),
            array: Part::one_of(nodes.iter().map(|node| node.array.clone())),
            null: Part::one_of(nodes.iter().map(|node| node.null.clone())),
            yes: Part::one_of(nodes.iter().map(|node| node.yes.clone())),
            no: Part::one_of(nodes.iter().map(|node| node.no.clone())),
            words: 0,
        }
    }
}

/// The node of everything.
pub(super) const ANY: NodeId = 0;

fn is_certain(part: &Part<()>) -> bool {
    match part {
        Part::Any | Part::One(()) => true,
        Part::Never | Part::Unknown => false,
        Part::All(parts) => parts.iter().all(is_certain),
        Part::Either(parts) => parts.iter().any(is_certain),
    }
}
