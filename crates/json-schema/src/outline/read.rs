//! A schema to an outline.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::{Others, Outline, Property, Types};
use crate::accept::Whole;
use crate::draft::Draft;
use crate::library::Documents;
use crate::options::{Formats, Options};

/// Schemas and names of members that are looked at, each as often as others apply it; what comes behind may be anything.
const SCHEMAS_MAX: usize = 20_000;
/// Schemas inside of each other that are looked at.
const DEPTH_MAX: usize = 64;

pub(super) fn read(documents: &Documents, options: &Options) -> Outline {
    let draft = documents.draft();
    let asserts_formats = match options.formats {
        Formats::Assert => true,
        Formats::Ignore => false,
        Formats::ByDraft => draft <= Draft::Draft7,
    };
    let mut reader = Reader { documents, draft, asserts_formats, path: Vec::new(), left: SCHEMAS_MAX };
    reader.outline(documents.root(), documents.whole())
}

struct Reader<'d> {
    documents: &'d Documents,
    draft: Draft,
    asserts_formats: bool,
    /// The schemas that are being looked at, each inside of the one before it.
    path: Vec<*const Value>,
    left: usize,
}

impl<'d> Reader<'d> {
    fn outline(&mut self, schema: &'d Value, document: Whole<'d>) -> Outline {
        let at = std::ptr::from_ref(schema);
        let Value::Object(object) = schema else {
            let types = if schema == &Value::Bool(false) { Types::NONE } else { Types::ANY };
            return Outline { types, ..Outline::any() };
        };
        if self.left == 0 || self.path.len() >= DEPTH_MAX || self.path.contains(&at) {
            return Outline::any();
        }
        self.left -= 1;
        self.path.push(at);
        let outline = self.keywords(object, document);
        self.path.pop();
        outline
    }

    fn keywords(&mut self, object: &'d Map<String, Value>, document: Whole<'d>) -> Outline {
        let referred = object.get("$ref").and_then(Value::as_str).map(|reference| {
            let target = self.documents.refer(document, reference);
            target.map_or_else(Outline::any, |(schema, document)| self.outline(schema, document))
        });
        // Before 2019-09 nothing counts beside a reference.
        match referred {
            Some(referred) if self.draft <= Draft::Draft7 => return referred,
            _ => {}
        }
        let mut outline = self.own(object, document).and(referred.unwrap_or_else(Outline::any));
        for schema in list(object, "allOf") {
            outline = outline.and(self.outline(schema, document));
        }
        for keyword in ["anyOf", "oneOf"] {
            let choices = list(object, keyword).iter().map(|schema| self.outline(schema, document));
            // One that nothing fits is no choice.
            let choices = choices.filter(|choice| choice.types != Types::NONE);
            if let Some(choice) = choices.reduce(Outline::or) {
                outline = outline.and(choice);
            }
        }
        meant(outline)
    }

    /// What the keywords say that look at one value and at what is inside of it.
    fn own(&mut self, object: &'d Map<String, Value>, document: Whole<'d>) -> Outline {
        let mut outline = Outline::any();
        if let Some(types) = object.get("type") {
            let words = types.as_array().map_or_else(|| std::slice::from_ref(types), Vec::as_slice);
            let types = words.iter().filter_map(Value::as_str).map(Types::of_word);
            outline.types = types.fold(Types::NONE, Types::or);
        }
        let only = object.get("const").filter(|_| self.draft >= Draft::Draft6);
        let values = object.get("enum").and_then(Value::as_array).map(Vec::as_slice);
        if let Some(values) = values.or_else(|| only.map(std::slice::from_ref)) {
            outline.types = outline.types.and(values.iter().map(type_of).fold(Types::NONE, Types::or));
            outline.choices = Some(values.iter().filter(|value| value.is_string()).count());
        }
        outline.format = object.get("format").and_then(Value::as_str).map(str::to_owned);
        let is_known =
            |format: &String| jsonschema::options().is_known_format(self.draft.in_library(), format);
        outline.is_format_asserted = self.asserts_formats && outline.format.as_ref().is_some_and(is_known);
        outline.minimum = bound(object, "minimum", "exclusiveMinimum", f64::ceil, 1);
        outline.maximum = bound(object, "maximum", "exclusiveMaximum", f64::floor, -1);
        self.members(&mut outline, object, document);
        outline.items = match object.get("items") {
            Some(items) if !items.is_array() && !object.contains_key("prefixItems") => {
                Some(Box::new(self.outline(items, document)))
            }
            _ => None,
        };
        outline
    }

