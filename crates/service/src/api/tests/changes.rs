//! Calls that may change something: whose they are, how many there are at once, to which end they come, and what is written down of them.

use std::convert::Infallible;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts as _, Request};
use futures_util::{FutureExt as _, stream};
use housepipe_runtime::metrics::{Exposition, Format};
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::{SOON, audited, new_pipe};
use crate::api::audit::LOOKS;
use crate::api::auth::Actor;
use crate::api::work::begin;
use crate::api::{Api, CHANGES, LOOKS_ASKED, Problem};
use crate::testing::Scene;
use crate::work::WorkKind;
use crate::{Role, Watched as _};

/// A request whose body comes once it may, a word that it is waited for, and the word that it may.
fn with_late_body(
    scene: &Scene,
    token: &str,
    call: &str,
    body: &Value,
) -> (Request, oneshot::Receiver<()>, oneshot::Sender<()>) {
    let (asks, asked) = oneshot::channel();
    let (may, may_come) = oneshot::channel::<()>();
    let text = body.to_string();
    let late = stream::once(async move {
        let _ = asks.send(());
        let _ = may_come.await;
        Ok::<_, Infallible>(text)
    });
    (scene.request(token, call, &[], &Value::Null).map(|_| Body::from_stream(late)), asked, may)
}

/// Begins a call whose caller hangs up while its body is waited for; the word that the body may come.
async fn hang_up(scene: &Scene, token: &str, call: &str, body: &Value) -> oneshot::Sender<()> {
    let (request, asked, may) = with_late_body(scene, token, call, body);
    tokio::select! {
        answer = scene.answer(request) => unreachable!("{answer:?}"),
        asked = asked => asked.unwrap(),
    }
    may
}

