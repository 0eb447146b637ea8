//! `housepipe new` on a terminal, from an empty folder to rows.
#![expect(clippy::unwrap_used, reason = "a helper of a test that fails has failed the test")]

use housepipe_local_stack::{DATABASE, SchemaText, Stack, USER_APP, USER_SCRAM};
use housepipe_tests::{
    Terminal, create_topic, housepipe, housepipe_with, own_registry, produce, query, query_number,
    shared_stack, unique,
};

/// How many files and folders it has left.
fn left_behind(terminal: &Terminal) -> usize {
    std::fs::read_dir(terminal.folder()).unwrap().count()
}

/// A topic with a hundred records.
fn topic(stack: &Stack, name: &str) -> String {
    let topic = unique(name);
    create_topic(stack, &topic, 3);
    let record = |id: usize| {
        format!(
            "{{\"id\":{id},\"kind\":\"k{}\",\"at\":\"2026-01-01T00:00:{:02}Z\",\"price\":{id}.5}}",
            id % 3,
            id % 60
        )
    };
    produce(stack, &topic, 3, (0..100).map(record));
    topic
}

/// Answers up to the topic, the broker being `brokers`.
fn answer_source(terminal: &mut Terminal, brokers: &str, topic: &str) {
    terminal.answer(&[
        ("Source [kafka]: ", ""),
        ("Brokers [", brokers),
        ("TLS [no]: ", ""),
        ("Credentials [none]: ", ""),
        ("Topic [", topic),
        ("Name of the pipe [", ""),
    ]);
}

/// Answers from the pipe's name to the rules, with what is proposed for a new table.
fn answer_from_the_name(terminal: &mut Terminal, stack: &Stack) {
    terminal.answer(&[("Name of the pipe [", "")]);
    answer_clickhouse(terminal, stack);
    terminal.answer(&[("Change column [", ""), ("Sorting key [", ""), ("Partition by [", "")]);
    answer_rules(terminal);
}

/// Answers about ClickHouse, with the table that is proposed.
fn answer_clickhouse(terminal: &mut Terminal, stack: &Stack) {
    terminal.answer(&[
        ("ClickHouse URL [", stack.clickhouse.url()),
        ("ClickHouse user [", ""),
        ("Has a password [no]: ", ""),
        ("Database [", DATABASE),
        ("Table [", ""),
    ]);
}

fn answer_rules(terminal: &mut Terminal) {
    terminal.answer(&[("Delivery [", ""), ("Start [", ""), ("Stop at [", ""), ("Keep errors [", "")]);
}

/// Takes the file as it is, and gives its path.
fn write_file(terminal: &mut Terminal) -> String {
    terminal.answer(&[("Next [write]: ", ""), ("File [pipe.yaml]: ", "")]);
    terminal.wait_for("housepipe check pipe.yaml");
    assert_eq!(terminal.wait(), Some(0), "{}", terminal.shown());
    terminal.folder().join("pipe.yaml").to_str().unwrap().to_owned()
}

