//! `housepipe serve`: pipes over the API, and what is left of them after a kill.

use housepipe_tests::{
    Numbered, Served, committed, document, expect_identity, housepipe, shared_stack, unique, wait_until,
};
use serde_json::{Value, json};

#[test]
fn a_pipe_lives_over_the_api_and_through_kills() {
    let stack = shared_stack();
    let mut numbered = Numbered::new(stack, &unique("served"), 2, true);
    let pipe = numbered.pipe(stack).with("batch: { max_wait: 200ms }").with("delivery: exactly_once");
    let mut served = Served::start();
    let key = [("Idempotency-Key", "first")];
    let new = json!({ "pipe": document(&pipe) });
    let created = served.call("POST", "/api/v1/pipes", &key, Some(&new)).expect(201);
    let (head, created) = (created.head, created.body);
    assert!(head.contains("etag: \"1\"") && head.contains("location: /api/v1/pipes/p"), "{head}");
    let id = created["id"].as_str().unwrap().to_owned();
    let again = served.call("POST", "/api/v1/pipes", &key, Some(&new));
    assert_eq!(again.body["id"], created["id"], "the same call makes no second pipe");
    for round in 0..3 {
        numbered.produce(stack, 3_000);
        if round > 0 {
            wait_until("some records", || numbered.settled(stack) > 0);
            served.kill();
            numbered.produce(stack, 1_000);
            served.start_again();
        }
        wait_until("the records of a round", || numbered.settled(stack) == numbered.expected());
    }
    assert!(numbered.verdict(stack).is_exact(), "{:?} {}", numbered.verdict(stack), numbered.evidence(stack));

    let path = format!("/api/v1/pipes/{id}");
    let paused = served.call("POST", &format!("{path}/pause"), &[], None).expect(200).body;
    assert_eq!(paused["wanted"], "paused");
    served.wait_for_stage(&id, "paused");
    served.kill();
    served.start_again();
    served.wait_for_stage(&id, "paused");
    numbered.produce(stack, 500);
    let edited = json!({ "pipe": document(&numbered.pipe(stack).with("batch: { max_wait: 100ms }").with("delivery: exactly_once")) });
    served.call("PUT", &path, &[], Some(&edited)).expect(428);
    served.call("PUT", &path, &[("If-Match", "\"1\"")], Some(&edited)).expect(412);
    let etag = format!("\"{}\"", served.pipe(&id)["revision"]);
    served.call("PUT", &path, &[("If-Match", &etag)], Some(&edited)).expect(200);
    served.call("POST", &format!("{path}/resume"), &[], None);
    wait_until("the records of the pause", || numbered.settled(stack) == numbered.expected());
    expect_identity(&served.pipe(&id)["counters"]);

    served.call("DELETE", &format!("{path}?consumer_group=true"), &[], None).expect(202);
    wait_until("the pipe to be gone", || served.call("GET", &path, &[], None).status == 404);
    let again = served.call("POST", "/api/v1/pipes", &key, Some(&new)).expect(409);
    assert_eq!(again.code(), "pipe_gone", "nor does it once that one is gone: {again:?}");
    let events = served.call("GET", &format!("/api/v1/events?pipe={id}"), &[], None).body;
    let kinds: Vec<&str> =
        events["events"].as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect();
    for kind in ["created", "stage", "paused", "edited", "resumed", "removed", "gone"] {
        assert!(kinds.contains(&kind), "{kind}: {events}");
    }
    assert_eq!(committed(stack, numbered.topic()), None, "the group went with its offsets");
    assert!(numbered.verdict(stack).is_exact(), "the table stays");
    served.stop();
}

#[test]
fn pipes_that_start_together_start_with_the_memory_that_they_can_keep() {
    const PIPES: usize = 4;
    let stack = shared_stack();
    let topics: Vec<Numbered> =
        (0..PIPES).map(|_| Numbered::new(stack, &unique("together"), 1, false)).collect();
    let mut served = Served::start_with(&["--total-memory-mib", "64", "--memory-mib", "64"]);
    for topic in &topics {
        let new = json!({ "pipe": document(&topic.pipe(stack)) });
        served.call("POST", "/api/v1/pipes", &[], Some(&new)).expect(201);
    }
    let are_running = |served: &Served| {
        let pipes = served.call("GET", "/api/v1/pipes", &[], None).expect(200).body;
        pipes["pipes"].as_array().unwrap().iter().filter(|pipe| pipe["stage"] == "running").count() == PIPES
    };
    // Events are told a moment after what they tell of.
    let stages_behind = |served: &Served, number: &Value| -> Vec<String> {
        let path = format!("/api/v1/events?after={number}");
        let events = served.call("GET", &path, &[], None).expect(200).body;
        let stages = events["events"].as_array().unwrap().iter().filter(|event| event["kind"] == "stage");
        stages.map(|event| event["reason"].as_str().unwrap().to_owned()).collect()
    };
    let run = |stages: Vec<String>| stages.iter().filter(|stage| *stage == "running").count();
    wait_until("all to run", || are_running(&served) && run(stages_behind(&served, &json!(0))) >= PIPES);
    let newest = served.call("GET", "/api/v1/events?order=newest&limit=1", &[], None).expect(200).body;
    let newest = &newest["events"][0]["number"];
    served.kill();
    served.start_again();
    wait_until("all to run again", || are_running(&served));
    let scraped = served.scrape();
    let shares: Vec<&str> = scraped
        .lines()
        .filter(|line| line.starts_with("housepipe_pipe_memory_bytes{"))
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(_, bytes)| bytes)
        .collect();
    assert_eq!(shares, ["16777216"; PIPES], "{scraped}");
    wait_until("that to be told", || run(stages_behind(&served, newest)) >= PIPES);
    let stages = stages_behind(&served, newest);
    assert!(
        stages.iter().all(|stage| stage == "running"),
        "none has to stop to give a part back: {stages:?}"
    );
}

