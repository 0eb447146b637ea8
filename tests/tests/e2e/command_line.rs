//! The commands around `run`.

use housepipe_tests::{
    Outcome, PipeText, create_topic, housepipe, housepipe_with, produce, query, shared_stack, unique,
};
use serde_json::{Value, json};

#[test]
fn transform_writes_rows_and_explains_rejects() {
    let input = "{\"a\":1,\"b\":[{\"x\":\"é\"}]}\nnot json\n\n{\"a\":300,\"b\":[]}\n";
    let folder = tempfile::tempdir().unwrap();
    let rejects = folder.path().join("rejects.jsonl");
    let outcome = housepipe(
        &[
            "transform",
            "--columns",
            "a UInt8, b Array(Tuple(x String))",
            "--rejects",
            rejects.to_str().unwrap(),
        ],
        None,
        input.as_bytes(),
    )
    .wait()
    .expect_success();
    assert_eq!(outcome.stdout, b"\x01\x01\x02\xc3\xa9");
    let lines: Vec<Value> = std::fs::read_to_string(&rejects)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(
        (&lines[0]["line"], &lines[0]["raw"], &lines[0]["column"]),
        (&json!(2), &json!("not json"), &Value::Null)
    );
    assert_eq!((&lines[1]["line"], &lines[1]["column"]), (&json!(4), &json!("a")));
    for line in &lines {
        assert!(line["offset"].is_u64() && line["code"].is_string() && line["message"].is_string(), "{line}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn the_allocator_has_its_options() {
    let statistics =
        housepipe_with(&[("MALLOC_CONF", "stats_print:true")], &["--version"], None).wait().stderr;
    for option in ["opt.narenas: 4", "opt.dirty_decay_ms: 1000", "opt.oversize_threshold: 0"] {
        assert!(statistics.lines().any(|line| line.trim().starts_with(option)), "{option}: {statistics}");
    }
}

#[test]
fn transform_of_a_wrong_column_list_is_a_usage_error() {
    for columns in ["a UInt65", "a", "a UInt8, a UInt8", "a Nullable(Array(UInt8))"] {
        let outcome = housepipe(&["transform", "--columns", columns], None, b"{}\n").wait();
        assert_eq!(outcome.code, Some(2), "{columns}: {}", outcome.stderr);
        assert!(outcome.stdout.is_empty());
    }
}

#[test]
fn transform_overwrites_no_file_that_it_reads_or_writes_twice() {
    const INPUT: &str = "{\"a\":1}\n";
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (input, hard, soft, new) = (path("in.jsonl"), path("hard"), path("soft"), path("new"));
    std::fs::write(&input, INPUT).unwrap();
    std::fs::hard_link(&input, &hard).unwrap();
    std::os::unix::fs::symlink(&input, &soft).unwrap();
    let transform = |arguments: &[&str]| {
        housepipe(&[&["transform", "--columns", "a UInt8"], arguments].concat(), None, b"").wait()
    };
    for arguments in
        [[&*input, "-o", &input], [&input, "-o", &hard], [&soft, "-o", &input], [&input, "--rejects", &soft]]
    {
        let outcome = transform(&arguments);
        assert_eq!(outcome.code, Some(2), "{arguments:?}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("the same file"), "{arguments:?}: {}", outcome.stderr);
        assert_eq!(std::fs::read_to_string(&input).unwrap(), INPUT, "{arguments:?}");
    }
    let outcome = transform(&[&input, "-o", &new, "--rejects", &new]);
    assert_eq!((outcome.code, std::fs::exists(&new).unwrap()), (Some(2), false), "{}", outcome.stderr);
    transform(&[&input, "-o", "/dev/null", "--rejects", "/dev/null"]).expect_success();
}

#[test]
fn transform_empties_an_output_only_once_the_columns_and_the_input_are_good() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (input, output, rejects) = (path("in.jsonl"), path("out"), path("rejects"));
    std::fs::write(&input, "{\"a\":1}\n").unwrap();
    let transform = |columns: &str, input: &str| {
        for file in [&output, &rejects] {
            std::fs::write(file, "kept").unwrap();
        }
        housepipe(
            &["transform", "--columns", columns, input, "-o", &output, "--rejects", &rejects],
            None,
            b"",
        )
        .wait()
    };
    let files = || [&output, &rejects].map(|file| std::fs::read(file).unwrap());
    for (columns, input, code) in
        [("a UInt9", &*input, 2), ("a Nullable(Array(UInt8))", &input, 2), ("a UInt8", &path("absent"), 1)]
    {
        assert_eq!(transform(columns, input).code, Some(code), "{columns}");
        assert_eq!(files(), [b"kept", b"kept"], "{columns}");
    }
    transform("a UInt8", &input).expect_success();
    assert_eq!(files(), [vec![1], Vec::new()]);
}

#[test]
fn sample_shows_the_newest_records() {
    let stack = shared_stack();
    let topic = unique("sampled");
    create_topic(stack, &topic, 3);
    produce(stack, &topic, 3, (0..90).map(|id| format!("{{\"id\":{id}}}")));
    let pipe = PipeText::new(stack, &topic).with_new_table("id UInt64", "id");
    let outcome = housepipe(&["--json", "sample", "-f", "pipe.yaml", "-n", "6"], Some(&pipe), b"")
        .wait()
        .expect_success();
    let values = |outcome: Outcome| -> Vec<String> {
        let document = outcome.json();
        let records = document.as_array().unwrap().iter();
        records.map(|record| record["value"].as_str().unwrap().to_owned()).collect()
    };
    let mut newest = values(outcome);
    newest.sort();
    let expected: Vec<String> = (84..90).map(|id| format!("{{\"id\":{id}}}")).collect();
    assert_eq!(newest, expected);
    let filtered = |arguments: &[&str]| {
        let arguments = [&["--json", "sample", "-f", "pipe.yaml", "-n", "2"], arguments].concat();
        housepipe(&arguments, Some(&pipe), b"").wait().expect_success()
    };
    assert_eq!(values(filtered(&["--match", "id=7"])), ["{\"id\":7}"]);
    // Partition 0 has every third one.
    let of_partition = values(filtered(&["--contains", "\"id\":1", "--partition", "0"]));
    assert_eq!(of_partition, ["{\"id\":18}", "{\"id\":15}"], "the newest two, the newest first");
    let none = filtered(&["--match", "id=7", "--look-at", "30"]);
    assert!(none.stderr.contains("None of the newest 30 records"), "{}", none.stderr);
    assert!(values(none).is_empty());
    let wrong = housepipe(&["sample", "-f", "pipe.yaml", "--match", "id"], Some(&pipe), b"").wait();
    assert!(wrong.code == Some(2) && wrong.stderr.contains("PATH=VALUE"), "{}", wrong.stderr);
    assert_eq!(query(stack, &format!("EXISTS TABLE {topic}")), "0", "a sample writes nothing");
}

#[test]
fn check_passes_a_good_pipe_and_writes_nothing() {
    let stack = shared_stack();
    let topic = unique("checked");
    create_topic(stack, &topic, 1);
    let pipe = PipeText::new(stack, &topic).with_new_table("id UInt64", "id");
    let report =
        housepipe(&["--json", "check", "pipe.yaml"], Some(&pipe), b"").wait().expect_success().json();
    assert_eq!(report["passed"], json!(true));
    for name in ["broker", "topic", "clickhouse", "table", "columns", "grants", "deduplication"] {
        let check = report["checks"].as_array().unwrap().iter().find(|check| check["name"] == name);
        assert_eq!(check.map(|check| &check["verdict"]), Some(&json!("ok")), "{name}: {report}");
    }
    assert_eq!(query(stack, &format!("EXISTS TABLE {topic}")), "0");
}

#[test]
fn check_says_whether_a_repeated_insert_is_dropped_and_how_to_mend_it() {
    let stack = shared_stack();
    let topic = unique("check_window");
    create_topic(stack, &topic, 4);
    query(stack, &format!("CREATE TABLE {topic} (id UInt64) ENGINE = MergeTree ORDER BY id"));
    let pipe = PipeText::new(stack, &topic);
    let check = || {
        let report =
            housepipe(&["--json", "check", "pipe.yaml"], Some(&pipe), b"").wait().expect_success().json();
        let checks = report["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["name"] == "deduplication").unwrap();
        (check["verdict"].clone(), check["detail"].as_str().unwrap().to_owned())
    };
    let (verdict, detail) = check();
    assert_eq!(verdict, json!("warning"), "{detail}");
    let statement = detail.split("to mend it: ").nth(1).unwrap().split(';').next().unwrap();
    assert!(statement.starts_with("ALTER TABLE") && detail.contains("fsync_after_insert = 1"), "{detail}");
    query(stack, statement);
    // 4 partitions, each with an insert every 5 s, and 10,000 of them are remembered.
    let (verdict, detail) = check();
    assert_eq!(verdict, json!("ok"), "{detail}");
    assert!(detail.contains("within 12500 s") && detail.contains("0.80 inserts/s"), "{detail}");
}

#[test]
fn check_fails_on_both_ends_at_once() {
    let stack = shared_stack();
    let topic = unique("check_fails");
    let pipe = PipeText::new(stack, &topic);
    let outcome = housepipe(&["--json", "check", "pipe.yaml"], Some(&pipe), b"").wait();
    assert_eq!(outcome.code, Some(1));
    let report = outcome.json();
    let failed: Vec<&str> = report["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|check| check["verdict"] == "failed")
        .map(|check| check["name"].as_str().unwrap())
        .collect();
    assert_eq!(failed, ["broker and topic", "table"], "{report}");
}