#[test]
fn from_an_empty_folder_to_rows() {
    let stack = shared_stack();
    let topic = topic(stack, "asked");
    let mut terminal = Terminal::start(&["new"]);
    // A broker that is not there is told, and asked for again.
    terminal.answer(&[
        ("Source [kafka]: ", "kafka"),
        ("Brokers [localhost:9092]: ", "127.0.0.1:1"),
        ("TLS [no]: ", ""),
        ("Credentials [none]: ", ""),
        ("no kafka broker answers at 127.0.0.1:1", ""),
    ]);
    // The empty line above has kept the broker.
    terminal.answer(&[
        ("TLS [no]: ", ""),
        ("Credentials [none]: ", ""),
        ("Brokers [127.0.0.1:1]: ", stack.kafka.bootstrap()),
        ("TLS [no]: ", ""),
        ("Credentials [none]: ", ""),
    ]);
    terminal.wait_for(&format!("{topic}  3 partition(s)"));
    terminal.answer(&[("Topic [", &topic)]);
    terminal.wait_for("\"price\":");
    terminal.answer(&[
        ("Name of the pipe [", ""),
        ("ClickHouse URL [http://localhost:8123]: ", stack.clickhouse.url()),
        ("ClickHouse user [default]: ", USER_APP.name),
        ("Has a password [yes]: ", ""),
        ("Variable of the password [CLICKHOUSE_PASSWORD]: ", "ASKED_PASSWORD"),
    ]);
    terminal.wait_for("Password: ");
    assert!(!terminal.shows_typing());
    terminal.type_keys(&format!("{}\n", USER_APP.password));
    terminal.answer(&[("Database [default]: ", DATABASE), ("Table [", ""), ("Change column [-]: ", "price")]);
    assert!(terminal.shows_typing());
    terminal.answer(&[
        ("Type of price [", "Float32"),
        ("All 100 samples fit", ""),
        ("Sorting key [", ""),
        ("Partition by [", ""),
        ("Delivery [at_least_once]: ", "2"),
        ("Start [earliest]: ", ""),
        ("Stop at [0.5]: ", ""),
        ("Keep errors [7]: ", ""),
        ("100 read: 100 rows, 0 rejected", ""),
        ("File [pipe.yaml]: ", ""),
    ]);
    terminal.wait_for("housepipe check pipe.yaml");
    assert_eq!(terminal.wait(), Some(0), "{}", terminal.shown());
    assert!(terminal.shown().contains("export ASKED_PASSWORD"), "{}", terminal.shown());
    assert!(!terminal.shown().contains(USER_APP.password), "{}", terminal.shown());
    assert_eq!(left_behind(&terminal), 1);
    assert_eq!(query(stack, &format!("EXISTS TABLE {topic}")), "0", "questions create nothing");

    let path = terminal.folder().join("pipe.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("${env:ASKED_PASSWORD}") && !text.contains(USER_APP.password), "{text}");
    let path = path.to_str().unwrap();
    let password = [("ASKED_PASSWORD", USER_APP.password)];
    housepipe_with(&password, &["check", path], None).wait().expect_success();
    let run = housepipe_with(&password, &["run", path, "--until-caught-up", "--json"], None)
        .wait()
        .expect_success();
    assert_eq!((run.number("loaded"), run.number("rejected")), (100, 0));
    assert_eq!(query_number(stack, &format!("SELECT count() FROM {topic}")), 100);
    assert_eq!(query(stack, &format!("SELECT toTypeName(any(price)) FROM {topic}")), "Float32");
}

#[test]
fn an_existing_table_is_filled_and_an_existing_file_kept() {
    let stack = shared_stack();
    let topic = topic(stack, "asked_existing");
    query(stack, &format!("CREATE TABLE {topic} (id UInt64, kind String) ENGINE = MergeTree ORDER BY id"));
    let mut terminal = Terminal::start(&["new", "mine.yaml"]);
    std::fs::write(terminal.folder().join("mine.yaml"), "mine").unwrap();
    answer_source(&mut terminal, stack.kafka.bootstrap(), &topic);
    terminal.answer(&[
        ("ClickHouse URL [", stack.clickhouse.url()),
        ("ClickHouse user [default]: ", ""),
        ("Has a password [no]: ", ""),
        ("Database [default]: ", "no_such_database"),
        ("Table [", ""),
        ("no_such_database", ""),
        ("ClickHouse user [default]: ", ""),
        ("Has a password [no]: ", ""),
        ("Database [", DATABASE),
        ("Table [", ""),
        ("Fill it [yes]: ", ""),
        ("Delivery [", ""),
        ("Start [", ""),
        ("Stop at [", ""),
        ("Keep errors [", ""),
        ("Next [write]: ", ""),
        ("File [mine.yaml]: ", ""),
        ("Replace mine.yaml [no]: ", ""),
        ("File [mine.yaml]: ", "other.yaml"),
    ]);
    assert_eq!(terminal.wait(), Some(0), "{}", terminal.shown());
    assert_eq!(std::fs::read_to_string(terminal.folder().join("mine.yaml")).unwrap(), "mine");
    let path = terminal.folder().join("other.yaml");
    let run = housepipe(&["run", path.to_str().unwrap(), "--until-caught-up", "--json"], None, b"").wait();
    assert_eq!(run.expect_success().number("loaded"), 100);
}

#[test]
fn a_broker_with_credentials_and_encryption() {
    let stack = shared_stack();
    let topic = topic(stack, "asked_sasl");
    let mut terminal = Terminal::start(&["new"]);
    let ca = stack.kafka.ca_pem().display().to_string();
    terminal.answer(&[
        ("Source [", ""),
        ("Brokers [", stack.kafka.bootstrap_sasl_ssl()),
        ("TLS [no]: ", "yes"),
        ("CA file [-]: ", "/nowhere/ca.pem"),
        ("there is no file", &ca),
        ("Client certificate [-]: ", ""),
        ("Credentials [none]: ", "scram-sha-512"),
        ("User name [app]: ", USER_SCRAM.name),
        ("Variable of the password [KAFKA_PASSWORD]: ", "ASKED_KAFKA_PASSWORD"),
        ("Password: ", "hunter2"),
        ("password", ""),
        ("TLS [yes]: ", ""),
        ("CA file [", ""),
        ("Client certificate [-]: ", ""),
        ("Credentials [SCRAM-SHA-512]: ", ""),
        ("User name [", ""),
        ("Variable of the password [ASKED_KAFKA_PASSWORD]: ", ""),
        ("Password: ", USER_SCRAM.password),
        ("Topic [", &topic),
    ]);
    answer_from_the_name(&mut terminal, stack);
    terminal.answer(&[("Next [write]: ", ""), ("File [", "a pipe.yaml")]);
    terminal.wait_for("housepipe check 'a pipe.yaml'");
    assert_eq!(terminal.wait(), Some(0), "{}", terminal.shown());
    let shown = terminal.shown();
    assert!(!shown.contains("hunter2") && !shown.contains(USER_SCRAM.password), "{shown}");
    let path = terminal.folder().join("a pipe.yaml");
    let password = [("ASKED_KAFKA_PASSWORD", USER_SCRAM.password)];
    let arguments = ["run", path.to_str().unwrap(), "--until-caught-up", "--json"];
    let run = housepipe_with(&password, &arguments, None).wait().expect_success();
    assert_eq!(run.number("loaded"), 100);
    let without = housepipe(&arguments, None, b"").wait();
    assert_eq!(without.code, Some(2), "the file does not hold it: {}", without.stderr);
    assert!(without.stderr.contains("`ASKED_KAFKA_PASSWORD` is not set"), "{}", without.stderr);
}

#[test]
fn a_table_that_clickhouse_refuses_is_told_before_the_file_is_written() {
    let stack = shared_stack();
    let topic = topic(stack, "asked_refused");
    let mut terminal = Terminal::start(&["new"]);
    answer_source(&mut terminal, stack.kafka.bootstrap(), &topic);
    answer_clickhouse(&mut terminal, stack);
    terminal.answer(&[
        ("Change column [", "at"),
        ("Type of at [", "-"),
        ("Change column [", ""),
        ("Sorting key [", "cityHash64(gone), id"),
        // Months of the column that was left out are proposed no more.
        ("Partition by [-]: ", ""),
    ]);
    terminal.wait_for("clickhouse refused the definition of");
    terminal.answer(&[("Change column [", ""), ("Sorting key [", "id"), ("Partition by [-]: ", "")]);
    answer_rules(&mut terminal);
    let path = write_file(&mut terminal);
    assert_eq!(query(stack, &format!("EXISTS TABLE {topic}")), "0", "a trial creates nothing that stays");
    housepipe(&["check", &path], None, b"").wait().expect_success();
    let run = housepipe(&["run", &path, "--until-caught-up", "--json"], None, b"").wait().expect_success();
    assert_eq!((run.number("loaded"), run.number("rejected")), (100, 0));
    let sql = format!("SELECT sorting_key, partition_key FROM system.tables WHERE name = '{topic}'");
    assert_eq!(query(stack, &sql), "(id)", "and no partition key");
}

#[test]
fn virtual_columns_by_hand_hold_what_kafka_knows() {
    let stack = shared_stack();
    let topic = unique("asked_virtual");
    create_topic(stack, &topic, 1);
    let mut terminal = Terminal::start(&["new"]);
    answer_source(&mut terminal, stack.kafka.bootstrap(), &topic);
    answer_clickhouse(&mut terminal, stack);
    // More than a terminal gives of a line.
    terminal.answer(&[("Document: ", &format!("{{\"a\":\"{}\"}}", "x".repeat(5_000)))]);
    terminal.wait_for("this one was cut");
    terminal.answer(&[
        ("Document: ", ""),
        ("Columns [message String]: ", "_raw_message String, _offset UInt64"),
        ("Change column [", ""),
        ("Sorting key [-]: ", "_offset"),
        ("Partition by [", ""),
    ]);
    answer_rules(&mut terminal);
    let path = write_file(&mut terminal);
    produce(stack, &topic, 1, ["{\"id\":7}", "no json"]);
    let run = housepipe(&["run", &path, "--until-caught-up", "--json"], None, b"").wait().expect_success();
    assert_eq!((run.number("loaded"), run.number("rejected")), (2, 0));
    let rows = query(stack, &format!("SELECT _offset, _raw_message FROM {topic} ORDER BY _offset"));
    assert_eq!(rows, "0\t{\"id\":7}\n1\tno json");
}

#[test]
fn a_registry_checks_what_the_pipe_loads() {
    let (stack, registry) = (shared_stack(), own_registry());
    let topic = unique("asked_registry");
    create_topic(stack, &topic, 1);
    let text = r#"{"type":"object","properties":{"id":{"type":"integer","minimum":0},"n":{"type":"integer"}},"required":["id"]}"#;
    let id = registry
        .register(&format!("{topic}-value"), SchemaText { kind: "JSON", text, references: &[] })
        .unwrap();
    let framed = |number: usize| {
        let sign = if number == 7 { "-" } else { "" };
        [&[0][..], &id.to_be_bytes(), format!("{{\"id\":{sign}{number},\"n\":1}}").as_bytes()].concat()
    };
    produce(stack, &topic, 1, (0..100).map(framed));
    let mut terminal = Terminal::start(&["new"]);
    terminal.answer(&[
        ("Source [kafka]: ", ""),
        ("Brokers [", stack.kafka.bootstrap()),
        ("TLS [no]: ", ""),
        ("Credentials [none]: ", ""),
        ("Topic [", &topic),
        ("Schema registry [-]: ", "http://127.0.0.1:1"),
        ("Registry credentials [none]: ", ""),
        ("nothing listens there", ""),
    ]);
    // The empty line above has kept the registry.
    terminal.answer(&[
        ("Registry credentials [none]: ", ""),
        ("Schema registry [http://127.0.0.1:1]: ", &registry.url()),
        ("Registry credentials [none]: ", ""),
    ]);
    terminal.wait_for(&format!("Schema {id} is a JSON Schema"));
    answer_from_the_name(&mut terminal, stack);
    terminal.answer(&[("100 read: 99 rows, 1 rejected", ""), ("File [", "pipe.yaml")]);
    terminal.wait_for("housepipe check pipe.yaml");
    assert_eq!(terminal.wait(), Some(0), "{}", terminal.shown());
    let path = terminal.folder().join("pipe.yaml");
    let path = path.to_str().unwrap();
    housepipe(&["check", path], None, b"").wait().expect_success();
    let run = housepipe(&["run", path, "--until-caught-up", "--json"], None, b"").wait().expect_success();
    assert_eq!((run.number("loaded"), run.number("rejected")), (99, 1), "{}", run.stderr);
    let code = query(stack, &format!("SELECT code FROM {topic}_clickpipes_error"));
    assert_eq!(code, "schema_violation");
}

#[test]
fn ctrl_c_leaves_nothing_behind() {
    let stack = shared_stack();
    let topic = topic(stack, "asked_stop");
    let mut terminal = Terminal::start(&["new"]);
    answer_source(&mut terminal, stack.kafka.bootstrap(), &topic);
    terminal.answer(&[
        ("ClickHouse URL [", ""),
        ("ClickHouse user [", "app"),
        ("Has a password [yes]: ", ""),
        ("Variable of the password [", "NOT_SET"),
    ]);
    terminal.wait_for("Password: ");
    assert!(!terminal.shows_typing());
    terminal.type_keys("half\u{3}");
    assert_eq!(terminal.wait(), Some(1));
    assert!(
        terminal.shown().contains("nothing was written") && !terminal.shown().contains("half"),
        "{}",
        terminal.shown()
    );
    assert!(terminal.shows_typing(), "the terminal is as it was");
    assert_eq!(left_behind(&terminal), 0);

    // The end of the input is an end as well.
    let mut terminal = Terminal::start(&["new"]);
    terminal.wait_for("Source [");
    terminal.type_keys("\u{4}");
    assert_eq!((terminal.wait(), left_behind(&terminal)), (Some(1), 0), "{}", terminal.shown());
}

#[test]
fn without_a_terminal_nobody_is_asked() {
    let outcome = housepipe(&["new"], None, b"\n\n\n").wait();
    assert_eq!(outcome.code, Some(2));
    assert!(
        outcome.stderr.contains("terminal") && outcome.stderr.contains("housepipe infer"),
        "{}",
        outcome.stderr
    );
}
