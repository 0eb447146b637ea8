//! A service that is killed at any point of what it does: nothing half-done is left, and each pipe goes on as was wanted of it.
#![expect(clippy::unwrap_used, reason = "a helper of a test that fails has failed the test")]

use std::time::Duration;

use housepipe_local_stack::Stack;
use housepipe_tests::{
    Answer, Numbered, Served, committed, document, expect_identity, shared_stack, unique, wait_until,
};
use serde_json::{Value, json};

/// Kills at random moments.
const KILLS: u64 = 100;
/// The longest life between two of them, in milliseconds; one in [`LONG_EVERY`] lives for longer.
const LIFE_MS_MAX: u64 = 700;
/// One in so many lives until its pipes have loaded something, so that the kill meets inserts as well.
const LONG_EVERY: u64 = 10;

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
    served: &mut Served,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&Value>,
) -> Answer {
    loop {
        match served.try_call(method, path, headers, body) {
            Ok(answer) => return answer,
            Err(_) => {
                wait_until("the end of the service", || !served.is_running());
                served.start_again();
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
    let stack = shared_stack();
    let mut numbered = Numbered::new(stack, &unique("steps"), 1, false);
    for place in PLACES {
        let mut served = Served::start();
        served.kill();
        served.start_to_die_at(place);
        numbered.produce(stack, 200);
        let key = [("Idempotency-Key", place)];
        let created = insist(&mut served, "POST", "/api/v1/pipes", &key, Some(&body(&numbered, stack, 101)));
        let id = created.expect(201).body["id"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/pipes/{id}");
        let all = insist(&mut served, "GET", "/api/v1/pipes", &[], None).expect(200).body;
        assert_eq!(all["pipes"].as_array().unwrap().len(), 1, "{place}: {all}");

        // An edit whose answer was lost has come about or it has not: the revision tells.
        let edited = loop {
            let shown = insist(&mut served, "GET", &path, &[], None).expect(200).body;
            if wait_of(&shown) == "102ms" {
                break shown;
            }
            assert_eq!(wait_of(&shown), "101ms", "{place}");
            let etag = format!("\"{}\"", shown["revision"]);
            insist(&mut served, "PUT", &path, &[("If-Match", &etag)], Some(&body(&numbered, stack, 102)));
        };
        assert_eq!(edited["pipe"]["name"], numbered.topic().replace('_', "-"), "{place}: {edited}");
        wait_until(&format!("the records, {place}"), || {
            if !served.is_running() {
                served.start_again();
            }
            numbered.settled(stack) == numbered.expected()
        });

        let removed = insist(&mut served, "DELETE", &format!("{path}?consumer_group=true"), &[], None);
        // The first one may have done it.
        assert!([202, 404].contains(&removed.status), "{place}: {removed:?}");
        wait_until(&format!("the pipe to be gone, {place}"), || {
            insist(&mut served, "GET", &path, &[], None).status == 404
        });
        assert_eq!(committed(stack, numbered.topic()), None, "{place}: the group went with its offsets");
        assert!(served.has_died(), "nothing passes {place}");
        let events = insist(&mut served, "GET", &format!("/api/v1/events?pipe={id}"), &[], None).body;
        for kind in ["created", "edited", "removed", "gone"] {
            let of_kind = events["events"].as_array().unwrap().iter().filter(|event| event["kind"] == kind);
            assert_eq!(of_kind.count(), 1, "{place}, {kind}: {events}");
        }
        served.stop();
        // The next pipe begins anew with a topic of its own.
        numbered = Numbered::new(stack, &unique("steps"), 1, false);
    }
}

/// One pipe of the random kills, and what was asked of it.
struct Asked {
    numbered: Numbered,
    id: String,
    /// What was acknowledged, or else what it may be after an answer that was lost.
    may_be: Vec<&'static str>,
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long each process lives is the point")]
fn a_hundred_kills_lose_nothing_that_was_acknowledged() {
    let stack = shared_stack();
    let mut served = Served::start();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    let mut pipes: Vec<Asked> = Vec::new();
    for _ in 0..3 {
        let numbered = Numbered::new(stack, &unique("kills"), 2, true);
        let new = body(&numbered, stack, 100);
        let created = served.call("POST", "/api/v1/pipes", &[], Some(&new)).expect(201).body;
        let id = created["id"].as_str().unwrap().to_owned();
        pipes.push(Asked { numbered, id, may_be: vec!["running"] });
    }
    for kill in 0..KILLS {
        for pipe in &mut pipes {
            pipe.numbered.produce(stack, 50);
        }
        if kill % LONG_EVERY == LONG_EVERY - 1 {
            let pipe = &pipes[usize::try_from(next(3)).unwrap()];
            if served.pipe(&pipe.id)["wanted"] == "running" {
                let all = pipe.numbered.expected();
                wait_until("a pipe to load what is there", || pipe.numbered.settled(stack) == all);
                expect_identity(&served.pipe(&pipe.id)["counters"]);
            }
        }
        let mut life_ms = next(LIFE_MS_MAX);
        while life_ms > 0 {
            let pause = next(life_ms) + 1;
            std::thread::sleep(Duration::from_millis(pause));
            life_ms -= pause;
            let pipe = &mut pipes[usize::try_from(next(3)).unwrap()];
            let wanted = if next(2) == 0 { "running" } else { "paused" };
            let verb = if wanted == "running" { "resume" } else { "pause" };
            let path = format!("/api/v1/pipes/{}/{verb}", pipe.id);
            served.call("POST", &path, &[], None).expect(200);
            pipe.may_be = vec![wanted];
        }
        // A call whose answer is lost by the kill.
        let pipe = &mut pipes[usize::try_from(next(3)).unwrap()];
        let path = format!("/api/v1/pipes/{}/pause", pipe.id);
        let answered = std::thread::scope(|scope| {
            let call = scope.spawn(|| served.try_call("POST", &path, &[], None));
            std::thread::sleep(Duration::from_micros(next(3_000)));
            served.begin_kill();
            call.join().unwrap()
        });
        match answered {
            Ok(answer) => {
                answer.expect(200);
                pipe.may_be = vec!["paused"];
            }
            Err(_) => pipe.may_be.push("paused"),
        }
        served.kill();
        served.start_again();
        for pipe in &mut pipes {
            let shown = served.pipe(&pipe.id);
            let wanted = shown["wanted"].as_str().unwrap();
            assert!(
                pipe.may_be.contains(&wanted),
                "after kill {kill}: {:?} was asked for, and it is {shown}",
                pipe.may_be
            );
            let found = pipe.may_be.iter().find(|may| **may == wanted).copied();
            pipe.may_be = found.into_iter().collect();
        }
    }
    for pipe in &mut pipes {
        served.call("POST", &format!("/api/v1/pipes/{}/resume", pipe.id), &[], None).expect(200);
    }
    for Asked { numbered, id, .. } in &pipes {
        wait_until("all records", || numbered.settled(stack) == numbered.expected());
        assert!(
            numbered.verdict(stack).is_exact(),
            "{:?} {}",
            numbered.verdict(stack),
            numbered.evidence(stack)
        );
        expect_identity(&served.pipe(id)["counters"]);
    }
    served.stop();
}
