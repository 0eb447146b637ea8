//! `housepipe offsets`: where a pipe's group stands, and setting it elsewhere.

use housepipe_tests::{
    Numbered, Outcome, PipeText, create_topic, housepipe, housepipe_at, produce, query, query_number,
    shared_stack, unique, wait_until,
};
use nix::sys::signal::Signal;
use serde_json::Value;

/// A topic with 50 records in each of two partitions, the first of them at midnight and then one each millisecond, by turns.
fn fifty_in_two() -> (PipeText, String) {
    let stack = shared_stack();
    let topic = unique("offsets");
    create_topic(stack, &topic, 2);
    produce(stack, &topic, 2, (0..100).map(|id| format!("{{\"id\":{id}}}")));
    (PipeText::new(stack, &topic).with_new_table("id UInt64", "id"), topic)
}

fn run(pipe: &PipeText) -> Outcome {
    let arguments = ["run", "pipe.yaml", "--until-caught-up", "--json", "--session-timeout", "2"];
    housepipe(&arguments, Some(pipe), b"").wait()
}

fn show(pipe: &PipeText) -> Value {
    let arguments = ["offsets", "show", "-f", "pipe.yaml", "--json"];
    housepipe(&arguments, Some(pipe), b"").wait().expect_success().json()
}

/// One field of each partition.
#[expect(clippy::unwrap_used, reason = "a helper of a test that fails has failed the test")]
fn each(shown: &Value, key: &str) -> Vec<Option<i64>> {
    shown["partitions"].as_array().unwrap().iter().map(|partition| partition[key].as_i64()).collect()
}

fn committed(pipe: &PipeText) -> Vec<Option<i64>> {
    each(&show(pipe), "committed")
}

fn set(pipe: &PipeText, arguments: &[&str]) -> Outcome {
    let all = [&["offsets", "set", "-f", "pipe.yaml"], arguments].concat();
    housepipe(&all, Some(pipe), b"").wait()
}

/// Sets offsets after a dry run that says the same and writes nothing.
fn set_fine(pipe: &PipeText, arguments: &[&str]) -> Value {
    let before = show(pipe);
    let dry = set(pipe, &[arguments, &["--dry-run", "--json"]].concat()).expect_success().json();
    assert_eq!((&dry["written"], &dry["dry_run"]), (&Value::Bool(false), &Value::Bool(true)));
    assert_eq!(each(&show(pipe), "committed"), each(&before, "committed"), "a dry run writes nothing");
    let done = set(pipe, &[arguments, &["--yes", "--json"]].concat()).expect_success().json();
    assert_eq!(done["written"], true);
    assert_eq!(done["moves"], dry["moves"]);
    done
}

fn refused(pipe: &PipeText, arguments: &[&str], code: i32, words: &[&str]) {
    let outcome = set(pipe, arguments);
    assert_eq!(outcome.code, Some(code), "{}", outcome.stderr);
    for word in words {
        assert!(outcome.stderr.contains(word), "no `{word}` in:\n{}", outcome.stderr);
    }
}

#[test]
fn a_group_is_shown_before_a_run_while_one_goes_on_and_behind_it() {
    let (pipe, _) = fifty_in_two();
    let fresh = show(&pipe);
    assert_eq!(fresh["group"]["members"].as_array().map(Vec::len), Some(0));
    assert_eq!(each(&fresh, "committed"), [None, None]);
    assert_eq!((each(&fresh, "starts_at"), each(&fresh, "lag")), (vec![Some(0); 2], vec![Some(50); 2]));
    assert_eq!(fresh["lag"], 100);
    // The records are of the beginning of 2026.
    assert!(fresh["partitions"][1]["lag_seconds"].as_f64().unwrap() > 0.0);
    let running = housepipe(&["--log", "info", "run", "pipe.yaml"], Some(&pipe), b"");
    wait_until("the commits of a pipe that runs", || committed(&pipe) == [Some(50), Some(50)]);
    let shown = show(&pipe);
    let member = &shown["group"]["members"][0];
    assert_eq!(
        (&shown["group"]["state"], &shown["group"]["protocol"]),
        (&"stable".into(), &"classic".into())
    );
    assert_eq!(member["partitions"], serde_json::json!([0, 1]));
    // Its offsets are its own, also for a dry run.
    for last in ["--yes", "--dry-run"] {
        refused(
            &pipe,
            &["--to", "earliest", last],
            1,
            &["has 1 active member (housepipe-offsets", "stop the pipe"],
        );
    }
    running.signal(Signal::SIGTERM);
    running.wait().expect_success();
    let after = show(&pipe);
    assert_eq!(each(&after, "committed"), [Some(50), Some(50)]);
    assert_eq!((&after["lag"], &after["partitions"][0]["lag_seconds"]), (&0.into(), &0.0.into()));
    assert_eq!(after["partitions"][0]["stored"]["kind"], "nothing");
    let text = housepipe(&["offsets", "show", "-f", "pipe.yaml"], Some(&pipe), b"").wait().expect_success();
    let text = String::from_utf8(text.stdout).unwrap();
    for words in ["no members (empty)", "partition  committed", "nothing else", "0 record(s) at most"] {
        assert!(text.contains(words), "no `{words}` in:\n{text}");
    }
}

