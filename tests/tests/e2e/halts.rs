//! Exactly-once delivery where it cannot go on by itself: the partition stops, says why, and loads nothing twice.

use housepipe_tests::{
    Layout, Numbered, Outcome, PipeText, Proxy, commit, housepipe, housepipe_at, query, query_number,
    shared_stack, unique, wait_until,
};

/// A table with a small window, and a pipe in exactly-once mode.
fn numbered(name: &str, records: u64) -> (Numbered, PipeText) {
    let stack = shared_stack();
    let mut numbered = Numbered::new(stack, &unique(name), 1, false);
    numbered.produce(stack, records);
    let pipe = numbered.pipe(stack).with("delivery: exactly_once").with("batch: { max_rows: 1000 }");
    (numbered, pipe)
}

fn run(pipe: &PipeText) -> Outcome {
    let arguments = ["run", "pipe.yaml", "--until-caught-up", "--json", "--session-timeout", "2"];
    housepipe(&arguments, Some(pipe), b"").wait()
}

/// Lets a pipe die behind an insert that it could not tell anybody of.
fn die_behind_an_insert(pipe: &PipeText) {
    let outcome =
        housepipe_at("insert_after:2", &["run", "pipe.yaml", "--session-timeout", "2"], pipe).wait();
    assert_eq!(outcome.code, None, "{}", outcome.stderr);
}

fn stops_with(pipe: &PipeText, words: &str) {
    let outcome = run(pipe);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(outcome.stderr.contains(words), "no `{words}` in:\n{}", outcome.stderr);
    assert!(outcome.stderr.contains("partition 0"), "{}", outcome.stderr);
}

#[test]
fn what_a_commit_says_is_taken_for_what_it_is() {
    let (mut numbered, pipe) = numbered("halt_metadata", 100);
    for (metadata, words) in
        [("9;L=1;s=50", "a newer version of housepipe (format 9)"), ("1;L=9f3a;s=50", "is damaged")]
    {
        commit(shared_stack(), numbered.topic(), 50, metadata);
        stops_with(&pipe, words);
        assert_eq!(query_number(shared_stack(), &format!("SELECT count() FROM {}", numbered.topic())), 0);
    }
    // Of another program, or moved by a tool that kept the text: the position is taken, in a new lineage.
    for (offset, metadata) in [(0, "consumer-1"), (40, "1;L=9f3a5c01d27e;s=0;h=c0add79d")] {
        commit(shared_stack(), numbered.topic(), offset, metadata);
        let outcome = run(&pipe).expect_success();
        assert_eq!(outcome.number("read"), 100 - u64::try_from(offset).unwrap());
    }
    let stack = shared_stack();
    numbered.produce(stack, 10);
    assert_eq!(run(&pipe).expect_success().number("loaded"), 10);
    // What an operator asked for again is there again: 60 of them twice.
    let topic = numbered.topic();
    assert_eq!(query(stack, &format!("SELECT count(), uniqExact(id) FROM {topic}")), "170\t110");
}

#[test]
fn a_batch_of_other_columns_stops_the_partition_until_they_are_back() {
    let (numbered, pipe) = numbered("halt_columns", 5_000);
    die_behind_an_insert(&pipe);
    let other = pipe.clone().replacing("id UInt64, n UInt8, check UInt64", "id UInt64, check UInt64");
    stops_with(&other, "was made with other columns");
    run(&pipe).expect_success();
    let verdict = numbered.verdict(shared_stack());
    assert!(verdict.is_exact(), "{verdict:?}");
}

/// The name is in the tokens, so that another one would load the pending range once more.
#[test]
fn a_batch_of_another_name_stops_the_partition_until_it_is_back() {
    let (numbered, pipe) = numbered("halt_name", 5_000);
    die_behind_an_insert(&pipe);
    let renamed = pipe.clone().renamed(&unique("renamed"));
    stops_with(&renamed, "or under another name of the pipe");
    run(&pipe).expect_success();
    // Where nothing is pending, a name may change.
    let mut more = numbered.clone();
    more.produce(shared_stack(), 100);
    run(&renamed).expect_success();
    let verdict = more.verdict(shared_stack());
    assert!(verdict.is_exact(), "{verdict:?}");
}

