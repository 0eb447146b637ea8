//! Pages while somebody changes what they are of: what is there all the time is on one of them, once.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::SOON;
use crate::testing::{Scene, pipe};

/// Pipes that somebody defines while others look.
const ADDED: usize = 40;

fn named(name: &str) -> Value {
    let mut pipe = serde_json::to_value(pipe("columns: [{ name: id, type: UInt64 }]")).unwrap();
    pipe["name"] = name.into();
    json!({ "run": false, "pipe": pipe })
}

/// Defines a pipe, and returns its id.
async fn define(scene: &Scene, name: &str) -> String {
    let (status, made) = scene.call("POST /api/v1/pipes", &named(name)).await;
    assert_eq!(status, 201, "{made}");
    made["id"].as_str().unwrap().to_owned()
}

/// Removes a pipe, and waits until it is gone.
async fn remove(scene: &Scene, id: &str) {
    assert_eq!(scene.call(&format!("DELETE /api/v1/pipes/{id}"), &Value::Null).await.0, 202);
    let gone = async {
        while scene.call(&format!("GET /api/v1/pipes/{id}"), &Value::Null).await.0 != 404 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, gone).await.unwrap();
}

async fn get(scene: &Scene, path: &str) -> Value {
    let (status, page) = scene.call(&format!("GET /api/v1/{path}"), &Value::Null).await;
    assert_eq!(status, 200, "{page}");
    page
}

/// What is at `key` of each row of a page.
fn each<T>(page: &Value, rows: &str, key: impl Fn(&Value) -> T) -> Vec<T> {
    page[rows].as_array().unwrap().iter().map(key).collect()
}

fn name(row: &Value) -> String {
    row["name"].as_str().unwrap().to_owned()
}

fn number(row: &Value) -> i64 {
    row["number"].as_i64().unwrap()
}

/// The names on all pages of so many pipes; `between` is done behind each page, which is counted.
async fn all_names(scene: &Scene, limit: usize, mut between: impl AsyncFnMut(usize)) -> Vec<String> {
    let (mut names, mut after) = (Vec::new(), String::new());
    for turned in 0.. {
        let page = get(scene, &format!("pipes?limit={limit}&after={after}")).await;
        names.extend(each(&page, "pipes", name));
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut after),
            None => break,
        }
        between(turned).await;
    }
    names
}

#[tokio::test]
async fn pages_of_pipes_skip_and_double_none_while_others_come_and_go() {
    let scene = Scene::new().await;
    let mut ids = Vec::new();
    for name in ["b", "d", "f", "h", "j", "l"] {
        ids.push(define(&scene, name).await);
    }
    let names = all_names(&scene, 2, async |turned| match turned {
        // One comes before the place, and one behind it; the one at which the place is goes.
        0 => {
            define(&scene, "a").await;
            define(&scene, "e").await;
            remove(&scene, &ids[1]).await;
        }
        // One that was shown is changed, and one that was not.
        1 => {
            for id in [&ids[0], &ids[4]] {
                let (status, _) = scene.call(&format!("POST /api/v1/pipes/{id}/pause"), &Value::Null).await;
                assert_eq!(status, 200);
                let edit = json!({ "pipe": named(if id == &ids[0] { "b" } else { "j" })["pipe"] });
                let path = format!("PUT /api/v1/pipes/{id}");
                assert_eq!(scene.call_as("", &path, &[("If-Match", "*")], &edit).await.0, 200);
            }
        }
        // The last one goes, and its page is empty.
        _ => remove(&scene, &ids[5]).await,
    })
    .await;
    assert_eq!(names, ["b", "d", "e", "f", "h", "j"]);
}

#[tokio::test]
async fn a_page_of_pipes_skips_none_while_others_are_defined() {
    let scene = Scene::new().await;
    let stay = ["x1", "x2", "x3", "x4"];
    for name in stay {
        define(&scene, name).await;
    }
    let has_ended = std::cell::Cell::new(false);
    let defines = async {
        for number in 0..ADDED {
            define(&scene, &format!("a{number}")).await;
        }
        has_ended.set(true);
    };
    let looks = async {
        while !has_ended.get() {
            for limit in [1_000, 7] {
                let names = all_names(&scene, limit, async |_| {}).await;
                let unlike: BTreeSet<&str> = names.iter().map(String::as_str).collect();
                assert_eq!(unlike.len(), names.len(), "one is shown twice: {names:?}");
                assert!(stay.iter().all(|name| unlike.contains(name)), "one is skipped: {names:?}");
            }
        }
    };
    tokio::join!(defines, looks);
}

#[tokio::test]
async fn pages_of_events_and_of_the_audit_skip_and_double_none_while_others_come() {
    let scene = Scene::new().await;
    let (one, other) = (define(&scene, "one").await, define(&scene, "other").await);
    let change = async |round: usize| {
        for id in [&one, &other] {
            let verb = if round.is_multiple_of(2) { "resume" } else { "pause" };
            scene.call(&format!("POST /api/v1/pipes/{id}/{verb}"), &Value::Null).await;
        }
    };
    for round in 0..6 {
        change(round).await;
    }
    super::audited(&scene, 14).await;
    for (path, rows) in [
        ("events?".to_owned(), "events"),
        (format!("events?pipe={one}&"), "events"),
        ("audit?".to_owned(), "entries"),
    ] {
        // What is there before the first page, the oldest first and the newest first.
        let whole = get(&scene, &format!("{path}limit=1000")).await;
        let whole = each(&whole, rows, number);
        let (mut up, mut after) = (Vec::new(), 0);
        while up.len() < whole.len() {
            let page = get(&scene, &format!("{path}limit=3&after={after}")).await;
            up.extend(each(&page, rows, number));
            after = *up.last().unwrap();
            change(up.len()).await;
        }
        assert_eq!(up[..whole.len()], whole, "{path}");
        assert!(up.is_sorted_by(|a, b| a < b), "{path}: {up:?}");

        let first = each(&get(&scene, &format!("{path}limit=3&order=newest")).await, rows, number);
        let mut down = first;
        while down.last() != whole.first() {
            change(down.len()).await;
            let before = down.last().unwrap();
            let page = get(&scene, &format!("{path}limit=3&order=newest&before={before}")).await;
            let page = each(&page, rows, number);
            assert!(!page.is_empty(), "{path}: {down:?}");
            down.extend(page);
        }
        let mut all = get(&scene, &format!("{path}limit=1000")).await;
        let all = each(&all.take(), rows, number);
        down.reverse();
        // Those that came meanwhile are newer than the first page.
        assert_eq!(down, all[..down.len()], "{path}");
        assert!(all.len() > down.len(), "{path}: none has come meanwhile");
    }
}
