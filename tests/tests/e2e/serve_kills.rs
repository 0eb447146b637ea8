//! A service that is killed at any point of what it does: nothing half-done is left, and each pipe goes on as was wanted of it.
#![expect(clippy::unwrap_used, reason = "a helper of a test that fails has failed the test")]

use housepipe_local_stack::Stack;
use housepipe_tests::{Answer, Numbered, committed, document, shared_stack, unique, wait_until};
use serde_json::{Value, json};

use crate::states::{Kept, Place};

/// What is asked for, and where the process ends while it is done.
const PLACES: [&str; 12] = [
    "create_begun",
    "create_stored",
    "create_done",
    "follow_told",
    "edit_begun",
    "edit_stored",
    "edit_done",
    "remove_stored",
    "remove_done",
    "leave_ended",
    "leave_cleaned",
    "leave_forgotten",
];

/// A call that is sent again until it is answered, as whoever lost an answer does; the service is started again where it has died.
fn insist(
    kept: &mut Kept<'_>,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&Value>,
) -> Answer {
    loop {
        match kept.served.try_call(method, path, headers, body) {
            Ok(answer) => return answer,
            Err(_) => {
                wait_until("the end of the service", || !kept.served.is_running());
                kept.start_again();
            }
        }
    }
}

/// The pipe's file with this patience of its batches, so that an edit is seen.
fn body(numbered: &Numbered, stack: &Stack, wait_ms: u64) -> Value {
    let pipe = numbered
        .pipe(stack)
        .with("delivery: exactly_once")
        .with(&format!("batch: {{ max_wait: {wait_ms}ms }}"));
    json!({ "pipe": document(&pipe) })
}

fn wait_of(pipe: &Value) -> &str {
    pipe["pipe"]["batch"]["max_wait"].as_str().unwrap()
}

#[test]
fn a_kill_at_each_step_of_create_edit_and_remove_is_finished_or_undone() {
    kill_at_each_step(&Place::Files);
}

#[test]
fn a_kill_at_each_step_is_finished_or_undone_in_postgresql() {
    kill_at_each_step(&Place::postgres());
}

fn kill_at_each_step(states: &Place) {
    let stack = shared_stack();
    let mut numbered = Numbered::new(stack, &unique("steps"), 1, false);
    for place in PLACES {
        let mut kept = states.serve();
        kept.served.kill();
        kept.served.start_to_die_at(place);
        numbered.produce(stack, 200);
        let key = [("Idempotency-Key", place)];
        let created = insist(&mut kept, "POST", "/api/v1/pipes", &key, Some(&body(&numbered, stack, 101)));
        let id = created.expect(201).body["id"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/pipes/{id}");
        let all = insist(&mut kept, "GET", "/api/v1/pipes", &[], None).expect(200).body;
        assert_eq!(all["pipes"].as_array().unwrap().len(), 1, "{place}: {all}");

        // An edit whose answer was lost has come about or it has not: the revision tells.
        let edited = loop {
            let shown = insist(&mut kept, "GET", &path, &[], None).expect(200).body;
            if wait_of(&shown) == "102ms" {
                break shown;
            }
            assert_eq!(wait_of(&shown), "101ms", "{place}");
            let etag = format!("\"{}\"", shown["revision"]);
            insist(&mut kept, "PUT", &path, &[("If-Match", &etag)], Some(&body(&numbered, stack, 102)));
        };
        assert_eq!(edited["pipe"]["name"], numbered.topic().replace('_', "-"), "{place}: {edited}");
        wait_until(&format!("the records, {place}"), || {
            if !kept.served.is_running() {
                kept.start_again();
            }
            numbered.settled(stack) == numbered.expected()
        });

        let removed = insist(&mut kept, "DELETE", &format!("{path}?consumer_group=true"), &[], None);
        // The first one may have done it.
        assert!([202, 404].contains(&removed.status), "{place}: {removed:?}");
        wait_until(&format!("the pipe to be gone, {place}"), || {
            insist(&mut kept, "GET", &path, &[], None).status == 404
        });
        assert_eq!(committed(stack, numbered.topic()), None, "{place}: the group went with its offsets");
        assert!(kept.served.has_died(), "nothing passes {place}");
        let events = insist(&mut kept, "GET", &format!("/api/v1/events?pipe={id}"), &[], None).body;
        for kind in ["created", "edited", "removed", "gone"] {
            let of_kind = events["events"].as_array().unwrap().iter().filter(|event| event["kind"] == kind);
            assert_eq!(of_kind.count(), 1, "{place}, {kind}: {events}");
        }
        kept.served.stop();
        // The next pipe begins anew with a topic of its own.
        numbered = Numbered::new(stack, &unique("steps"), 1, false);
    }
}
