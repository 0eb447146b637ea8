//! Types for objects: Tuple, Map or JSON.

use super::super::mark::{Mark, later};
use super::super::names::Name;
use super::super::node::{Kinds, Node, Objects};
use super::words::counted;
use super::{Absence, Choice, Chooser};
use crate::types::{DataType, TupleElement};

/// Elements of a Tuple, at most: wider objects are easier to live with as JSON.
const ELEMENTS_MAX: usize = 64;
/// Keys up to which an object is a Tuple even where most objects lack them.
const FEW_KEYS: usize = 3;
/// Keys from which on objects that differ in them are a Map.
const MANY_KEYS: usize = 4;
/// Bytes of the widest default of one element, for the estimate of a row.
const ELEMENT_DEFAULT_BYTES: u64 = 33;

/// What the keys of objects look like.
struct Keys {
    /// The objects have a key of the list so often on average, of all times that they could have it.
    fill: f64,
    /// Most keys are data: numbers, addresses, paths, not names that somebody chose.
    are_data: bool,
    count: usize,
}

impl Keys {
    fn of(objects: &Objects) -> Keys {
        let count = objects.fields.len();
        let present: u64 = objects.fields.iter().map(|field| field.node.present).sum();
        let room = objects.seen.count as f64 * count as f64;
        let data = objects.fields.iter().filter(|field| is_data(&field.key)).count();
        Keys { fill: if count == 0 { 1.0 } else { present as f64 / room }, are_data: 2 * data > count, count }
    }

    fn are_fixed(&self) -> bool {
        self.count <= ELEMENTS_MAX && !self.are_data && (self.fill >= 0.5 || self.count <= FEW_KEYS)
    }

    fn vary(&self) -> bool {
        self.are_data || self.count > ELEMENTS_MAX || (self.count >= MANY_KEYS && self.fill < 0.5)
    }
}

/// Whether the key is data: it begins with no letter, or has bytes that names of fields do not have.
fn is_data(key: &[u8]) -> bool {
    let Some((first, rest)) = key.split_first() else { return true };
    let is_name = first.is_ascii_alphabetic() || matches!(first, b'_' | b'$' | b'@');
    !is_name || rest.iter().any(|byte| matches!(byte, b'/' | b':' | b' ' | b'@'))
}

