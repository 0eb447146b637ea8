//! The schema beside the parser, key by key. What the parser knows is told by what it says of a key, or of a word, that nobody knows.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::schema::{has_free_keys, least, mappings, problems, schema, with, words};

/// A key and a word that resemble no other.
const UNKNOWN: &str = "qqqqqqqqqqqqqqqq";

/// Pipe files in which the block at `path` is read in each of its ways.
fn documents_with(path: &str) -> Vec<Value> {
    match path {
        "source.auth" => ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "AWS_MSK_IAM"]
            .map(|mechanism| with(least(), "source.auth.mechanism", json!(mechanism)))
            .into(),
        "source.offset.others" => {
            vec![with(least(), "source.offset.partitions", json!({ "0": "latest" }))]
        }
        _ => vec![least()],
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The list behind `words` in what is advised against the problem at `key`.
fn listed(document: &Value, key: &str, words: &str) -> BTreeSet<String> {
    let key = key.replace(".*", ".0");
    let problems = problems(document);
    let mends =
        problems.iter().filter(|problem| problem.key == key).filter_map(|problem| problem.mend.as_deref());
    let list = mends.filter_map(|mend| Some(mend.split_once(words)?.1)).next();
    let list = list.unwrap_or_else(|| panic!("no list is advised at `{key}`: {problems:?}"));
    // What stands in braces is no word, but a mapping that may stand in its place.
    list.split(", ").filter(|word| !word.starts_with('{')).map(str::to_owned).collect()
}

#[test]
fn the_keys_are_those_of_the_parser() {
    let schema = schema();
    let mappings = mappings(&schema);
    assert!(mappings.len() >= 14, "{:?}", mappings.keys());
    for (path, keys) in &mappings {
        let unknown = join(path, UNKNOWN);
        let of_parser: BTreeSet<String> = documents_with(path)
            .into_iter()
            .flat_map(|document| listed(&with(document, &unknown, json!(1)), &unknown, "known keys here: "))
            .collect();
        let of_schema: BTreeSet<String> = keys.keys().map(|key| (*key).to_owned()).collect();
        assert_eq!(of_schema, of_parser, "the keys of `{path}`, of the schema and of the parser");
    }
}

#[test]
fn what_is_no_mapping_in_the_schema_is_none_for_the_parser() {
    let schema = schema();
    let mappings = mappings(&schema);
    for (path, keys) in &mappings {
        for (key, known) in keys {
            let at = join(path, key);
            let is_list = mappings.contains_key(&format!("{at}[0]"));
            if mappings.contains_key(&at) || is_list || has_free_keys(&schema, known.place) {
                continue;
            }
            for document in documents_with(path) {
                let problems = problems(&with(document, &at, json!({ UNKNOWN: 1 })));
                let inside = format!("{}.{UNKNOWN}", at.replace(".*", ".0"));
                assert!(problems.iter().all(|problem| problem.key != inside), "`{at}`: {problems:?}");
            }
        }
    }
}

#[test]
fn the_words_are_those_of_the_parser() {
    let schema = schema();
    let mut lists = 0;
    for (path, keys) in &mappings(&schema) {
        for (key, known) in keys {
            let of_schema: BTreeSet<String> = words(&schema, known.place).into_iter().collect();
            // Where a partition starts may be said in more ways than by a word.
            if of_schema.is_empty() || of_schema.contains("earliest") {
                continue;
            }
            lists += 1;
            let at = join(path, key);
            let document = documents_with(path).remove(0);
            let of_parser = listed(&with(document, &at, json!(UNKNOWN)), &at, "one of: ");
            assert_eq!(of_schema, of_parser, "the words of `{at}`, of the schema and of the parser");
        }
    }
    assert!(lists >= 9, "{lists}");
}

#[test]
fn what_must_be_there_must_be_there_for_the_parser() {
    let schema = schema();
    for (path, keys) in &mappings(&schema) {
        for (key, _) in keys.iter().filter(|(_, known)| known.is_required) {
            let at = join(path, key).replace(".*", ".0");
            // A key beside it, so that there is a mapping.
            let document = with(documents_with(path).remove(0), &join(path, UNKNOWN), json!(1));
            let document = remove(document, &at);
            let problems = problems(&document);
            let is_missing = problems.iter().any(|problem| problem.key == at && problem.message == "missing");
            assert!(is_missing, "`{at}`: {problems:?}");
        }
    }
}

fn remove(mut document: Value, path: &str) -> Value {
    let (parent, key) = path.rsplit_once('.').map_or(("", path), |(parent, key)| (parent, key));
    let pointer = match parent {
        "" => String::new(),
        parent => format!("/{}", parent.replace("[0]", "/0").replace('.', "/")),
    };
    document.pointer_mut(&pointer).unwrap().as_object_mut().unwrap().remove(key);
    document
}

#[test]
fn the_defaults_are_those_of_the_parser() {
    let schema = schema();
    let read = |document: &Value| {
        let read = housepipe_runtime::PipeFile::parse(&document.to_string(), "pipe.yaml");
        format!("{:?}", read.unwrap_or_else(|error| panic!("{error}\n{document}")))
    };
    let mut defaults = 0;
    for (path, keys) in &mappings(&schema) {
        for (key, known) in keys.iter().filter(|(_, known)| !known.place["default"].is_null()) {
            defaults += 1;
            let at = join(path, key);
            let value = match known.place["default"].clone() {
                Value::String(text) => json!(text.replace("NAME", "clicks")),
                value => value,
            };
            let base = match at.as_str() {
                _ if path == "source.auth" => {
                    let auth = json!({ "mechanism": "PLAIN", "username": "u", "password": "p" });
                    with(with(least(), "source.auth", auth), "source.tls", json!({}))
                }
                "schema_registry.allow_without_tls" => {
                    with(least(), "schema_registry.url", json!("http://localhost/subjects/s"))
                }
                "source.offset.others" => with(least(), "source.offset.partitions", json!({ "0": 1 })),
                _ if path == "destination.managed_table" => {
                    let base = with(least(), "destination.columns", json!("id UInt64"));
                    with(base, "destination.managed_table", json!({}))
                }
                _ => least(),
            };
            assert_eq!(read(&with(base.clone(), &at, value)), read(&base), "the default of `{at}`");
        }
    }
    assert!(defaults >= 20, "{defaults}");
}
