//! Retention that passed the position of the group.

use housepipe_tests::{
    Held, Housepipe, Numbered, Outcome, PipeText, Proxy, commit, committed, delete_records, housepipe,
    housepipe_at, query, shared_stack, unique, wait_until,
};
use nix::sys::signal::Signal;

/// What a pipe says that goes on behind the gap.
const GOES_ON: &str = "reading goes on at the earliest record that is left";

/// A topic of one partition with records, and the pipe into a table of its own.
pub(super) fn numbered(name: &str, records: u64) -> (Numbered, PipeText) {
    let stack = shared_stack();
    let mut numbered = Numbered::new(stack, &unique(name), 1, false);
    numbered.produce(stack, records);
    let pipe = numbered.pipe(stack).with("batch: { max_rows: 1000 }");
    (numbered, pipe)
}

fn exactly_once(pipe: &PipeText) -> PipeText {
    pipe.clone().with("delivery: exactly_once")
}

const RUN: [&str; 6] = ["run", "pipe.yaml", "--until-caught-up", "--json", "--session-timeout", "2"];

/// Runs the pipe until it has caught up.
pub(super) fn run(pipe: &PipeText) -> Outcome {
    housepipe(&RUN, Some(pipe), b"").wait()
}

/// The pipe ends with the reason and the mend, and its offset is where it was.
fn stops_at(pipe: &PipeText, topic: &str, offset: i64) -> String {
    let outcome = run(pipe);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    for words in [format!("has no offset {offset} any more"), "set the group's offset".to_owned()] {
        assert!(outcome.stderr.contains(&words), "no `{words}` in:\n{}", outcome.stderr);
    }
    assert_eq!(committed(shared_stack(), topic), Some(offset));
    outcome.stderr
}

/// Rows, those that are there more than once left out.
fn rows(topic: &str) -> String {
    query(shared_stack(), &format!("SELECT count(), uniqExact(id), min(id), max(id) FROM {topic}"))
}

#[test]
fn while_stopped_at_least_once_goes_on_at_the_earliest_record_and_says_so() {
    let stack = shared_stack();
    let (mut numbered, pipe) = numbered("retention", 1_000);
    run(&pipe).expect_success();
    numbered.produce(stack, 1_000);
    delete_records(stack, numbered.topic(), 1_500);
    let outcome = run(&pipe).expect_success();
    assert_eq!(outcome.number("read"), 500);
    for words in [GOES_ON, "position=1000", "earliest=1500", "deleted_records_max=500"] {
        assert!(outcome.stderr.contains(words), "no `{words}` in:\n{}", outcome.stderr);
    }
    assert_eq!(rows(numbered.topic()), "1500\t1500\t0\t1999");
}

#[test]
fn while_stopped_exactly_once_stops_until_the_offset_is_set() {
    let stack = shared_stack();
    let (mut numbered, pipe) = numbered("retention_once", 1_000);
    let (pipe, topic) = (exactly_once(&pipe), numbered.topic().to_owned());
    run(&pipe).expect_success();
    numbered.produce(stack, 1_000);
    delete_records(stack, &topic, 1_500);
    stops_at(&pipe, &topic, 1_000);
    assert_eq!(rows(&topic), "1000\t1000\t0\t999");
    // As the message says.
    commit(stack, &topic, 1_500, "");
    assert_eq!(run(&pipe).expect_success().number("read"), 500);
    assert_eq!(rows(&topic), "1500\t1500\t0\t1999");
}

#[test]
fn a_pending_range_that_retention_has_reached_stops_the_partition() {
    let stack = shared_stack();
    for (deleted_to, name) in
        [(1_500, "retention_middle"), (2_000, "retention_whole"), (5_000, "retention_all")]
    {
        let (numbered, pipe) = numbered(name, 5_000);
        let (pipe, topic) = (exactly_once(&pipe), numbered.topic().to_owned());
        let died =
            housepipe_at("insert_after:2", &["run", "pipe.yaml", "--session-timeout", "2"], &pipe).wait();
        assert_eq!(died.code, None, "{}", died.stderr);
        delete_records(stack, &topic, deleted_to);
        let said = stops_at(&pipe, &topic, 1_000);
        let range = "the range from offset 1000 up to, and without, offset 2000 may be loaded already";
        assert!(said.contains(range), "no `{range}` in:\n{said}");
        // The range from 1000 to 2000 is there: whoever looks sets the offset behind it.
        assert_eq!(rows(&topic), "2000\t2000\t0\t1999", "{name}");
        commit(stack, &topic, 2_000.max(deleted_to), "");
        run(&pipe).expect_success();
        let left = 5_000 - 2_000.max(deleted_to);
        let max = if left > 0 { 4_999 } else { 1_999 };
        assert_eq!(rows(&topic), format!("{0}\t{0}\t0\t{max}", 2_000 + left), "{name}");
    }
}

/// A pipe that is so far behind that its next record is deleted under it.
fn overtaken(mode: &str) -> (Numbered, Housepipe, Proxy) {
    let stack = shared_stack();
    let (mut numbered, pipe) = numbered("overtaken", 2_000);
    let server = stack.clickhouse.url().trim_start_matches("http://").to_owned();
    let proxy = Proxy::before(&server);
    let pipe = pipe.with(&format!("delivery: {mode}")).replacing(&server, &proxy.address().to_string());
    proxy.hold(1, Held::Before);
    let running = housepipe(&["--log", "info", "run", "pipe.yaml", "--json"], Some(&pipe), b"");
    wait_until("an insert that is held up", || proxy.is_holding());
    // More than the pipe fetches ahead.
    numbered.produce(stack, 300_000);
    delete_records(stack, numbered.topic(), 301_000);
    proxy.release();
    (numbered, running, proxy)
}

#[test]
fn while_running_at_least_once_goes_on_at_the_earliest_record_and_says_so() {
    let stack = shared_stack();
    let (numbered, running, _proxy) = overtaken("at_least_once");
    let topic = numbered.topic();
    wait_until("the records that are left", || {
        query(stack, &format!("SELECT uniqExact(id) FROM {topic} WHERE id >= 301000")) == "1000"
    });
    assert!(running.has_said(GOES_ON));
    running.signal(Signal::SIGTERM);
    let outcome = running.wait().expect_success();
    assert_eq!(outcome.number("read"), outcome.number("loaded"));
    let verdict = numbered.verdict(stack);
    assert!(verdict.lost > 0 && verdict.lost <= 301_000, "{verdict:?}");
    assert_eq!((verdict.phantom, verdict.corrupted), (0, 0));
    // What was not deleted before it was read is there.
    assert_eq!(verdict.lost + outcome.number("read"), numbered.produced());
}

#[test]
fn while_running_exactly_once_stops_the_partition() {
    let stack = shared_stack();
    let (numbered, running, _proxy) = overtaken("exactly_once");
    wait_until("the halt of the partition", || running.has_said("a partition stops; its offset is kept"));
    running.signal(Signal::SIGTERM);
    let outcome = running.wait();
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("any more: retention passed it"), "{}", outcome.stderr);
    let verdict = numbered.verdict(stack);
    assert_eq!((verdict.duplicated, verdict.phantom, verdict.corrupted), (0, 0, 0));
    // Rows and offset agree: nothing is between them.
    let loaded = i64::try_from(numbered.produced() - verdict.lost).unwrap();
    assert_eq!(committed(stack, numbered.topic()), Some(loaded));
}
