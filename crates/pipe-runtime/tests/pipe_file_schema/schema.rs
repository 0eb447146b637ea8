//! The schema as a document, and ways through it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use expect_test::expect_file;
use housepipe_runtime::{PIPE_FILE_SCHEMA, PipeFile, Problem};
use serde_json::{Value, json};

/// What stands in a path for any key of a mapping whose keys the user chooses.
pub(crate) const ANY: &str = "*";

/// Something at the root of the checkout.
pub(crate) fn root(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

pub(crate) fn schema() -> Value {
    serde_json::from_str(PIPE_FILE_SCHEMA).unwrap()
}

#[test]
fn the_schema_is_among_the_documents() {
    expect_file!["../../../../docs/reference/pipe-file.schema.json"].assert_eq(PIPE_FILE_SCHEMA);
}

/// The schema that `place` stands for: itself, or what its `$ref` names.
fn resolved<'a>(root: &'a Value, place: &'a Value) -> &'a Value {
    match place["$ref"].as_str() {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).unwrap(),
        None => place,
    }
}

/// The alternatives that a value may be, one level deep or more.
fn alternatives<'a>(root: &'a Value, place: &'a Value) -> Vec<&'a Value> {
    let place = resolved(root, place);
    let inner = place["anyOf"].as_array().into_iter().flatten();
    let mut all = vec![place];
    for alternative in inner {
        all.extend(alternatives(root, alternative));
    }
    all
}

/// A key of the pipe file as the schema has it.
pub(crate) struct Key<'a> {
    /// The key, with its description.
    pub(crate) place: &'a Value,
    pub(crate) is_required: bool,
}

/// Every mapping with known keys, by its path: `` for the file, `source.offset.partitions.*` for one that stands at any key.
pub(crate) fn mappings(root: &Value) -> BTreeMap<String, BTreeMap<&str, Key<'_>>> {
    let mut found = BTreeMap::new();
    walk(root, root, "", &mut found);
    found
}

fn walk<'a>(
    root: &'a Value,
    place: &'a Value,
    path: &str,
    found: &mut BTreeMap<String, BTreeMap<&'a str, Key<'a>>>,
) {
    let join = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    for alternative in alternatives(root, place) {
        if let Some(properties) = alternative["properties"].as_object() {
            assert_eq!(alternative["additionalProperties"], json!(false), "{path}: unknown keys are errors");
            let required = alternative["required"].as_array().into_iter().flatten();
            let required: Vec<&str> = required.map(|key| key.as_str().unwrap()).collect();
            // Of two mappings in one place each may be left out for the other.
            let others = found.entry(path.to_owned()).or_default();
            let is_alone = others.is_empty();
            if !is_alone {
                others.values_mut().for_each(|other| other.is_required = false);
            }
            for (key, inner) in properties {
                let is_required = is_alone && required.contains(&key.as_str());
                found.entry(path.to_owned()).or_default().insert(key, Key { place: inner, is_required });
                walk(root, inner, &join(key), found);
            }
        }
        if alternative["additionalProperties"].is_object() {
            walk(root, &alternative["additionalProperties"], &join(ANY), found);
        }
        if alternative["items"].is_object() {
            walk(root, &alternative["items"], &format!("{path}[0]"), found);
        }
    }
}

/// The words that a value may be, where there is a closed list of them.
pub(crate) fn words(root: &Value, place: &Value) -> Vec<String> {
    let listed = alternatives(root, place).into_iter().flat_map(|alternative| {
        let is_flag = alternative["type"] == "boolean";
        let words = alternative["enum"].as_array().into_iter().flatten();
        let words = words.map(|word| word.as_str().unwrap().to_owned());
        words.chain(["true", "false"].iter().filter(move |_| is_flag).map(|word| (*word).to_owned()))
    });
    listed.collect()
}

/// Whether the value may be a mapping whose keys the user chooses.
pub(crate) fn has_free_keys(root: &Value, place: &Value) -> bool {
    alternatives(root, place).iter().any(|alternative| alternative["additionalProperties"].is_object())
}

/// What is wrong with a document, or nothing.
pub(crate) fn problems(document: &Value) -> Vec<Problem> {
    // JSON is YAML.
    PipeFile::parse(&document.to_string(), "pipe.yaml").err().map_or_else(Vec::new, |error| error.problems)
}

/// A pipe file that is right.
pub(crate) fn least() -> Value {
    json!({
        "name": "clicks",
        "source": { "type": "kafka", "brokers": "localhost:9092", "topic": "clicks" },
        "destination": { "url": "http://localhost:8123", "table": "clicks" },
    })
}

/// `document` with `value` at `path`, where mappings and lists on the way are made as they are missing.
pub(crate) fn with(mut document: Value, path: &str, value: Value) -> Value {
    let mut place = &mut document;
    for step in path.split('.') {
        let (key, is_list) = match step.strip_suffix("[0]") {
            Some(key) => (key, true),
            None => (step, false),
        };
        // Partitions are numbered; other free keys are texts, of which a number is one.
        let key = if key == ANY { "0" } else { key };
        if !place.is_object() {
            *place = json!({});
        }
        place = place.as_object_mut().unwrap().entry(key).or_insert(Value::Null);
        if is_list {
            if !place.is_array() {
                *place = json!([{ "name": "id", "type": "UInt64" }]);
            }
            place = &mut place[0];
        }
    }
    *place = value;
    document
}
