//! Offsets without a record: compaction, tombstones, and transactions.

use housepipe_tests::{
    Compacted, Numbered, Outcome, PipeText, TransactionEnd, Transactions, committed, housepipe, housepipe_at,
    produce, query, shared_stack, unique,
};

const MODES: [&str; 2] = ["at_least_once", "exactly_once"];

fn pipe(numbered: &Numbered, mode: &str, rows_max: u32) -> PipeText {
    let pipe = numbered.pipe(shared_stack()).with(&format!("delivery: {mode}"));
    pipe.with(&format!("batch: {{ max_rows: {rows_max} }}"))
}

fn run(pipe: &PipeText) -> Outcome {
    let arguments = ["run", "pipe.yaml", "--until-caught-up", "--json", "--session-timeout", "2"];
    housepipe(&arguments, Some(pipe), b"").wait()
}

fn die(pipe: &PipeText, failpoint: &str) {
    let arguments = ["run", "pipe.yaml", "--until-caught-up", "--session-timeout", "2"];
    let died = housepipe_at(failpoint, &arguments, pipe).wait();
    assert_eq!(died.code, None, "{failpoint} was not passed:\n{}", died.stderr);
}

/// 60 records that will be overwritten, 100 that stay, every tenth with a tombstone behind it.
fn first_segment(numbered: &mut Numbered) -> Vec<(String, Option<String>)> {
    let overwritten =
        |number: u64, numbered: &Numbered| (format!("a{number}"), Some(numbered.phantom(number)));
    let mut records: Vec<_> = (0..20).map(|number| overwritten(number, numbered)).collect();
    for (number, record) in (0..).zip(numbered.records(100)) {
        records.push((format!("b{number}"), Some(record)));
        if number % 10 == 0 {
            records.push((format!("gone{number}"), None));
        }
        if (30..70).contains(&number) {
            records.push(overwritten(number - 10, numbered));
        }
    }
    records
}

/// Overwrites the others, and waits until they are gone.
fn compact(compacted: &mut Compacted, numbered: &mut Numbered) {
    let named = |number: u64, record| (format!("a{number}"), Some(record));
    let records: Vec<_> =
        (0..).zip(numbered.records(60)).map(|(number, record)| named(number, record)).collect();
    compacted.write(&records);
    // The newest segment is never compacted, and overwrites nothing.
    compacted.write(&numbered.records(1).into_iter().map(|record| named(60, record)).collect::<Vec<_>>());
    compacted.wait_until_gone(0);
}

/// The tables hold each record once, and each tombstone as a reject.
fn assert_tombstones(numbered: &Numbered, mode: &str) {
    let stack = shared_stack();
    let verdict = numbered.verdict(stack);
    // The judge does not know of tombstones.
    assert_eq!((verdict.lost, verdict.duplicated, verdict.phantom), (0, 0, 0), "{mode}: {verdict:?}");
    let errors = format!("SELECT code, count() FROM {}_clickpipes_error GROUP BY code", numbered.topic());
    assert_eq!(query(stack, &errors), "no_value\t10");
}

#[test]
fn a_compacted_topic_with_tombstones_is_loaded_whole() {
    let stack = shared_stack();
    for mode in MODES {
        let topic = unique("compacted");
        let mut compacted = Compacted::new(stack, &topic);
        let mut numbered = Numbered::on(stack, &topic, 1, false);
        compacted.write(&first_segment(&mut numbered));
        compact(&mut compacted, &mut numbered);
        let pipe = pipe(&numbered, mode, 25);
        if mode == "exactly_once" {
            // A range with gaps in it is pending, and read again.
            for failpoint in ["insert_after:2", "insert_before:1", "commit_after:2"] {
                die(&pipe, failpoint);
            }
        }
        run(&pipe).expect_success();
        assert_tombstones(&numbered, mode);
        assert_eq!(run(&pipe).expect_success().number("read"), 0);
    }
}

#[test]
fn compaction_within_a_pending_range_stops_the_partition() {
    let stack = shared_stack();
    let topic = unique("compacted_later");
    let mut compacted = Compacted::new(stack, &topic);
    let mut numbered = Numbered::on(stack, &topic, 1, false);
    compacted.write(&first_segment(&mut numbered));
    let pipe = pipe(&numbered, "exactly_once", 25);
    die(&pipe, "insert_after:1");
    assert_eq!(committed(stack, &topic), Some(0));
    compact(&mut compacted, &mut numbered);
    let before = query(stack, &format!("SELECT count() FROM {topic}"));
    let outcome = run(&pipe);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    for words in
        ["reads otherwise now (retention, compaction, a new topic, or a schema", "set the group's offset"]
    {
        assert!(outcome.stderr.contains(words), "no `{words}` in:\n{}", outcome.stderr);
    }
    assert_eq!(query(stack, &format!("SELECT count() FROM {topic}")), before);
    assert_eq!(committed(stack, &topic), Some(0));
}

