//! Several processes with the same pipe file share the partitions.

use housepipe_local_stack::corpus::{Corpus, Events};
use housepipe_tests::{
    PipeText, create_topic, housepipe, produce, query, query_number, shared_stack, unique, wait_until,
};
use nix::sys::signal::Signal;

#[test]
fn a_member_that_joins_and_one_that_leaves_lose_and_repeat_nothing() {
    let stack = shared_stack();
    let topic = unique("shared");
    let corpus = Events::new(41).with_id();
    create_topic(stack, &topic, 4);
    let pipe = PipeText::new(stack, &topic)
        .with_new_table(&corpus.columns(), "id")
        .with("batch: { max_wait: 200ms }");
    let records = |from: u64, to: u64| {
        let corpus = &corpus;
        (from..to).map(move |index| {
            let mut record = Vec::new();
            corpus.write(index, &mut record);
            record
        })
    };
    let rows = || query_number(stack, &format!("SELECT count() FROM {topic}"));
    let first = housepipe(&["run", "pipe.yaml", "--json"], Some(&pipe), b"");
    wait_until("the table", || query(stack, &format!("EXISTS TABLE {topic}")) == "1");
    produce(stack, &topic, 4, records(0, 10_000));
    wait_until("the rows of the first member", || rows() == 10_000);

    let second = housepipe(&["--log", "info", "run", "pipe.yaml", "--json"], Some(&pipe), b"");
    let mut next = 10_000;
    // Keeps writing for a while, so that the hand-over happens under load; each round waits for its rows.
    while next < 30_000 {
        produce(stack, &topic, 4, records(next, next + 400));
        next += 400;
        wait_until("the rows of a round", || rows() >= next);
    }
    first.signal(Signal::SIGTERM);
    let first = first.wait().expect_success();
    produce(stack, &topic, 4, records(next, next + 5_000));
    next += 5_000;
    wait_until("the rows of the second member", || rows() >= next);
    second.signal(Signal::SIGTERM);
    let second = second.wait().expect_success();
    assert!(second.number("loaded") > 5_000, "the second member had a share before the first left");
    assert_eq!(first.number("loaded") + second.number("loaded"), next);
    assert_eq!(
        query(stack, &format!("SELECT count(), uniqExact(id) FROM {topic}")),
        format!("{next}\t{next}")
    );
}
