//! `delivery: exactly_once`: each record is in its place once, whatever breaks.

use housepipe_local_stack::Stack;
use housepipe_tests::{
    Held, Numbered, PipeText, Proxy, committed, create_topic, housepipe, housepipe_at, own_stack, produce,
    query, query_number, shared_stack, unique, wait_until,
};
use nix::sys::signal::Signal;

/// A pipe in exactly-once mode with small batches.
fn pipe(numbered: &Numbered, rows_max: u64) -> PipeText {
    numbered
        .pipe(shared_stack())
        .with("delivery: exactly_once")
        .with(&format!("batch: {{ max_rows: {rows_max}, max_wait: 500ms }}"))
}

fn run_to_the_end(pipe: &PipeText) -> housepipe_tests::Outcome {
    let outcome = housepipe(
        &["run", "pipe.yaml", "--until-caught-up", "--json", "--session-timeout", "2"],
        Some(pipe),
        b"",
    )
    .wait();
    let outcome = outcome.expect_success();
    assert_eq!(outcome.number("read"), outcome.number("loaded") + outcome.number("rejected"));
    outcome
}

fn assert_exact(numbered: &Numbered) {
    let verdict = numbered.verdict(shared_stack());
    assert!(verdict.is_exact(), "{verdict:?}");
}

#[test]
fn a_topic_with_bad_records_is_loaded_once() {
    let stack = shared_stack();
    let mut numbered = Numbered::new(stack, &unique("once"), 4, true);
    numbered.produce(stack, 60_000);
    let outcome = run_to_the_end(&pipe(&numbered, 4_000));
    assert_eq!(outcome.number("read"), 60_000);
    assert_exact(&numbered);
    // A second run finds nothing to do, and goes on where the first one ended.
    numbered.produce(stack, 1_000);
    assert_eq!(run_to_the_end(&pipe(&numbered, 4_000)).number("read"), 1_000);
    assert_exact(&numbered);
}

#[test]
fn kill_9_in_mid_load_loads_nothing_twice() {
    let stack = shared_stack();
    let mut numbered = Numbered::new(stack, &unique("once_killed"), 4, true);
    numbered.produce(stack, 400_000);
    let pipe = pipe(&numbered, 10_000);
    for life in 1..=3u64 {
        let run =
            housepipe(&["run", "pipe.yaml", "--until-caught-up", "--session-timeout", "2"], Some(&pipe), b"");
        wait_until("records in the tables", || numbered.settled(stack) >= life * 80_000);
        run.signal(Signal::SIGKILL);
        assert_eq!(run.wait().code, None);
    }
    run_to_the_end(&pipe);
    assert_exact(&numbered);
}

/// Ends the pipe at the place, twice, and lets a third run finish.
fn dies_at(failpoint: &str) {
    let stack = shared_stack();
    let mut numbered = Numbered::new(stack, &unique("once_dies"), 2, true);
    numbered.produce(stack, 30_000);
    let pipe = pipe(&numbered, 3_000);
    for count in [1, 4] {
        let failpoint = format!("{failpoint}:{count}");
        let run = housepipe_at(
            &failpoint,
            &["run", "pipe.yaml", "--until-caught-up", "--session-timeout", "2"],
            &pipe,
        );
        let outcome = run.wait();
        assert_eq!(outcome.code, None, "{failpoint} was not passed:\n{}", outcome.stderr);
    }
    run_to_the_end(&pipe);
    assert_exact(&numbered);
}

#[test]
fn dying_before_a_commit_is_sent() {
    dies_at("commit_before");
}

#[test]
fn dying_before_the_answer_to_a_commit_counts() {
    dies_at("commit_after");
}

#[test]
fn dying_between_a_commit_and_its_insert() {
    dies_at("insert_before");
}

#[test]
fn dying_between_the_rows_and_the_rejects() {
    dies_at("insert_rows");
}

#[test]
fn dying_behind_the_rejects() {
    dies_at("insert_rejects");
}

#[test]
fn dying_between_an_insert_and_the_next_commit() {
    dies_at("insert_after");
}

