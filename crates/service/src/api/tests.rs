//! Calls of the API within one process, of which none reaches the ends of a pipe.

mod changes;
mod pages;

use std::time::Duration;

use axum::body::to_bytes;
use axum::routing::post;
use axum::{Router, middleware};
use futures_util::StreamExt as _;
use housepipe_json_schema::{Options, Schema, Validator};
use housepipe_runtime::PIPE_FILE_SCHEMA;
use housepipe_runtime::metrics::{Exposition, Format};
use serde_json::{Value, json};
use tower_service::Service as _;

use super::auth::Operator;
use super::{Api, audit};
use crate::Role;
use crate::server::Encrypted;
use crate::store::Trouble;
use crate::testing::{Scene, pipe};
use crate::watch::Watched;

/// Longer than anything that is waited for here takes.
const SOON: Duration = Duration::from_secs(20);

fn new_pipe() -> Value {
    json!({ "run": false, "pipe": serde_json::to_value(pipe("columns: [{ name: id, type: UInt64 }]")).unwrap() })
}

fn new_pipe_named(name: &str) -> Value {
    let mut new = new_pipe();
    new["pipe"]["name"] = json!(name);
    // So that it takes room.
    new["pipe"]["description"] = json!("x".repeat(900));
    new
}

/// The audit's entries, once there are so many.
async fn audited(scene: &Scene, count: usize) -> Vec<Value> {
    let entries = async {
        loop {
            let (_, audit) = scene.call("GET /api/v1/audit", &Value::Null).await;
            let entries = audit["entries"].as_array().cloned().unwrap_or_default();
            if entries.len() >= count {
                return entries;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(SOON, entries).await.unwrap()
}

#[tokio::test]
async fn a_call_that_panics_is_in_the_audit() {
    let scene = Scene::new().await;
    let api = Api::new(scene.service.clone(), Vec::new());
    let panics = |_: Operator| async {
        assert!(std::env::args().count() == 0, "on purpose");
        "answered"
    };
    let mut router: Router = Router::new()
        .route("/api/v1/panics", post(panics))
        .layer(middleware::from_fn_with_state(api.clone(), audit::note))
        .with_state(api);
    let response = router.call(scene.request("", "POST /api/v1/panics", &[], &Value::Null)).await.unwrap();
    assert_eq!(response.status(), 500);
    assert_eq!(audited(&scene, 1).await[0]["status"], 500);
}

#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let scene = Scene::new().await;
    let token = scene.token("eve", Role::Viewer).await;
    let listens = scene.answer(scene.request(&token, "GET /api/v1/events/stream", &[], &Value::Null)).await;
    assert_eq!(listens.status(), 200);
    let mut body = Box::pin(to_bytes(listens.into_body(), usize::MAX));
    let early = tokio::time::timeout(Duration::from_millis(300), &mut body).await;
    assert!(early.is_err(), "it goes on while the token is there");
    assert_eq!(scene.call("DELETE /api/v1/tokens/eve", &Value::Null).await.0, 204);
    assert!(tokio::time::timeout(SOON, body).await.is_ok(), "whoever was locked out listens on");
}

#[tokio::test]
async fn a_stream_begins_at_the_newest_event_where_its_listener_knows_later_ones() {
    let scene = Scene::new().await;
    let behind = [("last-event-id", "1000")];
    let request = scene.request("", "GET /api/v1/events/stream", &behind, &Value::Null);
    let mut body = scene.answer(request).await.into_body().into_data_stream();
    scene.call("POST /api/v1/pipes", &new_pipe()).await;
    let mut told = String::new();
    // As a whole: a line comes also where nothing happens.
    let listen = async {
        while !told.contains("event: created") {
            told += std::str::from_utf8(&body.next().await.unwrap().unwrap()).unwrap();
        }
    };
    tokio::time::timeout(SOON, listen).await.unwrap();
    let gap = "id: 0\nevent: gap\ndata: {\"from\":1,\"to\":1000,\"anew\":true}\n\nid: 1\nevent: created\n";
    assert!(told.starts_with(gap), "{told}");
}

#[tokio::test]
async fn a_store_that_cannot_be_written_is_told_with_its_cause() {
    for (trouble, words) in [(Trouble::Full, "the disk is full"), (Trouble::ReadOnly, "it is read-only")] {
        let scene = Scene::new().await;
        scene.service.store().write_nothing(trouble).await.unwrap();
        let mut told = (0, Value::Null);
        for number in 0..200 {
            told = scene.call("POST /api/v1/pipes", &new_pipe_named(&format!("clicks-{number}"))).await;
            if told.0 != 201 {
                break;
            }
        }
        let (status, problem) = told;
        assert_eq!((status, &problem["code"]), (503, &json!("store_unavailable")), "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(words), "{problem}");
        let ready = scene.answer(scene.request("", "GET /readyz", &[], &Value::Null)).await;
        assert_eq!(ready.status(), 503);
        let why = to_bytes(ready.into_body(), usize::MAX).await.unwrap();
        assert!(std::str::from_utf8(&why).unwrap().contains(words), "{why:?}");
        assert!(Watched::unready(&*scene.service).await.unwrap().contains(words));
        let mut exposition = Exposition::new(Format::accepted(""));
        Watched::write(&*scene.service, &mut exposition).await;
        let metrics = exposition.finish();
        assert!(metrics.contains("\nhousepipe_store_up 0\n"), "{metrics}");
    }
}

#[tokio::test]
async fn a_pipe_has_its_events_as_pages_and_as_a_stream() {
    let scene = Scene::new().await;
    let (_, made) = scene.call("POST /api/v1/pipes", &new_pipe()).await;
    scene.call("POST /api/v1/tokens", &json!({ "name": "eve", "role": "viewer" })).await;
    let id = made["id"].as_str().unwrap();
    let path = format!("GET /api/v1/pipes/{id}/events");
    let (_, same) = scene.call(&format!("GET /api/v1/events?pipe={id}&limit=1"), &Value::Null).await;
    let (status, events) = scene.call(&format!("{path}?limit=1"), &Value::Null).await;
    assert_eq!((status, &events), (200, &same));
    assert_eq!(events["events"][0]["kind"], "created");
    for (call, status) in [
        (format!("{path}?order=newest&before=2"), 200),
        (format!("{path}?before=2"), 400),
        (format!("{path}?pipe={id}"), 400),
        ("GET /api/v1/pipes/p0/events".to_owned(), 404),
    ] {
        assert_eq!(scene.call(&call, &Value::Null).await.0, status, "{call}");
    }
    let headers = [("accept", "application/json;q=0.5, text/event-stream"), ("last-event-id", "0")];
    let malformed = scene.call_as("", &path, &[("last-event-id", "")], &Value::Null).await;
    assert_eq!(malformed.0, 400, "also of pages, which make nothing of it");
    let none = scene.call_as("", "GET /api/v1/pipes/p0/events", &headers, &Value::Null).await;
    assert_eq!((none.0, &none.1["code"]), (404, &json!("no_such_pipe")));
    assert_eq!(scene.call_as("", &format!("{path}?limit=1"), &headers, &Value::Null).await.0, 400);
    let answer = scene.answer(scene.request("", &path, &headers, &Value::Null)).await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut body = answer.into_body().into_data_stream();
    let first = tokio::time::timeout(SOON, body.next()).await.unwrap().unwrap().unwrap();
    assert!(first.starts_with(b"id: 1\nevent: created\n"), "{first:?}");
}

#[tokio::test]
async fn a_request_is_judged_by_the_one_name_that_it_has() {
    let scene = Scene::new().await;
    let change = "POST /api/v1/tokens";
    let listed = "GET /api/v1/pipes";
    let token = |number: usize| json!({ "name": format!("t{number}"), "role": "viewer" });
    let cases = [
        // A `Host` that is known stands in each request besides.
        (listed, &[("host", "localhost")][..], 400),
        (listed, &[("origin", "http://localhost"), ("origin", "http://localhost")], 400),
        ("GET http://elsewhere.example.com/api/v1/pipes", &[], 403),
        ("GET http://localhost:8080/api/v1/pipes", &[], 200),
        ("GET /api/v1/pipes?after=%FF", &[], 400),
        (change, &[("origin", "http://localhost")], 201),
        (change, &[("origin", "https://localhost")], 201),
        (change, &[("origin", "ftp://localhost")], 403),
        (change, &[("origin", "http://elsewhere")], 403),
        (change, &[("origin", "null")], 403),
    ];
    for (number, (call, headers, status)) in cases.into_iter().enumerate() {
        let (was, body) = scene.call_as("", call, headers, &token(number)).await;
        assert_eq!(was, status, "{call} {headers:?}: {body}");
    }
    let mut over_tls = scene.request("", change, &[("origin", "http://localhost")], &token(99));
    over_tls.extensions_mut().insert(Encrypted);
    assert_eq!(scene.answer(over_tls).await.status(), 403, "a page that was not encrypted");
}

#[tokio::test]
async fn a_mapping_is_work_as_other_looks_are() {
    let scene = Scene::new().await;
    let (_, made) = scene.call("POST /api/v1/pipes", &new_pipe()).await;
    let columns = json!([{ "name": "id", "type": "UInt64" }]);
    let (status, problem) =
        scene.call("POST /api/v1/mapping", &json!({ "of": made["id"], "columns": columns })).await;
    assert_eq!((status, &problem["code"]), (422, &json!("destination_unreachable")), "{problem}");
    // A name that a resolver takes for the address of a cloud's metadata.
    let elsewhere = json!({ "destination": { "url": "http://2852039166:80", "table": "t" } });
    let (status, problem) =
        scene.call("POST /api/v1/mapping", &json!({ "pipe": elsewhere, "columns": columns })).await;
    assert_eq!((status, &problem["code"]), (422, &json!("invalid_pipe")), "{problem}");
    assert!(problem.to_string().contains("link-local"), "{problem}");
}

#[tokio::test]
async fn work_says_which_pipe_it_is_about() {
    let scene = Scene::new().await;
    // It is accepted by the system, and nobody answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut new = new_pipe();
    new["pipe"]["destination"]["url"] = json!(format!("http://{}", silent.local_addr().unwrap()));
    let (_, made) = scene.call("POST /api/v1/pipes", &new).await;
    let id = made["id"].as_str().unwrap();
    let errors = format!("GET /api/v1/pipes/{id}/errors");
    assert_eq!(scene.call(&errors, &Value::Null).await.0, 202);
    let draft = json!({ "pipe": { "name": "views", "destination": new["pipe"]["destination"] } });
    assert_eq!(scene.call("POST /api/v1/databases", &draft).await.0, 202);
    let (_, list) = scene.call("GET /api/v1/work", &Value::Null).await;
    let told = |number: usize, key: &str| list["work"][number][key].clone();
    assert_eq!((told(0, "pipe"), told(0, "pipe_name")), (Value::Null, json!("views")), "{list}");
    assert_eq!((told(1, "pipe"), told(1, "pipe_name")), (json!(id), json!("clicks")), "{list}");
}

#[tokio::test]
async fn the_audit_and_the_events_say_what_was_made_and_what_goes() {
    let scene = Scene::new().await;
    let (_, made) = scene.call("POST /api/v1/pipes", &new_pipe()).await;
    scene.call("POST /api/v1/tokens", &json!({ "name": "eve", "role": "admin" })).await;
    let id = made["id"].as_str().unwrap();
    let gone = format!("DELETE /api/v1/pipes/{id}?consumer_group=true&user=true");
    assert_eq!(scene.call(&gone, &Value::Null).await.0, 202);
    let again = scene.call(&gone, &Value::Null).await;
    assert!([202, 404].contains(&again.0), "it is gone, or goes: {again:?}");
    let entries = audited(&scene, 3).await;
    let details: Vec<&str> = entries[..3].iter().map(|entry| entry["detail"].as_str().unwrap()).collect();
    let what = "with its consumer group and its ClickHouse user";
    assert_eq!(
        details,
        [&format!("the pipe clicks with the id {id}"), "the token eve of the role admin", what]
    );
    let (_, events) = scene.call("GET /api/v1/events", &Value::Null).await;
    let removed =
        events["events"].as_array().unwrap().iter().find(|event| event["kind"] == "removed").unwrap();
    assert_eq!(removed["reason"], what);
}

#[tokio::test]
async fn an_edit_may_be_of_any_state_or_of_one_of_several() {
    let scene = Scene::new().await;
    let (_, made) = scene.call("POST /api/v1/pipes", &new_pipe()).await;
    let path = format!("/api/v1/pipes/{}", made["id"].as_str().unwrap());
    let edited = json!({ "pipe": new_pipe()["pipe"] });
    // The pipe is at revision 1, and each edit is one more.
    for (tags, status) in [
        ("", 428),
        ("*", 200),
        ("\"1\"", 412),
        ("\"1\", \"2\"", 200),
        ("W/\"3\"", 412),
        ("\"1\", W/\"3\"", 412),
        ("3", 400),
        ("\"3\"", 200),
    ] {
        let headers = [("If-Match", tags)];
        let headers = if tags.is_empty() { &headers[..0] } else { &headers[..] };
        let (was, body) = scene.call_as("", &format!("PUT {path}"), headers, &edited).await;
        assert_eq!(was, status, "{tags}: {body}");
    }
    let pause = format!("POST {path}/pause");
    assert_eq!(scene.call_as("", &pause, &[("If-Match", "W/\"4\"")], &Value::Null).await.0, 412);
    assert_eq!(scene.call_as("", &pause, &[("If-Match", "*")], &Value::Null).await.0, 200);
}

#[tokio::test]
async fn a_shown_pipe_fits_the_schema_of_pipe_files() {
    let scene = Scene::new().await;
    let none: [(&str, &str); 0] = [];
    let schema = Schema::compile(PIPE_FILE_SCHEMA, none, &Options::default()).unwrap();
    let mut validator = Validator::new(schema);
    for (name, destination) in [
        ("plain", json!({ "columns": "id UInt64, city String" })),
        (
            "secret",
            json!({ "username": "u", "password": "hush", "columns": [{ "name": "id", "type": "UInt64" }] }),
        ),
        (
            "user",
            json!({
                "setup": { "username": "admin", "password": "hush" }, "access": "only_destination",
                "columns": [{ "name": "id", "type": "UInt64" }]
            }),
        ),
    ] {
        let mut new = new_pipe_named(name);
        new["pipe"]["destination"].as_object_mut().unwrap().remove("columns");
        new["pipe"]["destination"].as_object_mut().unwrap().extend(destination.as_object().unwrap().clone());
        let (status, shown) = scene.call("POST /api/v1/pipes", &new).await;
        assert_eq!(status, 201, "{shown}");
        let pipe = shown["pipe"].to_string();
        assert!(!pipe.contains("hush"), "{pipe}");
        if let Err(rejected) = validator.check(pipe.as_bytes()) {
            panic!("{rejected}: {pipe}");
        }
    }
}

#[tokio::test]
async fn whoever_calls_may_ask_who_she_is() {
    let scene = Scene::new().await;
    for (name, role) in [("viewer", Role::Viewer), ("operator", Role::Operator)] {
        let token = scene.token(name, role).await;
        let (status, told) = scene.call_as(&token, "GET /api/v1/whoami", &[], &Value::Null).await;
        assert_eq!((status, told), (200, json!({ "name": name, "role": name })));
    }
    assert_eq!(scene.call_as("hpt_unknown", "GET /api/v1/whoami", &[], &Value::Null).await.0, 401);
}

#[tokio::test]
async fn the_newest_come_first_where_that_is_asked_for() {
    let scene = Scene::new().await;
    for name in ["a", "b", "c"] {
        scene.call("POST /api/v1/tokens", &json!({ "name": name, "role": "viewer" })).await;
    }
    let (_, made) = scene.call("POST /api/v1/pipes", &new_pipe()).await;
    for change in ["resume", "pause"] {
        scene
            .call(&format!("POST /api/v1/pipes/{}/{change}", made["id"].as_str().unwrap()), &Value::Null)
            .await;
    }
    let numbers = async |path: &str, of: &str| {
        let (status, page) = scene.call(&format!("GET /api/v1/{path}"), &Value::Null).await;
        let numbers =
            page[of].as_array().map(|all| all.iter().map(|it| it["number"].as_i64().unwrap()).collect());
        (status, numbers.unwrap_or_default())
    };
    audited(&scene, 6).await;
    assert_eq!(numbers("audit?order=newest&limit=2", "entries").await, (200, vec![6, 5]));
    assert_eq!(numbers("audit?order=newest&before=5&limit=2", "entries").await, (200, vec![4, 3]));
    assert_eq!(numbers("audit?after=4", "entries").await, (200, vec![5, 6]));
    let id = made["id"].as_str().unwrap();
    let (_, newest): (u16, Vec<i64>) =
        numbers(&format!("events?order=newest&limit=1000&pipe={id}"), "events").await;
    assert!(newest.len() >= 3 && newest.is_sorted_by(|a, b| a > b), "{newest:?}");
    assert_eq!(numbers("events?order=newest&before=3", "events").await, (200, vec![2, 1]));
    for wrong in ["before=3", "order=newest&after=3", "order=newest&before=0", "after=-1", "order=other"] {
        assert_eq!(numbers(&format!("events?{wrong}"), "events").await.0, 400, "{wrong}");
        assert_eq!(numbers(&format!("audit?{wrong}"), "entries").await.0, 400, "{wrong}");
    }
}

#[tokio::test]
async fn the_description_is_the_same_bytes_for_all_who_ask() {
    let scene = Scene::new().await;
    let ask = async || {
        let request = scene.request("", "GET /api/v1/openapi.json", &[], &Value::Null);
        let answer = scene.answer(request).await;
        assert_eq!(answer.headers()["content-type"], "application/json");
        to_bytes(answer.into_body(), usize::MAX).await.unwrap()
    };
    let (first, second) = (ask().await, ask().await);
    assert!(first.starts_with(b"{") && first == second);
    assert_eq!(first.as_ptr(), second.as_ptr(), "it is copied for each who asks");
}

#[tokio::test]
async fn a_token_in_a_path_is_written_down_and_shown_as_its_beginning() {
    let scene = Scene::new().await;
    let token = scene.token("eve", Role::Viewer).await;
    let encoded = token.replacen('h', "%68", 1);
    for call in ["DELETE /api/v1/tokens/", "POST /api/v1/pipes/"] {
        let behind = if call.starts_with("POST") { "/pause" } else { "" };
        for name in [&token, &encoded] {
            let (status, problem) = scene.call(&format!("{call}{name}{behind}"), &Value::Null).await;
            assert_eq!(status, 404, "{problem}");
            assert!(problem["detail"].as_str().unwrap().contains("`hpt_…`"), "{problem}");
        }
    }
    let entries = json!(audited(&scene, 4).await).to_string();
    assert!(entries.contains("/api/v1/tokens/hpt_…") && entries.contains("/api/v1/pipes/hpt_…/pause"));
    assert!(!entries.contains(&token[4..]), "{entries}");
}

#[tokio::test]
async fn no_token_is_named_as_tokens_begin_and_one_that_was_is_told_as_it_goes() {
    let scene = Scene::new().await;
    for name in ["hpt_eve", "eve-hpt_"] {
        let (status, problem) =
            scene.call("POST /api/v1/tokens", &json!({ "name": name, "role": "viewer" })).await;
        assert_eq!((status, &problem["code"]), (422, &json!("invalid_name")), "{problem}");
        assert_eq!(problem["errors"][0]["key"], "name", "{problem}");
    }
    let token = scene.token("eve", Role::Viewer).await;
    scene.service.store().rename_token("eve", "hpt_eve").await.unwrap();
    let (_, told) = scene.call_as(&token, "GET /api/v1/whoami", &[], &Value::Null).await;
    assert_eq!(told["name"], "hpt_eve");
    assert_eq!(scene.call("DELETE /api/v1/tokens/hpt_eve", &Value::Null).await.0, 204);
    assert_eq!(scene.call_as(&token, "GET /api/v1/whoami", &[], &Value::Null).await.0, 401);
    let gone = audited(&scene, 3).await.pop().unwrap();
    assert_eq!((&gone["status"], &gone["detail"]), (&json!(204), &json!("the token hpt_eve")), "{gone}");
}
