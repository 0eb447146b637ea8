//! What the library finds, in plain words.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use serde_json::Value;

use super::quote::{count, entry, list, shorten, text, value};
use crate::record::Tree;
use crate::rejected::Violation;

/// Candidates of an `enum` that a message lists.
const CANDIDATES_SHOWN: usize = 5;

/// What an error says of a record, or of a schema where there is none. Errors hold little of a record.
pub(super) fn violation(error: &ValidationError<'_>, record: Option<Tree<'_>>) -> Violation {
    let keyword = match error.kind() {
        // Where a keyword is `false` it is the one that is violated, and not the schema of a name.
        Kind::FalseSchema => match error.evaluation_path().as_str().rsplit('/').next() {
            Some("additionalProperties") => "additionalProperties",
            Some("items") => "items",
            _ => "false",
        },
        kind => kind.keyword(),
    };
    Violation {
        instance_path: shorten(error.instance_path().as_str()),
        keyword: keyword.to_owned(),
        schema_path: shorten(error.evaluation_path().as_str()),
        message: shorten(&message(error, record)),
    }
}

/// Where the library itself has a fault. It has one in its engine of patterns, which it tells by a panic.
pub(super) fn fault() -> Violation {
    Violation {
        instance_path: String::new(),
        keyword: "pattern".to_owned(),
        schema_path: String::new(),
        message: "a pattern of the schema cannot be matched; simplify it".to_owned(),
    }
}

