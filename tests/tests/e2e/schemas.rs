//! Records are checked against the schemas of a registry: what violates them is in the error table, and nothing else is.
#![expect(clippy::unwrap_used, reason = "a helper of a test that fails has failed the test")]

use std::sync::OnceLock;

use housepipe_local_stack::{Registry, SchemaText};
use housepipe_tests::{
    Outcome, PipeText, create_topic, housepipe, own_registry, produce, query, query_number, shared_stack,
    unique, wait_until,
};
use nix::sys::signal::Signal;

const RUN: [&str; 4] = ["run", "pipe.yaml", "--until-caught-up", "--json"];

/// The registry of the tests that leave it alone. It ends with the process.
fn shared_registry() -> &'static Registry {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    REGISTRY.get_or_init(own_registry)
}

fn schema(properties: &str) -> String {
    format!(
        r#"{{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","properties":{{{properties}}},"required":["id"]}}"#
    )
}

fn register(registry: &Registry, subject: &str, text: &str) -> u32 {
    registry.register(subject, SchemaText { kind: "JSON", text, references: &[] }).unwrap()
}

fn framed(schema_id: u32, document: &str) -> Vec<u8> {
    [&[0][..], &schema_id.to_be_bytes(), document.as_bytes()].concat()
}

/// A pipe that checks records against the schema at `path` of the registry, or their own.
fn pipe(registry: &Registry, topic: &str, path: &str) -> PipeText {
    PipeText::new(shared_stack(), topic)
        .with_new_table("id UInt64, n Int64", "id")
        .with(&format!("schema_registry: {{ url: '{}{path}' }}", registry.url()))
}

fn run(pipe: &PipeText) -> Outcome {
    housepipe(&RUN, Some(pipe), b"").wait()
}

/// Offset, code, column, schema and message of the rejects of partition 0.
fn rejects(topic: &str) -> String {
    query(
        shared_stack(),
        &format!(
            "SELECT offset, code, column, schema_id, message FROM {topic}_clickpipes_error WHERE kind = 'record' ORDER BY offset"
        ),
    )
}

