//! `housepipe infer`: what it proposes loads the samples that it was proposed from.
#![expect(clippy::unwrap_used, reason = "a helper of a test that fails has failed the test")]

use std::path::PathBuf;

use housepipe_tests::{
    PipeText, committed, create_topic, housepipe, produce, query, query_number, shared_stack, unique,
};
use serde_json::{Value, json};

/// Samples of a topic of `testdata/infer`, a line each.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../testdata/infer/{name}.jsonl"));
    let text = std::fs::read(path).unwrap();
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
}

/// Infers a table for the samples, appends it to the pipe file, runs the pipe, and counts rows.
fn is_loaded_whole(name: &str, semantics: &str) {
    let stack = shared_stack();
    let topic = unique(&format!("infer_{name}"));
    create_topic(stack, &topic, 3);
    let samples = corpus(name);
    produce(stack, &topic, 3, &samples);
    let pipe = PipeText::new(stack, &topic);
    let inferred = housepipe(&["infer", "-f", "pipe.yaml"], Some(&pipe), b"").wait().expect_success();
    let text = String::from_utf8(inferred.stdout).unwrap();
    assert!(
        text.contains(&format!("Inferred from {} samples of the topic `{topic}`", samples.len())),
        "{text}"
    );
    assert!(text.contains("(partition "), "{text}");
    assert_eq!(query(stack, &format!("EXISTS TABLE {topic}")), "0", "inference writes nothing");
    assert_eq!(committed(stack, &topic), None, "and commits nothing");

    let document =
        housepipe(&["infer", "-f", "pipe.yaml", "--json"], Some(&pipe), b"").wait().expect_success().json();
    let statement = document["create_table"].as_str().unwrap().to_owned();

    let pipe = pipe.with_columns(&text).with(&format!("semantics: {semantics}"));
    housepipe(&["check", "pipe.yaml"], Some(&pipe), b"").wait().expect_success();
    let outcome = housepipe(&["run", "pipe.yaml", "--until-caught-up", "--json"], Some(&pipe), b"")
        .wait()
        .expect_success();
    let count = samples.len() as u64;
    assert_eq!(
        (outcome.number("loaded"), outcome.number("rejected")),
        (count, 0),
        "{name}: {}",
        outcome.stderr
    );
    assert_eq!(query_number(stack, &format!("SELECT count() FROM {topic}")), count);

    // The table is the one that was shown: the same statement under another name makes the same table.
    let twin = format!("{topic}_shown");
    query(stack, &statement.replacen(&format!("`{topic}`"), &twin, 1));
    let made = |table: &str| {
        query(
            stack,
            &format!(
                "SELECT replaceOne(create_table_query, '{table}', '') FROM system.tables WHERE name = '{table}' AND database = currentDatabase()"
            ),
        )
    };
    assert_eq!(made(&topic), made(&twin));
}

#[test]
fn clickstream() {
    is_loaded_whole("clickstream", "strict");
}

#[test]
fn logs() {
    is_loaded_whole("logs", "clickhouse");
}

#[test]
fn events_as_github_has_them() {
    is_loaded_whole("github", "strict");
}

#[test]
fn readings_of_devices() {
    is_loaded_whole("iot", "strict");
}

#[test]
fn orders_with_line_items() {
    is_loaded_whole("orders", "clickhouse");
}

#[test]
fn frames_and_what_is_no_object_are_told() {
    let stack = shared_stack();
    let topic = unique("infer_mixed");
    create_topic(stack, &topic, 2);
    let records: [&[u8]; 5] = [
        b"\0\0\0\0\x07{\"id\":1}",
        b"{\"id\":2}",
        b"[3]",
        b"\0\0\0\0\x07\x02\x06abc",
        b"{\"id\":5,\"id\":5}",
    ];
    produce(stack, &topic, 2, records);
    let pipe = PipeText::new(stack, &topic);
    let document =
        housepipe(&["infer", "-f", "pipe.yaml", "--json"], Some(&pipe), b"").wait().expect_success().json();
    assert_eq!(
        ["read", "samples", "refused", "framed"].map(|key| document[key].as_u64().unwrap()),
        [5, 2, 3, 2],
        "{document}"
    );
    assert_eq!(document["refused_by_code"]["not_an_object"], json!(1));
    assert!(
        document["first_refused"]["message"].is_string() && document["first_refused"]["partition"].is_u64()
    );
    assert_eq!(document["columns"][0]["type"], json!("UInt64"));
    assert_eq!(document["columns"].as_array().map(Vec::len), Some(1));
    let newest = housepipe(&["infer", "-f", "pipe.yaml", "--json", "-n", "1"], Some(&pipe), b"").wait();
    assert_eq!(newest.code, Some(1), "the newest one is no sample: {}", newest.stderr);
    assert!(
        newest.stderr.contains("1 duplicate_key") && newest.stderr.contains("partition 0, offset 2"),
        "{}",
        newest.stderr
    );
}

#[test]
fn topics_without_samples_say_what_to_do() {
    let stack = shared_stack();
    let topic = unique("infer_empty");
    create_topic(stack, &topic, 2);
    let pipe = PipeText::new(stack, &topic);
    let fails = |pipe: &PipeText, arguments: &[&str], input: &[u8], words: &[&str]| {
        let all = [&["infer", "-f", "pipe.yaml"], arguments].concat();
        let outcome = housepipe(&all, Some(pipe), input).wait();
        assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
        for word in words {
            assert!(outcome.stderr.contains(word), "no `{word}` in:\n{}", outcome.stderr);
        }
    };
    fails(&pipe, &[], b"", &[&topic, "no records", "--from"]);
    let nowhere = pipe.clone().replacing(&format!("topic: {topic}"), "topic: nowhere");
    fails(&nowhere, &[], b"", &["nowhere", "does not exist"]);
    fails(&pipe, &["--from", "-"], b"\n", &["no document", "standard input"]);
    fails(&pipe, &["--from", "absent.jsonl"], b"", &["absent.jsonl"]);

    let pasted = b"{\"id\":1,\"at\":\"2026-01-01T00:00:00Z\"}\n{\"id\":2,\"at\":\"2026-01-01T00:00:01Z\"}\n";
    let outcome =
        housepipe(&["infer", "-f", "pipe.yaml", "--from", "-"], Some(&pipe), pasted).wait().expect_success();
    let whole = pipe.with_columns(&String::from_utf8(outcome.stdout).unwrap());
    produce(stack, &topic, 2, pasted.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()));
    let outcome = housepipe(&["run", "pipe.yaml", "--until-caught-up", "--json"], Some(&whole), b"")
        .wait()
        .expect_success();
    assert_eq!(outcome.number("loaded"), 2);
}

#[test]
fn neither_clickhouse_nor_a_pipe_file_is_needed_for_documents() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page_views.jsonl");
    std::fs::write(&path, "{\"id\":1}\n").unwrap();
    let outcome =
        housepipe(&["infer", "--json", "--from", path.to_str().unwrap()], None, b"").wait().expect_success();
    let document = outcome.json();
    assert_eq!((&document["table"], &document["pipe"]), (&json!("page_views"), &Value::Null));
    assert_eq!(document["columns"][0]["decided_by"], json!({ "line": 1 }));
    let outcome = housepipe(&["infer"], None, b"").wait();
    assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
}
