//! What the client asks for, how often, and with which head.

use std::time::Duration;

use futures_util::future::join_all;
use housepipe_schema_registry::{
    Address, Credentials, ErrorClass, Limits, Registry, RegistryConfig, SchemaId, SchemaKind, Target,
};

use crate::fake::{Fake, Reply, client};

#[tokio::test]
async fn each_form_of_a_url_asks_for_what_it_names() {
    let fake = Fake::start(|_, _| Reply::json(200, r#"{"id":5,"schema":"{}","schemaType":"JSON"}"#)).await;
    for (url, path, id) in [
        ("schemas/ids/9", "/api/schemas/ids/9", 9),
        ("subjects/a%2Fb", "/api/subjects/a%2Fb/versions/latest", 5),
        ("subjects/s/versions/3", "/api/subjects/s/versions/3?deleted=true", 5),
    ] {
        let address: Address = format!("{}api/{url}", fake.url()).parse().unwrap();
        let registry = Registry::new(RegistryConfig::at(&address)).unwrap();
        let schema = registry.fetch(&address.target).await.unwrap();
        assert_eq!((schema.id, &schema.kind, &*schema.text), (SchemaId(id), &SchemaKind::Json, "{}"));
        assert!(fake.requests().pop().unwrap().starts_with(&format!("GET {path} HTTP/1.1\r\n")), "{url}");
    }
    let error = client(&[fake.url()], Limits::default()).fetch(&Target::Root).await.unwrap_err();
    assert!(error.to_string().contains("it names no schema; add /subjects/NAME"), "{error}");
}

#[tokio::test]
async fn credentials_go_into_the_head_and_nowhere_else() {
    let fake = Fake::start(|_, _| Reply::json(401, "")).await;
    let address: Address = fake.url().parse().unwrap();
    for (credentials, header) in [
        (Credentials::None, None),
        // RFC 7617 has this pair as its example.
        (
            Credentials::Basic { username: "Aladdin".to_owned(), password: "open sesame".into() },
            Some("authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        ),
        (Credentials::Bearer("tok-en\n".into()), Some("authorization: Bearer tok-en\r\n")),
    ] {
        let registry = Registry::new(RegistryConfig { credentials, ..RegistryConfig::at(&address) }).unwrap();
        let error = registry.schema(SchemaId(1)).await.unwrap_err();
        let head = fake.requests().pop().unwrap();
        match header {
            Some(header) => assert!(head.contains(header), "{head}"),
            None => assert!(!head.contains("authorization"), "{head}"),
        }
        let shown = format!("{error} {error:?} {registry:?}");
        assert!(
            ["sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ", "tok-en"].iter().all(|s| !shown.contains(s)),
            "{shown}"
        );
    }
}

#[test]
fn credentials_that_http_cannot_carry_are_refused() {
    let address: Address = "http://127.0.0.1:1/".parse().unwrap();
    let error = |credentials| {
        let config = RegistryConfig { credentials, ..RegistryConfig::at(&address) };
        Registry::new(config).map(drop).unwrap_err().to_string()
    };
    let basic = Credentials::Basic { username: "a:b".to_owned(), password: "x".into() };
    assert!(error(basic).contains("cannot hold a colon"));
    let bearer = error(Credentials::Bearer("hu\nsh".into()));
    assert!(bearer.contains("a line break within it") && !bearer.contains("hu"), "{bearer}");
}

#[tokio::test]
async fn who_asks_at_once_shares_a_request_and_who_asks_later_needs_none() {
    let fake = Fake::start(|path, _| Reply {
        pause: Duration::from_millis(50),
        ..match path {
            "/schemas/ids/404" => Reply::json(404, r#"{"error_code":40403,"message":""}"#),
            _ => Reply::json(200, r#"{"schema":"{}"}"#),
        }
    })
    .await;
    let registry = client(&[fake.url()], Limits::default());
    for _ in 0..2 {
        let found = join_all((0..50).map(|_| registry.schema(SchemaId(1)))).await;
        assert!(found.iter().all(Result::is_ok));
        let missed = join_all((0..50).map(|_| registry.schema(SchemaId(404)))).await;
        assert!(missed.iter().all(Result::is_err));
    }
    assert_eq!(fake.requests().len(), 2);
}

#[tokio::test]
async fn a_registry_that_is_away_for_a_moment_is_asked_again() {
    let fake = Fake::start(|_, before| match before {
        0 => Reply::json(503, ""),
        1 => Reply::raw(""),
        _ => Reply::json(200, r#"{"schema":"{}"}"#),
    })
    .await;
    client(&[fake.url()], Limits { attempts: 3, ..Limits::default() }).schema(SchemaId(1)).await.unwrap();
    assert_eq!(fake.requests().len(), 3);
}

#[tokio::test]
async fn attempts_have_a_limit_and_a_long_pause_is_left_to_the_caller() {
    let fake = Fake::start(|_, _| Reply::json(500, "")).await;
    let limits = Limits { attempts: 2, ..Limits::default() };
    let error = client(&[fake.url()], limits).schema(SchemaId(1)).await.unwrap_err();
    assert_eq!((error.class(), fake.requests().len()), (ErrorClass::Retry, 2));

    let fake = Fake::start(|_, _| Reply::with(429, "Retry-After: 3600", "")).await;
    let error = client(&[fake.url()], limits).schema(SchemaId(1)).await.unwrap_err();
    assert_eq!((error.retry_after_ms(), fake.requests().len()), (Some(60_000), 1));
}

#[tokio::test]
async fn a_pause_that_a_registry_asks_for_is_told_whatever_needed_it() {
    let busy = Reply::with(503, "Retry-After: 30", "");
    let fake = Fake::start(move |path, _| match path {
        "/schemas/ids/7" => {
            Reply::json(200, r#"{"schema":"{}","references":[{"name":"a.json","subject":"a","version":1}]}"#)
        }
        _ => busy.clone(),
    })
    .await;
    let registry = client(&[fake.url()], Limits::default());
    let schema = registry.schema(SchemaId(7)).await.unwrap();
    let error = registry.resolve(&schema).await.unwrap_err();
    assert_eq!((error.class(), error.retry_after_ms()), (ErrorClass::Retry, Some(30_000)), "{error}");
    assert_eq!(fake.requests().len(), 2, "it is not asked again before");

    // One of several hosts does not have it, and the other one asks for a pause.
    let absent = Fake::start(|_, _| Reply::json(404, r#"{"error_code":40403,"message":""}"#)).await;
    let registry = client(&[absent.url(), fake.url()], Limits::default());
    let error = registry.schema(SchemaId(8)).await.unwrap_err();
    assert_eq!((error.class(), error.retry_after_ms()), (ErrorClass::Retry, Some(30_000)), "{error}");
    assert_eq!((absent.requests().len(), fake.requests().len()), (1, 3));

    let fake = Fake::start(|_, _| Reply::json(500, "")).await;
    let limits = Limits { attempts: 1, ..Limits::default() };
    let error = client(&[fake.url()], limits).schema(SchemaId(1)).await.unwrap_err();
    assert_eq!(error.retry_after_ms(), None, "{error}");
}

#[tokio::test]
async fn what_is_under_way_at_once_is_bounded() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let fake = {
        let (now, most) = (Arc::clone(&now), Arc::clone(&most));
        Fake::start(move |_, _| {
            most.fetch_max(now.load(Ordering::SeqCst), Ordering::SeqCst);
            Reply { pause: Duration::from_millis(5), ..Reply::json(200, r#"{"schema":"{}"}"#) }
        })
        .await
    };
    let registry = client(&[fake.url()], Limits { requests: 1, ..Limits::default() });
    let ask = |id| {
        let (registry, now) = (registry.clone(), Arc::clone(&now));
        async move {
            let schema = registry.schema(SchemaId(id)).await;
            now.fetch_add(1, Ordering::SeqCst);
            schema
        }
    };
    let all = join_all((0..20).map(ask)).await;
    assert!(all.iter().all(Result::is_ok));
    // With one request at a time, the last one begins when nineteen have ended.
    assert_eq!(most.load(Ordering::SeqCst), 19);
}