/// A failure of the other partitions that passes does not take the reason away.
#[test]
fn a_partition_that_has_stopped_is_shown_again_when_the_others_go_on() {
    let stack = shared_stack();
    let mut numbered = Numbered::new(stack, &unique("halt_shown"), 2, false);
    numbered.produce(stack, 100);
    let server = stack.clickhouse.url().trim_start_matches("http://").to_owned();
    let proxy = Proxy::before(&server);
    let pipe = numbered
        .pipe(stack)
        .replacing(&server, &proxy.address().to_string())
        .with("delivery: exactly_once\nbatch: { max_wait: 100ms }");
    commit(stack, numbered.topic(), 10, "1;L=9f3a;s=10");
    let running = housepipe(&["--log", "info", "run", "pipe.yaml", "--json"], Some(&pipe), b"");
    wait_until("the other partition", || numbered.settled(stack) == 50);
    let shown = || running.said().matches("the pipe holds; mend this and it goes on").count();
    wait_until("the reason", || shown() == 1);
    proxy.refuse(252, "Too many parts");
    numbered.produce(stack, 100);
    wait_until("a failure", || running.has_said("something failed and is tried again"));
    proxy.pass_on_again();
    wait_until("the rows", || numbered.settled(stack) == 100);
    wait_until("the reason once more", || shown() == 2);
    let said = running.said();
    let last = said.rsplit("the pipe holds; mend this and it goes on").next().unwrap_or_default();
    assert!(last.contains("partition 0 has stopped") && last.contains("is damaged"), "{said}");
    running.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(running.wait().code, Some(1));
}

/// Writes into the table as somebody else, each time one block.
fn insert_blocks(topic: &str, count: u32) {
    for number in 0..count {
        let settings = format!("SETTINGS async_insert = 0, insert_deduplication_token = 'x{number}'");
        let values = format!("VALUES ({}, 0, 0)", 1_000_000 + number);
        query(shared_stack(), &format!("INSERT INTO {topic} (id, n, check) {settings} {values}"));
    }
}

fn own_rows(topic: &str) -> String {
    query(shared_stack(), &format!("SELECT count(), uniqExact(id) FROM {topic} WHERE id < 1000000"))
}

#[test]
fn a_token_that_may_be_forgotten_stops_the_partition() {
    let stack = shared_stack();
    let (numbered, pipe) = numbered("halt_horizon", 5_000);
    let topic = numbered.topic();
    query(stack, &format!("ALTER TABLE {topic} MODIFY SETTING non_replicated_deduplication_window = 40"));
    // Within half of the window the range is read again, and the table drops what it has.
    die_behind_an_insert(&pipe);
    insert_blocks(topic, 10);
    run(&pipe).expect_success();
    assert_eq!(own_rows(topic), "5000\t5000");
    // Beyond it the pipe does not try.
    let mut more = numbered.clone();
    more.produce(stack, 5_000);
    die_behind_an_insert(&pipe);
    let before = own_rows(topic);
    insert_blocks(topic, 30);
    stops_with(&pipe, "the table may have forgotten its token");
    assert_eq!(own_rows(topic), before, "nothing was loaded twice");
}

/// What a table took before a batch was prepared is not counted, also where merges have left no part of that time.
#[test]
fn a_long_history_of_the_table_does_not_stop_the_partition() {
    let stack = shared_stack();
    let (numbered, pipe) = numbered("halt_history", 5_000);
    let topic = numbered.topic();
    query(
        stack,
        &format!(
            "ALTER TABLE {topic} MODIFY SETTING non_replicated_deduplication_window = 40, old_parts_lifetime = 0"
        ),
    );
    insert_blocks(topic, 60);
    die_behind_an_insert(&pipe);
    query(stack, &format!("OPTIMIZE TABLE {topic} FINAL"));
    wait_until("the old parts to go", || {
        let parts = format!("SELECT count() FROM system.parts WHERE table = '{topic}' AND NOT active");
        query_number(stack, &parts) == 0
    });
    run(&pipe).expect_success();
    assert_eq!(own_rows(topic), "5000\t5000");
}

#[test]
fn a_window_holds_as_many_blocks_as_it_says() {
    let stack = shared_stack();
    let (numbered, pipe) = numbered("window", 1);
    let topic = numbered.topic();
    query(stack, &format!("ALTER TABLE {topic} MODIFY SETTING non_replicated_deduplication_window = 20"));
    // One insert a second and partition: the window in blocks is the horizon in seconds.
    let pipe = pipe.replacing("max_rows: 1000", "max_rows: 1000, max_wait: 1s");
    let checked = housepipe(&["check", "pipe.yaml", "--json"], Some(&pipe), b"").wait().json();
    let checks = checked["checks"].as_array().unwrap();
    let detail = |name: &str| {
        let check = checks.iter().find(|check| check["name"] == name).unwrap();
        check["detail"].as_str().unwrap().to_owned()
    };
    assert!(detail("deduplication").contains("within 20 s"), "{}", detail("deduplication"));
    let repeat = || {
        let settings = "SETTINGS async_insert = 0, insert_deduplication_token = 'ours'";
        query(stack, &format!("INSERT INTO {topic} (id, n, check) {settings} VALUES (7, 7, 7)"));
        query_number(stack, &format!("SELECT count() FROM {topic} WHERE id = 7"))
    };
    assert_eq!(repeat(), 1);
    insert_blocks(topic, 19);
    assert_eq!(repeat(), 1, "within the window a repetition is dropped");
    insert_blocks(topic, 40);
    assert_eq!(repeat(), 2, "beyond it the repetition is a row");
}

