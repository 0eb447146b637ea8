//! `housepipe errors replay` while ClickHouse is killed behind its inserts, or its table altered before them.

use housepipe_local_stack::Stack;
use housepipe_tests::{Held, PipeText, housepipe, own_stack, query, query_number, wait_until};
use nix::sys::signal::Signal;

use super::errors_replay::{WINDOW, behind_proxy, mended_at, open_token, replay};

/// What becomes of the rows of the batch that is held up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// They are stored.
    Rows,
    /// The server remembers the token, and the rows are not there: it was killed between the two.
    TokenAlone,
    /// One row is not there.
    Some,
}

/// Rows of the table, and different ids among them.
fn rows(stack: &Stack, topic: &str) -> (u64, u64) {
    let number = |what| query_number(stack, &format!("SELECT {what} FROM {topic}"));
    (number("count()"), number("uniqExact(id)"))
}

/// Holds a replay up at the rows of its first batch, and kills ClickHouse so that of them is left what `left` says. The
/// replay is killed as well, or goes on then, and has to come to its end.
fn killed_behind(stack: &mut Stack, (topic, pipe): &(String, PipeText), left: Left, kills_both: bool) {
    let (proxy, behind) = behind_proxy(stack, pipe);
    proxy.hold(2, if left == Left::TokenAlone { Held::Before } else { Held::After });
    let run = housepipe(&["errors", "replay", "pipe.yaml"], Some(&behind), b"");
    wait_until("the rows of the first batch", || proxy.is_holding());
    match left {
        Left::Rows => {}
        Left::TokenAlone => {
            let token = open_token(stack, topic);
            let with = format!("insert_deduplication_token = '{token}', deduplicate_insert = 'enable'");
            query(stack, &format!("INSERT INTO {topic} SETTINGS {with} VALUES (1000, 1000)"));
            query(stack, &format!("ALTER TABLE {topic} DELETE WHERE id = 1000 SETTINGS mutations_sync = 2"));
        }
        Left::Some => {
            query(
                stack,
                &format!(
                    "ALTER TABLE {topic} DELETE WHERE id = (SELECT min(id) FROM {topic}) SETTINGS mutations_sync = 2"
                ),
            );
        }
    }
    if kills_both {
        run.signal(Signal::SIGKILL);
    }
    let killed = stack.clickhouse.kill();
    proxy.release();
    let restarted = stack.clickhouse.restart();
    assert!(killed.is_ok() && restarted.is_ok(), "{killed:?} {restarted:?}");
    let outcome = run.wait();
    assert_eq!(outcome.code, (!kills_both).then_some(0), "{}", outcome.stderr);
}

#[test]
fn clickhouse_that_is_killed_behind_an_insert_costs_no_record() {
    let mut stack = own_stack();
    let cases =
        [(Left::Rows, false), (Left::Rows, true), (Left::TokenAlone, false), (Left::TokenAlone, true)];
    for (left, kills_both) in cases {
        let all = mended_at(&stack, "replay_restart", 7, &format!("ORDER BY id {WINDOW}"));
        killed_behind(&mut stack, &all, left, kills_both);
        let (topic, pipe) = all;
        if kills_both {
            let outcome = replay(&pipe, &["--json"]).expect_success();
            let finished = if left == Left::Rows { 3 } else { 0 };
            assert_eq!((outcome.number("finished"), outcome.number("loaded")), (finished, 7 - finished));
        }
        assert_eq!(rows(&stack, &topic), (7, 7), "{left:?}, both killed: {kills_both}");
        let again = replay(&pipe, &["--json"]).expect_success();
        assert_eq!((again.number("loaded"), again.number("finished"), again.number("refused")), (0, 0, 1));
    }
}

#[test]
fn rows_of_which_some_are_there_are_left_to_somebody_who_looks() {
    let mut stack = own_stack();
    let all = mended_at(&stack, "replay_some", 7, &format!("PARTITION BY id % 2 ORDER BY id {WINDOW}"));
    killed_behind(&mut stack, &all, Left::Some, true);
    let (topic, pipe) = all;
    for _ in 0..2 {
        let outcome = replay(&pipe, &[]);
        assert_eq!((outcome.code, rows(&stack, &topic)), (Some(1), (2, 2)), "{}", outcome.stderr);
        assert!(outcome.stderr.contains("some of its rows are there"), "{}", outcome.stderr);
        assert!(outcome.stderr.contains("--settle-loaded"), "{}", outcome.stderr);
    }
    // Whoever has looked takes the two away, and has all of them loaded anew.
    let token = open_token(&stack, &topic);
    query(&stack, &format!("ALTER TABLE {topic} DELETE WHERE true SETTINGS mutations_sync = 2"));
    replay(&pipe, &["--settle-missing", &token]).expect_success();
    assert_eq!(replay(&pipe, &["--json"]).expect_success().number("loaded"), 7);
    assert_eq!(rows(&stack, &topic), (7, 7));
}

