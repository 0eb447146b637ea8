//! Ranges whose tokens may be forgotten, in tables whose rows say which record they are of.
#![expect(clippy::unwrap_used, reason = "a helper of a test that fails has failed the test")]

use std::time::{Duration, Instant};

use housepipe_tests::{
    Layout, Numbered, Outcome, PipeText, housepipe, housepipe_at, housepipe_impatient, query, query_number,
    shared_stack, unique, wait_until,
};

/// Blocks that the table remembers.
const WINDOW: u32 = 40;

const RUN: [&str; 6] = ["run", "pipe.yaml", "--until-caught-up", "--json", "--session-timeout", "2"];

/// Numbered records, some of them bad or none, and an exactly-once pipe into a table with their partitions and offsets.
fn placed(name: &str, records: u64, has_bad: bool) -> (Numbered, PipeText) {
    let stack = shared_stack();
    let mut numbered = Numbered::laid_out(stack, &unique(name), 1, has_bad, Layout::Placed);
    numbered.produce(stack, records);
    let window = format!("non_replicated_deduplication_window = {WINDOW}");
    query(stack, &format!("ALTER TABLE {} MODIFY SETTING {window}", numbered.topic()));
    let pipe = numbered.pipe(stack).with("delivery: exactly_once").with("batch: { max_rows: 1000 }");
    (numbered, pipe)
}

fn die_at(failpoint: &str, pipe: &PipeText) {
    let outcome = housepipe_at(failpoint, &["run", "pipe.yaml", "--session-timeout", "2"], pipe).wait();
    assert_eq!(outcome.code, None, "{}", outcome.stderr);
}

/// Has the tables forget what was inserted before, by so many blocks of somebody else, whose rows are gone again.
fn forget(topic: &str) {
    let (stack, errors) = (shared_stack(), format!("{topic}_clickpipes_error"));
    let window = format!("non_replicated_deduplication_window = {WINDOW}");
    query(stack, &format!("ALTER TABLE {errors} MODIFY SETTING {window}"));
    for (table, columns, values, ours) in [
        (
            topic,
            "id, n, check, _topic, _partition, _offset",
            "18446744073709551615, 0, 0, '', 0, 0",
            "id != 18446744073709551615",
        ),
        (errors.as_str(), "pipe, kind", "'another', 'system'", "pipe != 'another'"),
    ] {
        for number in 0..WINDOW {
            let settings = format!("SETTINGS async_insert = 0, insert_deduplication_token = 'x{number}'");
            query(stack, &format!("INSERT INTO {table} ({columns}) {settings} VALUES ({values})"));
        }
        query(stack, &format!("ALTER TABLE {table} DELETE WHERE NOT ({ours}) SETTINGS mutations_sync = 2"));
    }
}

/// A run stops, since nothing tells whether its range was loaded, and adds no row.
fn assert_stops_untold(topic: &str, pipe: &PipeText) {
    let count = || query_number(shared_stack(), &format!("SELECT count() FROM {topic}"));
    let before = count();
    let outcome = housepipe_impatient(&RUN, pipe).wait();
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("does not tell whether it was loaded"), "{}", outcome.stderr);
    assert_eq!(count(), before);
}

fn looked_for(outcome: &Outcome) -> u64 {
    outcome.json()["recoveries"]["ranges_looked_for"].as_u64().unwrap()
}

fn is_exact_behind(failpoint: &str, has_bad: bool) {
    let (numbered, pipe) = placed("look_back", 5_000, has_bad);
    die_at(failpoint, &pipe);
    forget(numbered.topic());
    let outcome = housepipe_impatient(&RUN, &pipe).wait().expect_success();
    assert!(looked_for(&outcome) >= 1, "{}", outcome.stderr);
    let verdict = numbered.verdict(shared_stack());
    assert!(verdict.is_exact(), "{failpoint}: {verdict:?}\n{}", numbered.evidence(shared_stack()));
}

#[test]
fn rows_that_are_there_are_not_loaded_again() {
    is_exact_behind("insert_after:2", false);
    is_exact_behind("insert_after:2", true);
}

#[test]
fn rows_that_are_not_there_are_loaded() {
    is_exact_behind("insert_before:2", false);
    is_exact_behind("insert_before:2", true);
}

#[test]
fn rejects_that_are_missing_follow_rows_that_are_there() {
    is_exact_behind("insert_rows:2", true);
}

#[test]
fn rejects_that_are_there_stay_alone() {
    is_exact_behind("insert_rejects:2", true);
}

/// Views may lack what the table has.
#[test]
fn with_a_view_the_partition_stops() {
    let (numbered, pipe) = placed("look_back_view", 3_000, false);
    let topic = numbered.topic();
    let stack = shared_stack();
    let window = format!("SETTINGS non_replicated_deduplication_window = {WINDOW}");
    query(stack, &format!("CREATE TABLE {topic}_to (id UInt64) ENGINE = MergeTree ORDER BY id {window}"));
    query(stack, &format!("CREATE MATERIALIZED VIEW {topic}_view TO {topic}_to AS SELECT id FROM {topic}"));
    die_at("insert_after:2", &pipe);
    forget(topic);
    let before = query_number(stack, &format!("SELECT count() FROM {topic}"));
    let outcome = housepipe_impatient(&RUN, &pipe).wait();
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("the table may have forgotten its token"), "{}", outcome.stderr);
    assert_eq!(query_number(stack, &format!("SELECT count() FROM {topic}")), before);
}

