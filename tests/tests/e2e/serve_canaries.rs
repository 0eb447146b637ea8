//! One text is planted in every secret of a service's pipes, and may stand nowhere else.
#![expect(clippy::unwrap_used, reason = "a helper of a test that fails has failed the test")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::time::Duration;

use housepipe_tests::{Answer, Served, create_topic, shared_stack, unique, wait_until};
use serde_json::{Value, json};

use crate::states::Place;

/// What stands in every secret.
const CANARY: &str = "canary-9c41";

/// The keys of a pipe file that hold secrets, each of which is planted.
const KEYS: [&str; 13] = [
    "source.auth.password",
    "source.auth.client_secret",
    "source.auth.secret_access_key",
    "source.auth.session_token",
    "source.tls.ca",
    "source.tls.certificate",
    "source.tls.key",
    "schema_registry.password",
    "schema_registry.token",
    "schema_registry.tls.certificate",
    "schema_registry.tls.key",
    "destination.password",
    "destination.setup.password",
];

/// Looks at once of one token, at most.
const LANES: usize = 4;

#[test]
fn no_secret_is_in_an_answer_an_event_a_log_or_the_state() {
    plant_and_look(&Place::Files);
}

#[test]
fn no_secret_is_in_a_state_in_postgresql_or_its_log() {
    plant_and_look(&Place::postgres());
}

/// Names of pipes, their pipe files, and a part of the key that is no canary.
struct Planted {
    pipes: Vec<(&'static str, Value)>,
    topic: String,
    part_of_key: String,
}

/// A private key in PEM whose text is the canary's.
fn key_pem() -> String {
    format!("-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----\n")
}

fn password(secret: &str) -> Value {
    json!({ "mechanism": "SCRAM-SHA-256", "username": "app", "password": format!("{CANARY}-{secret}") })
}

/// Pipes to this stack whose every secret is wrong, so that both ends complain of it.
fn planted() -> Planted {
    let stack = shared_stack();
    let topic = unique("secrets");
    create_topic(stack, &topic, 1);
    let ca = std::fs::read_to_string(stack.kafka.ca_pem()).unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let (clickhouse, nowhere) = (stack.clickhouse.url(), "http://127.0.0.1:1");
    let login = |url: &str| json!({ "url": url, "username": "u", "password": format!("{CANARY}-registry") });
    let bearer = json!({ "url": clickhouse, "token": format!("{CANARY}-bearer") });
    let mut of_keys = login(clickhouse);
    of_keys["tls"] = json!({ "certificate": key_pem(), "key": key_pem() });
    let client = json!({
        "mechanism": "OAUTHBEARER", "token_url": "http://127.0.0.1:1/token", "client_id": "c",
        "client_secret": format!("{CANARY}-client"), "allow_without_tls": true
    });
    let msk = json!({
        "mechanism": "AWS_MSK_IAM", "region": "eu-central-1", "access_key_id": "AKIAEXAMPLE",
        "secret_access_key": format!("{CANARY}-aws"), "session_token": format!("{CANARY}-session")
    });
    let trust = json!({ "ca": ca });
    // Keys stand also where certificates belong.
    let canaries = json!({ "ca": key_pem(), "certificate": key_pem(), "key": key_pem() });
    let pipe = |name: &'static str, auth: Option<Value>, tls: &Value, registry: Value| {
        let mut source = json!({
            "type": "kafka", "brokers": stack.kafka.bootstrap_sasl_ssl(), "topic": topic, "tls": tls
        });
        if let Some(auth) = auth {
            source["auth"] = auth;
        }
        let pipe = json!({
            "name": name, "source": source, "schema_registry": registry,
            "destination": {
                "url": clickhouse, "table": "t", "username": "nobody",
                "password": format!("{CANARY}-clickhouse"),
                "setup": { "username": "somebody", "password": format!("{CANARY}-setup") },
                "columns": [{ "name": "id", "type": "UInt64" }], "managed_table": { "order_by": ["id"] }
            }
        });
        (name, pipe)
    };
    let certified = json!({ "ca": ca, "certificate": certificate, "key": key });
    let pipes = vec![
        pipe("keys", Some(password("keys")), &canaries, of_keys),
        pipe("scram", Some(password("scram")), &trust, login(nowhere)),
        pipe("client", Some(client), &trust, login(nowhere)),
        pipe("msk", Some(msk), &trust, bearer.clone()),
        pipe("certified", None, &certified, bearer),
    ];
    // The first line of the key says what kind of key it is.
    let part_of_key = key.lines().nth(2).unwrap().to_owned();
    Planted { pipes, topic, part_of_key }
}

