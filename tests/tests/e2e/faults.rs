//! What breaks on the way: the pipe killed, ClickHouse away, the table gone. Nothing is lost.

use std::time::Duration;

use housepipe_local_stack::corpus::{Corpus, Events};
use housepipe_tests::{
    PipeText, Proxy, fill, housepipe, own_stack, query, query_number, shared_stack, unique, wait_until,
};
use nix::sys::signal::Signal;

#[test]
fn kill_9_in_mid_load_loses_nothing() {
    let stack = shared_stack();
    let topic = unique("killed");
    let corpus = Events::new(21).with_id();
    let count = 1_000_000;
    fill(stack, &topic, 4, &corpus, count);
    let pipe = PipeText::new(stack, &topic)
        .with_new_table(&corpus.columns(), "id")
        .with("batch: { max_rows: 10000 }");
    // Several lives, each killed once more of the topic has arrived.
    for life in 1..=3u64 {
        let run = housepipe(&["run", "pipe.yaml", "--until-caught-up"], Some(&pipe), b"");
        let target = life * count / 5;
        wait_until("rows in the table", || {
            let exists = query(stack, &format!("EXISTS TABLE {topic}")) == "1";
            exists && query_number(stack, &format!("SELECT count() FROM {topic}")) >= target
        });
        run.signal(Signal::SIGKILL);
        assert_eq!(run.wait().code, None);
    }
    let outcome = housepipe(&["run", "pipe.yaml", "--until-caught-up", "--json"], Some(&pipe), b"")
        .wait()
        .expect_success();
    assert_eq!(outcome.number("read"), outcome.number("loaded") + outcome.number("rejected"));
    assert_eq!(
        query_number(stack, &format!("SELECT uniqExact(id) FROM {topic}")),
        count,
        "every record at least once"
    );
    assert!(query_number(stack, &format!("SELECT count() FROM {topic}")) >= count);
    assert_eq!(
        query_number(stack, &format!("SELECT count() FROM {topic}_clickpipes_error WHERE kind = 'record'")),
        0
    );
}

#[test]
fn clickhouse_down_for_a_while_loses_nothing() {
    let mut stack = own_stack();
    let topic = "outage";
    let corpus = Events::new(22).with_id();
    let count = 300_000;
    fill(&stack, topic, 4, &corpus, count);
    let pipe = PipeText::new(&stack, topic)
        .with_new_table(&corpus.columns(), "id")
        .with("batch: { max_rows: 2000 }");
    let run = housepipe(&["run", "pipe.yaml", "--until-caught-up", "--json"], Some(&pipe), b"");
    wait_until("the first rows", || {
        query(&stack, &format!("EXISTS TABLE {topic}")) == "1"
            && query_number(&stack, &format!("SELECT count() FROM {topic}")) > 0
    });
    stack.clickhouse.kill().unwrap();
    stack.clickhouse.restart().unwrap();
    let outcome = run.wait().expect_success();
    assert_eq!(outcome.number("loaded"), count);
    assert_eq!(outcome.number("rejected"), 0);
    assert_eq!(query_number(&stack, &format!("SELECT uniqExact(id) FROM {topic}")), count);
    assert_eq!(
        query_number(&stack, &format!("SELECT count() FROM {topic}_clickpipes_error WHERE kind = 'record'")),
        0
    );
}

#[test]
fn an_insert_whose_answer_is_lost_is_repeated_with_its_token() {
    let stack = shared_stack();
    let topic = unique("answers");
    let corpus = Events::new(26).with_id();
    let count = 100_000;
    fill(stack, &topic, 2, &corpus, count);
    let (columns, window) = (corpus.columns(), "SETTINGS non_replicated_deduplication_window = 100");
    query(stack, &format!("CREATE TABLE {topic} ({columns}) ENGINE = MergeTree ORDER BY id {window}"));
    let server = stack.clickhouse.url().trim_start_matches("http://").to_owned();
    let proxy = Proxy::before(&server);
    let pipe = PipeText::new(stack, &topic)
        .replacing(&server, &proxy.address().to_string())
        .with("batch: { max_rows: 10000 }");
    proxy.lose_answers(4);
    let outcome = housepipe(&["run", "pipe.yaml", "--until-caught-up", "--json"], Some(&pipe), b"")
        .wait()
        .expect_success();
    assert_eq!(proxy.left_to_lose(), 0);
    assert!(outcome.number("retries") >= 4);
    assert_eq!(outcome.number("loaded"), count);
    // The table remembers tokens, so what was done before is not done again.
    assert_eq!(query_number(stack, &format!("SELECT uniqExact(id) FROM {topic}")), count);
    assert_eq!(query_number(stack, &format!("SELECT count() FROM {topic}")), count);
}