/// A topic with the records of three batches, a pipe that loads it, and one that does so by a proxy.
fn three_batches(stack: &Stack, name: &str) -> (Numbered, PipeText, PipeText, Proxy) {
    let mut numbered = Numbered::new(stack, &unique(name), 1, false);
    numbered.produce(stack, 3_000);
    let direct = numbered.pipe(stack).with("delivery: exactly_once").with("batch: { max_rows: 1000 }");
    let server = stack.clickhouse.url().trim_start_matches("http://").to_owned();
    let proxy = Proxy::before(&server);
    let by_proxy = direct.clone().replacing(&server, &proxy.address().to_string());
    (numbered, direct, by_proxy, proxy)
}

/// The insert of a killed server is begun anew; whoever comes next knows under which token.
#[test]
fn dying_behind_an_insert_that_a_killed_server_had_not_done() {
    let mut stack = own_stack();
    let (numbered, direct, pipe, proxy) = three_batches(&stack, "once_anew");
    proxy.hold(1, Held::Before);
    let run = housepipe_at("insert_rows", &["run", "pipe.yaml", "--session-timeout", "2"], &pipe);
    wait_until("an insert to be held up", || proxy.is_holding());
    stack.clickhouse.kill().unwrap();
    proxy.release();
    stack.clickhouse.restart().unwrap();
    let outcome = run.wait();
    assert_eq!(outcome.code, None, "it has not come to its end behind the rows:\n{}", outcome.stderr);
    assert_eq!(numbered.settled(&stack), 1_000, "the insert was begun anew:\n{}", outcome.stderr);
    let arguments = ["run", "pipe.yaml", "--until-caught-up", "--json", "--session-timeout", "2"];
    let outcome = housepipe(&arguments, Some(&direct), b"").wait().expect_success();
    assert!(outcome.stderr.contains("read again"), "{}", outcome.stderr);
    assert_eq!(outcome.json()["recoveries"]["ranges_replayed"], 1, "{}", outcome.stderr);
    assert!(
        numbered.verdict(&stack).is_exact(),
        "{:?}\n{}",
        numbered.verdict(&stack),
        numbered.evidence(&stack)
    );
}

/// An insert that was meant for a server that was killed reaches the one after it, when its rows are there already under
/// another token: it is refused.
#[test]
fn an_insert_that_strays_to_the_next_server_loads_nothing() {
    let mut stack = own_stack();
    let (numbered, _, pipe, proxy) = three_batches(&stack, "once_astray");
    proxy.hold(2, Held::Astray);
    let run = housepipe(&["run", "pipe.yaml", "--json", "--session-timeout", "2"], Some(&pipe), b"");
    wait_until("an insert to be held up", || proxy.is_holding());
    stack.clickhouse.kill().unwrap();
    stack.clickhouse.restart().unwrap();
    wait_until("the records under another token", || numbered.settled(&stack) == 3_000);
    let refused =
        || query_number(&stack, "SELECT sum(value) FROM system.errors WHERE name = 'SESSION_NOT_FOUND'");
    assert_eq!(refused(), 0);
    proxy.release();
    wait_until("the insert to be refused", || refused() == 1);
    run.signal(Signal::SIGTERM);
    run.wait().expect_success();
    let (verdict, evidence) = (numbered.verdict(&stack), numbered.evidence(&stack));
    assert!(verdict.is_exact(), "{verdict:?}\n{evidence}");
}

/// A range that was prepared before its server was killed is prepared again before it is sent at all, also where the table's
/// engine merges rows: of what was never sent nothing can be there.
#[test]
fn a_range_that_was_not_sent_before_the_server_was_killed_is_prepared_again() {
    let mut stack = own_stack();
    let topic = unique("once_unsent");
    create_topic(&stack, &topic, 1);
    query(
        &stack,
        &format!(
            "CREATE TABLE {topic} (id UInt64) ENGINE = ReplacingMergeTree ORDER BY id \
             SETTINGS non_replicated_deduplication_window = 10000"
        ),
    );
    let pipe = PipeText::new(&stack, &topic).with("delivery: exactly_once");
    let run = housepipe(&["run", "pipe.yaml", "--json", "--session-timeout", "2"], Some(&pipe), b"");
    wait_until("a pipe that reads", || run.has_said("partitions assigned"));
    // Of two servers that start within a few seconds the first was never sent anything, and is taken for the second.
    wait_until("a server that may be sent to", || query_number(&stack, "SELECT toUInt64(uptime())") > 8);
    stack.clickhouse.kill().unwrap();
    produce(&stack, &topic, 1, (0..1_000).map(|id| format!("{{\"id\": {id}}}")));
    wait_until("the range to be prepared", || committed(&stack, &topic) == Some(0));
    stack.clickhouse.restart().unwrap();
    wait_until("the rows", || query_number(&stack, &format!("SELECT count() FROM {topic} FINAL")) == 1_000);
    assert!(run.has_said("prepared again"), "{}", run.said());
    run.signal(Signal::SIGTERM);
    let outcome = run.wait().expect_success();
    assert_eq!(outcome.number("loaded"), 1_000);
}

