//! `housepipe preview`: rows and rejects as a run would have them, and nothing written.

use housepipe_tests::{
    PipeText, committed, create_topic, housepipe, produce, query, query_number, shared_stack, unique,
};
use serde_json::{Value, json};

#[test]
fn rejects_are_told_and_nothing_is_written() {
    let stack = shared_stack();
    let topic = unique("previewed");
    create_topic(stack, &topic, 2);
    let records: [&[u8]; 6] = [
        b"{\"id\":0,\"n\":1,\"at\":\"2026-01-01T00:00:00Z\"}",
        b"{\"id\":1,\"n\":300,\"at\":0}",
        b"\x1b[31mno json",
        b"\0\0\0\0\x07{\"id\":3,\"n\":3,\"more\":true}",
        b"{\"id\":18446744073709551615}",
        b"{\"id\":5,\"n\":-1}",
    ];
    produce(stack, &topic, 2, records);
    let pipe =
        PipeText::new(stack, &topic).with_new_table("id UInt64, n UInt8, at DateTime('Europe/Berlin')", "id");
    let outcome = housepipe(&["preview", "pipe.yaml", "--json"], Some(&pipe), b"").wait().expect_success();
    let report = outcome.json();
    assert_eq!(
        ["read", "accepted", "rejected"].map(|key| report[key].as_u64()),
        [Some(6), Some(3), Some(3)],
        "{report}"
    );
    assert_eq!(report["rejected_by_code"], json!({ "invalid_json": 1, "out_of_range": 2 }));
    assert_eq!(
        (&report["table_state"], &report["passes_stop_ratio"]),
        (&json!("will_be_created"), &json!(false))
    );
    assert_eq!(report["skipped_keys"], json!([{ "key": "more", "records": 1 }]));
    let first = &report["rejects"][0];
    assert_eq!(
        (&first["partition"], &first["offset"], &first["column"], &first["position"]),
        (&json!(1), &json!(0), &json!("n"), &json!(12)),
        "{report}"
    );
    assert_eq!(report["rows"][0]["row"], json!({ "id": 0, "n": 1, "at": "2026-01-01 01:00:00" }));
    assert!(String::from_utf8_lossy(&outcome.stdout).contains("18446744073709551615"), "no digit is lost");

    let text = housepipe(&["preview", "pipe.yaml"], Some(&pipe), b"").wait().expect_success().stdout;
    let text = String::from_utf8_lossy(&text).into_owned();
    for words in [
        "a table that a run will create",
        "partition:offset",
        "DateTime('Europe/Be…",
        "partition 1, offset 0  out_of_range  column n  at byte 12",
        r"\u{1b}[31mno json",
        "more (1)",
        "6 read: 3 rows, 3 rejected (1 invalid_json, 2 out_of_range); nothing was written",
    ] {
        assert!(text.contains(words), "no `{words}` in:\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "{text:?}");
    let newest =
        housepipe(&["preview", "pipe.yaml", "-n", "2", "--json"], Some(&pipe), b"").wait().expect_success();
    assert_eq!(newest.number("read"), 2);

    for table in [&topic, &format!("{topic}_clickpipes_error")] {
        assert_eq!(query(stack, &format!("EXISTS TABLE {table}")), "0", "{table}");
    }
    assert_eq!(committed(stack, &topic), None);
    let group = housepipe(&["offsets", "show", "-f", "pipe.yaml", "--json"], Some(&pipe), b"")
        .wait()
        .expect_success();
    assert_eq!(group.json()["group"]["state"], json!("absent"), "nobody has joined");

    // What was shown is what a run does.
    let pipe = pipe.with("error_table: { stop_ratio: off }");
    let run = housepipe(&["run", "pipe.yaml", "--until-caught-up", "--json"], Some(&pipe), b"")
        .wait()
        .expect_success();
    assert_eq!((run.number("loaded"), run.number("rejected")), (3, 3));
    let stored = query(stack, &format!("SELECT id, n, at FROM {topic} ORDER BY id FORMAT JSONEachRow"));
    let stored: Vec<Value> = stored.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut shown: Vec<Value> =
        report["rows"].as_array().unwrap().iter().map(|row| row["row"].clone()).collect();
    shown.sort_by_key(|row| row["id"].as_u64());
    let ids =
        |rows: &[Value]| rows.iter().map(|row| (row["n"].clone(), row["at"].clone())).collect::<Vec<_>>();
    assert_eq!(ids(&shown), ids(&stored));
}

#[test]
fn an_existing_table_gives_its_columns() {
    let stack = shared_stack();
    let topic = unique("preview_existing");
    create_topic(stack, &topic, 1);
    query(
        stack,
        &format!(
            "CREATE TABLE {topic} (id UInt64, word String DEFAULT 'none', twice UInt64 MATERIALIZED id * 2) ENGINE = MergeTree ORDER BY id"
        ),
    );
    produce(stack, &topic, 1, [r#"{"id":1}"#, r#"{"id":2,"word":"x"}"#, r#"{"id":"x"}"#]);
    let pipe = PipeText::new(stack, &topic);
    let report =
        housepipe(&["preview", "pipe.yaml", "--json"], Some(&pipe), b"").wait().expect_success().json();
    assert_eq!(report["table_state"], json!("exists"));
    let names: Vec<&Value> =
        report["columns"].as_array().unwrap().iter().map(|column| &column["name"]).collect();
    assert_eq!(names, [&json!("id"), &json!("word")]);
    let rows: Vec<&Value> = report["rows"].as_array().unwrap().iter().map(|row| &row["row"]).collect();
    assert_eq!(
        rows,
        [&json!({ "id": 1 }), &json!({ "id": 2, "word": "x" })],
        "the server fills the first one's word"
    );
    assert_eq!(report["rejected"], json!(1));
    let text = housepipe(&["preview", "pipe.yaml"], Some(&pipe), b"").wait().expect_success().stdout;
    assert!(String::from_utf8_lossy(&text).contains("DEFAULT"));
    assert_eq!(query_number(stack, &format!("SELECT count() FROM {topic}")), 0);

    // A mismatch ends a run, and so it ends a preview.
    let wrong = pipe.clone().with_columns("  columns: \"id String\"\n");
    let outcome = housepipe(&["preview", "pipe.yaml"], Some(&wrong), b"").wait();
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("`id`") && outcome.stderr.contains("UInt64"), "{}", outcome.stderr);
}

#[test]
fn without_clickhouse_the_columns_of_the_file_do() {
    let stack = shared_stack();
    let topic = unique("preview_away");
    create_topic(stack, &topic, 1);
    let away = |pipe: PipeText| pipe.replacing(stack.clickhouse.url(), "http://127.0.0.1:1");
    let pipe = away(PipeText::new(stack, &topic).with_new_table("id UInt64", "id"));
    let outcome = housepipe(&["preview", "pipe.yaml"], Some(&pipe), b"").wait().expect_success();
    let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
    assert!(text.contains("is empty") && text.contains("could not be asked"), "{text}");
    produce(stack, &topic, 1, [r#"{"id":1}"#]);
    let outcome = housepipe(&["preview", "pipe.yaml", "--json"], Some(&pipe), b"").wait().expect_success();
    assert_eq!((outcome.number("read"), outcome.number("accepted")), (1, 1));
    assert!(outcome.json()["without_clickhouse"].as_str().unwrap().contains("127.0.0.1:1"));

    let outcome = housepipe(&["preview", "pipe.yaml"], Some(&away(PipeText::new(stack, &topic))), b"").wait();
    assert_eq!(outcome.code, Some(1), "there are no columns: {}", outcome.stderr);
    let gone = pipe.replacing(stack.kafka.bootstrap(), "127.0.0.1:1");
    assert_eq!(housepipe(&["preview", "pipe.yaml"], Some(&gone), b"").wait().code, Some(1));
}
