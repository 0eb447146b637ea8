//! Edits of pipes, of which none reaches an end.

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
