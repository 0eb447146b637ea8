//! From what was seen at a path to a type.

pub(super) mod expected;
mod numbers;
mod objects;
mod texts;
mod words;

use super::InferenceOptions;
use super::clash::Clash;
use super::keys::TimeUnit;
use super::mark::{Mark, earlier, later};
use super::names::Name;
use super::node::{Arrays, Field, Kinds, Node};
use crate::types::{DataType, JsonTypeArgs};
use words::{absences, counted};

/// Chooses types.
pub(super) struct Chooser<'o> {
    options: &'o InferenceOptions,
    distinct_max: usize,
    /// Bytes of defaults that tuples inside of arrays and maps may still add to a row.
    default_bytes_left: u64,
    /// Beside the value at hand, or around it, stand amounts of money with a fraction.
    has_amounts: bool,
}

/// Bytes of defaults that tuples inside of arrays and maps may add to a row: an array of empty objects is short as JSON,
/// and could pass the limit on a row as tuples with many elements.
const DEFAULT_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Why a column cannot be what it would be without the others.
const CLASH: &str = "ClickHouse takes it and columns whose names are the same up to a point for parts of one";

/// A type, and why.
#[derive(Debug, Clone)]
pub(super) struct Choice {
    pub(super) ty: DataType,
    pub(super) confidence: f64,
    pub(super) reason: String,
    /// The last sample that made it wider.
    pub(super) mark: Option<Mark>,
    /// What the numbers of an integer count, where they are moments.
    pub(super) time: Option<TimeUnit>,
    pub(super) notes: Vec<String>,
}

impl Choice {
    /// A type for `agreeing` of the values at the path.
    fn new(
        ty: DataType,
        node: &Node,
        agreeing: u64,
        reason: impl Into<String>,
        mark: Option<Mark>,
    ) -> Choice {
        let confidence = (agreeing as f64 + 1.0) / (node.values() as f64 + 2.0);
        Choice { ty, confidence, reason: reason.into(), mark, time: None, notes: Vec::new() }
    }

    /// The same choice, no surer than what is inside.
    fn around(mut self, inner: &Choice) -> Choice {
        self.confidence = self.confidence.min(inner.confidence);
        self.mark = later(self.mark, inner.mark);
        self
    }
}

/// Where a path was not there.
#[derive(Debug, Clone, Copy, Default)]
struct Absence {
    /// The first sample in which what is around it was null or missing itself.
    outer: Option<Mark>,
    /// Objects around it that did not have it.
    missing: u64,
}

impl Absence {
    /// The first sample in which there was no value at the path.
    fn first(self, node: &Node) -> Option<Mark> {
        let gap = if self.missing > 0 { node.gap } else { None };
        earlier(earlier(gap, node.nulls.first), self.outer)
    }
}