impl Chooser<'_> {
    /// The type of objects, which are null or missing themselves in `absent` first.
    pub(super) fn objects(
        &mut self,
        node: &Node,
        objects: &Objects,
        name: &Name,
        absent: Option<Mark>,
    ) -> Choice {
        let keys = Keys::of(objects);
        let count = objects.seen.count;
        let mark = later(objects.seen.first, last_key(objects));
        if let Some(mark) = objects.unread {
            let why = "objects that lie deeper than is looked at, or have more paths than the limit";
            return self.json(node, why, Some(mark), objects.no_json);
        }
        if keys.count == 0 && objects.rest.is_none() {
            let why = counted(count, "empty object", "empty objects");
            return self.json(node, &why, mark, objects.no_json);
        }
        let why_no_tuple = why_no_tuple(objects, &keys);
        if (why_no_tuple.is_some() || keys.vary() || name.is_bag())
            && let Some(map) = self.map(node, objects, &keys, why_no_tuple, name.is_bag())
        {
            return map;
        }
        if why_no_tuple.is_none() && keys.are_fixed() {
            if let Some(tuple) = self.tuple(node, objects, &keys, absent) {
                return tuple;
            }
            let why = "so many objects in one sample that tuples would make its row too large";
            return self.json(node, why, mark, objects.no_json);
        }
        let why = format!(
            "{} with values of several kinds{}",
            counted(count, "object", "objects"),
            why_no_tuple.map_or_else(|| differing(&keys, false), str::to_owned)
        );
        self.json(node, &why, mark, objects.no_json)
    }

    /// A Tuple; none where it could make a row too large.
    fn tuple(&mut self, node: &Node, objects: &Objects, keys: &Keys, absent: Option<Mark>) -> Option<Choice> {
        let count = objects.seen.count;
        let mut choice = Choice::new(
            DataType::Tuple(Vec::new()),
            node,
            count,
            "",
            later(objects.seen.first, last_key(objects)),
        );
        let had_amounts = self.beside(&objects.fields);
        let mut elements = Vec::with_capacity(objects.fields.len());
        let mut missing = 0;
        for field in &objects.fields {
            let name = std::str::from_utf8(&field.key).ok()?;
            let absence = Absence { outer: absent, missing: count - field.node.present };
            missing += usize::from(absence.missing > 0);
            let member = self.member(&field.node, name, absence);
            choice = choice.around(&member);
            choice.notes.extend(member.notes.iter().map(|note| format!("`{name}`: {note}")));
            elements.push(TupleElement::named(name, member.ty));
        }
        self.has_amounts = had_amounts;
        choice.ty = DataType::Tuple(elements);
        let default_bytes = leaves(&choice.ty) * ELEMENT_DEFAULT_BYTES;
        if objects.in_sample_max > 1 {
            let bytes = objects.in_sample_max.saturating_mul(default_bytes);
            self.default_bytes_left = self.default_bytes_left.checked_sub(bytes)?;
        }
        choice.reason = match missing {
            0 => {
                format!("{} with the same {}", counted(count, "object", "objects"), keys_in_words(keys.count))
            }
            _ => format!(
                "{} with {}, of which {missing} missing in some",
                counted(count, "object", "objects"),
                keys_in_words(keys.count)
            ),
        };
        Some(choice)
    }

    /// A Map; none where the values are not of one kind.
    fn map(
        &mut self,
        node: &Node,
        objects: &Objects,
        keys: &Keys,
        why_no_tuple: Option<&str>,
        is_bag: bool,
    ) -> Option<Choice> {
        let rest = objects.rest.as_deref();
        let all = || objects.fields.iter().map(|field| &field.node).chain(rest);
        let kinds = all().fold(Kinds::default(), |kinds, node| kinds.with(node.kinds()));
        let is_one = kinds.is_one() || kinds == Kinds::INTEGER.with(Kinds::FLOAT);
        // Under such a name texts alone say that anything may be added.
        let is_by_name_alone = is_bag && why_no_tuple.is_none() && !keys.vary();
        (is_one && (!is_by_name_alone || kinds == Kinds::TEXT)).then_some(())?;
        let mut merged = Node::default();
        all().for_each(|node| merged.merge(node, self.distinct_max));
        let mut inner = self.value(&merged, &Name::new(""), merged.nulls.first);
        if kinds == Kinds::TEXT {
            // Under a key that is new, any text may stand.
            inner.ty = DataType::String;
        }
        let inner = super::nullable(inner, &merged, Absence::default());
        let count = objects.seen.count;
        let why = match why_no_tuple {
            Some(why) => why.to_owned(),
            None if is_by_name_alone => ", under a name where any key may be added".to_owned(),
            None => differing(keys, rest.is_some()),
        };
        let reason = format!("{} with values of one kind{why}", counted(count, "object", "objects"));
        let ty = DataType::Map(Box::new(DataType::String), Box::new(inner.ty.clone()));
        let mark = later(objects.seen.first, last_key(objects));
        Some(Choice::new(ty, node, count, reason, mark).around(&inner))
    }
}

/// The sample that brought the last new key.
fn last_key(objects: &Objects) -> Option<Mark> {
    objects.fields.iter().fold(None, |mark, field| {
        let first = field.node.by_kind().into_iter().filter_map(|(_, seen)| seen.first);
        let first = first.chain(field.node.nulls.first).min_by_key(|mark| mark.index);
        later(mark, first)
    })
}

/// Why there can be no Tuple, whatever the values are.
fn why_no_tuple(objects: &Objects, keys: &Keys) -> Option<&'static str> {
    if objects.twice.is_some() {
        Some(", one of them with a key twice")
    } else if objects.odd_key.is_some() {
        Some(", whose keys cannot name elements of a Tuple")
    } else if keys.are_data {
        Some(", whose keys look like data")
    } else if objects.rest.is_some() {
        Some(", with more keys than are told apart")
    } else {
        None
    }
}

/// How much the objects differ in their keys.
fn differing(keys: &Keys, has_more: bool) -> String {
    let many = if has_more { "more than " } else { "" };
    let average = keys.fill * keys.count as f64;
    format!(" that differ in their keys: one has {average:.1} of {many}{} on average", keys.count)
}

fn keys_in_words(count: usize) -> String {
    if count == 1 { "key".to_owned() } else { format!("{count} keys") }
}

/// Values that a type has inside, tuples taken apart.
fn leaves(ty: &DataType) -> u64 {
    match ty {
        DataType::Tuple(elements) => elements.iter().map(|element| leaves(&element.ty)).sum::<u64>().max(1),
        _ => 1,
    }
}
