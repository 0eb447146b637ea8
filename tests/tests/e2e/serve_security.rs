//! Whom a service trusts with what: rows of the table in docs/security.md, each with what shows it.
#![expect(clippy::unwrap_used, reason = "a helper of a test that fails has failed the test")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use housepipe_tests::{Served, housepipe};
use serde_json::{Value, json};

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

/// The problem's code in an answer that is a problem document; fails the test unless it is one of the status 400.
fn code_of_400(what: &str, answer: &str) -> String {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let head = head.to_lowercase();
    assert!(head.starts_with("http/1.1 400 "), "{what}: {answer}");
    assert!(head.contains("content-type: application/problem+json"), "{what}: {answer}");
    let problem: Value = serde_json::from_str(body).unwrap();
    assert_eq!(problem["status"], 400, "{what}: {answer}");
    problem["code"].as_str().unwrap().to_owned()
}

#[test]
fn bytes_that_are_no_utf_8_are_refused_with_a_problem() {
    let mut served = Served::start();
    let request = |call: &[u8], header: &[u8], body: &[u8]| {
        let more = format!(
            "Host: {}\r\nAuthorization: Bearer {}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
            served.address(),
            served.token(),
            body.len()
        );
        [call, b" HTTP/1.1\r\n", more.as_bytes(), header, b"\r\n", body].concat()
    };
    // A byte that no text has, the first half of a letter, a letter that is longer than it need be, and half of a pair of UTF-16.
    for bytes in [&b"\xff"[..], b"\xc3", b"\xc0\xaf", b"\xed\xa0\x80"] {
        let escaped: String = bytes.iter().map(|byte| format!("%{byte:02X}")).collect();
        let with = |before: &str, after: &str| [before.as_bytes(), bytes, after.as_bytes()].concat();
        let new = |text: &[u8]| request(b"POST /api/v1/pipes", b"", text);
        for (what, request) in [
            ("a value of the body", new(&with("{\"pipe\": {\"name\": \"a", "\"}}"))),
            ("a key of the body", new(&with("{\"pipe\": {\"a", "\": 1}}"))),
            ("a body", new(bytes)),
            ("the path", request(format!("GET /api/v1/pipes/a{escaped}").as_bytes(), b"", b"")),
            (
                "a path of a change",
                request(format!("POST /api/v1/pipes/{escaped}/pause").as_bytes(), b"", b""),
            ),
            ("the name of a token", request(format!("DELETE /api/v1/tokens/{escaped}").as_bytes(), b"", b"")),
            ("a key", request(b"POST /api/v1/pipes", &with("Idempotency-Key: a", "\r\n"), b"{\"pipe\": {}}")),
            ("a state", request(b"POST /api/v1/pipes/p0/pause", &with("If-Match: ", "\r\n"), b"")),
            ("an event", request(b"GET /api/v1/events/stream", &with("Last-Event-ID: ", "\r\n"), b"")),
        ] {
            let code = code_of_400(what, &raw(&served, &request));
            assert_eq!(code, "invalid_request", "{what}, {bytes:?}");
        }
        // What is no address is no HTTP, and a host that nobody has is refused as any other one.
        let no_address = raw(&served, &with("GET /api/v1/pipes/a", " HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        assert!(no_address.starts_with("HTTP/1.1 400 "), "{bytes:?}: {no_address}");
        let no_host = "GET /api/v1/pipes HTTP/1.1\r\nConnection: close\r\nHost: a";
        let no_host = raw(&served, &with(no_host, "\r\n\r\n"));
        assert!(no_host.starts_with("HTTP/1.1 403 "), "{bytes:?}: {no_host}");
    }
    assert!(!served.said().contains("panicked"), "{}", served.said());
    served.stop();
}

fn body(head: &str, text: &str) -> String {
    format!("{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{text}", text.len())
}
