//! A topic that gets more partitions while it is read.

use housepipe_tests::{Numbered, grow_topic, housepipe, produce, query, shared_stack, unique, wait_until};
use nix::sys::signal::Signal;

/// A pipe that starts at the end of the log reads a partition that is added later from its beginning: nothing in it is
/// older than the pipe.
#[test]
fn a_partition_that_is_added_is_read_from_its_beginning() {
    let stack = shared_stack();
    for (mode, start) in
        [("at_least_once", "latest"), ("exactly_once", "latest"), ("exactly_once", "earliest")]
    {
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
        grow_topic(stack, &topic, 3);
        let records = numbered.records(900);
        produce(stack, &topic, 3, records);
        wait_until("the records of the new partitions", || numbered.settled(stack) == 1_000);
        running.signal(Signal::SIGTERM);
        running.wait().expect_success();
        let verdict = numbered.verdict(stack);
        assert!(verdict.is_exact(), "{mode}, {start}: {verdict:?}");
        let partitions = format!("SELECT count() FROM {topic} WHERE id >= 100");
        assert_eq!(query(stack, &partitions), "900");
    }
}