#[test]
fn a_broker_that_goes_and_comes_back_loses_nothing() {
    let mut stack = own_stack();
    let topic = "broker_restart";
    let corpus = Events::new(23).with_id();
    let count = 200_000;
    fill(&stack, topic, 4, &corpus, count);
    let pipe = PipeText::new(&stack, topic)
        .with_new_table(&corpus.columns(), "id")
        .with("batch: { max_rows: 2000 }");
    let run = housepipe(&["run", "pipe.yaml", "--json"], Some(&pipe), b"");
    wait_until("the first rows", || {
        query(&stack, &format!("EXISTS TABLE {topic}")) == "1"
            && query_number(&stack, &format!("SELECT count() FROM {topic}")) > 0
    });
    stack.kafka.kill().unwrap();
    stack.kafka.restart().unwrap();
    wait_until("every row", || query_number(&stack, &format!("SELECT uniqExact(id) FROM {topic}")) == count);
    run.signal(Signal::SIGTERM);
    let outcome = run.wait().expect_success();
    assert_eq!(outcome.number("read"), outcome.number("loaded") + outcome.number("rejected"));
}

#[test]
fn a_table_that_is_dropped_holds_the_pipe_until_it_is_back() {
    let stack = shared_stack();
    let topic = unique("dropped");
    let corpus = Events::new(24).with_id();
    fill(stack, &topic, 1, &corpus, 100);
    let pipe = PipeText::new(stack, &topic)
        .with_new_table(&corpus.columns(), "id")
        .with("batch: { max_wait: 100ms }");
    let run = housepipe(&["--log", "info", "run", "pipe.yaml", "--json"], Some(&pipe), b"");
    wait_until("the first rows", || {
        query(stack, &format!("EXISTS TABLE {topic}")) == "1"
            && query_number(stack, &format!("SELECT count() FROM {topic}")) == 100
    });
    let ddl = query(stack, &format!("SHOW CREATE TABLE {topic} FORMAT TSVRaw"));
    query(stack, &format!("DROP TABLE {topic} SYNC"));
    let record = |index| {
        let mut record = Vec::new();
        corpus.write(index, &mut record);
        record
    };
    housepipe_tests::produce(stack, &topic, 1, (100..150).map(record));
    // The insert fails at least once while the table is away; then the table comes back.
    wait_until("a failed insert", || run.has_said("mend this and it goes on"));
    query(stack, &ddl);
    wait_until("the held rows", || query_number(stack, &format!("SELECT count() FROM {topic}")) == 50);
    run.signal(Signal::SIGINT);
    let outcome = run.wait().expect_success();
    assert_eq!((outcome.number("read"), outcome.number("loaded"), outcome.number("rejected")), (150, 150, 0));
    assert_eq!(
        query_number(stack, &format!("SELECT count() FROM {topic}_clickpipes_error WHERE kind = 'record'")),
        0
    );
}

#[test]
fn a_frozen_clickhouse_slows_the_pipe_and_loses_nothing() {
    let stack = own_stack();
    let topic = "frozen";
    let corpus = Events::new(25).with_id();
    let count = 200_000;
    fill(&stack, topic, 2, &corpus, count);
    let pipe = PipeText::new(&stack, topic)
        .with_new_table(&corpus.columns(), "id")
        .with("batch: { max_rows: 2000 }");
    let mut run = housepipe(&["run", "pipe.yaml", "--until-caught-up", "--json"], Some(&pipe), b"");
    wait_until("the first rows", || {
        query(&stack, &format!("EXISTS TABLE {topic}")) == "1"
            && query_number(&stack, &format!("SELECT count() FROM {topic}")) > 0
    });
    stack.clickhouse.freeze().unwrap();
    let frozen = std::time::Instant::now();
    wait_until("two seconds of a frozen server", || frozen.elapsed() >= Duration::from_secs(2));
    assert!(run.is_running());
    stack.clickhouse.thaw().unwrap();
    let outcome = run.wait().expect_success();
    assert_eq!(outcome.number("loaded"), count);
    assert_eq!(query_number(&stack, &format!("SELECT uniqExact(id) FROM {topic}")), count);
}