#[tokio::test]
async fn a_caller_that_hangs_up_is_in_the_audit_and_counted() {
    let scene = Scene::new().await;
    let may = hang_up(&scene, "", "POST /api/v1/pipes", &new_pipe()).await;
    may.send(()).unwrap();
    let entries = audited(&scene, 1).await;
    assert_eq!((&entries[0]["path"], &entries[0]["status"]), (&json!("/api/v1/pipes"), &json!(201)));
    assert_eq!(scene.call("GET /api/v1/pipes", &Value::Null).await.1["pipes"][0]["name"], "clicks");
    // It is counted behind its entry.
    let counted = async {
        loop {
            let mut exposition = Exposition::new(Format::Text);
            scene.service.write(&mut exposition).await;
            let line =
                "housepipe_api_requests_total{route=\"/api/v1/pipes\",method=\"POST\",status=\"2xx\"} 1\n";
            if exposition.finish().contains(line) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, counted).await.unwrap();
}

#[tokio::test]
async fn nothing_goes_on_for_a_caller_that_is_not_known() {
    let scene = Scene::new().await;
    let alive = || Handle::current().metrics().num_alive_tasks();
    let before = alive();
    for _ in 0..200 {
        let request = scene.request("hpt_unknown", "POST /api/v1/pipes", &[], &new_pipe());
        // It waits for the store, and is dropped there, as a stream that is reset drops it.
        let _ = scene.answer(request).now_or_never();
    }
    assert!(alive() < before + 10, "{} tasks, and {before} before", alive());
}

#[tokio::test]
async fn a_token_that_is_forgotten_while_its_body_is_waited_for_changes_nothing() {
    let scene = Scene::new().await;
    let heir = json!({ "name": "heir", "role": "admin" });
    let columns = json!({ "documents": "{\"id\": 1}" });
    for (call, body) in [
        ("POST /api/v1/tokens", &heir),
        ("POST /api/v1/pipes", &new_pipe()),
        ("POST /api/v1/infer", &columns),
    ] {
        let token = scene.token("eve", Role::Admin).await;
        let (request, asked, may) = with_late_body(&scene, &token, call, body);
        let forgets = async {
            asked.await.unwrap();
            assert_eq!(scene.call("DELETE /api/v1/tokens/eve", &Value::Null).await.0, 204);
            may.send(()).unwrap();
        };
        let (answer, ()) = tokio::join!(scene.answer(request), forgets);
        assert_eq!(answer.status(), 401, "{call}");
        let problem = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        assert!(String::from_utf8_lossy(&problem).contains("forgotten meanwhile"), "{call}: {problem:?}");
    }
    assert_eq!(scene.call("GET /api/v1/pipes", &Value::Null).await.1["pipes"], json!([]));
    let (_, tokens) = scene.call("GET /api/v1/tokens", &Value::Null).await;
    assert_eq!(tokens["tokens"].as_array().unwrap().len(), 1, "{tokens}");
}

#[tokio::test]
async fn work_of_a_token_that_is_forgotten_meanwhile_does_nothing() {
    let scene = Scene::new().await;
    let api = Api::new(scene.service.clone(), Vec::new());
    let token = scene.token("eve", Role::Operator).await;
    let (mut parts, _) = scene.request(&token, "POST /api/v1/check", &[], &Value::Null).into_parts();
    let actor = Actor::from_request_parts(&mut parts, &api).await.unwrap();
    scene.service.store().forget_token("eve").await.unwrap();
    let does = async || -> Result<u8, Problem> { unreachable!("it is done for nobody") };
    let begun = begin(&api, &actor, WorkKind::Check, "nothing", |_| does()).unwrap();
    let problem = serde_json::to_value(begun.wait().await.unwrap_err()).unwrap();
    assert_eq!(problem["code"], "unauthenticated", "{problem}");
}

#[tokio::test]
async fn whoever_looks_or_changes_pipes_leaves_places_to_admins() {
    let scene = Scene::new().await;
    let mut under_way = Vec::new();
    for number in 0..CHANGES.of_all / CHANGES.of_actor + 1 {
        let token = scene.token(&format!("operator-{number}"), Role::Operator).await;
        let left = CHANGES.of_all - number * CHANGES.of_actor;
        for _ in 0..left.min(CHANGES.of_actor) {
            under_way.push(hang_up(&scene, &token, "POST /api/v1/pipes", &json!({})).await);
        }
        if left <= CHANGES.of_actor {
            let another = scene.token("another", Role::Operator).await;
            assert_eq!(scene.call_as(&another, "POST /api/v1/pipes", &[], &json!({})).await.0, 429);
            assert_eq!(scene.call("DELETE /api/v1/tokens/another", &Value::Null).await.0, 204);
            break;
        }
    }
    assert_eq!(under_way.len(), CHANGES.of_all);
}

#[tokio::test]
async fn looks_take_no_place_of_a_change() {
    let scene = Scene::new().await;
    let mut under_way = Vec::new();
    for number in 0..LOOKS_ASKED.of_all / LOOKS_ASKED.of_actor {
        let token = scene.token(&format!("viewer-{number}"), Role::Viewer).await;
        for _ in 0..LOOKS_ASKED.of_actor {
            under_way.push(hang_up(&scene, &token, "POST /api/v1/ddl", &json!({})).await);
        }
    }
    assert_eq!(under_way.len(), LOOKS_ASKED.of_all);
    let token = scene.token("operator", Role::Operator).await;
    assert_eq!(scene.call_as(&token, "POST /api/v1/ddl", &[], &json!({})).await.0, 429);
    assert_eq!(scene.call_as(&token, "POST /api/v1/pipes", &[], &new_pipe()).await.0, 201);
}

#[tokio::test]
async fn a_token_has_so_many_changes_at_once_and_leaves_places_to_others() {
    let scene = Scene::new().await;
    let token = scene.token("eve", Role::Operator).await;
    let mut under_way = Vec::new();
    for _ in 0..CHANGES.of_actor {
        under_way.push(hang_up(&scene, &token, "POST /api/v1/pipes", &json!({})).await);
    }
    let again = async || scene.call_as(&token, "POST /api/v1/pipes", &[], &json!({})).await;
    let (status, problem) = again().await;
    assert_eq!((status, &problem["code"]), (429, &json!("too_much_work")), "{problem}");
    assert_eq!(scene.call("POST /api/v1/pipes", &new_pipe()).await.0, 201);
    drop(under_way);
    let free = async { while again().await.0 == 429 {} };
    tokio::time::timeout(SOON, free).await.unwrap();
}

#[tokio::test]
async fn a_body_that_never_comes_keeps_no_place() {
    let scene = Scene::new().await;
    let _never = hang_up(&scene, "", "POST /api/v1/pipes", &new_pipe()).await;
    assert_eq!(audited(&scene, 1).await[0]["status"], 408);
}

#[tokio::test]
async fn a_body_that_stalls_is_its_senders_matter() {
    let scene = Scene::new().await;
    for call in ["POST /api/v1/pipes", "POST /api/v1/ddl"] {
        let (request, _asked, _may) = with_late_body(&scene, "", call, &new_pipe());
        let answer = tokio::time::timeout(SOON, scene.answer(request)).await.unwrap();
        assert_eq!(answer.status(), 408, "{call}");
        let problem = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        let problem: Value = serde_json::from_slice(&problem).unwrap();
        assert_eq!(problem["code"], "body_too_slow", "{problem}");
    }
    assert_eq!(scene.call("GET /api/v1/pipes", &Value::Null).await.1["pipes"], json!([]));
}

#[tokio::test]
async fn the_end_waits_for_what_is_under_way() {
    let scene = Scene::new().await;
    let may = hang_up(&scene, "", "POST /api/v1/pipes", &new_pipe()).await;
    let service = scene.service.clone();
    let ended = tokio::spawn(async move { service.end().await });
    while scene.call("POST /api/v1/pipes", &Value::Null).await.0 != 503 {}
    may.send(()).unwrap();
    tokio::time::timeout(SOON, ended).await.unwrap().unwrap();
    let store = scene.ended().await;
    let entries = store.audit(0, 1_000).await.unwrap();
    assert!(entries.iter().any(|entry| entry.asked.status == 201), "{entries:?}");
    assert_eq!(store.pipes("", 10).await.unwrap().len(), 1);
    store.close().await;
}

#[tokio::test]
async fn whoever_is_refused_time_and_again_has_one_entry_for_most_of_it() {
    let scene = Scene::new().await;
    let token = scene.token("eve", Role::Viewer).await;
    for _ in 0..50 {
        assert_eq!(scene.call_as(&token, "POST /api/v1/pipes", &[], &new_pipe()).await.0, 403);
    }
    assert_eq!(scene.call("POST /api/v1/pipes", &new_pipe()).await.0, 201);
    assert_eq!(audited(&scene, 11).await.len(), 11, "ten of hers, and one of the admin");
    // The end does not wait for the minute.
    let store = tokio::time::timeout(SOON, scene.ended()).await.unwrap();
    let entries = store.audit(0, 1_000).await.unwrap();
    assert_eq!(entries.len(), 12, "{entries:?}");
    let last = &entries[11].asked;
    assert_eq!((last.actor.as_str(), last.status), ("eve", 403));
    assert!(last.detail.as_ref().unwrap().contains("40 refused calls"), "{last:?}");
    store.close().await;
}

#[tokio::test]
async fn looks_push_nothing_out_of_the_audit() {
    let scene = Scene::new().await;
    let token = scene.token("eve", Role::Viewer).await;
    let planned = json!({ "pipe": new_pipe()["pipe"] });
    for _ in 0..50 {
        assert_eq!(scene.call_as(&token, "POST /api/v1/ddl", &[], &planned).await.0, 200);
        assert_eq!(scene.call_as(&token, "POST /api/v1/ddl", &[], &json!({})).await.0, 400);
    }
    let documents = json!({ "documents": "{\"id\": 1}" });
    assert_eq!(scene.call("POST /api/v1/infer", &documents).await.0, 200);
    // What she may not look at is written down.
    assert_eq!(scene.call_as(&token, "POST /api/v1/infer", &[], &documents).await.0, 403);
    assert_eq!(scene.call("POST /api/v1/pipes", &new_pipe()).await.0, 201);
    let store = scene.ended().await;
    let entries = store.audit(0, 1_000).await.unwrap();
    let told: Vec<(&str, u16)> =
        entries.iter().map(|entry| (entry.asked.path.as_str(), entry.asked.status)).collect();
    assert_eq!(told, [("/api/v1/infer", 403), ("/api/v1/pipes", 201)]);
    store.close().await;
}

#[test]
fn each_look_at_what_is_to_be_is_known_as_one() {
    let description = crate::openapi();
    let looks = description["paths"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, methods)| ["wizard", "table"].iter().any(|tag| methods["post"]["tags"][0] == **tag));
    let looks: Vec<&str> = looks.map(|(path, _)| path.as_str()).collect();
    let mut known = LOOKS.to_vec();
    known.sort_unstable();
    assert_eq!(looks, known);
}

#[tokio::test]
async fn a_replay_that_was_begun_has_an_entry_of_its_own() {
    let scene = Scene::new().await;
    let (_, made) = scene.call("POST /api/v1/pipes", &new_pipe()).await;
    let token = scene.token("eve", Role::Operator).await;
    let replay = format!("POST /api/v1/pipes/{}/errors/replay", made["id"].as_str().unwrap());
    for dry_run in [true, false] {
        for _ in 0..12 {
            let wanted = json!({ "dry_run": dry_run });
            let (status, problem) = scene.call_as(&token, &replay, &[], &wanted).await;
            assert_eq!((status, &problem["code"]), (422, &json!("destination_unreachable")), "{problem}");
        }
    }
    let entries = audited(&scene, 1 + 10 + 12).await;
    assert_eq!(entries.len(), 1 + 10 + 12, "two dry ones of 12 are counted, and no other");
}
