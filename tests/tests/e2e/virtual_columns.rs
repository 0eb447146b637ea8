//! Columns that are filled by what is known of a record, from inside of fields, and by constants.
#![expect(clippy::unwrap_used, reason = "a helper of a test that fails has failed the test")]

use std::time::Duration;

use housepipe_kafka_source::seed::{self, SeedRecord};
use housepipe_kafka_source::{PartitionId, SourceConfig};
use housepipe_tests::{
    Outcome, PipeText, create_topic, housepipe, query, query_number, shared_stack, unique,
};

fn run(pipe: &PipeText) -> Outcome {
    housepipe(&["run", "pipe.yaml", "--until-caught-up", "--json"], Some(pipe), b"").wait().expect_success()
}

/// A record of partition 1 with everything, one of partition 0 with nothing.
fn write(topic: &str, payloads: [&[u8]; 2]) {
    let stack = shared_stack();
    create_topic(stack, topic, 2);
    let config = SourceConfig::new(stack.kafka.bootstrap(), topic, "unused");
    let send = || -> Result<(), housepipe_kafka_source::SourceError> {
        let producer = seed::Producer::connect(&config)?;
        producer.send(SeedRecord {
            partition: Some(PartitionId(1)),
            key: Some(b"key-1"),
            payload: Some(payloads[0]),
            timestamp_ms: Some(1_700_000_000_123),
            headers: &[("trace", Some(b"7")), ("trace", None), ("source", Some(b"web"))],
        })?;
        producer.send(SeedRecord {
            partition: Some(PartitionId(0)),
            payload: Some(payloads[1]),
            timestamp_ms: Some(1_700_000_001_000),
            ..SeedRecord::default()
        })?;
        producer.flush(Duration::from_secs(30))
    };
    send().unwrap();
}

const COLUMNS: &str = "  managed_table: { order_by: [id] }
  columns:
    - { name: topic, type: LowCardinality(String), from: _topic }
    - { name: part, type: Int32, from: _partition }
    - { name: id, type: UInt64, from: 'user.id' }
    - { name: city, type: Nullable(String), from: 'user.addresses[1].city' }
    - { name: off, type: UInt64, from: _offset }
    - { name: at, type: 'DateTime64(3, ''UTC'')', from: _timestamp }
    - { name: key, type: Nullable(String), from: _key }
    - { name: names, type: Array(String), from: _header_keys }
    - { name: values, type: Array(LowCardinality(Nullable(String))), from: _header_values }
    - { name: source, type: LowCardinality(String), value: shop }
    - { name: raw, type: String, from: _raw_message }
";

