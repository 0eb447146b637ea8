//! Everything arrives, and arrives as ClickHouse itself would have read it.

use housepipe_local_stack::corpus::{Corpus, Events, Logs};
use housepipe_tests::{PipeText, fill, housepipe, query, query_number, shared_stack, unique};

/// Loads `count` records of `corpus` and compares the table with one that ClickHouse filled from the same JSON.
fn load_and_compare(corpus: &dyn Corpus, count: u64, order_by: &str, compression: &str) {
    let stack = shared_stack();
    let topic = unique(corpus.name());
    fill(stack, &topic, 4, corpus, count);
    let pipe = PipeText::new(stack, &topic)
        .with_new_table(&corpus.columns(), order_by)
        .replacing("  managed_table", &format!("  compression: {compression}\n  managed_table"));
    let outcome = housepipe(&["run", "pipe.yaml", "--until-caught-up", "--json"], Some(&pipe), b"")
        .wait()
        .expect_success();
    assert_eq!(outcome.number("read"), count);
    assert_eq!(outcome.number("loaded"), count);
    assert_eq!(outcome.number("rejected"), 0);

    let oracle = format!("{topic}_oracle");
    query(stack, &format!("CREATE TABLE {oracle} AS {topic}"));
    let mut json =
        format!("INSERT INTO {oracle} SETTINGS date_time_input_format = 'best_effort' FORMAT JSONEachRow\n")
            .into_bytes();
    let mut record = Vec::new();
    for index in 0..count {
        corpus.write(index, &mut record);
        json.extend_from_slice(&record);
        json.push(b'\n');
    }
    query(stack, &String::from_utf8_lossy(&json));
    let checksum = |table: &str| {
        query(stack, &format!("SELECT count(), sum(id), sum(cityHash64(*)), max(cityHash64(*)) FROM {table}"))
    };
    assert_eq!(checksum(&topic), checksum(&oracle));
    assert_eq!(query_number(stack, &format!("SELECT count() FROM {topic}_clickpipes_error")), 0);
}

#[test]
fn events_equal_what_clickhouse_reads() {
    load_and_compare(&Events::new(11).with_id(), 100_000, "id", "none");
}

#[test]
fn logs_equal_what_clickhouse_reads_also_compressed() {
    load_and_compare(&Logs::new(12).with_id(), 20_000, "id", "lz4");
}

#[test]
fn a_second_run_goes_on_where_the_first_ended() {
    let stack = shared_stack();
    let topic = unique("resume");
    let corpus = Events::new(13).with_id();
    fill(stack, &topic, 2, &corpus, 1_000);
    let pipe = PipeText::new(stack, &topic).with_new_table(&corpus.columns(), "id");
    let run = || {
        housepipe(&["run", "pipe.yaml", "--until-caught-up", "--json"], Some(&pipe), b"")
            .wait()
            .expect_success()
    };
    assert_eq!(run().number("loaded"), 1_000);
    let more: Vec<Vec<u8>> = (1_000..1_500)
        .map(|index| {
            let mut record = Vec::new();
            corpus.write(index, &mut record);
            record
        })
        .collect();
    housepipe_tests::produce(stack, &topic, 2, more);
    assert_eq!(run().number("loaded"), 500);
    assert_eq!(query(stack, &format!("SELECT count(), uniqExact(id) FROM {topic}")), "1500\t1500");
}

#[test]
fn an_empty_topic_is_caught_up() {
    let stack = shared_stack();
    let topic = unique("empty");
    housepipe_tests::create_topic(stack, &topic, 3);
    let pipe = PipeText::new(stack, &topic).with_new_table("a UInt8", "a");
    let outcome = housepipe(&["run", "pipe.yaml", "--until-caught-up", "--json"], Some(&pipe), b"")
        .wait()
        .expect_success();
    assert_eq!(outcome.number("read"), 0);
}

#[test]
fn small_batches_are_inserted_one_by_one() {
    let stack = shared_stack();
    let topic = unique("small_batches");
    let corpus = Events::new(14).with_id();
    fill(stack, &topic, 1, &corpus, 1_000);
    let pipe =
        PipeText::new(stack, &topic).with_new_table(&corpus.columns(), "id").with("batch: { max_rows: 100 }");
    let outcome = housepipe(&["run", "pipe.yaml", "--until-caught-up", "--json"], Some(&pipe), b"")
        .wait()
        .expect_success();
    assert_eq!(outcome.number("inserts"), 10);
    assert_eq!(outcome.number("batches"), 10);
    assert_eq!(query_number(stack, &format!("SELECT uniqExact(id) FROM {topic}")), 1_000);
}
