//! `housepipe errors list`: what stands in the error table, for people and for programs.
#![expect(clippy::unwrap_used, reason = "a helper of a test that fails has failed the test")]

use housepipe_local_stack::Stack;
use housepipe_tests::{Outcome, PipeText, create_topic, housepipe, produce, query, shared_stack, unique};
use serde_json::Value;

/// Runs `errors list` with these arguments behind the pipe file.
fn list(pipe: &PipeText, arguments: &[&str]) -> Outcome {
    let all = [&["errors", "list", "pipe.yaml"], arguments].concat();
    housepipe(&all, Some(pipe), b"").wait()
}

/// The offsets of the listed errors, in their order.
fn offsets(pipe: &PipeText, arguments: &[&str]) -> Vec<i64> {
    let document = list(pipe, &[arguments, &["--json"]].concat()).expect_success().json();
    let errors = document["errors"].as_array().unwrap();
    let mut offsets: Vec<i64> = errors.iter().map(|error| error["offset"].as_i64().unwrap()).collect();
    offsets.sort_unstable();
    offsets
}

/// A pipe that has rejected the records 1, 3 and 4 of its topic.
fn rejected(stack: &Stack, name: &str) -> (PipeText, String) {
    let topic = unique(name);
    create_topic(stack, &topic, 1);
    let records: [&[u8]; 5] = [
        br#"{"id":0,"n":1}"#,
        br#"{"id":1,"n":301}"#,
        br#"{"id":2,"n":2}"#,
        b"\x1b[31mno json",
        br#"{"id":4,"n":302}"#,
    ];
    produce(stack, &topic, 1, records);
    let pipe = PipeText::new(stack, &topic).with_new_table("id UInt64, n UInt8", "id");
    let outcome = housepipe(&["run", "pipe.yaml", "--until-caught-up", "--json"], Some(&pipe), b"")
        .wait()
        .expect_success();
    assert_eq!(outcome.number("rejected"), 3);
    (pipe, topic)
}

#[test]
fn every_filter_leaves_what_it_says() {
    let stack = shared_stack();
    let (pipe, topic) = rejected(stack, "errors_filter");
    assert_eq!(offsets(&pipe, &[]), [1, 3, 4]);
    assert_eq!(offsets(&pipe, &["--limit", "2"]).len(), 2);
    assert_eq!(offsets(&pipe, &["--column", "n"]), [1, 4]);
    let code = query(stack, &format!("SELECT code FROM {topic}_clickpipes_error WHERE offset = 3"));
    assert_eq!(offsets(&pipe, &["--code", &code]), [3]);
    assert_eq!(offsets(&pipe, &["--code", &code, "--column", "n"]), Vec::<i64>::new());
    assert_eq!(
        offsets(&pipe, &["--where", "partition = 0 AND offset IN (1, 3) OR raw_message LIKE '%302%'"]),
        [1, 3, 4]
    );
    assert_eq!(offsets(&pipe, &["--since", "1h"]), [1, 3, 4]);
    assert_eq!(offsets(&pipe, &["--until", "1h"]), Vec::<i64>::new());
    assert_eq!(
        offsets(&pipe, &["--since", "2026-01-01T00:00:00Z", "--until", "2099-01-01T00:00:00+02:00"]),
        [1, 3, 4]
    );
    assert_eq!(offsets(&pipe, &["--kind", "system"]), Vec::<i64>::new());

    let columns = "pipe, kind, code, message, topic, partition, offset";
    let name = topic.replace('_', "-");
    query(
        stack,
        &format!(
            "INSERT INTO {topic}_clickpipes_error ({columns}) VALUES ('{name}', 'system', 'source', 'no broker', '{topic}', -1, -1), \
             ('other', 'record', 'x', 'of another pipe', '{topic}', 0, 9)"
        ),
    );
    assert_eq!(offsets(&pipe, &["--kind", "system"]), [-1]);
    assert_eq!(offsets(&pipe, &[]), [-1, 1, 3, 4], "and nothing of another pipe");
}

#[test]
fn people_see_a_line_each_or_groups() {
    let stack = shared_stack();
    let (pipe, topic) = rejected(stack, "errors_shown");
    let text = String::from_utf8(list(&pipe, &[]).expect_success().stdout).unwrap();
    assert!(text.contains(&format!("column n  {topic} partition 0 offset 4")), "{text}");
    assert!(text.contains(r"\u{1b}[31mno json") && !text.contains('\u{1b}'), "{text}");

    let text = String::from_utf8(list(&pipe, &["--summary"]).expect_success().stdout).unwrap();
    assert!(text.starts_with("2 × ") && text.contains("column n") && text.contains("such as: "), "{text}");
    let groups = list(&pipe, &["--summary", "--json"]).expect_success().json();
    let groups = groups["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 2, "messages that differ in numbers alone are one group: {groups:?}");
    assert_eq!((&groups[0]["records"], &groups[0]["column"]), (&Value::from(2), &Value::from("n")));
    assert_eq!(groups[0]["first"], groups[0]["last"], "both were written by one insert");
}

#[test]
fn mistakes_are_told() {
    let stack = shared_stack();
    let (pipe, topic) = rejected(stack, "errors_mistakes");
    for (arguments, words) in [
        (&["--where", "nope = 1"][..], &["`nope = 1`", "nope"][..]),
        (&["--where", "offset"], &["is not true or false"]),
        (&["--where", "count() > 1"], &["ggregat"]),
        (&["--where", "1) OR (1"], &["parentheses"]),
        (&["--where", "offset IN (SELECT 1)"], &["one expression"]),
        (&["--where", "1; DROP TABLE x"], &["one expression"]),
        (&["--where", ""], &["is empty"]),
        (&["--since", "yesterday"], &["yesterday", "2h"]),
        (&["--kind", "all"], &["record", "system"]),
        (&["--limit", "0"], &["--limit"]),
    ] {
        let outcome = list(&pipe, arguments);
        assert_eq!(outcome.code, Some(2), "{arguments:?}: {}", outcome.stderr);
        for word in words {
            assert!(outcome.stderr.contains(word), "no `{word}` in:\n{}", outcome.stderr);
        }
    }
    let outcome = list(&pipe.clone().with("error_table: { enabled: false }"), &[]);
    assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
    let outcome = list(&pipe.with("error_table: { suffix: _nowhere }"), &[]);
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains(&format!("{topic}_nowhere")), "{}", outcome.stderr);
}