#[test]
fn offsets_are_set_to_every_kind_of_place() {
    let stack = shared_stack();
    let (pipe, topic) = fifty_in_two();
    for (to, expected) in [
        // Nobody has used the group yet.
        ("20", [20, 20]),
        ("-5", [15, 15]),
        ("+10", [25, 25]),
        ("latest", [50, 50]),
        ("earliest", [0, 0]),
        ("2027-01-01T00:00:00Z", [50, 50]),
        ("2026-01-01T01:00:00.061+01:00", [31, 30]),
    ] {
        let done = set_fine(&pipe, &["--to", to]);
        assert_eq!(committed(&pipe), expected.map(Some), "{to}");
        assert_eq!(done["moves"][1]["to"], expected[1], "{to}");
    }
    let done = set_fine(&pipe, &["--to", "7", "--partition", "1"]);
    assert_eq!(
        (done["moves"].as_array().map(Vec::len), &done["moves"][0]["read_again"]),
        (Some(1), &23.into())
    );
    assert_eq!(run(&pipe).expect_success().number("read"), 19 + 43);
    // At least once, what is read again is there twice, and it is said before.
    let text = set(&pipe, &["--to", "-10", "-p", "0", "--yes"]).expect_success();
    let text = String::from_utf8(text.stdout).unwrap();
    for words in ["10 read again", "warning: up to 10 record(s) are read again", "Set and read back"] {
        assert!(text.contains(words), "no `{words}` in:\n{text}");
    }
    assert_eq!(run(&pipe).expect_success().number("loaded"), 10);
    assert_eq!(query(stack, &format!("SELECT count(), uniqExact(id) FROM {topic}")), "72\t62");
}

#[test]
fn what_cannot_be_set_is_refused_and_changes_nothing() {
    let stack = shared_stack();
    let (pipe, topic) = fifty_in_two();
    // One record more in partition 0.
    produce(stack, &topic, 2, ["{\"id\":100}"]);
    set_fine(&pipe, &["--to", "20"]);
    let range = "it begins at offset 0 and ends before offset 50; give one from 0 to 50";
    for (arguments, words) in [
        // Either all of them are set or none.
        (&["--to", "51"][..], &["partition 1: its log does not have the offset 51", range][..]),
        (&["--to", "-21", "-p", "1"], &["does not have the offset 20 - 21 = -1", range]),
        (&["--to", "+31", "-p", "1"], &["does not have the offset 20 + 31 = 51", range]),
        (&["--to", "0", "--partition", "2"], &["has no partition 2: it has 2, numbered from 0"]),
    ] {
        refused(&pipe, &[arguments, &["--yes"]].concat(), 1, words);
        refused(&pipe, &[arguments, &["--dry-run"]].concat(), 1, words);
    }
    let document = set(&pipe, &["--to", "51", "--yes", "--json"]);
    let json = document.json();
    assert_eq!((document.code, &json["written"], &json["exit_code"]), (Some(1), &false.into(), &1.into()));
    assert_eq!(json["refusals"].as_array().map(Vec::len), Some(1), "{json}");
    for (arguments, words) in [
        (&["--to", "2026-01-01T00:00:00", "--yes"][..], &["has no time zone", "2026-01-01T00:00:00Z"][..]),
        (&["--to", "sometime", "--yes"], &["expected `earliest`, `latest`, an offset"]),
        (&["--yes"], &["--to"]),
        (&["--to", "0", "--partition", "-1", "--yes"], &["partition"]),
        // Nobody is asked where nobody can be.
        (&["--to", "0"], &["add `--yes`", "--dry-run"]),
        (&["--to", "0", "--json"], &["add `--yes`"]),
    ] {
        refused(&pipe, arguments, 2, words);
    }
    assert_eq!(committed(&pipe), [Some(20), Some(20)]);
    let fresh = fifty_in_two().0;
    refused(&fresh, &["--to", "-1", "--yes"], 1, &["no committed offset, from which -1 cannot be reckoned"]);
    let nowhere = pipe.clone().replacing(&format!("topic: {topic}"), "topic: nowhere");
    let away = pipe.replacing(stack.kafka.bootstrap(), "127.0.0.1:1");
    for (pipe, words) in
        [(nowhere, "`nowhere` does not exist"), (away, "no kafka broker answers at 127.0.0.1:1")]
    {
        refused(&pipe, &["--to", "0", "--yes"], 1, &[words]);
        let shown = housepipe(&["offsets", "show", "-f", "pipe.yaml"], Some(&pipe), b"").wait();
        assert_eq!(shown.code, Some(1));
        assert!(shown.stderr.contains(words), "{}", shown.stderr);
    }
}

