//! Keywords of texts and of every kind, and those that are left to the library.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::super::format::Format;
use super::super::numbers::NumberRule;
use super::super::part::{Node, Part};
use super::super::texts::{Choices, TextRule};
use super::Compiler;

/// Keywords that may mean something for any value.
pub(super) const UNKNOWN: [&str; 7] =
    ["not", "if", "then", "else", "$dynamicRef", "$recursiveRef", "extends"];
/// Keywords that mean something for arrays. `additionalItems` means nothing where `items` is no list.
pub(super) const UNKNOWN_OF_ARRAYS: [&str; 6] =
    ["uniqueItems", "contains", "minContains", "maxContains", "prefixItems", "unevaluatedItems"];
/// Keywords that mean something for objects.
pub(super) const UNKNOWN_OF_OBJECTS: [&str; 6] = [
    "patternProperties",
    "propertyNames",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "unevaluatedProperties",
];
/// Keywords that mean something for texts.
const UNKNOWN_OF_TEXTS: [&str; 3] = ["contentEncoding", "contentMediaType", "contentSchema"];

/// Whether a keyword is there, with more than nothing in it.
pub(super) fn holds_unknown(object: &Map<String, Value>, keywords: &[&str]) -> bool {
    let is_nothing = |value: &Value| match value {
        Value::Bool(value) => !value,
        Value::Object(object) => object.is_empty(),
        _ => false,
    };
    keywords.iter().any(|keyword| match (*keyword, object.get(*keyword)) {
        (_, None) => false,
        (
            "uniqueItems" | "patternProperties" | "dependencies" | "dependentRequired" | "dependentSchemas",
            Some(value),
        ) => !is_nothing(value),
        _ => true,
    })
}

/// A count, such as `minItems`; none where it is no integer that fits.
pub(super) fn count(object: &Map<String, Value>, keyword: &str, default: usize) -> Option<usize> {
    match object.get(keyword) {
        None => Some(default),
        Some(value) => usize::try_from(value.as_u64()?).ok(),
    }
}

/// What `type` allows.
pub(super) fn types(types: &Value) -> Node {
    let names: Vec<&str> = match types {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => return Node::unknown(),
    };
    let mut node = Node::never();
    for name in names {
        match name {
            "string" => node.text = Part::Any,
            "number" => node.number = Part::Any,
            "integer" if node.number.is_never() => {
                node.number = Part::One(NumberRule { is_integer: true, ..NumberRule::ANY });
            }
            "integer" => {}
            "object" => node.object = Part::Any,
            "array" => node.array = Part::Any,
            "null" => node.null = Part::Any,
            "boolean" => (node.yes, node.no) = (Part::Any, Part::Any),
            _ => return Node::unknown(),
        }
    }
    node
}

/// What `enum` allows.
pub(super) fn choices(choices: &[Value]) -> Node {
    let mut node = Node::never();
    let (mut texts, mut numbers) = (Vec::new(), Vec::new());
    for choice in choices {
        match choice {
            Value::Null => node.null = Part::Any,
            Value::Bool(true) => node.yes = Part::Any,
            Value::Bool(false) => node.no = Part::Any,
            Value::String(text) => texts.push(text.as_str()),
            // Others are numbers as well, which are left to the library.
            Value::Number(number) => {
                numbers.extend(number.as_i64());
                node.number = Part::Unknown;
            }
            Value::Array(_) => node.array = Part::Unknown,
            Value::Object(_) => node.object = Part::Unknown,
        }
    }
    if !texts.is_empty() {
        let choices = Some(Arc::new(Choices::new(texts)));
        node.text = Part::One(TextRule { choices, ..TextRule::default() }.settled());
    }
    if !numbers.is_empty() {
        node.number = Part::One(NumberRule { choices: Some(numbers.into()), ..NumberRule::ANY });
    }
    node
}

/// Bytes that the choices of an `enum` take, about.
pub(super) fn choices_bytes(choices: &[Value]) -> usize {
    let text = |choice: &Value| choice.as_str().map_or(0, str::len);
    choices.iter().map(|choice| size_of::<u128>() + text(choice)).sum()
}

impl<'d> Compiler<'d> {
    /// The rules of texts.
    pub(super) fn textual(&mut self, object: &'d Map<String, Value>) -> Part<TextRule> {
        if holds_unknown(object, &UNKNOWN_OF_TEXTS) {
            return Part::Unknown;
        }
        let mut rule = TextRule::default();
        let (Some(length_min), Some(length_max)) =
            (count(object, "minLength", 0), count(object, "maxLength", usize::MAX))
        else {
            return Part::Unknown;
        };
        (rule.length_min, rule.length_max) = (length_min, length_max);
        if let Some(name) = object.get("format").filter(|_| self.asserts_formats) {
            let Some(name) = name.as_str() else { return Part::Unknown };
            rule.format = Format::by_name(name, self.draft);
            // A format that the library does not know means nothing.
            if rule.format.is_none() && jsonschema::options().is_known_format(self.draft.in_library(), name) {
                return Part::Unknown;
            }
        }
        if let Some(pattern) = object.get("pattern") {
            match pattern.as_str().and_then(|text| self.pattern(text)) {
                Some(pattern) => rule.pattern = Some(pattern),
                None => return Part::Unknown,
            }
        }
        let is_free = rule.length_min == 0
            && rule.length_max == usize::MAX
            && rule.format.is_none()
            && rule.pattern.is_none();
        if is_free { Part::Any } else { Part::One(rule.settled()) }
    }
}
