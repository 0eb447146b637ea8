//! A topic that was deleted and created anew: its offsets begin at 0 again.

use housepipe_tests::{
    Numbered, Outcome, PipeText, commit, commit_late, committed, delete_topic, housepipe, housepipe_at,
    query, recreate_topic, shared_stack, unique, wait_until,
};
use nix::sys::signal::Signal;

const RUN: [&str; 6] = ["run", "pipe.yaml", "--until-caught-up", "--json", "--session-timeout", "2"];

fn run(pipe: &PipeText) -> Outcome {
    housepipe(&RUN, Some(pipe), b"").wait()
}

fn numbered(name: &str, mode: &str, records: u64) -> (Numbered, PipeText) {
    let stack = shared_stack();
    let mut numbered = Numbered::new(stack, &unique(name), 1, false);
    numbered.produce(stack, records);
    let pipe = numbered
        .pipe(stack)
        .with("batch: { max_rows: 1000, max_wait: 200ms }")
        .with(&format!("delivery: {mode}"));
    (numbered, pipe)
}

/// The broker forgets the offsets of a topic together with the topic, so the new one is read from where the pipe file says.
#[test]
fn while_stopped_the_new_topic_is_read_from_its_beginning() {
    let stack = shared_stack();
    // Fewer records than the old one had, and more.
    for (mode, records) in
        [("at_least_once", 400), ("at_least_once", 3_000), ("exactly_once", 400), ("exactly_once", 3_000)]
    {
        let (mut numbered, pipe) = numbered("anew", mode, 1_000);
        run(&pipe).expect_success();
        recreate_topic(stack, numbered.topic(), 1);
        numbered.produce(stack, records);
        assert_eq!(run(&pipe).expect_success().number("read"), records, "{mode}");
        let verdict = numbered.verdict(stack);
        let is_right = if mode == "exactly_once" { verdict.is_exact() } else { verdict.is_once() };
        assert!(is_right, "{mode}, {records}: {verdict:?}");
    }
}

#[test]
fn a_pending_range_goes_with_its_topic() {
    let stack = shared_stack();
    let (mut numbered, pipe) = numbered("anew_pending", "exactly_once", 5_000);
    let died = housepipe_at("insert_after:2", &["run", "pipe.yaml", "--session-timeout", "2"], &pipe).wait();
    assert_eq!(died.code, None, "{}", died.stderr);
    assert_eq!(committed(stack, numbered.topic()), Some(1_000));
    recreate_topic(stack, numbered.topic(), 1);
    assert_eq!(committed(stack, numbered.topic()), None);
    numbered.produce(stack, 3_000);
    assert_eq!(run(&pipe).expect_success().number("read"), 3_000);
    // What the old topic still had was never read by anybody.
    let verdict = numbered.verdict(stack);
    assert_eq!((verdict.lost, verdict.duplicated), (3_000, 0), "{verdict:?}");
    let rows = query(stack, &format!("SELECT count() FROM {} WHERE id >= 5000", numbered.topic()));
    assert_eq!(rows, "3000");
}

/// A pipe that has loaded 1,000 records, and whose topic is made anew then, with so many records.
fn made_anew_while_running(mode: &str, records: u64) -> (Numbered, PipeText, housepipe_tests::Housepipe) {
    let stack = shared_stack();
    let (mut numbered, pipe) = numbered("anew_running", mode, 1_000);
    let running = housepipe(&["--log", "info", "run", "pipe.yaml", "--json"], Some(&pipe), b"");
    wait_until("the records of the old topic", || {
        numbered.settled(stack) == 1_000 && committed(stack, numbered.topic()) == Some(1_000)
    });
    // It sees the new topic with its records at once.
    running.signal(Signal::SIGSTOP);
    recreate_topic(stack, numbered.topic(), 1);
    numbered.produce(stack, records);
    running.signal(Signal::SIGCONT);
    (numbered, pipe, running)
}

const ANEW: &str = "was deleted and created anew";