#[test]
fn what_is_wrong_is_a_problem_with_a_code() {
    let served = Served::start();
    let name = unique("wrong").replace('_', "-");
    let pipe = json!({
        "name": name,
        "source": { "type": "kafka", "brokers": "127.0.0.1:1", "topic": "t" },
        "destination": { "url": "http://127.0.0.1:1", "table": "t", "password": "canary-1" }
    });
    let with = |change: &dyn Fn(&mut Value)| {
        let mut changed = json!({ "pipe": pipe, "run": false });
        change(&mut changed);
        changed
    };
    for (body, status, code, says) in [
        (json!([]), 400, "invalid_request", ""),
        (json!({ "pipe": pipe, "rum": true }), 400, "invalid_request", "rum"),
        (with(&|b| b["pipe"]["source"]["topik"] = "t".into()), 422, "invalid_pipe", "did you mean `topic`?"),
        (
            with(&|b| b["pipe"]["source"]["tls"] = json!({ "ca": "/etc/passwd" })),
            422,
            "invalid_pipe",
            "reads no files",
        ),
        (
            with(&|b| b["pipe"]["source"]["topic"] = "${env:PATH}".into()),
            422,
            "invalid_pipe",
            "a secret alone",
        ),
        (
            with(&|b| b["pipe"]["destination"]["password"] = "${env:PATH}".into()),
            422,
            "invalid_pipe",
            "environment",
        ),
        (
            with(&|b| b["pipe"]["destination"]["password"] = "${file:/etc/passwd}".into()),
            422,
            "invalid_pipe",
            "reads no files",
        ),
        (
            with(&|b| b["pipe"]["source"]["brokers"] = "169.254.169.254:80".into()),
            422,
            "invalid_pipe",
            "link-local",
        ),
        (
            with(&|b| b["pipe"]["source"]["unsafe_librdkafka"] = json!({ "client.rack": "a" })),
            422,
            "invalid_pipe",
            "no settings of librdkafka",
        ),
    ] {
        let answer = served.call("POST", "/api/v1/pipes", &[], Some(&body));
        let (was, head, problem) = (answer.status, answer.head, answer.body);
        assert_eq!((was, problem["code"].as_str()), (status, Some(code)), "{problem}");
        assert!(head.contains("application/problem+json") && problem["status"] == status, "{head} {problem}");
        assert!(problem.to_string().contains(says) && !problem.to_string().contains("canary"), "{problem}");
    }
    served.call("POST", "/api/v1/pipes", &[], Some(&with(&|_| ()))).expect(201);
    let problem = served.call("POST", "/api/v1/pipes", &[], Some(&with(&|_| ()))).expect(409);
    assert_eq!(problem.code(), "name_taken");
    let page = served.call("GET", "/api/v1/pipes", &[], None).body;
    assert!(!page.to_string().contains("canary"), "{page}");
    assert_eq!(page["pipes"][0]["pipe"]["destination"]["password"], "${secret:destination.password}");
    for (method, path, headers, status) in [
        ("GET", "/api/v1/pipes/none", &[][..], 404),
        ("GET", "/api/v1/nothing", &[], 404),
        ("PATCH", "/api/v1/pipes", &[], 405),
        ("GET", "/api/v1/pipes?limit=0", &[], 400),
        ("GET", "/api/v1/pipes?limit=x", &[], 400),
        ("GET", "/api/v1/pipes?page=1", &[], 400),
        ("GET", "/api/v1/pipes", &[("Authorization", "Bearer hpt_wrong")], 401),
        ("POST", "/api/v1/pipes/none/pause", &[("Origin", "https://evil.example")], 403),
        ("GET", "/api/v1/pipes", &[("Host", "evil.example")], 403),
        ("GET", "/healthz", &[("Host", "evil.example")], 200),
        ("GET", "/healthz", &[], 200),
        ("GET", "/readyz", &[], 200),
        ("GET", "/api/v1/openapi.json", &[], 200),
    ] {
        let answer = served.call(method, path, headers, None);
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
    }
}

#[test]
fn a_first_start_that_fails_says_what_to_change_and_leaves_nothing_behind() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().display().to_string();
    let state = folder.path().join("state.db").display().to_string();
    for (arguments, code, says) in [
        (&["--state", &state, "--listen", &address][..], 1, "which --listen changes"),
        (
            &["--state", &state, "--listen", "127.0.0.1:0", "--metrics-listen", &address],
            1,
            "which --metrics-listen changes",
        ),
        (&["--state", &here, "--listen", "127.0.0.1:0"], 2, "is a folder"),
    ] {
        let outcome = housepipe(&[&["serve"], arguments].concat(), None, b"").wait();
        assert_eq!(outcome.code, Some(code), "{arguments:?}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(says), "{arguments:?}: {}", outcome.stderr);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{arguments:?}");
    }
}
