//! A stop stores and commits what was read: the next run finds nothing to repeat.

use housepipe_local_stack::corpus::{Corpus, Events};
use housepipe_tests::{PipeText, fill, housepipe, query, query_number, shared_stack, unique, wait_until};
use nix::sys::signal::Signal;

fn stops_without_loss_or_repetition(signal: Signal) {
    let stack = shared_stack();
    let topic = unique("stopped");
    let corpus = Events::new(31).with_id();
    let count = 300_000;
    fill(stack, &topic, 3, &corpus, count);
    let pipe = PipeText::new(stack, &topic)
        .with_new_table(&corpus.columns(), "id")
        .with("batch: { max_rows: 3000 }");
    let run = housepipe(&["run", "pipe.yaml", "--json"], Some(&pipe), b"");
    wait_until("the first rows", || {
        query(stack, &format!("EXISTS TABLE {topic}")) == "1"
            && query_number(stack, &format!("SELECT count() FROM {topic}")) > 0
    });
    run.signal(signal);
    let first = run.wait().expect_success();
    assert_eq!(first.number("read"), first.number("loaded") + first.number("rejected"));
    assert_eq!(first.number("in_flight"), 0);
    let second = housepipe(&["run", "pipe.yaml", "--until-caught-up", "--json"], Some(&pipe), b"")
        .wait()
        .expect_success();
    assert_eq!(first.number("loaded") + second.number("loaded"), count, "nothing was read twice");
    assert_eq!(
        query(stack, &format!("SELECT count(), uniqExact(id) FROM {topic}")),
        format!("{count}\t{count}")
    );
}

#[test]
fn sigterm_stops_without_loss_or_repetition() {
    stops_without_loss_or_repetition(Signal::SIGTERM);
}

#[test]
fn sigint_stops_without_loss_or_repetition() {
    stops_without_loss_or_repetition(Signal::SIGINT);
}
