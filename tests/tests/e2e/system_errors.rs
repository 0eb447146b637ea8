//! What happened to a pipe itself stands in its error table, and concerns no record.

use housepipe_tests::{
    Held, PipeText, Proxy, commit, delete_records, housepipe, housepipe_at, query, query_number, set_offset,
    shared_stack, wait_until,
};
use nix::sys::signal::Signal;

use super::topic_retention::{numbered, run};

/// Code, partition, offset and message of each, the oldest first.
#[expect(clippy::unwrap_used, reason = "a helper of a test that fails has failed the test")]
fn told(pipe: &PipeText) -> Vec<(String, i64, i64, String)> {
    let arguments = ["errors", "list", "pipe.yaml", "--kind", "system", "--json"];
    let listed = housepipe(&arguments, Some(pipe), b"").wait().expect_success().json();
    let text = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap().to_owned();
    let number = |row: &serde_json::Value, key: &str| row[key].as_i64().unwrap();
    let rows = listed["errors"].as_array().unwrap().iter().rev();
    rows.map(|row| (text(row, "code"), number(row, "partition"), number(row, "offset"), text(row, "message")))
        .collect()
}

fn codes(told: &[(String, i64, i64, String)]) -> Vec<(&str, i64, i64)> {
    told.iter().map(|(code, partition, offset, _)| (code.as_str(), *partition, *offset)).collect()
}

/// Nothing of it is a record: neither counted nor replayed.
fn assert_concerns_no_record(pipe: &PipeText) {
    let replay = housepipe(&["errors", "replay", "pipe.yaml", "--json"], Some(pipe), b"").wait();
    assert_eq!(replay.expect_success().number("examined"), 0);
}

#[test]
fn a_pipe_that_holds_says_so() {
    let stack = shared_stack();
    for mode in ["at_least_once", "exactly_once"] {
        let (mut numbered, pipe) = numbered("system_hold", 100);
        let (pipe, topic) = (pipe.with(&format!("delivery: {mode}")), numbered.topic().to_owned());
        let running = housepipe(&["--log", "info", "run", "pipe.yaml", "--json"], Some(&pipe), b"");
        let rows = || query(stack, &format!("SELECT count() FROM {topic}"));
        wait_until("the first rows", || rows() == "100");
        query(stack, &format!("RENAME TABLE {topic} TO {topic}_away"));
        numbered.produce(stack, 100);
        let errors = format!("{topic}_clickpipes_error");
        wait_until("the row about it", || query_number(stack, &format!("SELECT count() FROM {errors}")) == 1);
        query(stack, &format!("RENAME TABLE {topic}_away TO {topic}"));
        wait_until("the held rows", || rows() == "200");
        running.signal(Signal::SIGTERM);
        let outcome = running.wait().expect_success();
        assert_eq!(
            (outcome.number("read"), outcome.number("loaded"), outcome.number("rejected")),
            (200, 200, 0)
        );
        let told = told(&pipe);
        assert_eq!(codes(&told), [("pipe_holds", -1, -1)], "{told:?}");
        let message = &told[0].3;
        assert!(message.starts_with("the pipe holds; mend this and it goes on: "), "{message}");
        assert!(message.contains("create the table, or correct its name"), "{message}");
        assert!(numbered.verdict(stack).is_exact());
        assert_concerns_no_record(&pipe);
    }
}

