//! A topic that gets more partitions while it is read.

use std::time::{Duration, Instant};

use housepipe_tests::{
    Housepipe, Numbered, grow_topic, housepipe, own_stack, produce, query, shared_stack, unique, wait_until,
};
use nix::sys::signal::Signal;

/// What it says when it divides the memory for what is fetched ahead among more partitions.
const DIVIDED: &str = "more partitions than memory was divided among";

fn times_said(running: &Housepipe, words: &str) -> usize {
    running.said().matches(words).count()
}

/// A pipe that starts at the end of the log reads a partition that is added later from its beginning: nothing in it is
/// older than the pipe. Each time the topic grows the memory for what is fetched ahead is divided anew, by joining the group
/// again, and nothing is loaded twice for that.
#[test]
fn a_partition_that_is_added_is_read_from_its_beginning() {
    let stack = shared_stack();
    for (mode, start) in [
        ("at_least_once", "latest"),
        ("at_least_once", "earliest"),
        ("exactly_once", "latest"),
        ("exactly_once", "earliest"),
    ] {
        let mut numbered = Numbered::new(stack, &unique("grown"), 1, false);
        let topic = numbered.topic().to_owned();
        let pipe = numbered
            .pipe(stack)
            .with("batch: { max_wait: 200ms }")
            .with(&format!("delivery: {mode}"))
            .replacing(&format!("topic: {topic}\n"), &format!("topic: {topic}\n  offset: {start}\n"));
        let running = housepipe(&["--log", "info", "run", "pipe.yaml", "--json"], Some(&pipe), b"");
        wait_until("a pipe that reads", || running.has_said("partitions assigned"));
        let before = numbered.records(100);
        produce(stack, &topic, 1, before);
        wait_until("the first records", || numbered.settled(stack) == 100);
        for (grown, partitions, settled) in [(1, 3, 1_000), (2, 24, 4_600)] {
            grow_topic(stack, &topic, usize::try_from(partitions).unwrap_or(1));
            let records = numbered.records(settled - numbered.produced());
            produce(stack, &topic, partitions, records);
            wait_until("the records of the new partitions", || numbered.settled(stack) == settled);
            wait_until("a membership for so many", || times_said(&running, DIVIDED) >= grown);
        }
        // Not again and again, whatever a broker that lags behind says meanwhile.
        assert!(times_said(&running, DIVIDED) <= 4, "{mode}, {start}: {}", running.said());
        running.signal(Signal::SIGTERM);
        running.wait().expect_success();
        let verdict = numbered.verdict(stack);
        let is_right = if mode == "exactly_once" { verdict.is_exact() } else { verdict.is_once() };
        assert!(is_right, "{mode}, {start}: {verdict:?}");
        let partitions = format!("SELECT count() FROM {topic} WHERE id >= 100");
        assert_eq!(query(stack, &partitions), "4500");
    }
}

/// Longer than a hand-over waits for inserts: whoever joins the group anew by his own choice waits for them all the same.
const FROZEN: Duration = Duration::from_secs(8);

#[test]
fn a_topic_that_grows_under_a_frozen_clickhouse_is_loaded_once() {
    let stack = own_stack();
    for mode in ["at_least_once", "exactly_once"] {
        let mut numbered = Numbered::new(&stack, &unique("grown_frozen"), 1, false);
        let topic = numbered.topic().to_owned();
        let pipe =
            numbered.pipe(&stack).with("batch: { max_wait: 200ms }").with(&format!("delivery: {mode}"));
        let running = housepipe(&["--log", "info", "run", "pipe.yaml", "--json"], Some(&pipe), b"");
        numbered.produce(&stack, 100);
        wait_until("the first records", || numbered.settled(&stack) == 100);
        stack.clickhouse.freeze().unwrap();
        numbered.produce(&stack, 100);
        grow_topic(&stack, &topic, 3);
        wait_until("the news of the partitions", || times_said(&running, DIVIDED) > 0);
        let frozen = Instant::now();
        wait_until("more than a hand-over waits", || frozen.elapsed() > FROZEN);
        stack.clickhouse.thaw().unwrap();
        let records = numbered.records(100);
        produce(&stack, &topic, 3, records);
        wait_until("all records", || numbered.settled(&stack) == 300);
        running.signal(Signal::SIGTERM);
        running.wait().expect_success();
        let verdict = numbered.verdict(&stack);
        let is_right = if mode == "exactly_once" { verdict.is_exact() } else { verdict.is_once() };
        assert!(is_right, "{mode}: {verdict:?}");
    }
}
