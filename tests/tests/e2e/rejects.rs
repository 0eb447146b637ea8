//! Records that cannot be loaded: in the error table with their reason, their neighbours in the table.

use housepipe_tests::{
    PipeText, create_topic, housepipe, produce, query, query_number, shared_stack, unique,
};

#[test]
fn bad_records_go_to_the_error_table_and_their_neighbours_are_loaded() {
    let stack = shared_stack();
    let topic = unique("rejects");
    create_topic(stack, &topic, 1);
    let mut records: Vec<Vec<u8>> =
        (0..1_000).map(|id| format!("{{\"id\":{id},\"n\":1}}").into_bytes()).collect();
    records[100] = b"not json".to_vec();
    records[200] = br#"{"id":200,"n":300}"#.to_vec();
    records[300] = b"{\"id\":300,\"n\":\xff\xfe}".to_vec();
    records[999] = b"".to_vec();
    produce(stack, &topic, 1, &records);
    let pipe = PipeText::new(stack, &topic).with_new_table("id UInt64, n UInt8", "id");
    let outcome = housepipe(&["run", "pipe.yaml", "--until-caught-up", "--json"], Some(&pipe), b"")
        .wait()
        .expect_success();
    assert_eq!(
        (outcome.number("read"), outcome.number("loaded"), outcome.number("rejected")),
        (1_000, 996, 4)
    );
    assert_eq!(query_number(stack, &format!("SELECT uniqExact(id) FROM {topic}")), 996);

    let errors = query(
        stack,
        &format!(
            "SELECT offset, column, hex(raw_message), kind, pipe, topic, partition, message != '', code != '' \
             FROM {topic}_clickpipes_error ORDER BY offset"
        ),
    );
    let name = topic.replace('_', "-");
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
    let expected: Vec<String> = [(100, ""), (200, "n"), (300, "n"), (999, "")]
        .iter()
        .map(|(offset, column)| {
            format!("{offset}\t{column}\t{}\trecord\t{name}\t{topic}\t0\t1\t1", hex(&records[*offset]))
        })
        .collect();
    assert_eq!(errors, expected.join("\n"));
}

#[test]
fn rows_that_only_clickhouse_refuses_are_found() {
    let stack = shared_stack();
    let topic = unique("constraint");
    create_topic(stack, &topic, 2);
    query(
        stack,
        &format!(
            "CREATE TABLE {topic} (id UInt64, CONSTRAINT not_13 CHECK id % 1000 != 13) ENGINE = MergeTree ORDER BY id"
        ),
    );
    produce(stack, &topic, 2, (0..5_000).map(|id| format!("{{\"id\":{id}}}")));
    let pipe = PipeText::new(stack, &topic);
    let outcome = housepipe(&["run", "pipe.yaml", "--until-caught-up", "--json"], Some(&pipe), b"")
        .wait()
        .expect_success();
    assert_eq!((outcome.number("loaded"), outcome.number("rejected")), (4_995, 5));
    assert_eq!(query(stack, &format!("SELECT count(), uniqExact(id) FROM {topic}")), "4995\t4995");
    assert_eq!(
        query(
            stack,
            &format!(
                "SELECT raw_message FROM {topic}_clickpipes_error ORDER BY length(raw_message), raw_message"
            )
        ),
        "{\"id\":13}\n{\"id\":1013}\n{\"id\":2013}\n{\"id\":3013}\n{\"id\":4013}"
    );
}

#[test]
fn a_pipe_whose_records_are_mostly_rejected_stops_and_keeps_its_offsets() {
    let stack = shared_stack();
    let topic = unique("mostly_rejected");
    create_topic(stack, &topic, 2);
    let record = |id: u32| match id % 3 {
        0 => format!("{{\"id\":{id},\"n\":1}}"),
        _ => format!("{{\"id\":{id},\"n\":\"one\"}}"),
    };
    produce(stack, &topic, 2, (0..3_000).map(record));
    let run = |pipe: &PipeText| {
        housepipe(&["run", "pipe.yaml", "--until-caught-up", "--json"], Some(pipe), b"").wait()
    };
    let pipe = PipeText::new(stack, &topic).with_new_table("id UInt64, n UInt8", "id");

    let stopped = run(&pipe);
    assert_eq!(stopped.code, Some(1), "{}", stopped.stderr);
    assert!(stopped.stderr.contains("records were rejected, which is more than 50 %"), "{}", stopped.stderr);
    assert!(stopped.stderr.contains("such as invalid_number in column `n`"), "{}", stopped.stderr);
    let rows = |table: &str| query_number(stack, &format!("SELECT count() FROM {table}"));
    let errors = format!("{topic}_clickpipes_error WHERE kind = 'record'");
    assert_eq!((rows(&topic), rows(&errors)), (0, 0));
    let codes = format!("SELECT code, position(message, 'invalid_number') > 0 FROM {topic}_clickpipes_error");
    assert_eq!(query(stack, &codes), "pipe_failed\t1");

    // Nothing was committed: with the rule turned off, and a warning instead, all of them are read again.
    let pipe = pipe.with("error_table: { stop_ratio: off, warn_ratio: 0.1 }");
    let outcome = run(&pipe).expect_success();
    assert!(outcome.stderr.contains("records were rejected, which is more than 10 %"), "{}", outcome.stderr);
    assert_eq!(
        (outcome.number("read"), outcome.number("loaded"), outcome.number("rejected")),
        (3_000, 1_000, 2_000)
    );
    assert_eq!((rows(&topic), rows(&errors)), (1_000, 2_000));
}

#[test]
fn without_an_error_table_rejects_are_counted() {
    let stack = shared_stack();
    let topic = unique("no_error_table");
    create_topic(stack, &topic, 1);
    produce(stack, &topic, 1, [r#"{"id":1}"#, "?", r#"{"id":2}"#]);
    let pipe = PipeText::new(stack, &topic)
        .with_new_table("id UInt64", "id")
        .with("error_table: { enabled: false }");
    let outcome = housepipe(&["run", "pipe.yaml", "--until-caught-up", "--json"], Some(&pipe), b"")
        .wait()
        .expect_success();
    assert_eq!((outcome.number("loaded"), outcome.number("rejected")), (2, 1));
    assert_eq!(
        query_number(
            stack,
            &format!("SELECT count() FROM system.tables WHERE name = '{topic}_clickpipes_error'")
        ),
        0
    );
}
