//! Tables that are there already.

use housepipe_tests::{PipeText, create_topic, housepipe, produce, query, shared_stack, unique};

#[test]
fn the_server_fills_columns_with_a_default() {
    let stack = shared_stack();
    let topic = unique("defaults");
    create_topic(stack, &topic, 1);
    query(
        stack,
        &format!(
            "CREATE TABLE {topic} (id UInt64, twice UInt64 DEFAULT id * 2, word LowCardinality(String) DEFAULT 'none', \
             computed UInt64 MATERIALIZED id + 1, alias UInt64 ALIAS id) ENGINE = MergeTree ORDER BY id"
        ),
    );
    produce(
        stack,
        &topic,
        1,
        [r#"{"id":1}"#, r#"{"id":2,"twice":5,"word":"x"}"#, r#"{"id":3,"twice":null}"#],
    );
    let pipe = PipeText::new(stack, &topic);
    housepipe(&["run", "pipe.yaml", "--until-caught-up", "--json"], Some(&pipe), b"").wait().expect_success();
    assert_eq!(
        query(stack, &format!("SELECT id, twice, word, computed FROM {topic} ORDER BY id")),
        "1\t2\tnone\t2\n2\t5\tx\t3\n3\t6\tnone\t4"
    );
}

#[test]
fn odd_names_are_quoted() {
    let stack = shared_stack();
    let topic = unique("odd_names");
    create_topic(stack, &topic, 1);
    query(
        stack,
        &format!(
            "CREATE TABLE {topic} (`a b` UInt8, `select` String, `q\\`x` UInt8) ENGINE = MergeTree ORDER BY tuple()"
        ),
    );
    produce(stack, &topic, 1, [r#"{"a b":1,"select":"from","q`x":2}"#]);
    let pipe = PipeText::new(stack, &topic);
    housepipe(&["run", "pipe.yaml", "--until-caught-up"], Some(&pipe), b"").wait().expect_success();
    assert_eq!(query(stack, &format!("SELECT * FROM {topic}")), "1\tfrom\t2");
}

#[test]
fn nested_types_and_json_arrive() {
    let stack = shared_stack();
    let topic = unique("nested");
    create_topic(stack, &topic, 1);
    let columns = "a Array(Tuple(x String, y Nullable(Int32))), m Map(String, UInt64), j JSON, d DateTime64(3, 'Europe/Berlin'), e Enum8('a' = 1, 'b' = 2)";
    produce(
        stack,
        &topic,
        1,
        [
            r#"{"a":[{"x":"1","y":null},{"y":-2}],"m":{"k":1},"j":{"p":{"q":[1,2]}},"d":"2026-07-01T12:00:00.5Z","e":"b"}"#,
        ],
    );
    let pipe = PipeText::new(stack, &topic).with_new_table(columns, "d");
    housepipe(&["run", "pipe.yaml", "--until-caught-up"], Some(&pipe), b"").wait().expect_success();
    assert_eq!(
        query(stack, &format!("SELECT * FROM {topic}")),
        "[('1',NULL),('',-2)]\t{'k':1}\t{\"p\":{\"q\":[1,2]}}\t2026-07-01 14:00:00.500\tb"
    );
}
