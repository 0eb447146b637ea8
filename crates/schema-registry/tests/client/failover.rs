//! Several hosts of one registry.

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
    let absent = || Fake::start(|_, _| Reply::json(404, r#"{"error_code":40403,"message":""}"#));
    let (first, second) = (absent().await, Fake::start(|_, _| Reply::json(200, r#"{"schema":"{}"}"#)).await);
    client(&[first.url(), second.url()], ONCE()).schema(SchemaId(1)).await.unwrap();
    // One that is away may be away for good: its word is not waited for.
    for roots in [[first.url(), nobody().await], [nobody().await, first.url()]] {
        let error = client(&roots, Limits::default()).schema(SchemaId(1)).await.unwrap_err();
        assert!(matches!(error, RegistryError::NoSchema { id: SchemaId(1), .. }), "{error}");
    }
    assert_eq!(first.requests().len(), 3);
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