#[test]
fn answers_that_are_lost_load_nothing_twice() {
    let stack = shared_stack();
    let mut numbered = Numbered::new(stack, &unique("once_answers"), 2, true);
    numbered.produce(stack, 60_000);
    let server = stack.clickhouse.url().trim_start_matches("http://").to_owned();
    let proxy = Proxy::before(&server);
    let pipe = pipe(&numbered, 5_000).replacing(&server, &proxy.address().to_string());
    proxy.lose_answers(6);
    let outcome = run_to_the_end(&pipe);
    assert_eq!(proxy.left_to_lose(), 0);
    assert!(outcome.number("retries") >= 6);
    assert_exact(&numbered);
}

#[test]
fn members_that_come_and_go_load_nothing_twice() {
    let stack = shared_stack();
    let mut numbered = Numbered::new(stack, &unique("once_shared"), 4, true);
    let pipe = pipe(&numbered, 2_000);
    let start = || housepipe(&["run", "pipe.yaml", "--json", "--session-timeout", "2"], Some(&pipe), b"");
    let first = start();
    numbered.produce(stack, 20_000);
    wait_until("the records of the first member", || numbered.settled(stack) == 20_000);
    let second = start();
    for _ in 0..20 {
        numbered.produce(stack, 1_000);
    }
    let frozen = start();
    wait_until("the records of all", || numbered.settled(stack) == 40_000);
    // Frozen for longer than its session, it wakes to find that its partitions have other owners.
    numbered.produce(stack, 50_000);
    frozen.signal(Signal::SIGSTOP);
    first.signal(Signal::SIGTERM);
    first.wait().expect_success();
    numbered.produce(stack, 50_000);
    wait_until("the records without the frozen member", || numbered.settled(stack) == 140_000);
    frozen.signal(Signal::SIGCONT);
    numbered.produce(stack, 20_000);
    wait_until("the records after it woke", || numbered.settled(stack) == 160_000);
    frozen.signal(Signal::SIGTERM);
    frozen.wait().expect_success();
    second.signal(Signal::SIGTERM);
    second.wait().expect_success();
    assert_exact(&numbered);
}

#[test]
fn a_table_that_remembers_nothing_is_refused() {
    let stack = shared_stack();
    let topic = unique("once_forgets");
    create_topic(stack, &topic, 1);
    query(stack, &format!("CREATE TABLE {topic} (id UInt64) ENGINE = MergeTree ORDER BY id"));
    let pipe = PipeText::new(stack, &topic).with("delivery: exactly_once");
    for arguments in [["run", "pipe.yaml"], ["check", "pipe.yaml"]] {
        let outcome = housepipe(&arguments, Some(&pipe), b"").wait();
        assert_eq!(outcome.code, Some(1));
        let said = outcome.stderr + &String::from_utf8_lossy(&outcome.stdout);
        let mend = "MODIFY SETTING non_replicated_deduplication_window";
        assert!(said.contains(mend), "{said}");
    }
    assert_eq!(query_number(stack, &format!("SELECT count() FROM {topic}")), 0);
}

