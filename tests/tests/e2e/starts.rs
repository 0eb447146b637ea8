//! A new group starts in each partition where the pipe file says.

use housepipe_tests::{
    Outcome, PipeText, create_topic, delete_records, housepipe, produce, query, shared_stack, unique,
};

/// A topic with ten records in each of three partitions, and a pipe that has `offset` for it.
fn ten_in_three(offset: &str) -> (PipeText, String) {
    let stack = shared_stack();
    let topic = unique("starts");
    create_topic(stack, &topic, 3);
    produce(stack, &topic, 3, (0..30).map(|id| format!("{{\"id\":{id}}}")));
    let pipe = PipeText::new(stack, &topic).with_new_table("id UInt64", "id");
    (starting(&pipe, &topic, offset), topic)
}

fn starting(pipe: &PipeText, topic: &str, offset: &str) -> PipeText {
    pipe.clone().replacing(&format!("topic: {topic}\n"), &format!("topic: {topic}\n  offset: {offset}\n"))
}

fn run(pipe: &PipeText) -> Outcome {
    let arguments = ["run", "pipe.yaml", "--until-caught-up", "--json", "--session-timeout", "2"];
    housepipe(&arguments, Some(pipe), b"").wait()
}

/// What the preflight says of the offsets: its verdict, and the words.
#[expect(clippy::unwrap_used, reason = "a helper of a test that fails has failed the test")]
fn checked(pipe: &PipeText) -> (String, String) {
    let report = housepipe(&["check", "pipe.yaml", "--json"], Some(pipe), b"").wait().json();
    let check = report["checks"].as_array().unwrap().iter().find(|check| check["name"] == "offsets").unwrap();
    (check["verdict"].as_str().unwrap().to_owned(), check["detail"].as_str().unwrap().to_owned())
}

#[test]
fn each_partition_starts_where_the_file_says_and_goes_on_where_the_group_is() {
    let stack = shared_stack();
    let (pipe, topic) = ten_in_three("{ partitions: { 0: 4, 1: latest } }");
    let (verdict, detail) = checked(&pipe);
    assert_eq!(verdict, "ok");
    assert!(detail.contains("partition 0 at offset 4, partition 1 at offset 10"), "{detail}");
    assert_eq!(run(&pipe).expect_success().number("read"), 6 + 10);
    let ids = query(
        stack,
        &format!("SELECT groupArray(id) FROM (SELECT id FROM {topic} WHERE id % 3 = 0 ORDER BY id)"),
    );
    assert_eq!(ids, "[12,15,18,21,24,27]");
    // A group that is there goes on, whatever the file says by then, also where retention has passed what it says.
    delete_records(stack, &topic, 6);
    let rewritten = pipe.replacing("{ 0: 4, 1: latest }", "{ 0: 2, 1: earliest }");
    assert_eq!(run(&rewritten).expect_success().number("read"), 0);
    assert!(checked(&rewritten).1.contains("the group has offsets"), "{:?}", checked(&rewritten));
    produce(stack, &topic, 3, (30..36).map(|id| format!("{{\"id\":{id}}}")));
    assert_eq!(run(&rewritten).expect_success().number("read"), 6);
}

#[test]
fn a_start_that_is_not_there_is_refused_before_anything_is_made() {
    let stack = shared_stack();
    for (offset, words) in [
        ("{ partitions: { 3: latest } }", ["has no partition 3", "it has 3, numbered from 0"]),
        ("{ partitions: { 1: 11 } }", ["partition 1 of", "give one from 0 to 10"]),
    ] {
        let (pipe, topic) = ten_in_three(offset);
        let outcome = run(&pipe);
        assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
        let (verdict, detail) = checked(&pipe);
        assert_eq!(verdict, "failed");
        for word in words {
            assert!(outcome.stderr.contains(word), "no `{word}` in:\n{}", outcome.stderr);
            assert!(detail.contains(word), "no `{word}` in: {detail}");
        }
        assert_eq!(query(stack, &format!("EXISTS TABLE {topic}")), "0");
    }
}