#[test]
fn what_happened_while_the_destination_was_broken_is_written_when_it_is_back() {
    let stack = shared_stack();
    let (numbered, pipe) = numbered("system_late", 100);
    let server = stack.clickhouse.url().trim_start_matches("http://").to_owned();
    let proxy = Proxy::before(&server);
    let through = pipe.clone().replacing(&server, &proxy.address().to_string());
    proxy.refuse(497, "not enough privileges");
    let running = housepipe(&["--log", "info", "run", "pipe.yaml", "--json"], Some(&through), b"");
    // It says so once, and the pipe is not concerned.
    wait_until("a row that is refused", || running.has_said("cannot be written into its error table now"));
    let errors = format!("SELECT count() FROM {}_clickpipes_error", numbered.topic());
    assert_eq!(query_number(stack, &errors), 0);
    let before = query(stack, "SELECT toUnixTimestamp64Milli(now64(3))");
    proxy.pass_on_again();
    wait_until("the row", || query_number(stack, &errors) == 1);
    wait_until("the rows", || {
        query_number(stack, &format!("SELECT count() FROM {}", numbered.topic())) == 100
    });
    running.signal(Signal::SIGTERM);
    let outcome = running.wait().expect_success();
    assert_eq!(outcome.stderr.matches("cannot be written into its error table now").count(), 1);
    assert_eq!(codes(&told(&pipe)), [("pipe_holds", -1, -1)]);
    let time = format!(
        "SELECT max(toUnixTimestamp64Milli(_time)) < {before} FROM {}_clickpipes_error",
        numbered.topic()
    );
    assert_eq!(query(stack, &time), "1", "it has the time at which it happened");
}

/// Short hiccups leave no row; this one lasts for as long as it takes.
#[test]
fn a_destination_that_is_away_for_long_is_told_of_once() {
    let stack = shared_stack();
    let (numbered, pipe) = numbered("system_away", 100);
    let server = stack.clickhouse.url().trim_start_matches("http://").to_owned();
    let proxy = Proxy::before(&server);
    let through = pipe.clone().replacing(&server, &proxy.address().to_string());
    proxy.refuse(252, "Too many parts");
    let running = housepipe(&["--log", "info", "run", "pipe.yaml", "--json"], Some(&through), b"");
    wait_until("an outage that is worth a row", || {
        running.has_said("cannot be written into its error table now")
    });
    proxy.pass_on_again();
    let rows = |table: &str| query_number(stack, &format!("SELECT count() FROM {}{table}", numbered.topic()));
    wait_until("the rows", || rows("") == 100);
    wait_until("the row about it", || rows("_clickpipes_error") == 1);
    running.signal(Signal::SIGTERM);
    assert_eq!(running.wait().expect_success().number("rejected"), 0);
    let told = told(&pipe);
    assert_eq!(codes(&told), [("destination_away", -1, -1)], "{told:?}");
    assert!(told[0].3.contains("Too many parts"), "{told:?}");
}

#[test]
fn a_partition_that_stops_says_where_and_which_range() {
    let (numbered, pipe) = numbered("system_stop", 5_000);
    let pipe = pipe.with("delivery: exactly_once");
    let died = housepipe_at("insert_after:2", &["run", "pipe.yaml", "--session-timeout", "2"], &pipe).wait();
    assert_eq!(died.code, None, "{}", died.stderr);
    let other = pipe.replacing("id UInt64, n UInt8, check UInt64", "id UInt64, check UInt64");
    assert_eq!(run(&other).code, Some(1));
    let told_first = told(&other);
    assert_eq!(
        codes(&told_first),
        [("partition_stopped", 0, 1_000), ("pipe_failed", -1, -1)],
        "{told_first:?}"
    );
    for (_, _, _, message) in &told_first {
        assert!(message.contains("the range from offset 1000 up to, and without, offset 2000"), "{message}");
    }
    assert_concerns_no_record(&other);

    // Without a range that is known there is the offset.
    commit(shared_stack(), numbered.topic(), 50, "1;L=9f3a;s=50");
    assert_eq!(run(&other).code, Some(1));
    assert_eq!(codes(&told(&other)[2..]), [("partition_stopped", 0, 50), ("pipe_failed", -1, -1)]);

    // An offset that another program has set.
    commit(shared_stack(), numbered.topic(), 4_000, "consumer-1");
    run(&other).expect_success();
    assert_eq!(codes(&told(&other)[4..]), [("new_lineage", 0, 4_000)]);
}

