//! Whom a service trusts with what: rows of the table in docs/security.md, each with what shows it.
#![expect(clippy::unwrap_used, reason = "a helper of a test that fails has failed the test")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use housepipe_tests::{Answer, Served, create_topic, housepipe, shared_stack, wait_until};
use serde_json::{Value, json};

/// What stands in every secret of these tests, and may stand nowhere else.
const CANARY: &str = "canary-9c41";

/// A pipe to this stack whose every secret is wrong, so that both ends complain of it.
fn with_secrets(name: &str, auth: &Value, destination: &str, registry: &str) -> Value {
    let stack = shared_stack();
    let ca = std::fs::read_to_string(stack.kafka.ca_pem()).unwrap();
    json!({ "pipe": {
        "name": name,
        "source": {
            "type": "kafka", "brokers": stack.kafka.bootstrap_sasl_ssl(), "topic": "secrets",
            "auth": auth, "tls": { "ca": ca }
        },
        "schema_registry": { "url": registry, "username": "u", "password": format!("{CANARY}-registry") },
        "destination": {
            "url": destination, "table": "t", "username": "nobody", "password": format!("{CANARY}-clickhouse"),
            "columns": [{ "name": "id", "type": "UInt64" }], "managed_table": { "order_by": ["id"] }
        }
    } })
}

/// A private key in PEM whose text is the canary's.
fn key_pem() -> String {
    format!("-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----\n")
}

#[test]
fn no_secret_is_in_an_answer_an_event_a_log_or_the_state() {
    let stack = shared_stack();
    create_topic(stack, "secrets", 1);
    let served = Served::start_with(&["--log", "trace"]);
    let (clickhouse, nowhere) = (stack.clickhouse.url(), "http://127.0.0.1:1");
    let password = |secret: &str| json!({ "mechanism": "SCRAM-SHA-256", "username": "app", "password": format!("{CANARY}-{secret}") });
    let token = json!({
        "mechanism": "OAUTHBEARER", "token_url": "http://127.0.0.1:1/token", "client_id": "c",
        "client_secret": format!("{CANARY}-token"), "allow_without_tls": true
    });
    let mut answers: Vec<Answer> = Vec::new();
    let mut ids = Vec::new();
    // Keys, also where certificates belong.
    let mut keys = with_secrets("keys", &password("keys"), clickhouse, clickhouse);
    keys["pipe"]["source"]["tls"] = json!({ "ca": key_pem(), "certificate": key_pem(), "key": key_pem() });
    let answer = served.call("POST", "/api/v1/pipes", &[], Some(&keys)).expect(201);
    ids.push(answer.body["id"].as_str().unwrap().to_owned());
    answers.push(answer);
    for (name, auth, registry) in [
        ("scram", password("scram"), nowhere),
        ("token", token, nowhere),
        ("clickhouse", password("other"), clickhouse),
    ] {
        let answer =
            served.call("POST", "/api/v1/pipes", &[], Some(&with_secrets(name, &auth, clickhouse, registry)));
        let answer = answer.expect(201);
        ids.push(answer.body["id"].as_str().unwrap().to_owned());
        answers.push(answer);
    }
    for id in &ids {
        wait_until("the pipe to say what is wrong", || {
            let pipe = served.pipe(id);
            pipe["reason"].is_string()
        });
    }
    // Wrong ones, whose secrets stand where they are complained of.
    let mut wrong = Vec::new();
    for (pointer, value) in [
        ("/pipe/destination/password", json!([format!("{CANARY}-list")])),
        ("/pipe/destination/password", json!({ CANARY: 1 })),
        ("/pipe/destination/password", json!(format!("${{env:{CANARY}}}"))),
        ("/pipe/source/auth/password", json!(format!("${{nothing:{CANARY}}}"))),
        ("/pipe/source/auth/password", json!("")),
        ("/pipe/source/brokers", json!(format!("user:{CANARY}@127.0.0.1:1"))),
        ("/pipe/destination/url", json!(format!("http://user:{CANARY}@127.0.0.1:1"))),
        ("/pipe/schema_registry/url", json!(format!("http://user:{CANARY}@127.0.0.1:1"))),
    ] {
        let mut document = with_secrets("wrong", &password("wrong"), clickhouse, nowhere);
        *document.pointer_mut(pointer).unwrap() = value;
        wrong.push(document);
    }
    for document in &wrong {
        let answer = served.call("POST", "/api/v1/pipes", &[], Some(document));
        assert!([400, 422].contains(&answer.status), "{document}: {answer:?}");
        answers.push(answer);
    }
    let edit = with_secrets("scram", &password("edited"), clickhouse, nowhere);
    let etag = format!("\"{}\"", served.pipe(&ids[1])["revision"]);
    answers.push(
        served
            .call("PUT", &format!("/api/v1/pipes/{}", ids[1]), &[("If-Match", &etag)], Some(&edit))
            .expect(200),
    );
    let mut paths =
        vec!["/api/v1/pipes", "/api/v1/events", "/api/v1/audit", "/api/v1/tokens", "/api/v1/openapi.json"]
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>();
    paths.extend(
        ids.iter().flat_map(|id| [format!("/api/v1/pipes/{id}"), format!("/api/v1/pipes/{id}/file")]),
    );
    for path in &paths {
        answers.push(served.call("GET", path, &[], None).expect(200));
    }
    let shown: String = answers.iter().map(|answer| format!("{} {}\n", answer.head, answer.body)).collect();
    assert!(shown.contains("${secret:source.auth.password}"), "the pipes are shown: {shown}");
    let file = served.call_raw("GET", &format!("/api/v1/pipes/{}/file", ids[0]));
    let mut places = vec![("an answer", shown), ("a pipe file", file), ("the log", served.said())];
    for entry in std::fs::read_dir(served.folder()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        places.push(("the state", String::from_utf8_lossy(&bytes).into_owned()));
    }
    assert!(places.len() >= 5, "the state, its lock and its key");
    for (place, text) in places {
        // What is quoted of a wrong request is told to whoever sent it; what stands in a secret is not.
        let found = text.match_indices(CANARY).next().map(|(at, _)| {
            let from = text[..at].char_indices().rev().nth(200).map_or(0, |(at, _)| at);
            text[from..].chars().take(500).collect::<String>()
        });
        assert_eq!(found, None, "{place} shows a secret");
    }
}

