//! A record as a tree that borrows its bytes, for the checks that need one.

mod canonical;
mod counted;
mod held;
mod node;
mod number;
mod parse;
mod text;

use serde_json::{Map, Value};

pub(crate) use counted::{Counted, Price};
pub(crate) use node::{Entry, Records};
pub(crate) use number::Number;
pub(crate) use parse::Parser;

/// What a place of the tree is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    False,
    True,
    Number,
    String,
    Array,
    Object,
    /// The name of a member; the item behind it is its value.
    Name,
    /// A name that comes again in the same object: the last one counts.
    Shadowed,
}

/// A value or a name, in the order of the document: what is inside of a container follows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Item {
    pub(crate) kind: Kind,
    /// Whether a text stands in the buffer of texts without escapes, and not in the record.
    pub(crate) is_unescaped: bool,
    /// Where it begins in the record.
    start: u32,
    /// Where it ends in the record.
    end: u32,
    /// Of a text: where it begins without quotes. Of a container: how many elements or members it has.
    from: u32,
    /// Of a text: where it ends. Of a container: the item behind all that is inside.
    to: u32,
    /// Of an object with many members: where its names begin in the order of their texts.
    sorted: u32,
}

impl Item {
    /// How many elements or members a container has, each name once.
    pub(crate) fn count(&self) -> u32 {
        self.from
    }
}

/// Objects with more members are looked up by the order of their names.
const SCANNED_MEMBERS: u32 = 64;

/// A record that was read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tree<'t> {
    pub(crate) items: &'t [Item],
    sorted: &'t [u32],
    text: &'t str,
    unescaped: &'t str,
}

impl<'t> Tree<'t> {
    pub(crate) fn item(&self, at: u32) -> Option<&'t Item> {
        self.items.get(at as usize)
    }

    /// The text of a string or a name.
    pub(crate) fn text(&self, item: &Item) -> &'t str {
        let whole = if item.is_unescaped { self.unescaped } else { self.text };
        whole.get(item.from as usize..item.to as usize).unwrap_or_default()
    }

    /// The bytes of the record that are this value.
    pub(crate) fn source(&self, item: &Item) -> &'t str {
        self.text.get(item.start as usize..item.end as usize).unwrap_or_default()
    }

    /// The item behind the one at `at` and all that is inside of it.
    pub(crate) fn next(&self, at: u32) -> u32 {
        match self.item(at) {
            Some(Item { kind: Kind::Array | Kind::Object, to, .. }) => *to,
            _ => at + 1,
        }
    }

    /// The elements of the array at `at`.
    pub(crate) fn elements(self, at: u32) -> impl Iterator<Item = u32> + use<'t> {
        let (mut next, end) = (at + 1, self.next(at));
        std::iter::from_fn(move || {
            let element = (next < end).then_some(next)?;
            next = self.next(element);
            Some(element)
        })
    }

    /// Names and values of the object at `at`, each name once.
    pub(crate) fn members(self, at: u32) -> impl Iterator<Item = (&'t str, u32)> + use<'t> {
        let (mut next, end) = (at + 1, self.next(at));
        std::iter::from_fn(move || {
            while next < end {
                let name = self.item(next)?;
                let value = next + 1;
                next = self.next(value);
                if name.kind == Kind::Name {
                    return Some((self.text(name), value));
                }
            }
            None
        })
    }

    /// The value of a member.
    pub(crate) fn member(self, at: u32, name: &str) -> Option<u32> {
        let object = self.item(at)?;
        if object.from <= SCANNED_MEMBERS {
            return self.members(at).find(|(own, _)| *own == name).map(|(_, value)| value);
        }
        let sorted = self.sorted.get(object.sorted as usize..)?.get(..object.from as usize)?;
        let text = |at: &u32| self.item(*at).map_or("", |item| self.text(item));
        let found = sorted.binary_search_by(|at| text(at).cmp(name)).ok()?;
        Some(sorted.get(found)? + 1)
    }

    /// The place of the value that a JSON Pointer (RFC 6901) leads to.
    pub(crate) fn find(self, pointer: &str) -> Option<u32> {
        pointer.split('/').skip(1).try_fold(0, |at, step| match self.item(at)?.kind {
            Kind::Array => self.elements(at).nth(step.parse().ok()?),
            Kind::Object => self.member(at, &step.replace("~1", "/").replace("~0", "~")),
            _ => None,
        })
    }

    /// The value at `at` as one of `serde_json`. As deep as the record is, which has a limit.
    pub(crate) fn to_value(self, at: u32) -> Value {
        let Some(item) = self.item(at) else { return Value::Null };
        match item.kind {
            Kind::Null => Value::Null,
            Kind::False => Value::Bool(false),
            Kind::True => Value::Bool(true),
            Kind::Number => Value::Number(Number(self.source(item)).nearest()),
            Kind::String | Kind::Name | Kind::Shadowed => Value::String(self.text(item).to_owned()),
            Kind::Array => Value::Array(self.elements(at).map(|element| self.to_value(element)).collect()),
            Kind::Object => Value::Object(
                self.members(at)
                    .map(|(name, value)| (name.to_owned(), self.to_value(value)))
                    .collect::<Map<_, _>>(),
            ),
        }
    }
}
