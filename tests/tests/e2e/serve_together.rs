//! Several services that share a state in PostgreSQL: they run the same pipes, and one that is killed is missed by none.
#![expect(clippy::unwrap_used, reason = "a helper of a test that fails has failed the test")]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use housepipe_local_stack::Stack;
use housepipe_tests::{
    Numbered, SESSION_S, Served, document, expect_identity, expect_identity_in, own_postgres, shared_stack,
    unique, wait_until, while_identity_holds,
};
use serde_json::json;

/// How long the group takes to settle once it has found that a member is gone, and the pipe to read, on a machine that has other things to do; in
/// seconds.
const SETTLE_S: u64 = 15;

/// The partitions that this process reads of a pipe.
fn reads(served: &Served, id: &str) -> BTreeSet<i64> {
    let pipe = served.pipe(id);
    expect_identity(&pipe["counters"]);
    if pipe["run"].is_object() {
        assert!(expect_identity_in(&served.scrape()) > 0, "it runs and is not among the metrics");
    }
    let partitions = pipe["run"]["partitions"].as_array().cloned().unwrap_or_default();
    partitions.iter().map(|partition| partition["partition"].as_i64().unwrap()).collect()
}

#[test]
fn partitions_of_a_killed_service_move_to_the_other_one() {
    let stack = shared_stack();
    let postgres = own_postgres();
    let state = postgres.new_database().unwrap();
    let mut first = Served::start_on(&state, None);
    let second = Served::start_on(&state, Some(first.token()));
    while_identity_holds(&[first.metrics_urls(), second.metrics_urls()], || {
        kill_the_first(stack, &mut first, &second);
    });
}

#[expect(clippy::print_stdout, reason = "how long a move takes is worth reading")]
fn kill_the_first(stack: &Stack, first: &mut Served, second: &Served) {
    let mut once = Numbered::new(stack, &unique("together"), 4, true);
    let mut least = Numbered::new(stack, &unique("together"), 4, true);
    let mut ids = Vec::new();
    for (numbered, delivery) in [(&once, "exactly_once"), (&least, "at_least_once")] {
        let pipe =
            numbered.pipe(stack).with("batch: { max_wait: 200ms }").with(&format!("delivery: {delivery}"));
        let new = json!({ "pipe": document(&pipe) });
        let created = first.call("POST", "/api/v1/pipes", &[], Some(&new)).expect(201).body;
        ids.push(created["id"].as_str().unwrap().to_owned());
    }
    // Each has its half, of a pipe that only one of them was told of.
    for id in &ids {
        wait_until("both to read", || {
            let (of_first, of_second) = (reads(first, id), reads(second, id));
            of_first.len() == 2 && of_second.len() == 2 && of_first.is_disjoint(&of_second)
        });
    }
    for numbered in [&mut once, &mut least] {
        numbered.produce(stack, 20_000);
    }
    wait_until("some records", || once.settled(stack) > 0 && least.settled(stack) > 0);
    first.kill();
    let killed = Instant::now();
    for numbered in [&mut once, &mut least] {
        numbered.produce(stack, 20_000);
    }
    for id in &ids {
        wait_until("the partitions to move", || reads(second, id).len() == 4);
        let moved = killed.elapsed();
        println!("moved {moved:.1?} after the kill; the session has {SESSION_S} s");
        let session_s: u64 = SESSION_S.parse().unwrap();
        assert!(moved < Duration::from_secs(session_s + SETTLE_S), "{moved:?}");
    }
    wait_until("all records", || {
        once.settled(stack) == once.expected() && least.verdict(stack).is_complete()
    });
    assert!(once.verdict(stack).is_exact(), "{:?} {}", once.verdict(stack), once.evidence(stack));
    assert_eq!(least.verdict(stack).lost, 0, "{:?} {}", least.verdict(stack), least.evidence(stack));

    // The one that was killed comes back and takes its part, and what one is told the other does.
    first.start_again();
    for id in &ids {
        wait_until("both to read again", || reads(first, id).len() == 2 && reads(second, id).len() == 2);
    }
    second.call("POST", &format!("/api/v1/pipes/{}/pause", ids[0]), &[], None).expect(200);
    for served in [&*first, second] {
        served.wait_for_stage(&ids[0], "paused");
    }
    // A removed pipe waits until no process runs it.
    first.call("DELETE", &format!("/api/v1/pipes/{}?consumer_group=true", ids[1]), &[], None).expect(202);
    for served in [&*first, second] {
        wait_until("the pipe to be gone", || {
            served.call("GET", &format!("/api/v1/pipes/{}", ids[1]), &[], None).status == 404
        });
    }
}