/// Of a range that stands in several partitions of the table, and was deleted in one of them, nobody can tell what became.
#[test]
fn rows_that_are_there_in_part_stop_the_partition() {
    let (numbered, pipe) = placed("look_back_part", 5_000, false);
    let topic = numbered.topic();
    let stack = shared_stack();
    let all = "SELECT * FROM";
    query(
        stack,
        &format!(
            "CREATE TABLE {topic}_parts AS {topic} ENGINE = MergeTree PARTITION BY id % 4 ORDER BY id \
             SETTINGS non_replicated_deduplication_window = {WINDOW}"
        ),
    );
    query(stack, &format!("INSERT INTO {topic}_parts {all} {topic}"));
    query(stack, &format!("EXCHANGE TABLES {topic} AND {topic}_parts"));
    die_at("insert_after:2", &pipe);
    forget(topic);
    query(stack, &format!("ALTER TABLE {topic} DROP PARTITION ID '1'"));
    assert_stops_untold(topic, &pipe);
}

/// Rows at the same places that have other values are of an older topic of that name, or were changed: nothing is told.
#[test]
fn rows_that_have_other_values_stop_the_partition() {
    let (numbered, pipe) = placed("look_back_values", 5_000, false);
    let (topic, stack) = (numbered.topic(), shared_stack());
    die_at("insert_after:2", &pipe);
    forget(topic);
    query(stack, &format!("ALTER TABLE {topic} UPDATE n = n + 1 WHERE 1 SETTINGS mutations_sync = 2"));
    assert_stops_untold(topic, &pipe);
}

/// Rows of another topic at the same places are not taken for those of this one, whatever their values.
#[test]
fn rows_of_another_topic_are_none_of_this_one() {
    let (numbered, pipe) = placed("look_back_topic", 5_000, false);
    let (topic, stack) = (numbered.topic(), shared_stack());
    die_at("insert_before:2", &pipe);
    forget(topic);
    query(
        stack,
        &format!(
            "INSERT INTO {topic} SELECT * REPLACE ('other' AS _topic, _offset + 1000 AS _offset) FROM {topic}"
        ),
    );
    let outcome = housepipe_impatient(&RUN, &pipe).wait().expect_success();
    assert_eq!(looked_for(&outcome), 1, "{}", outcome.stderr);
    query(stack, &format!("ALTER TABLE {topic} DELETE WHERE _topic = 'other' SETTINGS mutations_sync = 2"));
    let verdict = numbered.verdict(stack);
    assert!(verdict.is_exact(), "{verdict:?}\n{}", numbered.evidence(stack));
}

/// What a table has forgotten does not come back where its memory is made larger.
#[test]
fn a_window_that_was_made_larger_is_not_trusted() {
    let (numbered, pipe) = placed("look_back_window", 5_000, false);
    let (topic, stack) = (numbered.topic(), shared_stack());
    die_at("insert_after:2", &pipe);
    forget(topic);
    query(stack, &format!("ALTER TABLE {topic} MODIFY SETTING non_replicated_deduplication_window = 10000"));
    let outcome = housepipe_impatient(&RUN, &pipe).wait().expect_success();
    assert_eq!(looked_for(&outcome), 1, "{}", outcome.stderr);
    let verdict = numbered.verdict(stack);
    assert!(verdict.is_exact(), "{verdict:?}\n{}", numbered.evidence(stack));
}

/// A stop does not wait for the end of the time in which an insert may be under way: the next owner begins anew.
#[test]
fn a_pipe_that_waits_before_the_look_stops_at_once() {
    let (numbered, pipe) = placed("look_back_stop", 5_000, false);
    die_at("insert_after:2", &pipe);
    forget(numbered.topic());
    let waiting = housepipe(&["run", "pipe.yaml", "--json", "--session-timeout", "2"], Some(&pipe), b"");
    wait_until("the wait to begin", || waiting.has_said("as soon as no insert of it can be under way"));
    waiting.signal(nix::sys::signal::Signal::SIGTERM);
    let outcome = waiting.wait().expect_success();
    assert_eq!(outcome.number("loaded"), 0);
    let outcome = housepipe_impatient(&RUN, &pipe).wait().expect_success();
    assert_eq!(looked_for(&outcome), 1, "{}", outcome.stderr);
    let verdict = numbered.verdict(shared_stack());
    assert!(verdict.is_exact(), "{verdict:?}\n{}", numbered.evidence(shared_stack()));
}

/// A process that was frozen is not waited for in vain: it comes back, and what it had in mind is refused.
#[test]
fn a_frozen_owner_that_wakes_behind_the_look_loads_nothing() {
    let (numbered, pipe) = placed("look_back_frozen", 5_000, false);
    let stack = shared_stack();
    let frozen =
        housepipe_at("insert_before:2:freeze", &["run", "pipe.yaml", "--session-timeout", "2"], &pipe);
    wait_until("the first process to freeze", || frozen.is_frozen());
    forget(numbered.topic());
    let outcome = housepipe_impatient(&RUN, &pipe).wait().expect_success();
    assert_eq!(looked_for(&outcome), 1, "{}", outcome.stderr);
    // The impatient one did not wait for the time in which a first try is not asked for.
    let since = Instant::now();
    wait_until("that time to be over", || since.elapsed() > Duration::from_secs(32));
    frozen.signal(nix::sys::signal::Signal::SIGCONT);
    let mut more = numbered.clone();
    more.produce(stack, 1_000);
    wait_until("the first process to go on", || more.settled(stack) >= more.expected());
    frozen.signal(nix::sys::signal::Signal::SIGTERM);
    frozen.wait();
    let verdict = more.verdict(stack);
    assert!(verdict.is_exact(), "{verdict:?}\n{}", more.evidence(stack));
}