/// The schemas of a topic change in its middle, one record in a hundred violates its own, and the registry is away for a while, so
/// that records wait for the newer one.
#[test]
fn those_that_violate_their_schema_are_rejected_and_no_others() {
    let registry = own_registry();
    for mode in ["at_least_once", "exactly_once"] {
        let topic = unique("schemas");
        create_topic(shared_stack(), &topic, 3);
        let subject = format!("{topic}-value");
        let old = register(&registry, &subject, &schema(r#""n":{"type":"integer","minimum":0}"#));
        let new = register(&registry, &subject, &schema(r#""n":{"type":"integer","maximum":0}"#));
        let record = |id: u64| {
            let is_new = id >= 6_000;
            // What violates one of them is fine by the other.
            let sign = if is_new != id.is_multiple_of(100) { "-" } else { "" };
            let document = format!("{{\"id\":{id},\"n\":{sign}{}}}", id + 1);
            // Records without a frame are checked against the latest.
            if is_new && id % 2 == 1 {
                document.into_bytes()
            } else {
                framed(if is_new { new } else { old }, &document)
            }
        };
        let pipe =
            pipe(&registry, &topic, &format!("/subjects/{subject}")).with(&format!("delivery: {mode}"));
        produce(shared_stack(), &topic, 3, (0..3_000).map(record));
        let running = housepipe(&["run", "pipe.yaml", "--json", "--session-timeout", "2"], Some(&pipe), b"");
        let there = || query_number(shared_stack(), &format!("SELECT count() FROM {topic}"));
        let is_there = || query(shared_stack(), &format!("EXISTS {topic}")) == "1";
        wait_until("the first records", || is_there() && there() == 2_970);
        // The newer schema is known already, and a third one is not.
        let third = register(&registry, &format!("{topic}-third"), &schema(r#""n":{"type":"integer"}"#));
        registry.kill().unwrap();
        produce(shared_stack(), &topic, 3, (3_000..12_000).map(record));
        produce(
            shared_stack(),
            &topic,
            3,
            (12_000..12_300).map(|id| framed(third, &format!("{{\"id\":{id},\"n\":1}}"))),
        );
        wait_until("records that wait", || running.has_said("nothing listens there"));
        wait_until("those before them", || there() == 11_880);
        registry.restart().unwrap();
        wait_until("all records", || there() == 12_180);
        running.signal(Signal::SIGTERM);
        let outcome = running.wait().expect_success();
        assert_eq!((outcome.number("read"), outcome.number("rejected")), (12_300, 120), "{}", outcome.stderr);
        let wrong =
            format!("SELECT count(), uniqExact(id), countIf(id < 12000 AND id % 100 = 0) FROM {topic}");
        assert_eq!(query(shared_stack(), &wrong), "12180\t12180\t0", "{mode}");
        let told = format!(
            "SELECT count(), uniqExact(JSONExtractUInt(substring(raw_message, position(raw_message, '{{')), 'id')), \
             countIf(code = 'schema_violation' AND column = 'n'), countIf(schema_id = {old} AND message LIKE 'schema {old}: /n: %minimum%'), \
             countIf(schema_id = {new} AND message LIKE 'schema {new}: /n: %maximum%') FROM {topic}_clickpipes_error WHERE kind = 'record'"
        );
        assert_eq!(query(shared_stack(), &told), "120\t120\t120\t60\t60", "{mode}");
    }
}

#[test]
fn what_cannot_be_checked_is_rejected_with_its_reason() {
    let registry = shared_registry();
    let topic = unique("schemas_odd");
    create_topic(shared_stack(), &topic, 1);
    let id = register(registry, &format!("{topic}-value"), &schema(r#""n":{"type":"integer"}"#));
    let avro = SchemaText {
        kind: "AVRO",
        text: r#"{"type":"record","name":"R","fields":[{"name":"a","type":"string"}]}"#,
        references: &[],
    };
    let avro = registry.register(&format!("{topic}-avro"), avro).unwrap();
    let records: Vec<Vec<u8>> = vec![
        framed(id, r#"{"id":0,"n":1}"#),
        framed(2_000_000_000, r#"{"id":1,"n":1}"#),
        framed(avro, r#"{"id":2,"n":1}"#),
        vec![0, 0, 1],
        b"\x05\x01{}".to_vec(),
        br#"{"id":5,"n":1}"#.to_vec(),
        framed(id, r#"{"n":1}"#),
        framed(id, "{\"id\":7,"),
        framed(id, r#"{"id":8,"n":1}"#),
    ];
    produce(shared_stack(), &topic, 1, &records);
    let outcome = run(&pipe(registry, &topic, "").with("error_table: { stop_ratio: off }")).expect_success();
    assert_eq!((outcome.number("loaded"), outcome.number("rejected")), (2, 7));
    let told = rejects(&topic);
    let told: Vec<Vec<&str>> = told.lines().map(|line| line.split('\t').collect()).collect();
    let codes: Vec<(&str, &str, &str)> = told.iter().map(|row| (row[0], row[1], row[3])).collect();
    let (id, avro) = (id.to_string(), avro.to_string());
    assert_eq!(
        codes,
        [
            ("1", "schema_unknown", "2000000000"),
            ("2", "schema_unusable", avro.as_str()),
            ("3", "bad_frame", "\\N"),
            ("4", "bad_frame", "\\N"),
            ("5", "schema_unnamed", "\\N"),
            ("6", "schema_violation", id.as_str()),
            ("7", "invalid_json", id.as_str()),
        ]
    );
    for (row, words) in [
        (0, "no schema with the id 2000000000"),
        (1, "written in Avro"),
        (2, "here are 3 in all"),
        (3, "0x05"),
        (5, "\"id\" is missing (required"),
    ] {
        assert!(told[row][4].contains(words), "no `{words}` in {}", told[row][4]);
    }
}

/// A schema means keys as they stand, so a column takes no other.
#[test]
fn a_key_in_other_letter_case_goes_round_no_check() {
    let registry = shared_registry();
    let topic = unique("schemas_case");
    create_topic(shared_stack(), &topic, 1);
    let subject = format!("{topic}-value");
    register(registry, &subject, &schema(r#""n":{"type":"integer","minimum":0}"#));
    let records =
        [r#"{"id":1,"N":-5}"#, r#"{"id":2,"N":-5,"n":7}"#, r#"{"id":3,"n":8,"N":-5}"#, r#"{"id":4,"n":-5}"#];
    produce(shared_stack(), &topic, 1, records.map(|record| record.as_bytes().to_vec()));
    let outcome = run(
        &pipe(registry, &topic, &format!("/subjects/{subject}")).with("error_table: { stop_ratio: off }")
    )
    .expect_success();
    assert_eq!((outcome.number("loaded"), outcome.number("rejected")), (3, 1), "{}", outcome.stderr);
    assert_eq!(query(shared_stack(), &format!("SELECT id, n FROM {topic} ORDER BY id")), "1\t0\n2\t7\n3\t8");
}

/// A mend of the records is a mend of the schema: what it allows now is loaded by a replay, and the rest stays.
#[test]
fn a_replay_checks_records_too() {
    let registry = shared_registry();
    let topic = unique("schemas_replay");
    create_topic(shared_stack(), &topic, 1);
    let subject = format!("{topic}-value");
    register(registry, &subject, &schema(r#""n":{"type":"integer","maximum":10}"#));
    produce(shared_stack(), &topic, 1, (0..10).map(|id| format!("{{\"id\":{id},\"n\":{}}}", id * 4)));
    let of = |version: u32| {
        pipe(registry, &topic, &format!("/subjects/{subject}/versions/{version}"))
            .with("error_table: { stop_ratio: off }")
    };
    assert_eq!(run(&of(1)).expect_success().number("loaded"), 3);
    query(
        shared_stack(),
        &format!("ALTER TABLE {topic} MODIFY SETTING non_replicated_deduplication_window = 1000"),
    );
    register(registry, &subject, &schema(r#""n":{"type":"integer","maximum":20}"#));
    let preview =
        housepipe(&["preview", "pipe.yaml", "--json"], Some(&of(2)), b"").wait().expect_success().json();
    assert_eq!((preview["accepted"].as_u64(), preview["rejected"].as_u64()), (Some(6), Some(4)), "{preview}");
    let replay = housepipe(&["errors", "replay", "pipe.yaml", "--json"], Some(&of(2)), b"").wait();
    assert_eq!((replay.number("loaded"), replay.number("refused")), (3, 4), "{}", replay.stderr);
    assert_eq!(query(shared_stack(), &format!("SELECT max(id), count() FROM {topic}")), "5\t6");
}

#[test]
fn a_schema_that_is_not_there_is_told_before_anything_is_made() {
    let registry = shared_registry();
    let topic = unique("schemas_absent");
    create_topic(shared_stack(), &topic, 1);
    let avro = SchemaText {
        kind: "AVRO",
        text: r#"{"type":"record","name":"A","fields":[{"name":"a","type":"string"}]}"#,
        references: &[],
    };
    registry.register(&format!("{topic}-avro"), avro).unwrap();
    let away = pipe(registry, &topic, "/subjects/x").replacing(&registry.url(), "http://127.0.0.1:1");
    for (pipe, words) in [
        (pipe(registry, &topic, "/subjects/nobody"), "has no subject `nobody`"),
        (pipe(registry, &topic, &format!("/subjects/{topic}-avro")), "written in Avro"),
        (pipe(registry, &topic, "/schemas/ids/2000000000"), "no schema with the id"),
        (away, "nothing listens there"),
    ] {
        let outcome = run(&pipe);
        assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
        assert!(outcome.stderr.contains(words), "no `{words}` in:\n{}", outcome.stderr);
        assert_eq!(query(shared_stack(), &format!("EXISTS {topic}")), "0");
        let checked = housepipe(&["check", "pipe.yaml"], Some(&pipe), b"").wait();
        let told = String::from_utf8_lossy(&checked.stdout).into_owned();
        assert!(checked.code == Some(1) && told.contains(words), "no `{words}` in:\n{told}");
    }
    let fine =
        housepipe(&["check", "pipe.yaml"], Some(&pipe(registry, &topic, "")), b"").wait().expect_success();
    assert!(String::from_utf8_lossy(&fine.stdout).contains("each record has to name its schema"));
}

/// Columns of a topic that is empty yet, and of one whose records name a newer schema; both are loaded whole.
#[test]
fn columns_are_inferred_from_the_schema() {
    let registry = shared_registry();
    let topic = unique("schemas_infer");
    create_topic(shared_stack(), &topic, 2);
    let subject = format!("{topic}-value");
    let old = r#""at":{"type":"string","format":"date-time"},"kind":{"enum":["a","b"]},"n":{"type":"integer","minimum":0,"maximum":9}"#;
    register(registry, &subject, &schema(&format!(r#""id":{{"type":"integer"}},{old}"#)));
    let pipe = PipeText::new(shared_stack(), &topic)
        .with(&format!("schema_registry: {{ url: '{}/subjects/{subject}/versions/1' }}", registry.url()));
    let infer = |arguments: &[&str]| housepipe(arguments, Some(&pipe), b"").wait().expect_success();
    let columns = |document: &serde_json::Value| -> Vec<String> {
        let columns = document["columns"].as_array().unwrap().iter();
        columns
            .map(|it| format!("{} {}", it["name"].as_str().unwrap(), it["type"].as_str().unwrap()))
            .collect()
    };
    let document = infer(&["infer", "-f", "pipe.yaml", "--json"]).json();
    assert_eq!((document["samples"].as_u64(), document["schema"].is_u64()), (Some(0), true), "{document}");
    assert_eq!(
        columns(&document),
        [
            "at Nullable(DateTime64(6, 'UTC'))",
            "id Int64",
            "kind LowCardinality(Nullable(String))",
            "n Nullable(UInt8)"
        ]
    );

    // A newer one, which its records name, goes before the one that the pipe file names.
    let new = register(
        registry,
        &format!("{topic}-newer"),
        &schema(&format!(r#""id":{{"type":"integer"}},{old},"ip":{{"type":"string","format":"ipv4"}}"#)),
    );
    let record = |id: u64| {
        framed(new, &format!(r#"{{"id":{id},"at":"2026-01-01T10:00:00Z","kind":"a","n":{}}}"#, id % 10))
    };
    produce(shared_stack(), &topic, 2, (0..100).map(record));
    let document = infer(&["infer", "-f", "pipe.yaml", "--json"]).json();
    assert_eq!((document["samples"].as_u64(), document["schema"].as_u64()), (Some(100), Some(new.into())));
    assert_eq!(
        columns(&document),
        [
            "id Int64",
            "at Nullable(DateTime64(3, 'UTC'))",
            "kind LowCardinality(Nullable(String))",
            "n Nullable(UInt8)",
            "ip Nullable(IPv4)"
        ],
        "what the schema does not ask for may be missing, though no sample lacks it"
    );
    let text = String::from_utf8(infer(&["infer", "-f", "pipe.yaml"]).stdout).unwrap();
    assert!(
        text.contains(&format!("Inferred from schema {new} and 100 samples of the topic `{topic}`")),
        "{text}"
    );
    let outcome = run(&pipe.clone().with_columns(&text)).expect_success();
    assert_eq!((outcome.number("loaded"), outcome.number("rejected")), (100, 0), "{}", outcome.stderr);
    let sums = format!("SELECT count(), sum(n), countIf(ip IS NULL), min(at) FROM {topic}");
    assert_eq!(query(shared_stack(), &sums), "100\t450\t100\t2026-01-01 10:00:00.000");

    // The newest record, by its timestamp, names a schema that nobody has: the one of the pipe file it is, and it says so.
    produce(shared_stack(), &topic, 1, (0..101).map(|_| framed(2_000_000_000, r#"{"id":-1,"n":700}"#)));
    let document = infer(&["infer", "-f", "pipe.yaml", "--json"]).json();
    let problem = document["schema_problem"].as_str().unwrap();
    assert!(problem.contains("no schema with the id 2000000000"), "{problem}");
    assert_eq!(
        columns(&document)[3],
        "n Nullable(UInt64)",
        "a sample does not fit what the schema says: {document}"
    );

    // An unavailable registry is told, and nothing is inferred without it.
    let away = pipe.clone().replacing(&registry.url(), "http://127.0.0.1:1");
    let outcome = housepipe(&["infer", "-f", "pipe.yaml"], Some(&away), b"").wait();
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("nothing listens there"), "{}", outcome.stderr);
}