impl Chooser<'_> {
    pub(super) fn new(options: &InferenceOptions, distinct_max: usize) -> Chooser<'_> {
        Chooser { options, distinct_max, default_bytes_left: DEFAULT_BYTES_MAX, has_amounts: false }
    }

    /// Begins with fields that stand beside one another; returns what was true before.
    pub(super) fn beside(&mut self, fields: &[Field]) -> bool {
        let has_amounts = self.has_amounts || fields.iter().any(is_amount);
        std::mem::replace(&mut self.has_amounts, has_amounts)
    }

    /// The type of a column.
    pub(super) fn column(&mut self, node: &Node, name: &str, samples: u64, clash: Clash) -> Choice {
        let absence = Absence { outer: None, missing: samples - node.present };
        let mut choice = self.value(node, &Name::new(name), absence.first(node));
        let is_refused = match choice.ty {
            DataType::Array(_) | DataType::Map(..) => clash != Clash::None,
            DataType::Tuple(_) => clash == Clash::Parts,
            _ => false,
        };
        if let (Some(arrays), true) = (&node.arrays, is_refused) {
            let reason = format!("{}, kept as text: {CLASH}", counted(arrays.seen.count, "array", "arrays"));
            choice = Choice::new(DataType::String, node, 0, reason, arrays.seen.first);
        }
        if let (Some(objects), true) = (&node.objects, is_refused) {
            let why =
                format!("{}, not taken apart: {CLASH}", counted(objects.seen.count, "object", "objects"));
            choice = self.json(node, &why, objects.seen.first, objects.no_json);
        }
        let mut choice = nullable(choice, node, absence);
        choice.reason.push_str(&absences(node, samples, &choice.ty));
        choice
    }

    /// The type of the element of a Tuple.
    fn member(&mut self, node: &Node, name: &str, absence: Absence) -> Choice {
        let choice = self.value(node, &Name::new(name), absence.first(node));
        nullable(choice, node, absence)
    }

    /// The type of what stands at a path, which is null or missing in `absent` first: that counts for what is inside.
    fn value(&mut self, node: &Node, name: &Name, absent: Option<Mark>) -> Choice {
        let kinds = node.kinds();
        let numbers = Kinds::INTEGER.with(Kinds::FLOAT);
        if kinds == Kinds::default() {
            let reason = "null alone, which says nothing of a type: a String takes whatever comes";
            return Choice::new(DataType::String, node, 0, reason, node.nulls.first);
        }
        if kinds == Kinds::BOOL {
            let reason = counted(node.bools.count, "true or false", "times true or false");
            return Choice::new(DataType::Bool, node, node.bools.count, reason, node.bools.first);
        }
        if kinds == Kinds::BOOL.with(Kinds::INTEGER)
            && let Some(integers) = node.integers.as_ref().filter(|it| it.is_within(0, 1))
        {
            let reason = "true and false, in some values written as 1 and 0";
            let mark = later(node.bools.first, integers.seen.first);
            return Choice::new(DataType::Bool, node, node.values(), reason, mark);
        }
        if let (Some(integers), None, true) = (&node.integers, &node.floats, kinds == Kinds::INTEGER) {
            return numbers::integers(node, integers, name, self.has_amounts);
        }
        if let (Some(floats), true) = (&node.floats, kinds == Kinds::FLOAT || kinds == numbers) {
            return numbers::floats(node, floats, name);
        }
        if let (Some(texts), true) = (&node.texts, kinds == Kinds::TEXT) {
            return self.texts(node, texts, name);
        }
        if let (Some(arrays), true) = (&node.arrays, kinds == Kinds::ARRAY) {
            return self.arrays(node, arrays, name);
        }
        if let (Some(objects), true) = (&node.objects, kinds == Kinds::OBJECT) {
            return self.objects(node, objects, name, absent);
        }
        mixed(node)
    }

    fn arrays(&mut self, node: &Node, arrays: &Arrays, name: &Name) -> Choice {
        let count = arrays.seen.count;
        if let Some(mark) = arrays.unread {
            let reason = "arrays, kept as text: they lie deeper than is looked at, or there are more paths than the limit";
            return Choice::new(DataType::String, node, 0, reason, Some(mark));
        }
        let Some(element) = &arrays.element else {
            let reason = format!(
                "{}: a String as element takes whatever comes",
                counted(count, "empty array", "empty arrays")
            );
            let ty = DataType::Array(Box::new(DataType::String));
            let mut choice = Choice::new(ty, node, count, reason, arrays.seen.first);
            choice.confidence = choice.confidence.min(0.5);
            return choice;
        };
        let inner = self.value(element, name, element.nulls.first);
        let inner = nullable(inner, element, Absence::default());
        let reason = format!("{} of {}", counted(count, "array", "arrays"), inner.reason);
        let ty = DataType::Array(Box::new(inner.ty.clone()));
        Choice::new(ty, node, count, reason, arrays.seen.first).around(&inner)
    }

    /// JSON where it may be and all objects can be read as such, else a String.
    fn json(&self, node: &Node, why: &str, mark: Option<Mark>, no_json: Option<Mark>) -> Choice {
        let agreeing = node.objects.as_ref().map_or(0, |objects| objects.seen.count);
        if let Some(mark) = no_json {
            let reason = format!("{why}, and a JSON column would refuse one of them: kept as text");
            return Choice::new(DataType::String, node, 0, reason, Some(mark));
        }
        if self.options.json {
            return Choice::new(DataType::Json(JsonTypeArgs::default()), node, agreeing, why, mark);
        }
        Choice::new(
            DataType::String,
            node,
            0,
            format!("{why}: kept as text, since JSON was not asked for"),
            mark,
        )
    }
}

/// Whether the field is an amount of money with a fraction.
fn is_amount(field: &Field) -> bool {
    let is_money = |key| Name::new(key).is_money();
    field.node.floats.is_some() && std::str::from_utf8(&field.key).is_ok_and(is_money)
}

/// A String for values of several kinds.
fn mixed(node: &Node) -> Choice {
    let mut seen: Vec<_> = node.by_kind().into_iter().filter(|(_, seen)| seen.count > 0).collect();
    let mark = seen.iter().fold(None, |mark, (_, seen)| later(mark, seen.first));
    let texts = seen.iter().find(|(kind, _)| *kind == Kinds::TEXT).map_or(0, |(_, seen)| seen.count);
    seen.sort_by_key(|(_, seen)| std::cmp::Reverse(seen.count));
    let parts: Vec<String> =
        seen.iter().map(|(kind, seen)| counted(seen.count, kind.word(), kind.words())).collect();
    let reason = format!("values of several kinds ({}), kept as their text", parts.join(", "));
    Choice::new(DataType::String, node, texts, reason, mark)
}

/// The type with NULL, where a value was null or missing and the type has room for it.
fn nullable(choice: Choice, node: &Node, absence: Absence) -> Choice {
    let first = absence.first(node);
    if first.is_none() && node.values() > 0 {
        return choice;
    }
    if !takes_null(&choice.ty) {
        return choice;
    }
    Choice { ty: with_null(choice.ty), mark: later(choice.mark, first), ..choice }
}

/// Whether the type has room for NULL.
fn takes_null(ty: &DataType) -> bool {
    !matches!(ty, DataType::Array(_) | DataType::Map(..) | DataType::Tuple(_) | DataType::Json(_))
}

/// The type with NULL, where it has room for it.
fn with_null(ty: DataType) -> DataType {
    match ty {
        DataType::LowCardinality(inner) => DataType::LowCardinality(Box::new(DataType::Nullable(inner))),
        ty if takes_null(&ty) => DataType::Nullable(Box::new(ty)),
        ty => ty,
    }
}
