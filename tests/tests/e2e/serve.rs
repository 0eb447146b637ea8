//! `housepipe serve`: pipes over the API, and what is left of them after a kill.
#![expect(clippy::unwrap_used, reason = "a helper of a test that fails has failed the test")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use housepipe_tests::{
    Housepipe, Numbered, PipeText, committed, housepipe, shared_stack, unique, wait_until,
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

/// A running service, and who calls it.
pub(super) struct Served {
    process: Option<Housepipe>,
    folder: tempfile::TempDir,
    address: String,
    token: String,
}

impl Served {
    pub(super) fn start() -> Served {
        let folder = tempfile::tempdir().unwrap();
        let mut served = Served { process: None, folder, address: String::new(), token: String::new() };
        served.start_again();
        assert!(served.token.starts_with("hpt_"), "the first start tells a token");
        served
    }

    pub(super) fn start_again(&mut self) {
        let state = self.folder.path().join("state.db").display().to_string();
        let arguments =
            ["serve", "--state", &state, "--listen", "127.0.0.1:0", "--json", "--session-timeout", "6"];
        let process = housepipe(&arguments, None, b"");
        let mut told = Value::Null;
        wait_until("the service to say where it listens", || {
            told = process.told().unwrap_or_default();
            told.is_object()
        });
        told["url"].as_str().unwrap().trim_start_matches("http://").clone_into(&mut self.address);
        if let Some(token) = told["token"].as_str() {
            token.clone_into(&mut self.token);
        }
        self.process = Some(process);
    }

    pub(super) fn kill(&mut self) {
        let process = self.process.take().unwrap();
        process.signal(Signal::SIGKILL);
        process.wait();
    }

    /// One call: its status, its headers, and its body.
    pub(super) fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> (u16, String, Value) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let body = body.map(ToString::to_string).unwrap_or_default();
        let mut all = BTreeMap::from([
            ("Host", self.address.clone()),
            ("Connection", "close".to_owned()),
            ("Authorization", format!("Bearer {}", self.token)),
            ("Content-Type", "application/json".to_owned()),
            ("Content-Length", body.len().to_string()),
        ]);
        all.extend(headers.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let lines: String = all.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let request = format!("{method} {path} HTTP/1.1\r\n{lines}");
        stream.write_all(format!("{request}\r\n{body}").as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_lowercase(), serde_json::from_str(body).unwrap_or(Value::Null))
    }

    pub(super) fn pipe(&self, id: &str) -> Value {
        let (status, _, pipe) = self.call("GET", &format!("/api/v1/pipes/{id}"), &[], None);
        assert_eq!(status, 200, "{pipe}");
        pipe
    }

    pub(super) fn wait_for_stage(&self, id: &str, stage: &str) {
        wait_until(&format!("the pipe to be {stage}"), || self.pipe(id)["stage"] == stage);
    }
}

/// The pipe as a document.
pub(super) fn document(pipe: &PipeText) -> Value {
    serde_json::to_value(housepipe_runtime::Document::parse(&pipe.text(), "a pipe").unwrap()).unwrap()
}

#[test]
fn a_pipe_lives_over_the_api_and_through_kills() {
    let stack = shared_stack();
    let mut numbered = Numbered::new(stack, &unique("served"), 2, true);
    let pipe = numbered.pipe(stack).with("batch: { max_wait: 200ms }").with("delivery: exactly_once");
    let mut served = Served::start();
    let key = [("Idempotency-Key", "first")];
    let new = json!({ "pipe": document(&pipe) });
    let (status, head, created) = served.call("POST", "/api/v1/pipes", &key, Some(&new));
    assert_eq!(status, 201, "{created}");
    assert!(head.contains("etag: \"1\"") && head.contains("location: /api/v1/pipes/p"), "{head}");
    let id = created["id"].as_str().unwrap().to_owned();
    let (_, _, again) = served.call("POST", "/api/v1/pipes", &key, Some(&new));
    assert_eq!(again["id"], created["id"], "the same call makes no second pipe");
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
    let (status, _, paused) = served.call("POST", &format!("{path}/pause"), &[], None);
    assert_eq!((status, paused["wanted"].as_str()), (200, Some("paused")), "{paused}");
    served.wait_for_stage(&id, "paused");
    served.kill();
    served.start_again();
    served.wait_for_stage(&id, "paused");
    numbered.produce(stack, 500);
    let edited = json!({ "pipe": document(&numbered.pipe(stack).with("batch: { max_wait: 100ms }").with("delivery: exactly_once")) });
    assert_eq!(served.call("PUT", &path, &[], Some(&edited)).0, 428);
    assert_eq!(served.call("PUT", &path, &[("If-Match", "\"1\"")], Some(&edited)).0, 412);
    let etag = format!("\"{}\"", served.pipe(&id)["revision"]);
    let (status, _, answer) = served.call("PUT", &path, &[("If-Match", &etag)], Some(&edited));
    assert_eq!(status, 200, "{answer}");
    served.call("POST", &format!("{path}/resume"), &[], None);
    wait_until("the records of the pause", || numbered.settled(stack) == numbered.expected());
    let counters = served.pipe(&id)["counters"].clone();
    let number = |key: &str| counters[key].as_u64().unwrap();
    assert_eq!(
        number("read"),
        number("loaded") + number("rejected") + number("in_flight") + number("given_back")
    );

    let (status, _, leaving) = served.call("DELETE", &format!("{path}?consumer_group=true"), &[], None);
    assert_eq!(status, 202, "{leaving}");
    wait_until("the pipe to be gone", || served.call("GET", &path, &[], None).0 == 404);
    let (_, _, events) = served.call("GET", &format!("/api/v1/events?pipe={id}"), &[], None);
    let kinds: Vec<&str> =
        events["events"].as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect();
    for kind in ["created", "stage", "paused", "edited", "resumed", "removed", "gone"] {
        assert!(kinds.contains(&kind), "{kind}: {events}");
    }
    assert_eq!(committed(stack, numbered.topic()), None, "the group went with its offsets");
    assert!(numbered.verdict(stack).is_exact(), "the table stays");
    let process = served.process.take().unwrap();
    process.signal(Signal::SIGTERM);
    process.wait().expect_success();
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
        let (was, head, problem) = served.call("POST", "/api/v1/pipes", &[], Some(&body));
        assert_eq!((was, problem["code"].as_str()), (status, Some(code)), "{problem}");
        assert!(head.contains("application/problem+json") && problem["status"] == status, "{head} {problem}");
        assert!(problem.to_string().contains(says) && !problem.to_string().contains("canary"), "{problem}");
    }
    assert_eq!(served.call("POST", "/api/v1/pipes", &[], Some(&with(&|_| ()))).0, 201);
    let (status, _, problem) = served.call("POST", "/api/v1/pipes", &[], Some(&with(&|_| ())));
    assert_eq!((status, problem["code"].as_str()), (409, Some("name_taken")));
    let (_, _, page) = served.call("GET", "/api/v1/pipes", &[], None);
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
        ("GET", "/healthz", &[("Host", "evil.example")], 403),
        ("GET", "/healthz", &[], 200),
        ("GET", "/readyz", &[], 200),
        ("GET", "/api/v1/openapi.json", &[], 200),
    ] {
        let (was, head, answer) = served.call(method, path, headers, None);
        assert_eq!(was, status, "{method} {path}: {head} {answer}");
    }
}