/// Rows of former columns are not found by the values of today's, and are there all the same.
#[test]
fn rows_that_are_there_with_other_columns_are_left_to_somebody_who_looks() {
    let mut stack = own_stack();
    let all = mended_at(&stack, "replay_columns", 7, &format!("ORDER BY id {WINDOW}"));
    killed_behind(&mut stack, &all, Left::Rows, true);
    let (topic, pipe) = all;
    query(&stack, &format!("ALTER TABLE {topic} ADD COLUMN m UInt32"));
    let columns = "  columns:\n    - { name: id, type: UInt64 }\n    - { name: m, type: UInt32, from: n }\n";
    let wider = pipe.clone().with_columns(columns);
    let outcome = replay(&wider, &[]);
    assert_eq!((outcome.code, rows(&stack, &topic)), (Some(1), (3, 3)), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("the columns have changed since"), "{}", outcome.stderr);
    // Whoever has looked settles it, and the others are loaded.
    replay(&wider, &["--settle-loaded", &open_token(&stack, &topic)]).expect_success();
    assert_eq!(replay(&wider, &["--json"]).expect_success().number("loaded"), 4);
    assert_eq!(rows(&stack, &topic), (7, 7));
}

/// A key that is longer than the error table keeps is there in part. Columns that did not ask for it may do so by the time at
/// which a batch is finished.
#[test]
fn what_is_kept_in_part_is_not_loaded_by_finishing_a_batch_either() {
    let stack = own_stack();
    let (topic, pipe) = mended_at(&stack, "replay_key", 3, &format!("ORDER BY id {WINDOW}"));
    let key = "key = repeat('k', 65536)";
    query(
        &stack,
        &format!(
            "ALTER TABLE {topic}_clickpipes_error UPDATE {key} WHERE kind = 'record' SETTINGS mutations_sync = 2"
        ),
    );
    let (proxy, behind) = behind_proxy(&stack, &pipe);
    proxy.hold(2, Held::Before);
    let run = housepipe(&["errors", "replay", "pipe.yaml"], Some(&behind), b"");
    wait_until("the rows of the first batch", || proxy.is_holding());
    run.signal(Signal::SIGKILL);
    assert_eq!(run.wait().code, None);

    query(&stack, &format!("ALTER TABLE {topic} ADD COLUMN k String"));
    let columns = "  columns:\n    - { name: id, type: UInt64 }\n    - { name: n, type: UInt32 }\n    - { name: k, type: String, from: _key }\n";
    let wider = pipe.clone().with_columns(columns);
    let outcome = replay(&wider, &[]);
    assert_eq!((outcome.code, rows(&stack, &topic)), (Some(1), (0, 0)), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("more of a record than the error table keeps"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("--settle-missing"), "{}", outcome.stderr);
    // With the former columns it is finished.
    let narrow = pipe.clone().with_columns("  columns: \"id UInt64, n UInt32\"\n");
    assert_eq!(replay(&narrow, &["--json"]).expect_success().number("finished"), 3);
    assert_eq!(rows(&stack, &topic), (3, 3));
}

#[test]
fn a_column_that_gets_another_type_in_the_middle_is_seen_before_the_rows() {
    let stack = own_stack();
    let (topic, pipe) = mended_at(&stack, "replay_altered", 7, &format!("ORDER BY id {WINDOW}"));
    let (proxy, behind) = behind_proxy(&stack, &pipe);
    // The mark of the first batch.
    proxy.hold(1, Held::Before);
    let run = housepipe(&["errors", "replay", "pipe.yaml"], Some(&behind), b"");
    wait_until("the mark of the first batch", || proxy.is_holding());
    query(&stack, &format!("ALTER TABLE {topic} MODIFY COLUMN n Float32"));
    proxy.release();
    let outcome = run.wait();
    assert_eq!((outcome.code, rows(&stack, &topic)), (Some(1), (0, 0)), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("nothing of this batch was loaded"), "{}", outcome.stderr);
    assert_eq!(replay(&pipe, &["--json"]).expect_success().number("loaded"), 7);
    assert_eq!(query(&stack, &format!("SELECT min(n), max(n) FROM {topic}")), "300\t306");
}
