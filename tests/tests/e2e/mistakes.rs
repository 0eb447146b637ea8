//! Wrong set-ups end in one clear message and the documented exit code, without a panic and without a secret.

use housepipe_local_stack::{KafkaOptions, USER_APP, USER_LIMITED, USER_SCRAM, USER_WRITER, User};
use housepipe_tests::{
    Numbered, Outcome, PipeText, committed, create_topic, group_of, housepipe, own_stack, own_stack_with,
    produce, query, query_number, shared_stack, unique,
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

/// At a broker as most are: one that takes sessions of 6 s and more.
#[test]
fn a_session_that_the_broker_does_not_take() {
    let stack = own_stack_with(KafkaOptions::default().with_settings("group.min.session.timeout.ms=6000"));
    create_topic(&stack, "short", 1);
    let pipe = PipeText::new(&stack, "short").with_new_table("id UInt64", "id");
    let arguments = ["--log", "error", "run", "pipe.yaml", "--until-caught-up", "--session-timeout", "2"];
    let outcome = housepipe(&arguments, Some(&pipe), b"").wait();
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    for words in ["2000 ms", "group.min.session.timeout.ms", "--session-timeout"] {
        assert!(outcome.stderr.contains(words), "no `{words}` in:\n{}", outcome.stderr);
    }
}

/// A hold ends a run that is to end by itself, also where Kafka is what has to be mended.
#[test]
fn commits_that_the_broker_does_not_take() {
    let stack = own_stack_with(KafkaOptions::default().with_settings("offset.metadata.max.bytes=10"));
    for mode in ["at_least_once", "exactly_once"] {
        let mut numbered = Numbered::new(&stack, &unique("uncommitted"), 1, false);
        numbered.produce(&stack, 100);
        let pipe = numbered.pipe(&stack).with(&format!("delivery: {mode}"));
        let outcome =
            fails_with(&pipe, &["takes no commit", "offset.metadata.max.bytes", &group_of(numbered.topic())]);
        assert_eq!(committed(&stack, numbered.topic()), None, "{mode}: {}", outcome.stderr);
    }
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

/// What the preflight says that failed.
#[expect(clippy::unwrap_used, reason = "a helper of a test that fails has failed the test")]
fn failed_checks(pipe: &PipeText) -> Vec<String> {
    let outcome = housepipe(&["check", "pipe.yaml", "--json"], Some(pipe), b"").wait();
    let checks = outcome.json()["checks"].as_array().unwrap().clone();
    let failed: Vec<String> = checks
        .iter()
        .filter(|check| check["verdict"] == "failed")
        .map(|check| check["detail"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(outcome.code, Some(i32::from(!failed.is_empty())), "{}", outcome.stderr);
    failed
}

#[test]
fn a_user_that_may_not_look_back_delivers_at_least_once_and_not_exactly_once() {
    let stack = shared_stack();
    let topic = unique("no_look_back");
    create_topic(stack, &topic, 1);
    produce(stack, &topic, 1, ["{\"id\":1}"]);
    let settings = "SETTINGS non_replicated_deduplication_window = 100";
    query(stack, &format!("CREATE TABLE {topic} (id UInt64) ENGINE = MergeTree ORDER BY id {settings}"));
    let owned = PipeText::new(stack, &topic);
    let pipe = owned.clone().with_clickhouse_user(USER_WRITER);
    let exactly_once = pipe.clone().with("delivery: exactly_once");
    // The error table is made by who may.
    let run = |pipe: &PipeText| housepipe(&["run", "pipe.yaml", "--until-caught-up"], Some(pipe), b"").wait();
    run(&owned).expect_success();
    let grants = [
        format!("GRANT SELECT ON `housepipe`.`{topic}` TO `writer`"),
        "GRANT SELECT ON system.parts TO `writer`".to_owned(),
        "GRANT CREATE TEMPORARY TABLE ON *.* TO `writer`".to_owned(),
        format!("GRANT SELECT ON `housepipe`.`{topic}_clickpipes_error` TO `writer`"),
    ];
    let words: Vec<&str> = grants.iter().map(String::as_str).chain(["exactly_once"]).collect();
    fails_with(&exactly_once, &words);
    let failed = failed_checks(&exactly_once);
    assert_eq!(failed.len(), grants.len(), "{failed:?}");
    for grant in &grants {
        assert!(failed.iter().any(|detail| detail.ends_with(grant.as_str())), "no `{grant}` in {failed:?}");
    }
    assert_eq!(failed_checks(&pipe), Vec::<String>::new());
    produce(stack, &topic, 1, ["{\"id\":2}"]);
    run(&pipe).expect_success();
    assert_eq!(query_number(stack, &format!("SELECT count() FROM {topic}")), 2);
}

#[test]
fn a_server_without_long_sessions_is_refused_exactly_once_until_it_has_them() {
    let mut stack = own_stack();
    let topic = "short_sessions";
    create_topic(&stack, topic, 1);
    produce(&stack, topic, 1, ["{\"id\":1}"]);
    let file = stack.clickhouse.folder().join(".clickhouse-local/config.xml");
    let text = std::fs::read_to_string(&file).unwrap();
    let mut allow = |seconds: u32| {
        let setting = format!("<max_session_timeout>{seconds}</max_session_timeout></clickhouse>");
        std::fs::write(&file, text.replace("</clickhouse>", &setting)).unwrap();
        stack.clickhouse.restart().unwrap();
        PipeText::new(&stack, topic).with_new_table("id UInt64", "id").with("delivery: exactly_once")
    };
    let pipe = allow(20);
    let mend = "set <max_session_timeout>30</max_session_timeout>";
    fails_with(&pipe, &["opens no session of 30 s", mend]);
    let failed = failed_checks(&pipe);
    assert!(failed.len() == 1 && failed[0].contains(mend), "{failed:?}");
    let pipe = allow(30);
    assert_eq!(failed_checks(&pipe), Vec::<String>::new());
    housepipe(&["run", "pipe.yaml", "--until-caught-up"], Some(&pipe), b"").wait().expect_success();
}

#[test]
fn type_that_clickhouse_cannot_hold() {
    let stack = shared_stack();
    let (pipe, topic) = sample_pipe();
    fails_with(&pipe.replacing("id UInt64\"", "id UInt64, x Nullable(Array(UInt8))\""), &["x", "Nullable"]);
    assert_eq!(query(stack, &format!("EXISTS TABLE {topic}")), "0", "no table is left behind");
}

/// The preflight and a preview say beforehand what would end a run.
#[test]
fn keys_that_no_table_can_have() {
    let stack = shared_stack();
    for (columns, order_by, words) in [
        ("id UInt64", "tsx", "tsx"),
        ("id Nullable(UInt64)", "id", "nullable"),
        ("id String", "toYYYYMM(id)", "toYYYYMM"),
    ] {
        let topic = unique("no_such_key");
        create_topic(stack, &topic, 1);
        let pipe = PipeText::new(stack, &topic).with_new_table(columns, order_by);
        let failed = failed_checks(&pipe);
        assert!(
            failed.len() == 1 && failed[0].contains("refused the definition") && failed[0].contains(words),
            "{failed:?}"
        );
        let preview = housepipe(&["preview", "pipe.yaml"], Some(&pipe), b"").wait();
        assert_eq!(preview.code, Some(1), "{}", preview.stderr);
        assert!(preview.stderr.contains(words), "{}", preview.stderr);
        fails_with(&pipe, &["refused the creation", words]);
        assert_eq!(query(stack, &format!("EXISTS TABLE {topic}")), "0");
    }
}

/// The server counts a dash three times. Nothing is created of a pipe whose error table could not be.
#[test]
fn names_that_are_too_long() {
    let stack = shared_stack();
    let (pipe, topic) = sample_pipe();
    let words = "is longer than a table's name may be in this database";
    let tables = || query(stack, "SELECT name FROM system.tables WHERE database = 'housepipe'");
    let long = "a-".repeat(48);
    let is_too_long = |pipe: &PipeText, name: &str| {
        let failed = failed_checks(pipe);
        assert!(failed.len() == 1 && failed[0].contains(words) && failed[0].contains(name), "{failed:?}");
        fails_with(pipe, &[words, name]);
        assert!(!tables().contains(name), "{}", tables());
    };
    let named = pipe.clone().replacing(&format!("table: {topic}"), &format!("table: {long}"));
    is_too_long(&named, &long);
    // The table is there, and the error table is to be made.
    query(stack, &format!("CREATE TABLE {topic} (id UInt64) ENGINE = MergeTree ORDER BY id"));
    let suffix = "-".repeat(70);
    is_too_long(&pipe.with(&format!("error_table: {{ suffix: '{suffix}' }}")), &suffix);
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