/// Writes `records` in transactions that are committed, among others that are aborted, and some outside of any.
fn write_transactions(numbered: &mut Numbered, rounds: u64) {
    let stack = shared_stack();
    let topic = numbered.topic().to_owned();
    let [kept, dropped] = ["kept", "dropped"].map(|name| Transactions::new(stack, &topic, name));
    for round in 0..rounds {
        kept.begin(numbered.records(20));
        dropped.begin((0..15).map(|number| numbered.phantom(round * 100 + number)));
        let between = numbered.records(5);
        produce(stack, &topic, 1, between);
        match round % 2 {
            0 => {
                kept.end(TransactionEnd::Commit);
                dropped.end(TransactionEnd::Abort);
            }
            _ => {
                dropped.end(TransactionEnd::Abort);
                kept.end(TransactionEnd::Commit);
            }
        }
    }
}

#[test]
fn what_was_aborted_is_not_loaded_and_the_end_is_found() {
    let stack = shared_stack();
    for mode in MODES {
        let mut numbered = Numbered::new(stack, &unique("transactions"), 1, false);
        write_transactions(&mut numbered, 10);
        let pipe = pipe(&numbered, mode, 30);
        assert_eq!(run(&pipe).expect_success().number("read"), 250, "{mode}");
        let verdict = numbered.verdict(stack);
        assert!(verdict.is_exact(), "{mode}: {verdict:?}");
        // Nothing but aborted records and control records is behind the position.
        let dropped = Transactions::new(stack, numbered.topic(), "dropped");
        dropped.begin([numbered.phantom(5_000)]);
        dropped.end(TransactionEnd::Abort);
        assert_eq!(run(&pipe).expect_success().number("read"), 0, "{mode}");
    }
}

#[test]
fn an_open_transaction_is_waited_for_by_nobody_and_read_once_it_is_committed() {
    let stack = shared_stack();
    for mode in MODES {
        let mut numbered = Numbered::new(stack, &unique("open_transaction"), 1, false);
        write_transactions(&mut numbered, 2);
        let open = Transactions::new(stack, numbered.topic(), "open");
        open.begin(numbered.records(40));
        // Behind the open transaction, and so not to be read yet.
        let behind = numbered.records(10);
        produce(stack, numbered.topic(), 1, behind);
        let pipe = pipe(&numbered, mode, 30);
        assert_eq!(run(&pipe).expect_success().number("read"), 50, "{mode}");
        open.end(TransactionEnd::Commit);
        assert_eq!(run(&pipe).expect_success().number("read"), 50, "{mode}");
        let verdict = numbered.verdict(stack);
        assert!(verdict.is_exact(), "{mode}: {verdict:?}");
    }
}

#[test]
fn ranges_across_transactions_are_read_again_as_they_were() {
    let stack = shared_stack();
    let mut numbered = Numbered::new(stack, &unique("transactions_killed"), 1, false);
    write_transactions(&mut numbered, 10);
    let pipe = pipe(&numbered, "exactly_once", 30);
    for failpoint in ["insert_after:2", "insert_before:2", "commit_after:3", "insert_rows:2"] {
        die(&pipe, failpoint);
    }
    run(&pipe).expect_success();
    let verdict = numbered.verdict(stack);
    assert!(verdict.is_exact(), "{verdict:?}");
}

/// The last range before a gap at the end of the log is pending; the log goes on in several ways meanwhile.
#[test]
fn a_pending_range_before_a_gap_at_the_end_is_finished() {
    let stack = shared_stack();
    for what in ["nothing", "aborted", "open", "more"] {
        let mut numbered = Numbered::new(stack, &unique("gap_at_the_end"), 1, false);
        write_transactions(&mut numbered, 2);
        let pipe = pipe(&numbered, "exactly_once", 1_000);
        die(&pipe, "insert_after:1");
        let later = Transactions::new(stack, numbered.topic(), "later");
        match what {
            "aborted" => {
                later.begin([numbered.phantom(7_000)]);
                later.end(TransactionEnd::Abort);
            }
            "open" => later.begin([numbered.phantom(7_000)]),
            "more" => numbered.produce(stack, 20),
            _ => {}
        }
        run(&pipe).expect_success();
        let verdict = numbered.verdict(stack);
        assert!(verdict.is_exact(), "{what}: {verdict:?}");
    }
}
