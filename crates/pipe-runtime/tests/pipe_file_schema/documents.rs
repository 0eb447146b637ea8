//! The pipe files of the documents, by the parser and by the schema.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use housepipe_json_schema::{Options, Schema, Validator};
use housepipe_runtime::{Document, PIPE_FILE_SCHEMA, PipeFile};
use serde_json::{Value, json};

use crate::schema::root;

fn validator() -> Validator {
    let no_others: [(&str, &str); 0] = [];
    Validator::new(Schema::compile(PIPE_FILE_SCHEMA, no_others, &Options::default()).unwrap())
}

/// README.md and all of docs/.
fn documents() -> Vec<PathBuf> {
    fn below(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                below(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    let mut found = vec![root("README.md")];
    below(&root("docs"), &mut found);
    found.sort();
    found
}

/// Blocks of YAML, which are pipe files or blocks of one; those of something else begin with a comment that names its file.
fn blocks(text: &str) -> Vec<&str> {
    let blocks = text.split("\n```yaml\n").skip(1).map(|rest| rest.split("\n```").next().unwrap());
    blocks.filter(|block| !block.starts_with("# ")).collect()
}

/// The block as a whole pipe file, with a text in place of each reference.
fn whole(block: &str) -> String {
    // A key that belongs into `source:` is shown as it stands there.
    let mut text = if block.starts_with("  ") { format!("source:\n{block}") } else { block.to_owned() };
    while let Some((before, rest)) = text.split_once("${") {
        text = format!("{before}hush{}", rest.split_once('}').unwrap().1);
    }
    let has = |key: &str| text.lines().any(|line| line.starts_with(&format!("{key}:")));
    let mut whole = String::new();
    if !has("name") {
        whole += "name: clicks\n";
    }
    if !has("source") {
        whole += "source: { type: kafka, brokers: 'localhost:9092', topic: clicks }\n";
    }
    if !has("destination") {
        whole += "destination: { url: 'http://localhost:8123', table: clicks }\n";
    }
    let text = match text.starts_with("source:\n  offset:") {
        true => text.replacen(
            "source:\n",
            "source:\n  type: kafka\n  brokers: localhost:9092\n  topic: clicks\n",
            1,
        ),
        false => text,
    };
    // Its keys come from the environment, which this one does not have.
    let key = "auth: { mechanism: AWS_MSK_IAM, access_key_id: id, secret_access_key: hush }";
    format!("{whole}{}\n", text.replace("auth: { mechanism: AWS_MSK_IAM }", key))
}

#[test]
fn every_pipe_file_of_the_documents_is_read_and_fits_the_schema() {
    let mut validator = validator();
    let mut read = 0;
    for path in documents() {
        for block in blocks(&std::fs::read_to_string(&path).unwrap()) {
            let (whole, name) = (whole(block), path.display().to_string());
            if let Err(error) = PipeFile::parse(&whole, &name) {
                panic!("{error}\n\n{whole}");
            }
            let document = serde_json::to_string(&Document::parse(&whole, &name).unwrap()).unwrap();
            if let Err(rejected) = validator.check(document.as_bytes()) {
                panic!("{name}: {rejected}\n\n{whole}");
            }
            read += 1;
        }
    }
    assert!(read >= 15, "{read}");
}

#[test]
fn what_the_parser_refuses_the_schema_refuses() {
    let mut validator = validator();
    let source = "source: { type: kafka, brokers: 'localhost:9092', topic: clicks }\n";
    let destination = "destination: { url: 'http://localhost:8123', table: clicks }\n";
    for wrong in [
        format!("name: clicks\n{source}"),
        format!("name: Clicks\n{source}{destination}"),
        format!(
            "name: clicks\n{destination}source: {{ type: kafka, brokers: 'localhost:9092', topic: t, consumer_group: \"g\\u0000x\" }}\n"
        ),
        format!(
            "name: clicks\n{destination}source: {{ type: kafka, brokers: 'localhost:9092', topic: t, consumer_group: {} }}\n",
            "g".repeat(250)
        ),
        format!("name: clicks\nsuorce: {{}}\n{destination}"),
        format!("name: clicks\n{source}{destination}delivery: twice\n"),
        format!("name: clicks\n{source}{destination}batch: {{ max_rows: 0 }}\n"),
        format!("name: clicks\n{source}{destination}batch: {{ max_wait: 5 }}\n"),
        format!("name: clicks\n{source}{destination}batch: {{ max_bytes: 1.5MiB }}\n"),
        format!("name: clicks\n{source}{destination}error_table: {{ stop_ratio: 2 }}\n"),
        format!("name: clicks\n{source}{destination}error_table: {{ enabled: maybe }}\n"),
        format!(
            "name: clicks\n{destination}source: {{ type: kafka, brokers: 'localhost:9092', topic: t, offset: 7 }}\n"
        ),
        format!(
            "name: clicks\n{destination}source: {{ type: kafka, brokers: 'localhost:9092', topic: t, tls: {{ key: k }} }}\n"
        ),
        format!(
            "name: clicks\n{source}destination: {{ url: 'http://localhost:8123', table: t, managed_table: {{}} }}\n"
        ),
        format!(
            "name: clicks\n{source}destination: {{ url: 'http://localhost:8123', table: t, columns: [{{ name: id, type: UInt8, from: a, value: 1 }}] }}\n"
        ),
    ] {
        assert!(PipeFile::parse(&wrong, "pipe.yaml").is_err(), "{wrong}");
        let document = serde_json::to_string(&Document::parse(&wrong, "pipe.yaml").unwrap()).unwrap();
        assert!(validator.check(document.as_bytes()).is_err(), "{wrong}");
    }
}

/// The place of each value in a document, as a JSON pointer.
fn places(value: &Value, place: &str, found: &mut Vec<String>) {
    found.push(place.to_owned());
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(key, inner)| places(inner, &format!("{place}/{key}"), found));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, inner)| places(inner, &format!("{place}/{at}"), found));
        }
        _ => {}
    }
}

/// Each pipe file of the documents, with one value after the other in each place of it.
#[test]
fn what_the_schema_refuses_the_parser_refuses() {
    let others = json!([
        null,
        "",
        " ",
        "x",
        "\u{1}",
        "true",
        "7",
        "0.5",
        "1e3",
        "1_000",
        "7 s",
        "off",
        7,
        -1,
        0,
        1.5,
        1e30,
        true,
        false,
        [],
        ["x"],
        [1],
        {}
    ]);
    let mut validator = validator();
    let mut stricter = BTreeSet::new();
    for path in documents() {
        for block in blocks(&std::fs::read_to_string(&path).unwrap()) {
            let document = Document::parse(&whole(block), "pipe.yaml").unwrap();
            let document = serde_json::to_value(&document).unwrap();
            let mut all = Vec::new();
            places(&document, "", &mut all);
            for (place, other) in all
                .iter()
                .flat_map(|place| others.as_array().unwrap().iter().map(move |other| (place, other)))
            {
                let mut changed = document.clone();
                *changed.pointer_mut(place).unwrap() = other.clone();
                let changed = changed.to_string();
                if PipeFile::parse(&changed, "pipe.yaml").is_ok()
                    && validator.check(changed.as_bytes()).is_err()
                {
                    stricter.insert(format!("{place}: {other}"));
                }
            }
        }
    }
    assert!(stricter.is_empty(), "{stricter:#?}");
}
