//! Tables with more partitions than one insert may reach.

use housepipe_tests::{
    PipeText, create_topic, housepipe, produce, query, query_number, shared_stack, unique, wait_until,
};
use nix::sys::signal::Signal;

use super::errors_replay::{mended_at, replay};

const MODES: [&str; 2] = ["at_least_once", "exactly_once"];

/// A topic of `count` records, each of the day that `day` says, and a table in partitions of a day which refuses one of them.
fn daily(name: &str, count: u32, day: impl Fn(u32) -> u32) -> (String, PipeText) {
    let stack = shared_stack();
    let topic = unique(name);
    create_topic(stack, &topic, 1);
    query(
        stack,
        &format!(
            "CREATE TABLE {topic} (id UInt32, day UInt16, CONSTRAINT no CHECK id != 234) ENGINE = MergeTree \
             PARTITION BY day ORDER BY id SETTINGS non_replicated_deduplication_window = 10000"
        ),
    );
    produce(stack, &topic, 1, (0..count).map(|id| format!("{{\"id\":{id},\"day\":{}}}", day(id))));
    let pipe = PipeText::new(stack, &topic);
    (topic, pipe)
}

/// How many rows there are, ids and days, in the table and in the one that has taken its place.
fn rows(topic: &str) -> String {
    let tables = format!("merge(currentDatabase(), '^{topic}(_plain)?$')");
    query(shared_stack(), &format!("SELECT count(), uniqExact(id), uniqExact(day) FROM {tables}"))
}

/// Codes and offsets of the records in the error table.
fn errors(topic: &str) -> String {
    let errors = format!("{topic}_clickpipes_error WHERE kind = 'record'");
    query(shared_stack(), &format!("SELECT code, offset FROM {errors} ORDER BY offset"))
}

#[test]
fn a_backlog_of_more_days_than_an_insert_may_have_is_loaded() {
    for mode in MODES {
        // However the first batches are cut by time, some have more than a hundred days.
        let (topic, pipe) = daily("days", 600, |id| id);
        let pipe = pipe.with(&format!("delivery: {mode}"));
        let running = housepipe(&["run", "pipe.yaml", "--json", "--session-timeout", "2"], Some(&pipe), b"");
        // A part for each day, which a busy server takes its time for.
        wait_until("every row", || rows(&topic) == "599\t599\t599" && !errors(&topic).is_empty());
        running.signal(Signal::SIGTERM);
        let outcome = running.wait().expect_success();
        assert_eq!((outcome.number("loaded"), outcome.number("rejected")), (599, 1), "{mode}");
        assert_eq!(outcome.number("bytes_loaded"), 599 * 6, "{mode}: of the rows that were taken");
        assert_eq!(
            errors(&topic),
            "refused_by_clickhouse\t234",
            "{mode}: no row is refused for its partition"
        );
    }
}

/// Where each piece of the batch has nearly all of the days, it would make as many parts as the whole.
#[test]
fn days_that_are_strewn_over_a_batch_hold_the_pipe_until_somebody_has_decided() {
    for mode in MODES {
        let stack = shared_stack();
        let (topic, pipe) = daily("strewn", 7_680, |id| id % 150);
        let pipe = pipe.with(&format!("delivery: {mode}\nbatch: {{ max_rows: 7680, max_wait: 1s }}"));
        let running = housepipe(&["--log", "info", "run", "pipe.yaml", "--json"], Some(&pipe), b"");
        wait_until("a pipe that holds", || running.has_said("the pipe holds; mend this and it goes on"));
        let said = running.said();
        assert!(said.contains("raise `max_partitions_per_insert_block` for this user"), "{mode}: {said}");
        assert_ne!(rows(&topic), "7679\t7679\t150", "{mode}");
        // Another table takes them all at once.
        let columns = "(id UInt32, day UInt16, CONSTRAINT no CHECK id != 234) ENGINE = MergeTree ORDER BY id";
        let window = "SETTINGS non_replicated_deduplication_window = 10000";
        let take = || {
            query(stack, &format!("CREATE TABLE {topic}_plain {columns} {window}"));
            query(stack, &format!("EXCHANGE TABLES {topic} AND {topic}_plain"));
        };
        if mode == "at_least_once" {
            take();
            wait_until("every row", || rows(&topic) == "7679\t7679\t150");
            running.signal(Signal::SIGTERM);
            running.wait().expect_success();
        } else {
            // With a range that is prepared: a table that is put in its place under a running pipe is another matter.
            running.signal(Signal::SIGKILL);
            running.wait();
            take();
            let arguments = ["run", "pipe.yaml", "--until-caught-up", "--session-timeout", "2"];
            housepipe(&arguments, Some(&pipe), b"").wait().expect_success();
        }
        assert_eq!(rows(&topic), "7679\t7679\t150", "{mode}");
        assert_eq!(
            errors(&topic),
            "refused_by_clickhouse\t234",
            "{mode}: no row is refused for its partition"
        );
    }
}

#[test]
fn a_replay_into_more_partitions_than_an_insert_may_have_is_no_unknown_outcome() {
    let stack = shared_stack();
    let window = "SETTINGS non_replicated_deduplication_window = 10000";
    let (topic, pipe) =
        mended_at(stack, "replay_days", 300, &format!("PARTITION BY id ORDER BY id {window}"));
    let pipe = pipe.replacing("max_rows: 3 ", "max_rows: 1000 ");
    let outcome = replay(&pipe, &["--json"]).expect_success();
    assert_eq!((outcome.number("loaded"), outcome.number("refused")), (300, 1));
    assert_eq!(query(stack, &format!("SELECT count(), uniqExact(id) FROM {topic}")), "300\t300");
    assert_eq!(replay(&pipe, &["--json"]).expect_success().number("loaded"), 0);
    let open = format!(
        "SELECT count() FROM (SELECT batch_token FROM {topic}_clickpipes_error WHERE partition = -1 GROUP BY batch_token \
         HAVING countIf(kind != 'replay') = 0)"
    );
    assert_eq!(query_number(stack, &open), 0, "nothing is left open");
}
