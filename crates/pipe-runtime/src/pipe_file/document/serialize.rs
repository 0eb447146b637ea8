//! A document as serde sees it: a mapping keeps its order, a number its digits.

use std::collections::HashSet;
use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Deserializer, Serialize};

use super::Document;
use crate::pipe_file::WORD_LETTERS_MAX;
use crate::pipe_file::suggest::cut;
use crate::pipe_file::yaml::{DEPTH_MAX, Entry, Node, Value};

/// Whole numbers up to here are exact in every reader of JSON (RFC 8259, section 6).
const EXACT_MAX: u64 = 1 << 53;

/// Keys that one mapping may have, at most.
const KEYS_MAX: usize = 10_000;
/// Items that one list may have, at most.
const ITEMS_MAX: usize = 10_000;

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.root.serialize(serializer)
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.value {
            Value::Null => serializer.serialize_unit(),
            Value::Text(text) => serializer.serialize_str(text),
            // Only what every reader of JSON takes as it stands here: browsers round beyond 2^53, and write 1.0 as 1.
            Value::Plain(text) => match (text.as_str(), text.parse::<i64>()) {
                ("true", _) => serializer.serialize_bool(true),
                ("false", _) => serializer.serialize_bool(false),
                (_, Ok(number)) if number.to_string() == *text && number.unsigned_abs() <= EXACT_MAX => {
                    serializer.serialize_i64(number)
                }
                _ => serializer.serialize_str(text),
            },
            Value::List(items) => serializer.collect_seq(items),
            Value::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for entry in entries {
                    map.serialize_entry(&entry.key, &entry.node)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Document, D::Error> {
        Level { left: DEPTH_MAX }.deserialize(deserializer).map(|root| Document { root })
    }
}

/// Reads one value, and so many levels below it at most.
#[derive(Clone, Copy)]
struct Level {
    left: usize,
}

impl Level {
    fn below<E: de::Error>(self) -> Result<Level, E> {
        let left = self.left.checked_sub(1);
        left.map(|left| Level { left })
            .ok_or_else(|| E::custom(format!("nested deeper than {DEPTH_MAX} levels")))
    }
}

/// A value that came without a place in a file.
fn node<E>(value: Value) -> Result<Node, E> {
    Ok(Node { line: 0, value })
}

impl<'de> DeserializeSeed<'de> for Level {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a part of a pipe file")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
        node(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Node, E> {
        node(Value::Plain(value.to_string()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Node, E> {
        node(Value::Plain(value.to_string()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Node, E> {
        node(Value::Plain(value.to_string()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Node, E> {
        // With its point, as it was sent.
        node(Value::Plain(format!("{value:?}")))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Node, E> {
        node(Value::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let below = self.below()?;
        let mut nodes = Vec::new();
        while let Some(item) = items.next_element_seed(below)? {
            if nodes.len() == ITEMS_MAX {
                return Err(de::Error::custom(format!("more than {ITEMS_MAX} items in one list")));
            }
            nodes.push(item);
        }
        node(Value::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Node, A::Error> {
        let below = self.below()?;
        let (mut entries, mut keys) = (Vec::new(), HashSet::new());
        while let Some(key) = pairs.next_key::<String>()? {
            if keys.len() == KEYS_MAX {
                return Err(de::Error::custom(format!("more than {KEYS_MAX} keys in one mapping")));
            }
            if !keys.insert(key.clone()) {
                return Err(de::Error::custom(format!(
                    "the key `{}` stands twice",
                    cut(&key, WORD_LETTERS_MAX)
                )));
            }
            let node = pairs.next_value_seed(below)?;
            entries.push(Entry { key, line: 0, node });
        }
        node(Value::Map(entries))
    }
}