    fn members(&mut self, outline: &mut Outline, object: &'d Map<String, Value>, document: Whole<'d>) {
        let mut required: Vec<&str> = list(object, "required").iter().filter_map(Value::as_str).collect();
        required.truncate(self.left);
        self.left -= required.len();
        let mut unnamed: HashSet<&str> = required.iter().copied().collect();
        for (name, schema) in object.get("properties").and_then(Value::as_object).into_iter().flatten() {
            outline.properties.push(Property {
                name: name.clone(),
                outline: self.outline(schema, document),
                is_required: unnamed.remove(name.as_str()),
            });
        }
        for name in required {
            // It may be named by another schema of the same place.
            if unnamed.remove(name) {
                let (name, outline_of) = (name.to_owned(), Outline::any());
                outline.properties.push(Property { name, outline: outline_of, is_required: true });
            }
        }
        let has_patterns =
            object.get("patternProperties").is_some_and(|patterns| patterns != &Value::Object(Map::new()));
        outline.others = match object.get("additionalProperties") {
            _ if has_patterns => Others::Any,
            None | Some(Value::Bool(true)) => Others::Any,
            Some(Value::Bool(false)) => Others::None,
            Some(schema) => Others::Of(Box::new(self.outline(schema, document))),
        };
    }
}

/// What is listed for a type is meant to be of it, also where that is not said.
fn meant(outline: Outline) -> Outline {
    if outline.types != Types::ANY {
        return outline;
    }
    let is_object = !outline.properties.is_empty() || outline.others != Others::Any;
    let types = match (is_object, outline.items.is_some(), outline.format.is_some()) {
        (true, false, false) => Types::OBJECT,
        (false, true, false) => Types::ARRAY,
        (false, false, true) => Types::STRING,
        _ => return outline,
    };
    Outline { types, ..outline }
}

fn list<'v>(object: &'v Map<String, Value>, keyword: &str) -> &'v [Value] {
    object.get(keyword).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn type_of(value: &Value) -> Types {
    match value {
        Value::Null => Types::NULL,
        Value::Bool(_) => Types::BOOLEAN,
        Value::Number(number) if number.as_f64().is_some_and(|number| number.fract() == 0.0) => {
            Types::INTEGER
        }
        Value::Number(_) => Types::FRACTION,
        Value::String(_) => Types::STRING,
        Value::Array(_) => Types::ARRAY,
        Value::Object(_) => Types::OBJECT,
    }
}

/// A bound of whole numbers, of which an exclusive one is `step` away; in draft 4 it is a remark on the other one.
fn bound(
    object: &Map<String, Value>,
    inclusive: &str,
    exclusive: &str,
    round: impl Fn(f64) -> f64,
    step: i128,
) -> Option<i128> {
    let whole = |number: &Value| -> Option<(i128, bool)> {
        if let Some(number) = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from)) {
            return Some((number, true));
        }
        let (number, rounded) = number.as_f64().map(|number| (number, round(number)))?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::float_cmp,
            reason = "beyond the range it is the range's end"
        )]
        Some((rounded as i128, number == rounded))
    };
    let beyond =
        |(number, is_exact): (i128, bool)| if is_exact { number.saturating_add(step) } else { number };
    let number = object.get(inclusive).and_then(whole);
    match object.get(exclusive) {
        Some(Value::Bool(true)) => number.map(beyond),
        Some(other) if other.is_number() => {
            let other = whole(other).map(beyond)?;
            Some(match number {
                Some((number, _)) if (step > 0) == (number > other) => number,
                _ => other,
            })
        }
        _ => number.map(|(number, _)| number),
    }
}