/// The pipe file with a wrong value, in which a canary stands in most cases.
fn wrong(pipe: &Value) -> Vec<Value> {
    let cases = [
        ("/destination/password", json!([format!("{CANARY}-list")])),
        ("/destination/password", json!({ CANARY: 1 })),
        ("/destination/password", json!(format!("${{env:{CANARY}}}"))),
        ("/destination/setup/password", json!([format!("{CANARY}-list")])),
        ("/schema_registry/password", json!(format!("${{file:{CANARY}}}"))),
        ("/source/auth/password", json!(format!("${{nothing:{CANARY}}}"))),
        ("/source/auth/password", json!("")),
        ("/source/brokers", json!(format!("user:{CANARY}@127.0.0.1:1"))),
        ("/destination/url", json!(format!("http://user:{CANARY}@127.0.0.1:1"))),
        ("/schema_registry/url", json!(format!("http://user:{CANARY}@127.0.0.1:1"))),
    ];
    let with = |(pointer, value): (&str, Value)| {
        let mut pipe = pipe.clone();
        pipe["name"] = "wrong".into();
        *pipe.pointer_mut(pointer).unwrap() = value;
        pipe
    };
    cases.into_iter().map(with).collect()
}

/// Calls that look at the ends of these pipes, as they are sent and as they are kept.
fn looks(pipes: &[(&'static str, Value)], ids: &[String]) -> Vec<(&'static str, String, Option<Value>)> {
    let mut looks = Vec::new();
    let mut look = |path: &str, body: Value| looks.push(("POST", path.to_owned(), Some(body)));
    for ((_, pipe), id) in pipes.iter().zip(ids) {
        look("/api/v1/connections/test", json!({ "pipe": pipe }));
        look("/api/v1/connections/test", json!({ "of": id }));
    }
    let paths = [
        "topics",
        "infer",
        "preview",
        "check",
        "samples/source",
        "samples/destination",
        "databases",
        "tables",
        "roles",
    ];
    for (number, path) in paths.into_iter().enumerate() {
        let at = number % pipes.len();
        let path = format!("/api/v1/{path}");
        look(&path, json!({ "pipe": pipes[at].1 }));
        look(&path, json!({ "of": ids[at] }));
    }
    look("/api/v1/mapping", json!({ "of": ids[1], "samples": [{ "id": 1 }] }));
    look("/api/v1/ddl", json!({ "pipe": pipes[1].1 }));
    look(&format!("/api/v1/pipes/{}/errors/replay", ids[1]), json!({}));
    for path in ["errors", "errors/summary", "samples/source", "samples/destination"] {
        looks.push(("GET", format!("/api/v1/pipes/{}/{path}", ids[1]), None));
    }
    looks
}

/// Makes these calls, and waits for the results of what takes longer. Returns all that was answered.
fn look_at_all(served: &Served, looks: &[(&'static str, String, Option<Value>)]) -> Vec<Answer> {
    let answers = Mutex::new(Vec::new());
    let next = Mutex::new(looks.iter());
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                loop {
                    let look = next.lock().unwrap().next();
                    let Some((method, path, body)) = look else { break };
                    let answer = served.call(method, path, &[], body.as_ref());
                    assert!(answer.status != 429 && answer.status < 500, "{path}: {answer:?}");
                    let work = (answer.status == 202).then(|| answer.body["id"].as_str().unwrap().to_owned());
                    answers.lock().unwrap().push(answer);
                    if let Some(work) = work {
                        let path = format!("/api/v1/work/{work}?wait_ms=2000");
                        wait_until("the end of some work", || {
                            let answer = served.call("GET", &path, &[], None).expect(200);
                            let has_ended = answer.body["state"] != "running";
                            answers.lock().unwrap().push(answer);
                            has_ended
                        });
                    }
                }
            });
        }
    });
    answers.into_inner().unwrap()
}

