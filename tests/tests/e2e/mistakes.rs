//! Wrong set-ups end in one clear message and the documented exit code, without a panic and without a secret.

use housepipe_local_stack::{USER_APP, USER_LIMITED, USER_SCRAM, User};
use housepipe_tests::{
    Outcome, PipeText, create_topic, housepipe, query, query_number, shared_stack, unique,
};

/// Runs the pipe and expects it to fail with exit code 1 and all of `words` in its message.
fn fails_with(pipe: &PipeText, words: &[&str]) -> Outcome {
    let outcome =
        housepipe(&["--log", "error", "run", "pipe.yaml", "--until-caught-up"], Some(pipe), b"").wait();
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    for word in words {
        assert!(outcome.stderr.contains(word), "no `{word}` in:\n{}", outcome.stderr);
    }
    assert!(
        !outcome.stderr.contains("panicked") && !outcome.stderr.contains("backtrace"),
        "{}",
        outcome.stderr
    );
    outcome
}

fn sample_pipe() -> (PipeText, String) {
    let stack = shared_stack();
    let topic = unique("mistake");
    create_topic(stack, &topic, 1);
    (PipeText::new(stack, &topic).with_new_table("id UInt64", "id"), topic)
}

#[test]
fn wrong_kafka_password() {
    let stack = shared_stack();
    let (pipe, _) = sample_pipe();
    let pipe = pipe.with_sasl(stack, "SCRAM-SHA-512", USER_SCRAM.name, "hunter2");
    let outcome = fails_with(&pipe, &["password"]);
    assert!(!outcome.stderr.contains("hunter2"), "{}", outcome.stderr);
}

#[test]
fn wrong_clickhouse_password() {
    let (pipe, _) = sample_pipe();
    let outcome = fails_with(
        &pipe.with_clickhouse_user(User { password: "hunter3", ..USER_APP }),
        &["app", "password"],
    );
    assert!(!outcome.stderr.contains("hunter3"), "{}", outcome.stderr);
}

#[test]
fn unknown_topic() {
    let (pipe, topic) = sample_pipe();
    fails_with(&pipe.replacing(&format!("topic: {topic}"), "topic: nowhere"), &["nowhere"]);
}

#[test]
fn unreachable_broker() {
    let stack = shared_stack();
    let (pipe, _) = sample_pipe();
    fails_with(&pipe.replacing(stack.kafka.bootstrap(), "127.0.0.1:1"), &["127.0.0.1:1"]);
}

#[test]
fn unreachable_clickhouse() {
    let stack = shared_stack();
    let (pipe, _) = sample_pipe();
    fails_with(&pipe.replacing(stack.clickhouse.url(), "http://127.0.0.1:1"), &["127.0.0.1:1"]);
}

#[test]
fn missing_table() {
    let stack = shared_stack();
    let topic = unique("no_table");
    create_topic(stack, &topic, 1);
    fails_with(&PipeText::new(stack, &topic), &[&topic, "does not exist", "managed_table"]);
}

#[test]
fn missing_database() {
    let (pipe, _) = sample_pipe();
    fails_with(&pipe.replacing("database: housepipe", "database: nowhere"), &["nowhere"]);
}

#[test]
fn column_of_another_type() {
    let stack = shared_stack();
    let (pipe, topic) = sample_pipe();
    query(stack, &format!("CREATE TABLE {topic} (id String) ENGINE = MergeTree ORDER BY id"));
    fails_with(&pipe, &["`id`", "String", "UInt64"]);
}

#[test]
fn missing_grant() {
    let stack = shared_stack();
    let (pipe, topic) = sample_pipe();
    query(stack, &format!("CREATE TABLE {topic} (id UInt64) ENGINE = MergeTree ORDER BY id"));
    fails_with(&pipe.with_clickhouse_user(USER_LIMITED), &["limited"]);
    assert_eq!(query_number(stack, &format!("SELECT count() FROM {topic}")), 0);
}

#[test]
fn type_that_clickhouse_cannot_hold() {
    let stack = shared_stack();
    let (pipe, topic) = sample_pipe();
    fails_with(&pipe.replacing("id UInt64\"", "id UInt64, x Nullable(Array(UInt8))\""), &["x", "Nullable"]);
    assert_eq!(query(stack, &format!("EXISTS TABLE {topic}")), "0", "no table is left behind");
}

#[test]
fn pipe_files_that_cannot_be_read_are_usage_errors() {
    let (pipe, _) = sample_pipe();
    for (broken, words) in [
        (
            pipe.clone().replacing("brokers:", "brokerz:"),
            &["pipe.yaml:4", "`source.brokerz`", "did you mean `brokers`?"][..],
        ),
        (pipe.clone().with("delivery: at_most_once"), &["`delivery`", "did you mean `at_least_once`?"]),
        (pipe.clone().with("batch: { max_rows: 0 }"), &["batch.max_rows", "from 1 to 1000000"]),
        (pipe.clone().with("batch: { max_wait: 5 }"), &["batch.max_wait", "5s"]),
        (pipe.clone().with("a: [1"), &["pipe.yaml", "not valid YAML"]),
        (pipe.clone().replacing("id UInt64\"", "id UInt65\""), &["UInt65"]),
        (
            pipe.clone().with("semantics: ${env:HOUSEPIPE_TEST_IS_NOT_SET}"),
            &["HOUSEPIPE_TEST_IS_NOT_SET", "not set"],
        ),
    ] {
        let outcome = housepipe(&["run", "pipe.yaml"], Some(&broken), b"").wait();
        assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
        for word in words {
            assert!(outcome.stderr.contains(word), "no `{word}` in:\n{}", outcome.stderr);
        }
    }
    let outcome = housepipe(&["run", "absent.yaml"], None, b"").wait();
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("absent.yaml"), "{}", outcome.stderr);
    assert_eq!(housepipe(&["run"], None, b"").wait().code, Some(2));
    assert_eq!(housepipe(&["rnu"], None, b"").wait().code, Some(2));
}