/// What an error is about.
enum Found<'f> {
    Value(&'f Value),
    Entry(Tree<'f>, u32),
}

impl<'f> Found<'f> {
    fn of(error: &'f ValidationError<'_>, record: Option<Tree<'f>>) -> Found<'f> {
        let place = record.and_then(|tree| Some((tree, tree.find(error.instance_path().as_str())?)));
        place.map_or_else(|| Found::Value(error.instance()), |(tree, at)| Found::Entry(tree, at))
    }

    fn quoted(&self) -> String {
        match self {
            Found::Value(found) => value(found),
            Found::Entry(tree, at) => entry(*tree, *at),
        }
    }

    /// How many items or members it has.
    fn count(&self) -> u64 {
        match self {
            Found::Value(Value::Array(items)) => items.len() as u64,
            Found::Value(Value::Object(members)) => members.len() as u64,
            Found::Value(_) => 0,
            Found::Entry(tree, at) => tree.item(*at).map_or(0, |item| u64::from(item.count())),
        }
    }
}

fn message(error: &ValidationError<'_>, record: Option<Tree<'_>>) -> String {
    let found = || Found::of(error, record).quoted();
    let members = || Found::of(error, record).count();
    let items = members;
    match error.kind() {
        Kind::Type { kind } => format!("{} is not of type {}", found(), types(kind)),
        Kind::Required { property } => {
            format!("the member {} is missing", text(property.as_str().unwrap_or_default()))
        }
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            format!("members that the schema does not have: {}", list(unexpected.iter().map(String::as_str)))
        }
        Kind::AdditionalItems { limit } => {
            format!("{}, and the schema has {limit}", count(items(), "item", "items"))
        }
        Kind::UnevaluatedItems { unexpected } => {
            format!("{} that the schema does not have", count(unexpected.len() as u64, "item", "items"))
        }
        Kind::Enum { options } => format!("{} is none of {}", found(), candidates(options)),
        Kind::Constant { expected_value } => format!("{} is not {}", found(), value(expected_value)),
        Kind::Minimum { limit } => format!("{} is less than {}", found(), value(limit)),
        Kind::Maximum { limit } => format!("{} is greater than {}", found(), value(limit)),
        Kind::ExclusiveMinimum { limit } => format!("{} is not greater than {}", found(), value(limit)),
        Kind::ExclusiveMaximum { limit } => format!("{} is not less than {}", found(), value(limit)),
        Kind::MultipleOf { multiple_of } => format!("{} is no multiple of {multiple_of}", found()),
        Kind::MinLength { limit } => {
            format!("{} is shorter than {}", found(), count(*limit, "character", "characters"))
        }
        Kind::MaxLength { limit } => {
            format!("{} is longer than {}", found(), count(*limit, "character", "characters"))
        }
        Kind::Pattern { pattern } => format!("{} does not match {}", found(), text(pattern)),
        Kind::Format { format } => format!("{} is no {}", found(), shorten(format)),
        Kind::MinItems { limit } => format!("{} are fewer than {limit}", count(items(), "item", "items")),
        Kind::MaxItems { limit } => format!("{} are more than {limit}", count(items(), "item", "items")),
        Kind::MinProperties { limit } => {
            format!("{} are fewer than {limit}", count(members(), "member", "members"))
        }
        Kind::MaxProperties { limit } => {
            format!("{} are more than {limit}", count(members(), "member", "members"))
        }
        Kind::UniqueItems => "an item comes twice".to_owned(),
        Kind::Contains => "none of the items is one that the array has to contain".to_owned(),
        Kind::FalseSchema if error.evaluation_path().as_str().ends_with("/additionalProperties") => {
            "no member is allowed here".to_owned()
        }
        Kind::FalseSchema => "nothing is allowed here".to_owned(),
        Kind::Not { .. } => format!("{} is what the schema forbids", found()),
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
            format!("{} fits none of the schemas{}", found(), closest(context, record))
        }
        Kind::OneOfMultipleValid { .. } => format!("{} fits more than one of the schemas", found()),
        Kind::PropertyNames { error } => {
            // It is about a name, which stands at no place.
            format!("the name {} is not allowed: {}", value(error.instance()), message(error, None))
        }
        Kind::ContentEncoding { content_encoding } => {
            format!("{} is not encoded as {}", found(), shorten(content_encoding))
        }
        Kind::ContentMediaType { content_media_type } => {
            format!("{} is no {}", found(), shorten(content_media_type))
        }
        Kind::FromUtf8 { .. } => format!("{} is not UTF-8 once it is decoded", found()),
        Kind::BacktrackLimitExceeded { .. } => {
            format!("{} takes too many steps to match; simplify the pattern", found())
        }
        Kind::RegexEngineFailure { .. } => format!("{} cannot be matched; simplify the pattern", found()),
        Kind::Custom { message, .. } => message.clone(),
        Kind::Referencing(error) => error.to_string(),
    }
}

/// What is wrong with the alternative that went furthest into the value.
fn closest(context: &[Vec<ValidationError<'_>>], record: Option<Tree<'_>>) -> String {
    let depth = |error: &ValidationError<'_>| error.instance_path().as_str().matches('/').count();
    let best = context
        .iter()
        .enumerate()
        .filter_map(|(at, errors)| Some((at, errors.first()?)))
        // Of several that went equally far, the first.
        .max_by_key(|(at, error)| (depth(error), std::cmp::Reverse(*at)));
    match best {
        Some((at, error)) if context.len() == 1 || depth(error) > 0 => {
            let Violation { instance_path, message, .. } = violation(error, record);
            let place = if instance_path.is_empty() { String::new() } else { format!("{instance_path}: ") };
            format!("; the closest is number {}: {place}{message}", at + 1)
        }
        _ => String::new(),
    }
}

fn types(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(one) => one.as_str().to_owned(),
        TypeKind::Multiple(set) => {
            let names: Vec<&str> = set.iter().map(jsonschema::JsonType::as_str).collect();
            names.join(" or ")
        }
    }
}

fn candidates(options: &Value) -> String {
    let Some(options) = options.as_array() else { return value(options) };
    let shown: Vec<String> = options.iter().take(CANDIDATES_SHOWN).map(value).collect();
    let more = options.len().saturating_sub(CANDIDATES_SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}
