//! An end that is away for longer than its deadline: the pipe fails, says for how long, and has lost nothing.

use housepipe_local_stack::Stack;
use housepipe_tests::{Housepipe, Numbered, Outcome, PipeText, housepipe, own_stack, wait_until};

const MODES: [&str; 2] = ["at_least_once", "exactly_once"];

/// What a pipe has loaded before an end of it goes away.
const BEFORE: u64 = 100;

/// A pipe that is done with its first records, and has a short deadline for one `end` of it.
fn loading(stack: &Stack, end: &str, mode: &str) -> (Numbered, PipeText, Housepipe) {
    let mut numbered = Numbered::new(stack, &format!("{end}_{mode}"), 1, false);
    numbered.produce(stack, BEFORE);
    let pipe = numbered
        .pipe(stack)
        .with(&format!("delivery: {mode}"))
        .with(&format!("deadlines: {{ {end}: 5s }}"))
        .with("batch: { max_rows: 1000, max_wait: 100ms }");
    let arguments = ["run", "pipe.yaml", "--json", "--session-timeout", "2"];
    let running = housepipe(&arguments, Some(&pipe), b"");
    wait_until("the first rows", || numbered.settled(stack) == BEFORE);
    (numbered, pipe, running)
}

fn fails_with(outcome: &Outcome, words: &[&str]) {
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    for word in words {
        assert!(outcome.stderr.contains(word), "no `{word}` in:\n{}", outcome.stderr);
    }
}

/// A later run loads what the one that failed has not, and in exactly-once mode nothing else.
fn the_rest_is_loaded(stack: &Stack, numbered: &Numbered, pipe: &PipeText, mode: &str) {
    let arguments = ["run", "pipe.yaml", "--until-caught-up", "--session-timeout", "2"];
    // What was killed may need longer to be back than the deadline is.
    let patient = pipe.clone().replacing(": 5s", ": 60s");
    housepipe(&arguments, Some(&patient), b"").wait().expect_success();
    let verdict = numbered.verdict(stack);
    assert!(verdict.is_complete(), "{mode}: {verdict:?}");
    assert!(mode == "at_least_once" || verdict.is_exact(), "{mode}: {verdict:?}");
}

#[test]
fn a_destination_that_is_away_for_too_long_ends_the_pipe_and_costs_nothing() {
    let mut stack = own_stack();
    for mode in MODES {
        let (mut numbered, pipe, running) = loading(&stack, "destination", mode);
        stack.clickhouse.kill().unwrap();
        numbered.produce(&stack, 1_500);
        let words = [
            "the destination took no insert for",
            "the offsets are kept",
            "nothing listens at",
            "check host and port, and whether the server runs",
        ];
        fails_with(&running.wait(), &words);
        stack.clickhouse.restart().unwrap();
        the_rest_is_loaded(&stack, &numbered, &pipe, mode);
    }
}

#[test]
fn a_source_that_is_away_for_too_long_ends_the_pipe_and_costs_nothing() {
    let mut stack = own_stack();
    for mode in MODES {
        let (mut numbered, pipe, running) = loading(&stack, "source", mode);
        stack.kafka.kill().unwrap();
        fails_with(&running.wait(), &["no broker could be reached for", "the offsets are kept"]);
        stack.kafka.restart().unwrap();
        numbered.produce(&stack, 1_500);
        the_rest_is_loaded(&stack, &numbered, &pipe, mode);
    }
}