/// 5,000 numbered records for a pipe in exactly-once mode with batches of 1,000.
fn numbered(name: &str) -> (Numbered, PipeText) {
    let stack = shared_stack();
    let mut numbered = Numbered::new(stack, &unique(name), 1, false);
    numbered.produce(stack, 5_000);
    let pipe = numbered.pipe(stack).with("delivery: exactly_once").with("batch: { max_rows: 1000 }");
    (numbered, pipe)
}

#[test]
fn exactly_once_what_is_read_again_is_loaded_again_in_a_new_lineage() {
    let stack = shared_stack();
    let (numbered, pipe) = numbered("offsets_back");
    run(&pipe).expect_success();
    let before = show(&pipe)["partitions"][0]["stored"].clone();
    assert_eq!(before["kind"], "clean");
    // The same batches as before, whose tokens the table remembers.
    let done = set_fine(&pipe, &["--to", "1000"]);
    assert!(done["warnings"].to_string().contains("a new lineage begins"), "{}", done["warnings"]);
    let set = show(&pipe)["partitions"][0]["stored"].clone();
    assert_eq!(set["kind"], "clean");
    assert_ne!(set["lineage"], before["lineage"]);
    let outcome = run(&pipe).expect_success();
    assert!(!outcome.stderr.contains("lineage"), "there is nothing to warn of: {}", outcome.stderr);
    assert_eq!(outcome.number("loaded"), 4_000);
    let topic = numbered.topic();
    assert_eq!(query(stack, &format!("SELECT count(), uniqExact(id) FROM {topic}")), "9000\t5000");
    let after = show(&pipe)["partitions"][0]["stored"].clone();
    assert_eq!(after, set);
    // From there on each record is loaded once.
    assert_eq!(run(&pipe).expect_success().number("read"), 0);
}

/// An operator who has looked into the table sets the offset behind a range that is there, or before one that is not.
#[test]
fn a_pending_range_is_forgotten_only_when_somebody_says_so() {
    let stack = shared_stack();
    for (failpoint, to, loaded) in [("insert_after:2", "2000", 2_000), ("insert_before:2", "+0", 1_000)] {
        let (numbered, pipe) = numbered("offsets_pending");
        let died = housepipe_at(failpoint, &["run", "pipe.yaml", "--session-timeout", "2"], &pipe).wait();
        assert_eq!(died.code, None, "{}", died.stderr);
        wait_until("the end of the session", || {
            show(&pipe)["group"]["members"].as_array().unwrap().is_empty()
        });
        let rows = format!("SELECT count() FROM {}", numbered.topic());
        assert_eq!(query_number(stack, &rows), loaded);
        let stored = show(&pipe)["partitions"][0]["stored"].clone();
        assert_eq!(
            (&stored["kind"], &stored["start"], &stored["end"]),
            (&"pending".into(), &1_000.into(), &2_000.into())
        );
        let words =
            ["offsets 1000 up to, and without, 2000 pending", "--until-caught-up", "--forget-pending"];
        refused(&pipe, &["--to", to, "--yes"], 1, &words);
        assert_eq!(show(&pipe)["partitions"][0]["stored"], stored);
        let done = set_fine(&pipe, &["--to", to, "--forget-pending"]);
        let fate =
            if to == "+0" { "where it was loaded, its rows are there twice" } else { "its records are lost" };
        assert!(done["warnings"].to_string().contains(fate), "{}", done["warnings"]);
        run(&pipe).expect_success();
        let verdict = numbered.verdict(stack);
        assert!(verdict.is_exact(), "{failpoint}: {verdict:?}");
    }
}