#[test]
fn records_that_retention_removed_are_told_of() {
    let stack = shared_stack();
    let (mut numbered, pipe) = numbered("system_skip", 1_000);
    run(&pipe).expect_success();
    numbered.produce(stack, 1_000);
    delete_records(stack, numbered.topic(), 1_500);
    let outcome = run(&pipe).expect_success();
    assert_eq!((outcome.number("read"), outcome.number("rejected")), (500, 0));
    let told = told(&pipe);
    assert_eq!(codes(&told), [("records_skipped", 0, 1_000)], "{told:?}");
    assert!(told[0].3.ends_with("from offset 1000 to offset 1500, at most 500 records are gone"), "{told:?}");
    assert_concerns_no_record(&pipe);
    let summary = housepipe(&["errors", "list", "pipe.yaml", "--summary"], Some(&pipe), b"").wait();
    let text = String::from_utf8(summary.expect_success().stdout).unwrap();
    assert!(text.starts_with("1 × system  records_skipped  from "), "{text}");
}

/// The end of a pipe whose destination does not answer: the last row is tried, and given up.
#[test]
fn a_failed_pipe_does_not_wait_for_its_last_row() {
    let stack = shared_stack();
    let (numbered, pipe) = numbered("system_end", 100);
    let server = stack.clickhouse.url().trim_start_matches("http://").to_owned();
    let proxy = Proxy::before(&server);
    let through = pipe.clone().replacing(&server, &proxy.address().to_string());
    proxy.hold(1, Held::Before);
    let running = housepipe(&["--log", "info", "run", "pipe.yaml", "--json"], Some(&through), b"");
    wait_until("an insert that is held up", || proxy.is_holding());
    // And the row about the end, which is the next insert.
    proxy.hold(1, Held::Before);
    running.signal(Signal::SIGTERM);
    wait_until("the stop", || running.has_said("a second signal ends at once"));
    running.signal(Signal::SIGTERM);
    let outcome = running.wait();
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("was not written into its error table in time"), "{}", outcome.stderr);
    proxy.release();
    run(&pipe).expect_success();
    assert!(numbered.verdict(stack).is_complete());
}

#[test]
fn without_an_error_table_nothing_is_written() {
    let (numbered, pipe) = numbered("system_off", 10);
    let pipe = pipe.with("error_table: { enabled: false }").with("delivery: exactly_once");
    commit(shared_stack(), numbered.topic(), 5, "1;L=9f3a;s=5");
    assert_eq!(run(&pipe).code, Some(1));
    let tables = format!("SELECT count() FROM system.tables WHERE name LIKE '{}%error'", numbered.topic());
    assert_eq!(query_number(shared_stack(), &tables), 0);
}

/// Exactly once: an offset that says nothing of the pipe, and none at all beside a table that has rows.
#[test]
fn a_position_that_is_not_the_pipes_own_is_told_of() {
    let stack = shared_stack();
    let (numbered, pipe) = numbered("system_position", 100);
    let pipe = pipe.with("delivery: exactly_once");
    run(&pipe).expect_success();
    assert_eq!(codes(&told(&pipe)), [], "a first start into an empty table is nothing to tell of");
    set_offset(stack, numbered.topic(), 40);
    assert_eq!(run(&pipe).expect_success().number("read"), 60);
    let told_of_reset = told(&pipe);
    assert_eq!(codes(&told_of_reset), [("new_lineage", 0, 40)]);
    assert!(told_of_reset[0].3.contains("it was set by a tool"), "{told_of_reset:?}");
    // As if the group's offsets had expired.
    let other =
        pipe.clone().renamed("system-position-anew").replacing("consumer_group: ", "consumer_group: other-");
    let outcome = run(&other).expect_success();
    assert_eq!(outcome.number("read"), 100);
    assert!(outcome.stderr.contains("the group has no offset for the partition"), "{}", outcome.stderr);
    let told_of_nothing = told(&other);
    assert_eq!(codes(&told_of_nothing), [("new_lineage", 0, 0)], "{told_of_nothing:?}");
}