#[test]
fn each_role_may_do_what_is_its_own() {
    let served = Served::start();
    let mut tokens = Vec::new();
    for role in ["viewer", "operator", "admin"] {
        let new = json!({ "name": format!("a-{role}"), "role": role });
        let made = served.call("POST", "/api/v1/tokens", &[], Some(&new));
        tokens.push(format!("Bearer {}", made.expect(201).body["token"].as_str().unwrap()));
    }
    let pipe = json!({ "run": false, "pipe": {
        "name": "roles",
        "source": { "type": "kafka", "brokers": "127.0.0.1:1", "topic": "t" },
        "destination": { "url": "http://127.0.0.1:1", "table": "t" }
    } });
    let edit = json!({ "pipe": pipe["pipe"] });
    let id = served.call("POST", "/api/v1/pipes", &[], Some(&pipe)).expect(201).body["id"].clone();
    let path = format!("/api/v1/pipes/{}", id.as_str().unwrap());
    let (pause, file) = (format!("{path}/pause"), format!("{path}/file"));
    // What each of viewer, operator and admin is answered, and a caller without a token.
    for (method, path, body, expected) in [
        ("GET", "/api/v1/pipes", None, [200, 200, 200, 401]),
        ("GET", path.as_str(), None, [200, 200, 200, 401]),
        ("GET", &file, None, [200, 200, 200, 401]),
        ("GET", "/api/v1/events", None, [200, 200, 200, 401]),
        ("POST", "/api/v1/pipes", Some(&pipe), [403, 409, 409, 401]),
        ("POST", &pause, None, [403, 200, 200, 401]),
        ("PUT", &path, Some(&edit), [403, 428, 428, 401]),
        ("GET", "/api/v1/tokens", None, [403, 403, 200, 401]),
        ("GET", "/api/v1/audit", None, [403, 403, 200, 401]),
        ("GET", "/api/v1/whoami", None, [200, 200, 200, 401]),
        ("DELETE", "/api/v1/tokens/nobody", None, [403, 403, 404, 401]),
        ("DELETE", &path, None, [403, 202, 202, 401]),
    ] {
        let callers = tokens.iter().map(String::as_str).chain(["Basic YTpi"]);
        for (caller, status) in callers.zip(expected) {
            let answer = served.call(method, path, &[("Authorization", caller)], body);
            let gone = answer.status == 404 && status == 202;
            assert!(answer.status == status || gone, "{method} {path}: {status} was expected: {answer:?}");
        }
    }
    let audit = served.call("GET", "/api/v1/audit?limit=1000", &[], None).expect(200).body;
    let entries = audit["entries"].as_array().unwrap();
    let has = |actor: &str, method: &str, path: &str, status: u64| {
        entries.iter().any(|entry| {
            entry["actor"] == format!("a-{actor}")
                && entry["role"] == actor
                && entry["method"] == method
                && entry["path"] == path
                && entry["status"] == status
                && entry["peer"] == "127.0.0.1"
        })
    };
    assert!(has("viewer", "POST", &pause, 403), "what was refused is written down: {audit}");
    assert!(has("operator", "POST", &pause, 200) && has("operator", "DELETE", "/api/v1/tokens/nobody", 403));
    assert!(entries.iter().all(|entry| entry["method"] != "GET"), "looking is not: {audit}");
}