#[test]
fn a_view_that_refuses_holds_the_pipe_and_doubles_nothing() {
    let stack = shared_stack();
    let (numbered, pipe) = numbered("halt_view", 2_000);
    let topic = numbered.topic();
    let settings = "SETTINGS non_replicated_deduplication_window = 100";
    query(
        stack,
        &format!(
            "CREATE TABLE {topic}_target (id UInt64, CONSTRAINT no CHECK id != 77) ENGINE = MergeTree ORDER BY id {settings}"
        ),
    );
    query(
        stack,
        &format!("CREATE MATERIALIZED VIEW {topic}_view TO {topic}_target AS SELECT id FROM {topic}"),
    );
    let running = housepipe(&["--log", "info", "run", "pipe.yaml", "--json"], Some(&pipe), b"");
    wait_until("a held insert", || running.has_said("mend this and it goes on"));
    query(stack, &format!("ALTER TABLE {topic}_target DROP CONSTRAINT no"));
    let rows = |table: &str| query_number(stack, &format!("SELECT count() FROM {table}"));
    wait_until("every row behind the view", || rows(&format!("{topic}_target")) >= 2_000);
    running.signal(nix::sys::signal::Signal::SIGTERM);
    running.wait().expect_success();
    assert_eq!((rows(topic), rows(&format!("{topic}_target"))), (2_000, 2_000));
}

#[test]
fn the_judge_of_these_tests_sees_what_is_wrong() {
    let stack = shared_stack();
    let mut numbered = Numbered::new(stack, &unique("judge"), 2, true);
    numbered.produce(stack, 6_000);
    let pipe = numbered.pipe(stack).with("delivery: exactly_once");
    run(&pipe).expect_success();
    assert!(numbered.verdict(stack).is_exact());
    let topic = numbered.topic().to_owned();
    query(stack, &format!("INSERT INTO {topic} SELECT * FROM {topic} WHERE id IN (20, 21)"));
    query(stack, &format!("INSERT INTO {topic} (id, n, check) VALUES (6000, 1, 2)"));
    query(stack, &format!("DELETE FROM {topic} WHERE id IN (30, 31, 32)"));
    let early = format!(
        "ALTER TABLE {topic} UPDATE at = toDateTime64(1, 6) WHERE id = 5000 SETTINGS mutations_sync = 2"
    );
    query(stack, &early);
    query(
        stack,
        &format!("INSERT INTO {topic}_clickpipes_error SELECT * FROM {topic}_clickpipes_error LIMIT 1"),
    );
    let verdict = numbered.verdict(stack);
    let seen = (verdict.lost, verdict.duplicated, verdict.phantom, verdict.corrupted);
    assert_eq!((seen, verdict.disordered), ((3, 3, 1, 1), 1), "{verdict:?}");
    assert!(!verdict.is_complete() && !verdict.is_exact());
}

#[test]
fn the_judge_sees_what_a_view_has_not_passed_on_and_what_it_has_twice() {
    let stack = shared_stack();
    let mut numbered = Numbered::laid_out(stack, &unique("judge_view"), 2, true, Layout::Viewed);
    numbered.produce(stack, 2_000);
    let pipe = numbered.pipe(stack).with("delivery: exactly_once");
    run(&pipe).expect_success();
    assert!(numbered.verdict(stack).is_exact());
    let topic = numbered.topic().to_owned();
    query(stack, &format!("INSERT INTO {topic}_seen SELECT id FROM {topic}_seen WHERE id IN (20, 21)"));
    query(stack, &format!("DELETE FROM {topic}_seen WHERE id IN (30, 31, 32)"));
    // Among the records that are rejected, and beyond all that were written.
    query(stack, &format!("INSERT INTO {topic}_seen VALUES (7), (2000)"));
    let verdict = numbered.verdict(stack);
    assert_eq!((verdict.lost, verdict.duplicated, verdict.misplaced), (3, 2, 2), "{verdict:?}");
    assert!(numbered.evidence(stack).contains("passed on by the view\t20\t2\t1"));
}
