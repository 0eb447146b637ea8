//! The tree as the library sees it, with a count of its looks.

use std::borrow::Cow;
use std::collections::HashSet;

use jsonschema::JsonType;
use jsonschema::json::{Array, Json, Node, NodeIdentity, Object};
use jsonschema_value::LazyInstance;
use serde_json::Value;

use super::{Counted, Item, Kind, Number, held};

/// The representation of records for the library.
pub(crate) struct Records;

/// A value of a record, or a name that is looked at as a value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Entry<'t> {
    At(&'t Counted<'t>, u32),
    Name(&'t str),
}

/// The inside of an array or an object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inside<'t> {
    counted: &'t Counted<'t>,
    at: u32,
    count: u32,
}

/// Makes entries of places.
#[derive(Debug)]
pub(crate) struct Elements<'t> {
    counted: &'t Counted<'t>,
    next: u32,
    end: u32,
}

/// Makes names and entries of places.
#[derive(Debug)]
pub(crate) struct Members<'t>(Elements<'t>);

impl Json for Records {
    type Node<'a> = Entry<'a>;
    type PreparedKey = String;
    type StringBuffer = ();

    // A look-up goes through the names of a small object, and halves those of a large one.
    const KEYS_PER_LOOKUP: usize = 4;
    const ACYCLIC: bool = true;

    fn prepare_key(key: &str) -> String {
        key.to_owned()
    }

    fn with_string_node<T>((): &mut (), string: &str, f: impl FnOnce(Entry<'_>) -> T) -> T {
        f(Entry::Name(string))
    }
}

impl<'t> Entry<'t> {
    /// The item, where looks are left.
    fn look(self) -> Option<(&'t Counted<'t>, u32, &'t Item)> {
        let Entry::At(counted, at) = self else { return None };
        if !counted.spend(1) {
            return None;
        }
        Some((counted, at, counted.tree.item(at)?))
    }

    fn inside(self, kind: Kind) -> Option<Inside<'t>> {
        let (counted, at, item) = self.look()?;
        (item.kind == kind).then_some(Inside { counted, at, count: item.from })
    }
}

impl<'t> Node<'t, Records> for Entry<'t> {
    type Object = Inside<'t>;
    type Array = Inside<'t>;
    type Number = Number<'t>;

    fn as_object(&self) -> Option<Inside<'t>> {
        self.inside(Kind::Object)
    }

    fn as_array(&self) -> Option<Inside<'t>> {
        self.inside(Kind::Array)
    }

    fn as_string(&self) -> Option<Cow<'t, str>> {
        match self {
            Entry::Name(name) => Some(Cow::Borrowed(name)),
            Entry::At(..) => {
                let (counted, _, item) = self.look()?;
                let text = (item.kind == Kind::String).then(|| counted.tree.text(item))?;
                counted.spend_on(text).then_some(Cow::Borrowed(text))
            }
        }
    }

    fn as_number(&self) -> Option<Number<'t>> {
        let (counted, _, item) = self.look()?;
        (item.kind == Kind::Number).then(|| Number(counted.tree.source(item)))
    }

    fn as_boolean(&self) -> Option<bool> {
        match self.look()?.2.kind {
            Kind::True => Some(true),
            Kind::False => Some(false),
            _ => None,
        }
    }

    fn is_null(&self) -> bool {
        self.json_type() == JsonType::Null
    }

    fn json_type(&self) -> JsonType {
        if let Entry::Name(_) = self {
            return JsonType::String;
        }
        match self.look().map(|(_, _, item)| item.kind) {
            None | Some(Kind::Null) => JsonType::Null,
            Some(Kind::False | Kind::True) => JsonType::Boolean,
            Some(Kind::Number) => JsonType::Number,
            Some(Kind::String | Kind::Name | Kind::Shadowed) => JsonType::String,
            Some(Kind::Array) => JsonType::Array,
            Some(Kind::Object) => JsonType::Object,
        }
    }

    fn equals_value(&self, expected: &Value) -> bool {
        match (self, expected) {
            (Entry::Name(name), Value::String(expected)) => name == expected,
            (Entry::Name(_), _) => false,
            (_, Value::Null) => self.is_null(),
            (_, Value::Bool(expected)) => self.as_boolean() == Some(*expected),
            (_, Value::Number(expected)) => self.as_number().is_some_and(|number| number.equals(expected)),
            (_, Value::String(expected)) => self.as_string().is_some_and(|text| text == *expected),
            (_, Value::Array(expected)) => self.as_array().is_some_and(|array| {
                array.count as usize == expected.len()
                    && array
                        .elements()
                        .zip(expected)
                        .all(|(element, expected)| element.equals_value(expected))
            }),
            (_, Value::Object(expected)) => self.as_object().is_some_and(|object| {
                object.count as usize == expected.len()
                    && expected.iter().all(|(name, expected)| {
                        object.get(name).is_some_and(|member| member.equals_value(expected))
                    })
            }),
        }
    }

    fn to_value(&self) -> Cow<'t, Value> {
        Cow::Owned(match self {
            Entry::Name(name) => Value::String((*name).to_owned()),
            Entry::At(counted, at) => {
                // It is never another value: whoever asks for one goes on with it also where no looks are left.
                counted.spend_on_copy(*at);
                counted.tree.to_value(*at)
            }
        })
    }

    fn lazy_value(&self) -> LazyInstance<'t> {
        match *self {
            Entry::Name(name) => held::beginning(name),
            Entry::At(counted, at) => counted.held(at),
        }
    }

    fn identity(&self) -> Option<NodeIdentity> {
        match self {
            Entry::At(counted, at) => Some(NodeIdentity::tagged(std::ptr::from_ref(*counted) as usize, *at)),
            Entry::Name(_) => None,
        }
    }
}

