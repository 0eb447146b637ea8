//! Several hosts of one registry.

use std::time::{Duration, Instant};

use housepipe_schema_registry::{ErrorClass, Limits, RegistryError, SchemaId, Subject, Version};

use crate::fake::{Fake, Reply, client};

const ONCE: fn() -> Limits = || Limits { attempts: 1, ..Limits::default() };

/// A port at which nobody listens: it was free a moment ago.
async fn nobody() -> String {
    let fake = Fake::start(|_, _| Reply::raw("")).await;
    let url = fake.url();
    drop(fake);
    while std::net::TcpStream::connect(url.trim_start_matches("http://").trim_end_matches('/')).is_ok() {
        tokio::task::yield_now().await;
    }
    url
}

/// A host that has no schema.
async fn absent() -> Fake {
    Fake::start(|_, _| Reply::json(404, r#"{"error_code":40403,"message":""}"#)).await
}

/// A host whose answer begins like this after the version of HTTP, and never ends.
async fn endless(beginning: &'static str) -> Fake {
    let reply = Reply { endless: true, ..Reply::raw(&format!("HTTP/1.1 {beginning}")) };
    Fake::start(move |_, _| reply.clone()).await
}

fn is_unconfirmed(error: &RegistryError) -> bool {
    matches!(error, RegistryError::Unconfirmed { .. })
}

#[tokio::test]
async fn the_next_host_is_asked_and_stays_the_first_choice() {
    for broken in
        [Reply::json(503, ""), Reply::with(200, "Content-Type: text/html", "<html>"), Reply::raw("")]
    {
        let bad = Fake::start(move |_, _| broken.clone()).await;
        let good = Fake::start(|_, _| Reply::json(200, r#"{"schema":"{}"}"#)).await;
        let registry = client(&[bad.url(), good.url()], ONCE());
        for id in 0..3 {
            registry.schema(SchemaId(id)).await.unwrap();
        }
        assert_eq!((bad.requests().len(), good.requests().len()), (1, 3));
    }
}

#[tokio::test]
async fn a_host_that_is_gone_costs_nothing_but_a_try() {
    let good = Fake::start(|_, _| Reply::json(200, r#"{"schema":"{}"}"#)).await;
    client(&[nobody().await, good.url()], ONCE()).schema(SchemaId(1)).await.unwrap();
}

#[tokio::test]
async fn an_answer_that_is_the_registrys_own_is_not_asked_for_elsewhere() {
    let first = Fake::start(|_, _| Reply::json(401, "")).await;
    let second = Fake::start(|_, _| Reply::json(200, r#"{"schema":"{}"}"#)).await;
    client(&[first.url(), second.url()], ONCE()).schema(SchemaId(1)).await.unwrap_err();
    assert_eq!((first.requests().len(), second.requests().len()), (1, 0));
}

#[tokio::test]
async fn what_one_host_does_not_have_another_may_have() {
    let (first, second) = (absent().await, Fake::start(|_, _| Reply::json(200, r#"{"schema":"{}"}"#)).await);
    client(&[first.url(), second.url()], ONCE()).schema(SchemaId(1)).await.unwrap();
    // That there is none is believed where all say so.
    let third = absent().await;
    let error = client(&[first.url(), third.url()], Limits::default()).schema(SchemaId(1)).await.unwrap_err();
    assert!(matches!(error, RegistryError::NoSchema { id: SchemaId(1), .. }), "{error}");
    assert_eq!((first.requests().len(), third.requests().len()), (2, 1));
}

#[tokio::test]
async fn an_absence_is_not_believed_while_another_host_is_away() {
    let there = absent().await;
    for roots in [[there.url(), nobody().await], [nobody().await, there.url()]] {
        let error = client(&roots, ONCE()).schema(SchemaId(1)).await.unwrap_err();
        assert!(is_unconfirmed(&error), "{error:?}");
        assert_eq!(error.class(), ErrorClass::Retry, "{error}");
        for part in ["has no schema with the id 1", "believed once its other hosts say so"] {
            assert!(error.to_string().contains(part), "{error}");
        }
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("nothing listens there"), "{source}");
    }
    // A registry's own server restarts, and its replica has not heard of the schema yet.
    let restarting = Fake::start(|_, before| match before {
        0 => Reply::raw(""),
        1 => Reply::with(502, "Content-Type: text/html", "<html>"),
        _ => Reply::json(200, r#"{"schema":"{}"}"#),
    })
    .await;
    let registry = client(&[restarting.url(), there.url()], ONCE());
    for _ in 0..2 {
        let error = registry.schema(SchemaId(1)).await.unwrap_err();
        assert!(is_unconfirmed(&error), "{error:?}");
    }
    registry.schema(SchemaId(1)).await.unwrap();
}

#[tokio::test]
async fn a_host_that_is_gone_for_good_delays_for_a_while_only() {
    let there = absent().await;
    let limits = Limits { silent_ms: 200, ..ONCE() };
    let registry = client(&[nobody().await, there.url()], limits);
    let error = registry.schema(SchemaId(1)).await.unwrap_err();
    assert!(is_unconfirmed(&error), "{error:?}");
    let began = Instant::now();
    loop {
        let error = registry.schema(SchemaId(1)).await.unwrap_err();
        if matches!(error, RegistryError::NoSchema { id: SchemaId(1), .. }) {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{error}");
    }
    let error = registry.schema(SchemaId(2)).await.unwrap_err();
    assert!(matches!(error, RegistryError::NoSchema { id: SchemaId(2), .. }), "known to be gone: {error}");
}

#[tokio::test]
async fn an_answer_without_end_is_that_of_one_host() {
    let limits = Limits { answer_bytes: 4_096, ..ONCE() };
    let good = Fake::start(|_, _| Reply::json(200, r#"{"schema":"{}"}"#)).await;
    for beginning in ["200 OK\r\n\r\n<html>", "200 OK\r\n\r\n{\"schema\":\"", "502 X\r\n\r\n<html>"] {
        let first = endless(beginning).await;
        client(&[first.url(), good.url()], limits).schema(SchemaId(1)).await.unwrap();
        assert_eq!(first.requests().len(), 1);
    }
    let large = endless("200 OK\r\n\r\n{\"schema\":\"").await;
    let (other, lagging) = (endless("200 OK\r\n\r\n{\"schema\":\"").await, absent().await);
    for roots in [[large.url(), other.url()], [lagging.url(), large.url()], [large.url(), lagging.url()]] {
        let error = client(&roots, limits).schema(SchemaId(1)).await.unwrap_err();
        assert!(matches!(error, RegistryError::TooLarge { limit_bytes: 4_096, .. }), "{error}");
    }
    // A proxy without end before one of them says nothing for the other.
    let proxy = endless("502 X\r\n\r\n<html>").await;
    for roots in [[large.url(), proxy.url()], [proxy.url(), lagging.url()]] {
        let error = client(&roots, limits).schema(SchemaId(1)).await.unwrap_err();
        assert!(is_unconfirmed(&error) && error.class() == ErrorClass::Retry, "{error}");
    }
}

#[tokio::test]
async fn an_id_of_another_context_is_another_schema() {
    let host = Fake::start(|path, _| {
        let is_theirs = path.contains("subjects");
        Reply::json(
            200,
            if is_theirs {
                r#"{"id":1,"version":1,"subject":"s","schema":"theirs"}"#
            } else {
                r#"{"schema":"ours"}"#
            },
        )
    })
    .await;
    let registry = client(&[host.url()], ONCE());
    let theirs = registry.version(&Subject(":.dev:s".to_owned()), Version::Number(1)).await.unwrap();
    let ours = registry.schema(SchemaId(1)).await.unwrap();
    assert_eq!((theirs.id, theirs.text.as_str(), ours.text.as_str()), (SchemaId(1), "theirs", "ours"));
}

#[tokio::test]
async fn while_one_host_may_come_back_it_is_worth_while_to_wait() {
    let wrong = Fake::start(|_, _| Reply::with(200, "Content-Type: text/html", "<html>")).await;
    for roots in [[nobody().await, wrong.url()], [wrong.url(), nobody().await]] {
        let error = client(&roots, ONCE()).schema(SchemaId(1)).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Retry, "{error}");
        assert!(error.to_string().contains("nothing listens there; check host and port"), "{error}");
    }
}

#[tokio::test]
async fn a_host_without_a_name_says_so() {
    let error =
        client(&["http://registry.invalid:8081/".to_owned()], ONCE()).schema(SchemaId(1)).await.unwrap_err();
    assert!(error.to_string().contains("its host does not resolve; check the name"), "{error}");
    assert_eq!(error.class(), ErrorClass::Retry);
}
