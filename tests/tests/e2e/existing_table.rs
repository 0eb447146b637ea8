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

#[test]
fn values_that_bring_their_type_arrive() {
    let stack = shared_stack();
    let topic = unique("typed_values");
    create_topic(stack, &topic, 1);
    let columns =
        "id UInt8, d Dynamic, v Variant(UInt8, String), j JSON(n UInt8, SKIP s), m Decimal(38, 4), p Point";
    produce(
        stack,
        &topic,
        1,
        [
            r#"{"id":1,"d":"2026-07-01 12:00:00","v":7,"j":{"n":1,"s":2,"o":[1]},"m":"1.5","p":[1,2.5]}"#,
            r#"{"id":2,"d":[1,"x",{"k":[]}],"v":"seven","j":{"n":"9"}}"#,
            r#"{"id":3,"d":{"k":[{"a":1},{"b":null}]},"v":null}"#,
            // What the server would refuse with the whole insert is rejected by itself.
            r#"{"id":4,"d":1,"j":{"n":"true"}}"#,
            r#"{"id":5,"d":{"":1}}"#,
        ],
    );
    let pipe = PipeText::new(stack, &topic).with_new_table(columns, "id");
    housepipe(&["run", "pipe.yaml", "--until-caught-up"], Some(&pipe), b"").wait().expect_success();
    assert_eq!(
        query(stack, &format!("SELECT id, dynamicType(d), d, v, j, m, p FROM {topic} ORDER BY id")),
        "1\tDateTime\t2026-07-01 12:00:00\t7\t{\"n\":1,\"o\":[1]}\t1.5\t(1,2.5)\n\
         2\tArray(Dynamic)\t[1,'x',([])]\tseven\t{\"n\":9}\t0\t(0,0)\n\
         3\tTuple(k Array(Tuple(a Int64, b Nullable(String))))\t([(1,NULL),(0,NULL)])\t\\N\t{\"n\":0}\t0\t(0,0)"
    );
    assert_eq!(query(stack, &format!("SELECT count() FROM {topic}_clickpipes_error")), "2");
}