impl<'t> Object<'t, Records> for Inside<'t> {
    type Node = Entry<'t>;
    type MemberName = &'t str;
    type MembersIter = Members<'t>;

    fn len(&self) -> usize {
        self.count as usize
    }

    fn get(&self, key: &String) -> Option<Entry<'t>> {
        self.counted.spend(1);
        Some(Entry::At(self.counted, self.counted.tree.member(self.at, key)?))
    }

    fn members(&self) -> Members<'t> {
        Members(self.elements())
    }
}

impl<'t> Array<'t, Records> for Inside<'t> {
    type Node = Entry<'t>;
    type ElementsIter = Elements<'t>;

    fn len(&self) -> usize {
        self.count as usize
    }

    fn elements(&self) -> Elements<'t> {
        Elements { counted: self.counted, next: self.at + 1, end: self.counted.tree.next(self.at) }
    }

    fn is_unique(&self) -> bool {
        let inside = u64::from(self.counted.tree.next(self.at).saturating_sub(self.at));
        if !self.counted.spend(inside) {
            return true;
        }
        let mut seen = HashSet::with_capacity(self.count as usize);
        let tree = self.counted.tree;
        tree.elements(self.at).all(|element| {
            let mut canonical = Vec::new();
            tree.canonical(element, &mut canonical);
            seen.insert(canonical)
        })
    }
}

impl<'t> Iterator for Elements<'t> {
    type Item = Entry<'t>;

    fn next(&mut self) -> Option<Entry<'t>> {
        if self.next >= self.end || !self.counted.spend(1) {
            return None;
        }
        let at = self.next;
        self.next = self.counted.tree.next(at);
        Some(Entry::At(self.counted, at))
    }
}

impl<'t> Iterator for Members<'t> {
    type Item = (&'t str, Entry<'t>);

    fn next(&mut self) -> Option<(&'t str, Entry<'t>)> {
        let Elements { counted, next, end } = &mut self.0;
        let counted: &'t Counted<'t> = counted;
        while *next < *end && counted.spend(1) {
            let name = counted.tree.item(*next)?;
            let value = *next + 1;
            *next = counted.tree.next(value);
            if name.kind == Kind::Name {
                let text = counted.tree.text(name);
                return counted.spend_on_name(text).then_some((text, Entry::At(counted, value)));
            }
        }
        None
    }
}