#[test]
fn a_new_table_has_what_is_known_of_each_record() {
    for mode in ["at_least_once", "exactly_once"] {
        let topic = unique("virtual_new");
        let framed = b"\0\0\0\0\x07{\"user\":{\"addresses\":[{\"city\":\"Bonn\"},{\"zip\":\"8\",\"city\":\"Ulm\"}],\"id\":1}}";
        write(&topic, [framed, br#"{"user":{"id":2}}"#]);
        let pipe =
            PipeText::new(shared_stack(), &topic).with_columns(COLUMNS).with(&format!("delivery: {mode}"));
        assert_eq!(run(&pipe).number("loaded"), 2);
        let rows = query(
            shared_stack(),
            &format!(
                "SELECT id, part, off, topic, city, toString(at), key, names, values, source, hex(substring(raw, 1, 6)) \
                 FROM {topic} ORDER BY id"
            ),
        );
        let expected = format!(
            "1\t1\t0\t{topic}\tUlm\t2023-11-14 22:13:20.123\tkey-1\t['trace','trace','source']\t['7',NULL,'web']\tshop\t00000000077B\n\
             2\t0\t0\t{topic}\t\\N\t2023-11-14 22:13:21.000\t\\N\t[]\t[]\tshop\t7B2275736572"
        );
        assert_eq!(rows, expected, "{mode}");
    }
}

/// The columns of an existing table are filled by their names, in whatever order it has them.
#[test]
fn columns_of_an_existing_table_are_filled_by_their_names() {
    let (stack, topic) = (shared_stack(), unique("virtual_existing"));
    write(&topic, [br#"{"a":1,"_id":"x","_key":"own"}"#, br#"{"a":2}"#]);
    query(
        stack,
        &format!(
            "CREATE TABLE {topic} (_key String DEFAULT 'none', _offset Int64, a UInt8, _id String, d UInt8 DEFAULT a + 1, \
             _partition UInt16) ENGINE = MergeTree ORDER BY a"
        ),
    );
    assert_eq!(run(&PipeText::new(stack, &topic)).number("loaded"), 2);
    let rows = query(stack, &format!("SELECT a, d, _id, _key, _offset, _partition FROM {topic} ORDER BY a"));
    assert_eq!(rows, "1\t2\tx\tkey-1\t0\t1\n2\t3\t\tnone\t0\t0");
}

#[test]
fn without_a_field_any_message_is_loaded() {
    let topic = unique("virtual_raw");
    write(&topic, [b"no JSON\xff", b""]);
    let config = SourceConfig::new(shared_stack().kafka.bootstrap(), &topic, "unused");
    let producer = seed::Producer::connect(&config).unwrap();
    let tombstone = SeedRecord { partition: Some(PartitionId(0)), ..SeedRecord::default() };
    producer.send(tombstone).unwrap();
    producer.flush(Duration::from_secs(30)).unwrap();
    let pipe = PipeText::new(shared_stack(), &topic)
        .with_new_table("_raw_message Nullable(String), _partition Int32, _offset Int64", "_partition");
    assert_eq!(run(&pipe).number("loaded"), 3);
    let rows = query(
        shared_stack(),
        &format!("SELECT _partition, hex(_raw_message) FROM {topic} ORDER BY _partition, _offset"),
    );
    assert_eq!(rows, "0\t\n0\t\\N\n1\t6E6F204A534F4EFF");
}

#[test]
fn what_cannot_fill_a_column_is_told_before_anything_is_made() {
    let (stack, topic) = (shared_stack(), unique("virtual_wrong"));
    write(&topic, [b"{}", b"{}"]);
    let pipe = PipeText::new(stack, &topic).with_new_table("a UInt8, _offset Int32", "a");
    for command in [["run", "pipe.yaml"], ["check", "pipe.yaml"]] {
        let outcome = housepipe(&command, Some(&pipe), b"").wait();
        assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
        let said = format!("{}{}", String::from_utf8_lossy(&outcome.stdout), outcome.stderr);
        assert!(said.contains("_offset does not fill Int32; it is an Int64 or a UInt64"), "{said}");
    }
    let tables = format!("SELECT count() FROM system.tables WHERE name = '{topic}'");
    assert_eq!(query_number(stack, &tables), 0);
}

/// A replay of the error table fills virtual columns as the pipe would have.
#[test]
fn a_replayed_record_has_what_was_known_of_it() {
    let (stack, topic) = (shared_stack(), unique("virtual_replay"));
    write(&topic, [br#"{"user":{"id":-1}}"#, br#"{"user":{"id":2}}"#]);
    let pipe = PipeText::new(stack, &topic).with_columns(COLUMNS).with("error_table: { stop_ratio: off }");
    assert_eq!(run(&pipe).number("rejected"), 1);
    assert_eq!(
        query(stack, &format!("SELECT code, column FROM {topic}_clickpipes_error WHERE kind = 'record'")),
        "out_of_range\tid"
    );
    query(stack, &format!("ALTER TABLE {topic} MODIFY SETTING non_replicated_deduplication_window = 100"));
    query(stack, &format!("ALTER TABLE {topic} ADD COLUMN signed Int64"));
    let mended = pipe.replacing("name: id, type: UInt64", "name: signed, type: Int64");
    let replay = housepipe(&["errors", "replay", "pipe.yaml", "--json"], Some(&mended), b"").wait();
    assert_eq!(replay.expect_success().json()["loaded"], 1);
    let rows = query(
        stack,
        &format!(
            "SELECT signed, part, off, topic, toString(at), key, names, values, source, raw FROM {topic} WHERE signed != 0"
        ),
    );
    assert_eq!(
        rows,
        format!(
            "-1\t1\t0\t{topic}\t2023-11-14 22:13:20.123\tkey-1\t['trace','trace','source']\t['7','','web']\tshop\t\
             {{\"user\":{{\"id\":-1}}}}"
        )
    );
}