/// All that a stream of events says from the first one on, until its token is forgotten.
fn listen(address: &str, token: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let request = format!(
        "GET /api/v1/events/stream HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nLast-Event-ID: 0\r\n\
         Connection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut told = Vec::new();
    stream.read_to_end(&mut told).unwrap();
    String::from_utf8_lossy(&told).into_owned()
}

fn create(served: &Served, pipe: &Value) -> Answer {
    served.call("POST", "/api/v1/pipes", &[], Some(&json!({ "pipe": pipe })))
}

fn plant_and_look(states: &Place) {
    let kept = states.serve_with(&["--log", "trace"]);
    let served = &kept.served;
    let Planted { pipes, topic, part_of_key } = planted();
    let listener = json!({ "name": "listener", "role": "viewer" });
    let made = served.call("POST", "/api/v1/tokens", &[], Some(&listener)).expect(201).body;
    let (address, token) = (served.address().to_owned(), made["token"].as_str().unwrap().to_owned());
    let listener = std::thread::spawn(move || listen(&address, &token));

    let mut answers: Vec<Answer> = pipes.iter().map(|(_, pipe)| create(served, pipe).expect(201)).collect();
    let ids: Vec<String> =
        answers.iter().map(|answer| answer.body["id"].as_str().unwrap().to_owned()).collect();
    // Wrong ones, whose secrets stand where they are complained of.
    for pipe in wrong(&pipes[1].1) {
        let mut refused = vec![create(served, &pipe)];
        for path in ["check", "connections/test", "samples/destination"] {
            let body = json!({ "pipe": pipe });
            refused.push(served.call("POST", &format!("/api/v1/{path}"), &[], Some(&body)));
        }
        assert!([400, 422].contains(&refused[0].status), "{pipe}: {:?}", refused[0]);
        answers.extend(refused);
    }
    let looked = look_at_all(served, &looks(&pipes, &ids));
    assert!(
        looked.iter().any(|answer| answer.body["state"] == "failed"),
        "some of it takes longer, and fails"
    );
    answers.extend(looked);
    for id in &ids {
        wait_until("the pipe to say what is wrong", || served.pipe(id)["reason"].is_string());
    }
    let mut edited = pipes[1].1.clone();
    edited["source"]["auth"] = password("edited");
    let path = format!("/api/v1/pipes/{}", ids[1]);
    let edit = json!({ "pipe": edited });
    answers.push(served.call("PUT", &path, &[("If-Match", "*")], Some(&edit)).expect(200));
    let mut paths: Vec<String> = ["pipes", "events", "audit?limit=1000", "tokens", "work", "openapi.json"]
        .map(|path| format!("/api/v1/{path}"))
        .into();
    paths.extend(ids.iter().map(|id| format!("/api/v1/pipes/{id}")));
    for path in &paths {
        answers.push(served.call("GET", path, &[], None).expect(200));
    }
    let file_of = |id: &String| served.call_raw("GET", &format!("/api/v1/pipes/{id}/file"));
    let files: String = ids.iter().map(file_of).collect();
    for key in KEYS {
        assert!(files.contains(&format!("${{secret:{key}}}")), "`{key}` is planted nowhere: {files}");
    }
    let metrics = served.scrape();
    assert!(metrics.contains("pipe=\"scram\""), "{metrics}");
    served.call("DELETE", "/api/v1/tokens/listener", &[], None).expect(204);
    let events = listener.join().unwrap();
    assert!(events.contains("event: created") && events.contains("event: stage"), "{events}");

    let shown: String = answers.iter().map(|answer| format!("{} {}\n", answer.head, answer.body)).collect();
    let mut places = vec![
        ("an answer", shown),
        ("a pipe file", files),
        ("the metrics", metrics),
        ("the stream of events", events),
        ("the log", served.said()),
    ];
    let contents = kept.contents();
    assert!(contents.iter().any(|text| text.contains(&topic)), "the pipes are in the state");
    assert!(contents.len() >= 3, "a file, its lock and its key; or tables, and the log of their server");
    places.extend(contents.into_iter().map(|text| ("the state", text)));
    for (place, text) in places {
        for secret in [CANARY, &part_of_key] {
            expect_none(place, &text, secret);
        }
    }
}

/// What is quoted of a wrong request is told to whoever sent it; what stands in a secret is not.
fn expect_none(place: &str, text: &str, secret: &str) {
    let found = text.match_indices(secret).next().map(|(at, _)| {
        let from = text[..at].char_indices().rev().nth(200).map_or(0, |(at, _)| at);
        text[from..].chars().take(500).collect::<String>()
    });
    assert_eq!(found, None, "{place} shows a secret");
}