/// A start would be refused: its target remembers no token, and would take the repetition that the table drops.
#[test]
fn a_view_that_is_attached_later_and_forgets_gets_nothing_twice() {
    let stack = shared_stack();
    let mut numbered = Numbered::new(stack, &unique("once_view"), 1, false);
    let topic = numbered.topic().to_owned();
    let server = stack.clickhouse.url().trim_start_matches("http://").to_owned();
    let proxy = Proxy::before(&server);
    let direct = pipe(&numbered, 1_000);
    let by_proxy = direct.clone().replacing(&server, &proxy.address().to_string());
    let run = housepipe(&["run", "pipe.yaml", "--json", "--session-timeout", "2"], Some(&by_proxy), b"");
    wait_until("a pipe that reads", || run.has_said("partitions assigned"));
    query(stack, &format!("CREATE TABLE {topic}_copy (id UInt64) ENGINE = MergeTree ORDER BY id"));
    query(stack, &format!("CREATE MATERIALIZED VIEW {topic}_view TO {topic}_copy AS SELECT id FROM {topic}"));
    proxy.lose_answers(1);
    numbered.produce(stack, 1_000);
    let outcome = run.wait();
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("`delivery: exactly_once` cannot hold"), "{}", outcome.stderr);
    let copied = || query(stack, &format!("SELECT count(), uniqExact(id) FROM {topic}_copy"));
    assert_eq!(copied(), "1000\t1000");
    // Nor where it remembers from now on: it has not heard of the pending range.
    query(
        stack,
        &format!("ALTER TABLE {topic}_copy MODIFY SETTING non_replicated_deduplication_window = 1000"),
    );
    let arguments = ["run", "pipe.yaml", "--until-caught-up", "--json", "--session-timeout", "2"];
    let outcome = housepipe(&arguments, Some(&direct), b"").wait();
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("another table or view has taken its place"), "{}", outcome.stderr);
    assert_eq!(copied(), "1000\t1000");
    assert_eq!(query_number(stack, &format!("SELECT count() FROM {topic}")), 1_000);
}

/// Each partition has a range to read again, and few are read at once.
#[test]
fn many_ranges_are_read_again_one_after_the_other() {
    let stack = shared_stack();
    let mut numbered = Numbered::new(stack, &unique("once_many"), 12, true);
    numbered.produce(stack, 36_000);
    let pipe = pipe(&numbered, 1_000);
    let server = stack.clickhouse.url().trim_start_matches("http://").to_owned();
    let proxy = Proxy::before(&server);
    let by_proxy = pipe.clone().replacing(&server, &proxy.address().to_string());
    let arguments = [
        "run",
        "pipe.yaml",
        "--json",
        "--session-timeout",
        "2",
        "--inserts-in-flight",
        "12",
        "--workers",
        "4",
    ];
    let run = housepipe(&arguments, Some(&by_proxy), b"");
    wait_until("some rows", || numbered.settled(stack) > 0);
    proxy.lose_answers(1_000);
    wait_until("answers to be lost", || proxy.left_to_lose() < 980);
    run.signal(Signal::SIGKILL);
    run.wait();
    let arguments = ["run", "pipe.yaml", "--until-caught-up", "--json", "--session-timeout", "2"];
    let outcome =
        housepipe(&[&arguments[..], &["--inserts-in-flight", "1"]].concat(), Some(&pipe), b"").wait();
    let outcome = outcome.expect_success();
    let replayed = outcome.json()["recoveries"]["ranges_replayed"].as_u64();
    assert!(replayed.is_some_and(|ranges| ranges > 2), "{replayed:?}");
    assert_exact(&numbered);
}

