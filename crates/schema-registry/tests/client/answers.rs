//! Every kind of answer: what it is taken for, and what is said about it.

use std::time::Duration;

use housepipe_schema_registry::{ErrorClass, Limits, RegistryError, SchemaId, Subject, Version};

use crate::fake::{Fake, Reply, client};

/// One attempt, so that an error is the answer's own.
const ONCE: Limits = Limits {
    connect_ms: 5_000,
    request_ms: 10_000,
    answer_bytes: 4_096,
    attempts: 1,
    requests: 8,
    schemas: 100,
    cached_bytes: 1 << 20,
    absent_ms: 10_000,
    silent_ms: 300_000,
    reference_depth: 8,
    references: 8,
    schema_bytes: 1 << 20,
};

async fn error_of(reply: Reply) -> RegistryError {
    error_within(reply, ONCE).await
}

async fn error_within(reply: Reply, limits: Limits) -> RegistryError {
    let fake = Fake::start(move |_, _| reply.clone()).await;
    client(&[fake.url()], limits).schema(SchemaId(7)).await.unwrap_err()
}

#[tokio::test]
async fn every_refusal_has_its_class_and_its_message() {
    use ErrorClass::{Hold, Reject, Retry};
    let html = |status| Reply::with(status, "Content-Type: text/html; charset=utf-8", "<html>hush</html>");
    for (reply, class, part) in [
        (Reply::json(401, ""), Hold, "refuses access (HTTP 401): check user name and password"),
        (
            Reply::json(401, r#"{"error_code":401,"message":"Unauthorized"}"#),
            Hold,
            "refuses access (HTTP 401)",
        ),
        (Reply::json(403, r#"{"error_code":40301,"message":"no"}"#), Hold, "grant the right to read schemas"),
        (Reply::json(407, ""), Hold, "a proxy asks for credentials"),
        (Reply::json(404, r#"{"error_code":40403,"message":"x"}"#), Reject, "no schema with the id 7"),
        (
            Reply::json(404, r#"{"error_code":404,"message":"HTTP 404 Not Found"}"#),
            Hold,
            "no schema registry (HTTP 404, its error 404",
        ),
        (html(404), Hold, "no schema registry (HTTP 404, text/html); check host, port and path"),
        (html(200), Hold, "no schema registry (HTTP 200, text/html)"),
        (Reply::json(200, ""), Hold, "an empty body"),
        (Reply::json(200, "[]"), Hold, "JSON that is no answer of a registry"),
        (Reply::json(200, r#"{"id":7}"#), Hold, "JSON that is no answer of a registry"),
        (Reply::json(200, r#"{"schema":{"type":"object"}}"#), Hold, "JSON that is no answer of a registry"),
        (Reply::json(418, ""), Hold, "no schema registry (HTTP 418"),
        (Reply::json(429, ""), Retry, "asks to come back later (HTTP 429)"),
        (Reply::json(503, ""), Retry, "asks to come back later (HTTP 503)"),
        (html(502), Retry, "failed (HTTP 502)"),
        (
            Reply::json(500, r#"{"error_code":50001,"message":"Error in the\nbackend"}"#),
            Retry,
            "failed (HTTP 500, 50001: Error in the backend)",
        ),
        (Reply::json(408, ""), Retry, "failed (HTTP 408)"),
        (
            Reply::with(302, "Location: https://login.example/", ""),
            Hold,
            "redirects to https://login.example/",
        ),
        (Reply::with(307, "X: y", ""), Hold, "redirects to an address that it does not name"),
        (Reply::raw("SSH-2.0-OpenSSH_9.6\r\n"), Retry, "what came back is not HTTP"),
        (Reply::raw(""), Retry, "closed before the whole answer"),
        (
            Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{\"schema\":\"{}\""),
            Retry,
            "closed before the whole answer",
        ),
        (
            Reply::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{\"schema\"\r\n"),
            Retry,
            "closed before the whole answer",
        ),
        // Without a length, the end of the connection is the end of the answer.
        (Reply::raw("HTTP/1.1 200 OK\r\n\r\n{\"schema\":\"{}\""), Retry, "closed before the whole answer"),
    ] {
        let sent = String::from_utf8_lossy(&reply.bytes).into_owned();
        let error = error_of(reply).await;
        assert!(error.to_string().contains(part), "{sent}: {error}");
        assert_eq!(error.class(), class, "{sent}");
        assert!(error.to_string().contains("/schemas/ids/7"), "it says where: {error}");
        assert!(!format!("{error:?}").contains("hush"), "a body of somebody else is not repeated: {error:?}");
    }
}

#[tokio::test]
async fn subject_and_version_are_told_apart() {
    let fake = Fake::start(|path, _| match path {
        "/subjects/gone/versions/latest" => {
            Reply::json(404, r#"{"error_code":40401,"message":"Subject not found."}"#)
        }
        _ => Reply::json(404, r#"{"error_code":40402,"message":"Version not found."}"#),
    })
    .await;
    let registry = client(&[fake.url()], ONCE);
    let of = |subject: &str| Subject(subject.to_owned());
    let error = registry.version(&of("gone"), Version::Latest).await.unwrap_err();
    assert!(error.to_string().contains("has no subject `gone`"), "{error}");
    assert_eq!(error.class(), ErrorClass::Hold);
    let error = registry.version(&of("there"), Version::Number(9)).await.unwrap_err();
    assert!(error.to_string().contains("has the subject `there`, but not its version 9"), "{error}");
    assert_eq!(error.class(), ErrorClass::Hold);
}

#[tokio::test]
async fn an_answer_without_end_costs_no_more_than_its_limit() {
    use ErrorClass::{Hold, Reject, Retry};
    let alien = "a body of more than 4096 bytes that does not begin as a schema does";
    for (head, beginning, class, part) in [
        ("200 OK\r\nContent-Length: 99999999999", r#"{"schema":""#, Reject, "is larger than 4096 bytes"),
        ("200 OK", r#"{"schemaType":"JSON","id":7,"schema":"{"#, Reject, "is larger than 4096 bytes"),
        // What is no answer of a registry says nothing of the schema.
        ("200 OK\r\nContent-Length: 99999999999", "{", Hold, alien),
        ("200 OK\r\nContent-Type: text/html", "<html>hush", Hold, alien),
        ("200 OK\r\nContent-Type: application/json", r#"{"log":["hush"#, Hold, alien),
        // Whatever follows, a refusal is one.
        ("502 X\r\nContent-Type: text/html", "<html>hush", Retry, "failed (HTTP 502)"),
        ("500 X", r#"{"schema":"hush"#, Retry, "failed (HTTP 500)"),
        ("503 X\r\nContent-Length: 99999999999", "", Retry, "asks to come back later (HTTP 503)"),
        ("401 X", "hush", Hold, "refuses access (HTTP 401)"),
        ("404 X", r#"{"error_code":40403,"message":"hush"#, Hold, "no schema registry (HTTP 404"),
        ("302 X\r\nLocation: https://login.example/", "hush", Hold, "redirects to https://login.example/"),
    ] {
        let reply = Reply { endless: true, ..Reply::raw(&format!("HTTP/1.1 {head}\r\n\r\n{beginning}")) };
        let error = error_of(reply).await;
        assert!(error.to_string().contains(part), "{head} {beginning}: {error}");
        assert_eq!(error.class(), class, "{head} {beginning}");
        assert!(!format!("{error:?}").contains("hush"), "a body of somebody else is not repeated: {error:?}");
    }
}

#[tokio::test]
async fn an_answer_may_be_as_long_as_its_limit() {
    let schema = |bytes: usize| {
        let text = "x".repeat(bytes - r#"{"schema":""}"#.len());
        Reply::json(200, &format!(r#"{{"schema":"{text}"}}"#))
    };
    let fake = Fake::start(move |_, before| schema(ONCE.answer_bytes + before)).await;
    let registry = client(&[fake.url()], ONCE);
    registry.schema(SchemaId(7)).await.unwrap();
    let error = registry.schema(SchemaId(8)).await.unwrap_err();
    assert!(matches!(error, RegistryError::TooLarge { limit_bytes: 4_096, .. }), "{error:?}");
}

#[tokio::test]
async fn a_slow_answer_ends_at_its_limit() {
    let limits = Limits { request_ms: 50, ..ONCE };
    let slow = Reply { pause: Duration::from_secs(60), ..Reply::json(200, r#"{"schema":"{}"}"#) };
    let error = error_within(slow, limits).await;
    assert!(matches!(error, RegistryError::TimedOut { after_ms: 50, .. }), "{error:?}");
    assert_eq!(error.class(), ErrorClass::Retry);
    // The head comes at once, the body never.
    let stuck = Fake::start(|_, _| Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")).await;
    let stuck = client(&[stuck.url()], limits).schema(SchemaId(7)).await.unwrap_err();
    assert_eq!(stuck.class(), ErrorClass::Retry, "{stuck}");
}

#[tokio::test]
async fn a_schema_refers_to_others() {
    let fake = Fake::start(|path, _| match path {
        "/schemas/ids/7" => Reply::json(
            200,
            r#"{"schemaType":"JSON","schema":"{\"$ref\":\"a.json\"}","references":[{"name":"a.json","subject":"a","version":2}]}"#,
        ),
        "/subjects/a/versions/2?deleted=true" => Reply::json(
            200,
            r#"{"subject":"a","version":2,"id":3,"schemaType":"JSON","schema":"{}","references":[{"name":"b.json","subject":"b","version":1}]}"#,
        ),
        "/subjects/b/versions/1?deleted=true" => Reply::json(
            200,
            r#"{"subject":"b","version":1,"id":4,"schemaType":"JSON","schema":"true","references":[{"name":"a.json","subject":"a","version":2}]}"#,
        ),
        _ => Reply::json(500, ""),
    })
    .await;
    let registry = client(&[fake.url()], ONCE);
    let error = registry.resolve(&registry.schema(SchemaId(7)).await.unwrap()).await.unwrap_err();
    assert_eq!(error.to_string(), "the references of a schema go in a circle: `a` 2 -> `b` 1 -> `a` 2");
    assert_eq!(error.class(), ErrorClass::Reject);
    // What came for the references is remembered, under its id as well.
    assert_eq!(registry.schema(SchemaId(4)).await.unwrap().text, "true");
    assert_eq!(fake.requests().len(), 3);
}