#[test]
fn only_this_machine_calls_unless_somebody_means_it() {
    for (more, mend) in
        [(&[][..], "--tls-certificate"), (&["--tls-certificate", "none.pem"][..], "--tls-key")]
    {
        let mut arguments = vec!["serve", "--listen", "0.0.0.0:0"];
        arguments.extend(more);
        let refused = housepipe(&arguments, None, b"").wait();
        assert_eq!(refused.code, Some(2), "{}", refused.stderr);
        assert!(refused.stderr.contains(mend), "{}", refused.stderr);
    }
    let wrong = ["serve", "--listen", "0.0.0.0:0", "--tls-certificate", "none.pem", "--tls-key", "none.pem"];
    let refused = housepipe(&wrong, None, b"").wait();
    assert!(refused.code == Some(2) && refused.stderr.contains("none.pem"), "{}", refused.stderr);
    let served = Served::start_with(&["--public-host", "pipes.example.com"]);
    for (host, status) in
        [("pipes.example.com", 200), ("pipes.example.com:80", 200), ("evil.example.com", 403)]
    {
        served.call("GET", "/api/v1/pipes", &[("Host", host)], None).expect(status);
    }
    for (origin, status) in
        [("http://pipes.example.com", 404), ("http://evil.example.com", 403), ("null", 403)]
    {
        let headers = [("Host", "pipes.example.com"), ("Origin", origin)];
        let answer = served.call("POST", "/api/v1/pipes/none/pause", &headers, None);
        assert_eq!(answer.status, status, "{origin}: {answer:?}");
    }
}

#[test]
fn the_api_speaks_tls() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("certificate.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
    let mut served = Served::start_with(&["--tls-certificate", certificate, "--tls-key", key]);
    let port = served.address().rsplit(':').next().unwrap().to_owned();
    let curl = |more: &[&str], path: &str| {
        let url = format!("https://localhost:{port}{path}");
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--noproxy", "*", "--fail"]).args(more).arg(url);
        command.output().unwrap()
    };
    for version in ["--http1.1", "--http2"] {
        let answer = curl(&["--cacert", certificate, version], "/healthz");
        assert_eq!(String::from_utf8_lossy(&answer.stdout), "ok\n", "{version}: {answer:?}");
    }
    assert!(!curl(&[], "/healthz").status.success(), "the certificate is nobody's that is trusted");
    assert!(served.try_call("GET", "/healthz", &[], None).is_err(), "without TLS there is no answer");
    served.stop();
}

/// One connection whose caller says `text`, and what it is answered.
fn raw(served: &Served, text: &[u8]) -> String {
    let mut stream = TcpStream::connect(served.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    // A server that has heard enough closes while the rest is sent.
    let _ = stream.write_all(text);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn hostile_requests_cost_the_others_nothing() {
    let mut served = Served::start();
    // Callers who say nothing, or the half.
    let silent: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(served.address()).unwrap()).collect();
    for mut stream in &silent {
        stream.write_all(b"GET /api/v1/pipes HTTP/1.1\r\nHost: ").unwrap();
    }
    served.call("GET", "/api/v1/pipes", &[], None).expect(200);
    let address = served.address().to_owned();
    let head = format!(
        "POST /api/v1/pipes HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n",
        served.token()
    );
    let json = "Content-Type: application/json\r\n";
    for (what, request, statuses) in [
        ("a long header", format!("{head}X: {}\r\n\r\n", "x".repeat(1 << 20)), &["431", ""][..]),
        ("many headers", format!("{head}{}\r\n", "X: y\r\n".repeat(10_000)), &["431", ""]),
        (
            "a long path",
            format!("GET /{} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n", "x".repeat(1 << 20)),
            &["414", "431", ""],
        ),
        ("no HTTP", "\u{16}\u{3}\u{1}hello\r\n\r\n".to_owned(), &["400", ""]),
        ("a large body", format!("{head}{json}Content-Length: 99999999\r\n\r\n"), &["413"]),
        (
            "a large body in chunks",
            format!(
                "{head}{json}Transfer-Encoding: chunked\r\n\r\n900000\r\n{}\r\n0\r\n\r\n",
                " ".repeat(0x90_0000)
            ),
            &["413"],
        ),
        (
            "a deep body",
            body(&head, &format!("{{\"pipe\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000))),
            &["400"],
        ),
        (
            "a wide body",
            body(
                &head,
                &format!(
                    "{{\"pipe\":{{{}\"a\":1}}}}",
                    (0..200_000).map(|n| format!("\"k{n}\":1,")).collect::<String>()
                ),
            ),
            &["400", "422"],
        ),
        ("no UTF-8", body(&head, "{\"pipe\": \"\u{0}\"}"), &["400", "422"]),
        (
            "another type",
            format!("{head}Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{{}}"),
            &["415"],
        ),
        (
            "two lengths",
            format!("{head}{json}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}"),
            &["400", ""],
        ),
    ] {
        let answer = raw(&served, request.as_bytes());
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(statuses.contains(&status), "{what}: {}", answer.chars().take(600).collect::<String>());
        assert!(served.is_running(), "{what}: {}", served.said());
    }
    served.call("GET", "/api/v1/pipes", &[], None).expect(200);
    drop(silent);
    assert!(!served.said().contains("panicked"), "{}", served.said());
    served.stop();
}

fn body(head: &str, text: &str) -> String {
    format!("{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{text}", text.len())
}