/// Rows of the error table are repeated as well.
#[test]
fn an_error_table_that_remembers_nothing_is_refused_and_a_short_memory_is_told() {
    let stack = shared_stack();
    let topic = unique("once_errors_forget");
    create_topic(stack, &topic, 1);
    let window = |blocks: u32| format!("SETTINGS non_replicated_deduplication_window = {blocks}");
    query(
        stack,
        &format!("CREATE TABLE {topic} (id UInt64) ENGINE = MergeTree ORDER BY id {}", window(10_000)),
    );
    // One insert a second: the window in blocks is the horizon in seconds.
    let at_least_once = PipeText::new(stack, &topic).with("batch: { max_wait: 1s }");
    let pipe = at_least_once.clone().with("delivery: exactly_once");
    let check = |pipe: &PipeText| {
        let outcome = housepipe(&["check", "pipe.yaml", "--json"], Some(pipe), b"").wait();
        let checks = outcome.json()["checks"].as_array().unwrap().clone();
        let check = checks.into_iter().find(|check| check["name"] == "deduplication").unwrap();
        let words = |key: &str| check[key].as_str().unwrap().to_owned();
        (outcome.code, words("verdict"), words("detail"))
    };
    let passed = |(code, verdict, detail): (Option<i32>, String, String), words: &str| {
        assert_eq!((code, verdict.as_str()), (Some(0), "ok"), "{detail}");
        assert!(detail.contains(words), "no `{words}` in: {detail}");
    };
    // It is created with a window.
    passed(check(&pipe), "within 10000 s");
    housepipe(&["run", "pipe.yaml", "--until-caught-up"], Some(&pipe), b"").wait().expect_success();
    let errors = format!("{topic}_clickpipes_error");
    let set = |blocks: u32| {
        let setting = format!("non_replicated_deduplication_window = {blocks}");
        query(stack, &format!("ALTER TABLE {errors} MODIFY SETTING {setting}"));
    };
    set(900);
    passed(check(&pipe), &format!("within 900 s, which `housepipe`.`{errors}` remembers"));
    set(0);
    let mend =
        format!("ALTER TABLE `housepipe`.`{errors}` MODIFY SETTING non_replicated_deduplication_window");
    let (code, verdict, detail) = check(&pipe);
    assert_eq!((code, verdict.as_str()), (Some(1), "failed"), "{detail}");
    assert!(detail.contains(&mend), "{detail}");
    let (code, verdict, detail) = check(&at_least_once);
    assert_eq!((code, verdict.as_str()), (Some(0), "warning"), "{detail}");
    assert!(detail.contains(&mend), "{detail}");
    let outcome = housepipe(&["run", "pipe.yaml", "--until-caught-up"], Some(&pipe), b"").wait();
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains(&mend), "{}", outcome.stderr);
    let without = pipe.with("error_table: { enabled: false }");
    passed(check(&without), "within 10000 s");
}

/// The error rows of one batch are more than one insert: a server that is killed between them has some of them.
#[test]
fn error_rows_of_which_some_are_there_after_a_kill_are_completed() {
    let mut stack = own_stack();
    let topic = unique("once_rejects");
    create_topic(&stack, &topic, 1);
    query(
        &stack,
        &format!(
            "CREATE TABLE {topic} (id UInt64) ENGINE = MergeTree ORDER BY id \
             SETTINGS non_replicated_deduplication_window = 10000"
        ),
    );
    let text = "?".repeat(900_000);
    let bad = |id: u32| format!("{{\"id\": \"{id}{text}\"}}");
    let server = stack.clickhouse.url().trim_start_matches("http://").to_owned();
    let proxy = Proxy::before(&server);
    // Closed when it has all 50 records, however slowly they come.
    let pipe = PipeText::new(&stack, &topic)
        .with("delivery: exactly_once")
        .with("batch: { max_rows: 50, max_bytes: 128MB, max_wait: 60s }")
        .replacing(&server, &proxy.address().to_string());
    let arguments = ["run", "pipe.yaml", "--json", "--session-timeout", "2", "--memory-mib", "1024"];
    let run = housepipe(&arguments, Some(&pipe), b"");
    let count = format!("SELECT count() FROM {topic}_clickpipes_error");
    let there = || stack.clickhouse.query(&count).ok().and_then(|count| count.trim().parse::<u64>().ok());
    // The first batch of a process is closed early, and would be a part of the 50.
    produce(&stack, &topic, 1, [bad(0)]);
    wait_until("the first batch", || there() == Some(1));
    proxy.hold(2, Held::Before);
    produce(&stack, &topic, 1, (1..51).map(bad));
    wait_until("the second insert of error rows", || proxy.is_holding());
    let some = there().unwrap();
    assert!((2..51).contains(&some), "{some} of 51");
    stack.clickhouse.kill().unwrap();
    proxy.release();
    stack.clickhouse.restart().unwrap();
    wait_until("the other error rows", || query_number(&stack, &count) >= 51);
    run.signal(Signal::SIGTERM);
    let outcome = run.wait().expect_success();
    assert_eq!((outcome.number("read"), outcome.number("rejected")), (51, 51));
    assert_eq!(rows_of(&stack, &topic), "51\t51\t2", "{}", outcome.stderr);
}

/// Error rows, different offsets and batches among them.
fn rows_of(stack: &Stack, topic: &str) -> String {
    query(
        stack,
        &format!("SELECT count(), uniqExact(offset), uniqExact(batch_token) FROM {topic}_clickpipes_error"),
    )
}
