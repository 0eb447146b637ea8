//! Pieces of records and schemas in messages, each with a limit.

use serde_json::Value;

use crate::limits::{MESSAGE_BYTES, QUOTE_BYTES};
use crate::record::{Kind, Tree};

/// The text itself, or its beginning.
pub(super) fn shorten(text: &str) -> String {
    cut(text, MESSAGE_BYTES)
}

fn cut(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    format!("{}…", text.get(..text.floor_char_boundary(bytes_max)).unwrap_or_default())
}

/// A name or a text in quotes, as JSON writes it.
pub(super) fn text(text: &str) -> String {
    let quoted = Value::from(cut(text, QUOTE_BYTES)).to_string();
    // An escape may take six bytes for one.
    cut(&quoted, 2 * QUOTE_BYTES)
}

/// Names in quotes, the first few of them.
pub(super) fn list<'n>(names: impl ExactSizeIterator<Item = &'n str>) -> String {
    const SHOWN: usize = 3;
    let count = names.len();
    let shown: Vec<String> = names.take(SHOWN).map(text).collect();
    let more = if count > SHOWN { format!(" and {} more", count - SHOWN) } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

/// A value: a scalar as it is, of anything else what it is.
pub(super) fn value(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => cut(&number.to_string(), QUOTE_BYTES),
        Value::String(value) => text(value),
        Value::Array(items) => array(items.len() as u64),
        Value::Object(members) => object(members.len() as u64),
    }
}

/// The same of a record's value.
pub(super) fn entry(record: Tree<'_>, at: u32) -> String {
    let Some(item) = record.item(at) else { return String::new() };
    match item.kind {
        Kind::Array => array(u64::from(item.count())),
        Kind::Object => object(u64::from(item.count())),
        Kind::String | Kind::Name | Kind::Shadowed => text(record.text(item)),
        Kind::Null | Kind::False | Kind::True | Kind::Number => value(&record.to_value(at)),
    }
}

fn array(items: u64) -> String {
    format!("an array of {}", count(items, "item", "items"))
}

fn object(members: u64) -> String {
    format!("an object of {}", count(members, "member", "members"))
}

/// A number with its noun.
pub(super) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_quoted_beyond_its_limit() {
        assert_eq!(value(&Value::from("x")), "\"x\"");
        for long in ["ä".repeat(1000), "\u{1}".repeat(1000), "\"".repeat(1000)] {
            assert!(value(&Value::from(long.clone())).len() <= 2 * QUOTE_BYTES + 3);
            assert!(shorten(&long).len() <= MESSAGE_BYTES + 3);
        }
        let names = ["a", "b", "c", "d", "e"];
        assert_eq!(list(names.into_iter()), "\"a\", \"b\", \"c\" and 2 more");
    }
}