#[test]
fn while_running_at_least_once_reads_the_new_topic_from_its_beginning() {
    let stack = shared_stack();
    // Fewer records than the old one had, and more: those behind the old position are there at once.
    for records in [400, 3_000] {
        let (numbered, _, running) = made_anew_while_running("at_least_once", records);
        wait_until("the news of the new topic", || running.has_said(ANEW));
        wait_until("the records of the new topic", || numbered.settled(stack) == 1_000 + records);
        running.signal(Signal::SIGTERM);
        running.wait().expect_success();
        let verdict = numbered.verdict(stack);
        assert!(verdict.is_complete(), "{records}: {verdict:?}");
    }
}

#[test]
fn while_running_exactly_once_ends_and_says_so() {
    let stack = shared_stack();
    for records in [400, 3_000] {
        let (numbered, pipe, running) = made_anew_while_running("exactly_once", records);
        let outcome = running.wait();
        assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
        // Nothing of the new topic, whose records behind the old position would be loaded again.
        assert_eq!(numbered.settled(stack), 1_000, "{records}: {}", outcome.stderr);
        for words in [ANEW, "the group stands at offset 1000 of partition 0"] {
            assert!(outcome.stderr.contains(words), "no `{words}` in: {}", outcome.stderr);
        }
        // Where it has committed for the new topic before it noticed, somebody has to say where to go on.
        let again = run(&pipe);
        if again.code != Some(0) {
            assert!(again.stderr.contains(ANEW), "{}", again.stderr);
            assert_eq!(numbered.verdict(stack).duplicated, 0);
            commit(stack, numbered.topic(), 0, "");
            run(&pipe).expect_success();
        }
        let verdict = numbered.verdict(stack);
        assert!(verdict.is_exact(), "{records}: {verdict:?}");
    }
}

/// A position within the new log: nothing but the mark behind the commit tells that it is of the old one.
#[test]
fn a_position_that_was_committed_for_the_old_topic_is_told_by_its_mark() {
    let stack = shared_stack();
    for mode in ["at_least_once", "exactly_once"] {
        let (mut numbered, pipe) = numbered("anew_marked", mode, 1_000);
        let topic = numbered.topic().to_owned();
        // As a pipe commits that has not noticed yet.
        commit_late(stack, &topic, 500, "", || {
            recreate_topic(stack, &topic, 1);
            numbered.produce(stack, 2_000);
        });
        let outcome = run(&pipe);
        assert!(outcome.stderr.contains(ANEW), "{}", outcome.stderr);
        if mode == "exactly_once" {
            assert_eq!((outcome.code, numbered.settled(stack)), (Some(1), 0), "{}", outcome.stderr);
            // It stays so, and its offset as well, until somebody sets it.
            assert!(run(&pipe).stderr.contains(ANEW));
            assert_eq!(committed(stack, &topic), Some(500));
            let offsets = |arguments: &[&str]| {
                housepipe(
                    &[&["offsets"], arguments, &["-f", "pipe.yaml", "--json"]].concat(),
                    Some(&pipe),
                    b"",
                )
                .wait()
                .expect_success()
                .json()
            };
            let shown = offsets(&["show"])["partitions"][0].clone();
            assert_eq!(shown["stored"]["kind"], "former_topic");
            assert_eq!(shown["lag"], 2_000, "nothing of the new topic was read: {shown}");
            assert!(shown["problem"].as_str().is_some_and(|problem| problem.contains(ANEW)), "{shown}");
            let set = offsets(&["set", "--to", "earliest", "--yes"]);
            assert_eq!(set["moves"][0]["read_again"], 0, "nothing of the new topic was read: {set}");
            run(&pipe).expect_success();
        }
        let rows = query(stack, &format!("SELECT count(), min(id), max(id) FROM {topic}"));
        assert_eq!(rows, "2000\t1000\t2999", "{mode}");
    }
}

#[test]
fn a_topic_that_is_deleted_for_good_ends_the_pipe() {
    let stack = shared_stack();
    for mode in ["at_least_once", "exactly_once"] {
        let (numbered, pipe) = numbered("gone", mode, 1_000);
        let arguments = ["--log", "info", "run", "pipe.yaml", "--json", "--session-timeout", "2"];
        let running = housepipe(&arguments, Some(&pipe), b"");
        wait_until("the records", || numbered.settled(stack) == 1_000);
        delete_topic(stack, numbered.topic());
        let outcome = running.wait();
        assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
        assert!(outcome.stderr.contains("does not exist on"), "{}", outcome.stderr);
        assert!(numbered.verdict(stack).is_exact());
    }
}
