//! The schema as a document to read.

use std::collections::BTreeSet;
use std::fmt::Write;

use expect_test::expect_file;
use serde_json::Value;

use crate::schema::{ANY, mappings, schema, words};

/// What the document begins with.
const HEAD: &str = "<!-- Written by the tests of housepipe-runtime: UPDATE_EXPECT=1 cargo test -p housepipe-runtime --test pipe_file_schema -->

# The pipe file, key by key

A pipe file is YAML, 4 MiB at most. Unknown keys are errors that name the line and the nearest known key. `${env:NAME}` and `${file:PATH}`
are replaced once the file is read, in values only; a pipe of `housepipe serve` has `${file:NAME}` of its folder of secrets alone.
[pipe-file.schema.json](pipe-file.schema.json) says the same as a JSON Schema, by which editors complete and check pipe files: with the
language server for YAML, by a first line `# yaml-language-server: $schema=PATH` that has the path of that file.

README.md shows a whole file, [connecting.md](../connecting.md) a `source:` for each vendor and each way to log in.
";

fn described(root: &Value, place: &Value) -> String {
    let mut text = place["description"].as_str().unwrap_or_default().to_owned();
    // Some stand there as values and as texts.
    let mut words = words(root, place);
    let mut seen = BTreeSet::new();
    words.retain(|word| seen.insert(word.clone()));
    if !words.is_empty() && words != ["true", "false"] && !words.contains(&"earliest".to_owned()) {
        let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
        let _ = write!(text, " One of {}.", words.join(", "));
    }
    text.replace('|', "\\|")
}

fn default(place: &Value) -> String {
    match &place["default"] {
        Value::Null => String::new(),
        Value::String(text) => format!("`{text}`"),
        Value::Array(_) => "empty".to_owned(),
        value => format!("`{value}`"),
    }
}

#[test]
fn the_reference_is_what_the_schema_says() {
    let schema = schema();
    let mut text = HEAD.to_owned();
    for (path, keys) in mappings(&schema) {
        // Two that are one and the same moment in three places.
        if path.ends_with(ANY) || path.ends_with(".others") {
            continue;
        }
        let title = match path.as_str() {
            "" => "The file".to_owned(),
            path => format!("`{}`", path.replace("[0]", "[]")),
        };
        let _ = write!(text, "\n## {title}\n\n| key | | default |\n|---|---|---|\n");
        for (key, known) in keys {
            let default = if known.is_required { "required".to_owned() } else { default(known.place) };
            let _ = writeln!(text, "| `{key}` | {} | {default} |", described(&schema, known.place));
        }
    }
    expect_file!["../../../../docs/reference/pipe-file.md"].assert_eq(&text);
}
