//! Rows that ClickHouse refuses, so many that something must be wrong with the table: the pipe ends, and has lost nothing.

use housepipe_tests::{
    Housepipe, Outcome, PipeText, create_topic, housepipe, produce, query, query_number, shared_stack,
    unique, wait_until,
};

const MODES: [&str; 2] = ["at_least_once", "exactly_once"];

/// A topic of `count` records and a table that takes those for which `check` holds.
fn refusing(name: &str, mode: &str, count: u64, check: &str) -> (String, PipeText) {
    let stack = shared_stack();
    let topic = unique(name);
    create_topic(stack, &topic, 1);
    query(
        stack,
        &format!(
            "CREATE TABLE {topic} (id UInt64, CONSTRAINT only CHECK {check}) ENGINE = MergeTree ORDER BY id \
             SETTINGS non_replicated_deduplication_window = 100000"
        ),
    );
    produce(stack, &topic, 1, (0..count).map(|id| format!("{{\"id\":{id}}}")));
    let pipe = PipeText::new(stack, &topic).with(&format!("delivery: {mode}"));
    (topic, pipe)
}

fn run(pipe: &PipeText) -> Outcome {
    let arguments = ["run", "pipe.yaml", "--until-caught-up", "--json", "--session-timeout", "2"];
    housepipe(&arguments, Some(pipe), b"").wait()
}

fn rows(topic: &str) -> String {
    query(shared_stack(), &format!("SELECT count(), uniqExact(id) FROM {topic}"))
}

/// Records in the error table.
fn errors(topic: &str) -> u64 {
    let errors = format!("{topic}_clickpipes_error WHERE kind = 'record'");
    query_number(shared_stack(), &format!("SELECT uniqExact(offset) FROM {errors}"))
}

/// Records in the error table, where there is one.
fn errors_so_far(topic: &str) -> u64 {
    match query(shared_stack(), &format!("EXISTS TABLE {topic}_clickpipes_error")).as_str() {
        "1" => errors(topic),
        _ => 0,
    }
}

/// Waits for the end of a pipe that keeps refused rows one by one, each of which may take its time.
fn wait_for_the_end(mut running: Housepipe, topic: &str) -> Outcome {
    let mut seen = 0;
    while running.is_running() {
        wait_until("another refused row, or the end", || {
            errors_so_far(topic) > seen || !running.is_running()
        });
        seen = errors_so_far(topic);
    }
    running.wait()
}

/// More than a thousand rows of a batch are refused.
fn refuses_too_many(mode: &str) {
    let stack = shared_stack();
    let (topic, pipe) = refusing("refused_all", mode, 1_500, "id >= 1200");
    // The first batch ends by time, so that it may have less than all of them; no other does.
    let pipe = pipe.with("error_table: { stop_ratio: off }\nbatch: { max_wait: 10s }");
    let running = housepipe(&["run", "pipe.yaml", "--json", "--session-timeout", "2"], Some(&pipe), b"");
    let outcome = wait_for_the_end(running, &topic);
    assert_eq!(outcome.code, Some(1), "{mode}: {}", outcome.stderr);
    for words in ["clickhouse refused 100", "offsets are kept", "Constraint `only`"] {
        assert!(outcome.stderr.contains(words), "{mode}: no `{words}` in:\n{}", outcome.stderr);
    }
    let told =
        query(stack, &format!("SELECT message FROM {topic}_clickpipes_error WHERE code = 'pipe_failed'"));
    assert_eq!(told.matches("offsets").count(), 1, "{mode}: {told}");
    query(stack, &format!("ALTER TABLE {topic} DROP CONSTRAINT only"));
    run(&pipe).expect_success();
    // Exactly once each refused row is settled by itself, and waits for a replay.
    let refused = errors(&topic);
    assert!(mode == "exactly_once" || refused == 0, "{mode}: {refused}");
    let loaded = 1_500 - refused;
    assert_eq!(rows(&topic), format!("{loaded}\t{loaded}"), "{mode}");
    housepipe(&["errors", "replay", "pipe.yaml"], Some(&pipe), b"").wait().expect_success();
    assert_eq!(rows(&topic), "1500\t1500", "{mode}");
}

#[test]
fn more_rows_than_may_be_refused_in_a_batch_end_the_pipe_and_lose_nothing() {
    refuses_too_many("at_least_once");
}

#[test]
fn more_rows_than_may_be_refused_in_a_batch_end_the_pipe_and_lose_nothing_exactly_once() {
    refuses_too_many("exactly_once");
}

/// What the table refuses counts for the rule as well, for the batches that follow.
#[test]
fn a_pipe_whose_rows_the_table_refuses_too_often_stops() {
    let stack = shared_stack();
    for mode in MODES {
        let (topic, pipe) = refusing("refused_often", mode, 2_400, "id % 10 != 0");
        let pipe = pipe.with("error_table: { stop_ratio: 0.05 }\nbatch: { max_rows: 400 }");
        let running = housepipe(&["run", "pipe.yaml", "--json", "--session-timeout", "2"], Some(&pipe), b"");
        let outcome = wait_for_the_end(running, &topic);
        assert_eq!(outcome.code, Some(1), "{mode}: {}", outcome.stderr);
        let words = "records were rejected, which is more than 5 %";
        assert!(outcome.stderr.contains(words), "{mode}: {}", outcome.stderr);
        query(stack, &format!("ALTER TABLE {topic} DROP CONSTRAINT only"));
        run(&pipe).expect_success();
        let missing = format!(
            "SELECT count() FROM numbers(2400) WHERE number NOT IN (SELECT id FROM {topic}) AND number NOT IN \
             (SELECT offset FROM {topic}_clickpipes_error WHERE kind = 'record')"
        );
        assert_eq!(query(stack, &missing), "0", "{mode}");
    }
}
