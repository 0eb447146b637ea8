//! Edits of pipes and looks at them, of which none reaches an end.

use housepipe_runtime::Need;
use secrecy::ExposeSecret;

use super::*;
use crate::testing::{ADMIN, Scene, pipe};

/// What is said of a refused pipe file.
fn told(error: ServiceError) -> Vec<(String, String)> {
    match error {
        ServiceError::File(error) => {
            error.problems.into_iter().map(|problem| (problem.key, problem.message)).collect()
        }
        error => panic!("{error}"),
    }
}

fn key_of(error: ServiceError) -> String {
    told(error).swap_remove(0).0
}

const SET_UP: &str = "username: own, password: hunter1, access: only_destination, \
    setup: { username: maker, password: hunter2 }, \
    columns: [{ name: id, type: UInt64 }], managed_table: { order_by: [id] }";

#[tokio::test]
async fn an_edit_is_judged_by_the_revision_that_it_is_of() {
    let scene = Scene::new().await;
    let made = scene.service.create(pipe("password: hunter1"), false, None, ADMIN).await.unwrap();
    // Wrong in itself, which is not even looked at: there may be no such revision yet, whose secrets it would keep.
    let elsewhere = pipe("password: '${secret:destination.password}', columns: 7");
    for revision in [0, 2] {
        let told = scene.service.edit(&made.stored.id, revision, elsewhere.clone(), ADMIN).await.unwrap_err();
        assert!(matches!(told, ServiceError::Store(StoreError::Changed(1))), "{revision}: {told}");
    }
    let told = scene.service.edit(&made.stored.id, 1, elsewhere, ADMIN).await.unwrap_err();
    assert_eq!(key_of(told), "destination.columns");
}

#[tokio::test]
async fn a_look_at_a_pipe_with_a_set_up_takes_a_part_of_it_and_keeps_its_secrets() {
    let scene = Scene::new().await;
    let made = scene.service.create(pipe(SET_UP), false, None, ADMIN).await.unwrap();
    let (id, shown) = (made.stored.id, made.stored.document.unwrap());
    let draft = |document: Option<Document>, need| scene.service.draft(document, Some(&id), need);
    let other =
        |from: &str, to: &str| Some(Document::parse(&shown.to_yaml().replace(from, to), "clicks").unwrap());
    for need in [Need::Connections, Need::Table, Need::Rows, Need::Whole] {
        for document in [None, Some(shown.clone()), other("name: id", "name: number")] {
            let file = draft(document, need).await.unwrap().file;
            assert_eq!(file.destination.password.unwrap().expose_secret(), "hunter1", "{need:?}");
        }
        // One of two secrets anew: the other one stays.
        let one = other("${secret:destination.setup.password}", "hunter3");
        let set_up = draft(one, need).await.unwrap().file.destination.set_up.unwrap();
        assert_eq!(set_up.password.unwrap().expose_secret(), "hunter3", "{need:?}");
        for (from, to) in [
            ("127.0.0.1:1\"\n  table", "127.0.0.1:2\"\n  table"),
            ("table: clicks", "table: others"),
            ("username: maker", "username: root"),
        ] {
            let document = other(from, to);
            assert_ne!(document.as_ref().unwrap().to_yaml(), shown.to_yaml(), "{from}");
            let told = key_of(draft(document, need).await.unwrap_err());
            assert!(told.starts_with("destination."), "{need:?} {to}: {told}");
        }
    }
}

#[tokio::test]
async fn what_is_created_without_a_user_name_is_looked_at_without_one() {
    let scene = Scene::new().await;
    let access = "access: only_destination, setup: { username: maker, password: hunter2 }, columns: [{ name: id, type: UInt64 }]";
    for need in [Need::Connections, Need::Table, Need::Rows, Need::Columns, Need::Whole] {
        let file = scene.service.draft(Some(pipe(access)), None, need).await.unwrap().file;
        assert_eq!(file.destination.username, "housepipe_clicks", "{need:?}");
        assert!(file.destination.password.is_some(), "{need:?}");
    }
    assert!(scene.service.draft(Some(pipe(access)), None, Need::NewTable).await.is_ok());
    let nameless = Document::parse(&pipe(access).to_yaml().replace("name: clicks\n", ""), "clicks").unwrap();
    let file = scene.service.draft(Some(nameless), None, Need::Connections).await.unwrap().file;
    assert_eq!(file.destination.username, "housepipe_draft");
    assert!(scene.service.create(pipe(access), false, None, ADMIN).await.is_ok());
}

#[test]
fn where_nobody_knows_what_a_secret_was_kept_for_it_has_to_be_sent() {
    let sent = pipe("password: '${secret:destination.password}'");
    let damaged = Err("expected value at line 1 column 1".to_owned());
    let kept = ["destination.password".to_owned()];
    let told = may_keep(&damaged, &sent, &kept).unwrap_err();
    assert_eq!(told.problems[0].key, "destination.password");
    assert!(may_keep(&damaged, &sent, &[]).is_ok());
    assert!(may_keep(&Ok(sent.clone()), &sent, &kept).is_ok());
}
