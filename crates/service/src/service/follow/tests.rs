use housepipe_runtime::{Document, SupervisorOptions, ThisMachine};
use sqlx::{AnyConnection, Connection, Row};

use super::*;
use crate::seal::Seal;
use crate::store::{Consumer, NewPipe, StoreAddress};

pub(in crate::service) fn new_pipe(name: &str) -> NewPipe {
    let text = format!(
        "name: {name}\nsource: {{ type: kafka, brokers: 'localhost:1', topic: t }}\n\
         destination: {{ url: 'http://localhost:1', table: t }}\n"
    );
    let apart = Document::parse(&text, name).unwrap().take_apart(name, &ThisMachine).unwrap();
    NewPipe {
        name: name.to_owned(),
        consumer: Consumer::of(&apart.file),
        document: apart.document,
        secrets: Secrets::new(),
        runs: false,
    }
}

/// A service that does nothing by itself, and its file.
pub(in crate::service) async fn inner(folder: &tempfile::TempDir) -> (Arc<Inner>, String) {
    let file = folder.path().join("state.db");
    let url = format!("sqlite://{}", file.display());
    let seal = Seal::new(&"a key that is long enough for a test".into()).unwrap();
    let store = Store::open(&StoreAddress::Sqlite(file), seal).await.unwrap();
    let supervisor = Supervisor::new(SupervisorOptions::default());
    (Arc::new(Inner::new(store, supervisor, None, "here".to_owned())), url)
}

#[tokio::test]
async fn one_row_that_cannot_be_read_keeps_the_process_from_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (inner, url) = inner(&folder).await;
    let damaged = inner.store.create(&new_pipe("a-damaged-one"), None, "ann").await.unwrap();
    let mut somebody = AnyConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("UPDATE pipes SET definition = -1").execute(&mut somebody).await.unwrap();
    let well = inner.store.create(&new_pipe("well"), None, "ann").await.unwrap();
    assert!(matches!(inner.follow().await, Err(StoreError::Damaged { .. })));
    assert!(inner.follows());
    assert!(inner.supervisor.status(&PipeId::from(well.id.as_str())).is_some());
    assert!(inner.supervisor.status(&PipeId::from(damaged.id.as_str())).is_none());
    let told = sqlx::query("SELECT ended_to FROM replicas WHERE id = 'here'").fetch_one(&mut somebody).await;
    let last = inner.store.last_event().await.unwrap();
    assert_eq!(told.unwrap().get::<i64, _>(0), last, "others do not wait for this process");
}

#[tokio::test]
async fn of_rows_that_cannot_be_read_one_that_runs_here_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let (inner, url) = inner(&folder).await;
    inner.store.create(&new_pipe("runs-here"), None, "ann").await.unwrap();
    inner.follow().await.unwrap();
    inner.store.create(&new_pipe("unknown"), None, "ann").await.unwrap();
    let mut somebody = AnyConnection::connect(&url).await.unwrap();
    // The one that is not known here is looked at last.
    let damage = "UPDATE pipes SET definition = -1, revision = revision + 1; UPDATE pipes SET id = 'pz' WHERE name = 'unknown'";
    sqlx::raw_sql(damage).execute(&mut somebody).await.unwrap();
    assert!(matches!(inner.follow().await, Err(StoreError::Damaged { .. })));
    let told = sqlx::query("SELECT ended_to FROM replicas WHERE id = 'here'").fetch_one(&mut somebody).await;
    assert_eq!(told.unwrap().get::<i64, _>(0), 0, "it may be one that was removed");
}

#[tokio::test]
async fn a_process_that_does_not_follow_the_store_is_not_ready() {
    let folder = tempfile::tempdir().unwrap();
    let (inner, _) = inner(&folder).await;
    assert!(!inner.follows(), "it has never looked");
    inner.follow().await.unwrap();
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(LOOKED_S_MAX - 1)).await;
    assert!(inner.follows());
    tokio::time::advance(Duration::from_secs(2)).await;
    assert!(!inner.follows());
}
