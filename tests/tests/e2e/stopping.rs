//! A stop stores and commits what was read: the next run finds nothing to repeat.

use std::time::{Duration, Instant};

use housepipe_local_stack::corpus::{Corpus, Events};
use housepipe_tests::{
    Held, PipeText, Proxy, fill, housepipe, query, query_number, shared_stack, unique, wait_until,
};
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

/// `--stop-deadline` is for those who wait for an end that they have asked for.
#[test]
fn a_pipe_that_is_caught_up_waits_for_its_inserts_and_one_that_is_told_to_stop_does_not() {
    const DEADLINE: Duration = Duration::from_secs(1);
    let stack = shared_stack();
    let server = stack.clickhouse.url().trim_start_matches("http://").to_owned();
    for is_asked in [false, true] {
        let topic = unique("stop_deadline");
        let corpus = Events::new(37).with_id();
        fill(stack, &topic, 1, &corpus, 1_000);
        let proxy = Proxy::before(&server);
        let direct = PipeText::new(stack, &topic).with_new_table(&corpus.columns(), "id");
        let pipe = direct.clone().replacing(&server, &proxy.address().to_string());
        proxy.hold(1, Held::Before);
        let mut arguments = vec!["--log", "info", "run", "pipe.yaml", "--json", "--stop-deadline", "1"];
        arguments.extend((!is_asked).then_some("--until-caught-up"));
        let mut run = housepipe(&arguments, Some(&pipe), b"");
        wait_until("an insert to be held up", || proxy.is_holding());
        if is_asked {
            run.signal(Signal::SIGTERM);
            let outcome = run.wait();
            assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
            assert!(outcome.stderr.contains("1000 records in flight"), "{}", outcome.stderr);
            proxy.release();
            // Whether the insert that was held up comes to its end is nobody's promise; nothing was committed.
            let arguments = ["run", "pipe.yaml", "--until-caught-up", "--json"];
            let again = housepipe(&arguments, Some(&direct), b"").wait().expect_success();
            assert_eq!(again.number("read"), 1_000);
            continue;
        }
        wait_until("a pipe that is caught up", || run.has_said("state=\"stopping\""));
        let caught_up = Instant::now();
        wait_until("more than the deadline", || caught_up.elapsed() > 2 * DEADLINE);
        assert!(run.is_running(), "{}", run.said());
        proxy.release();
        assert_eq!(run.wait().expect_success().number("loaded"), 1_000);
    }
}
