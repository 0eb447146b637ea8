//! The order of locks: of two calls none waits for the other while that one waits for it, and one that PostgreSQL breaks off is begun again.

use std::sync::Arc;
use std::time::Duration;

use housepipe_service::{Asked, CleanUp, Role, Store, StoreError};
use secrecy::ExposeSecret;
use sqlx::{AnyConnection, Connection, Row};

use crate::lost::{until_so_many_wait, url_of};
use crate::places::{KEY, Place, each_place, open, postgres};
use crate::{at_brokers, edit, new_pipe};

/// Rounds of each caller.
const ROUNDS: usize = 40;

/// A session that waits for locks as long as it takes, and is not the one that is broken off.
async fn somebody(place: &Place) -> AnyConnection {
    let mut somebody = AnyConnection::connect(url_of(place).expose_secret()).await.unwrap();
    sqlx::raw_sql("SET deadlock_timeout = '1h'").execute(&mut somebody).await.unwrap();
    somebody
}

fn asked() -> Asked {
    Asked {
        actor: "ann".to_owned(),
        role: Role::Admin,
        peer: None,
        method: "POST".to_owned(),
        path: "/api/v1/pipes".to_owned(),
        status: 201,
        detail: None,
    }
}

#[tokio::test]
async fn a_name_that_is_taken_is_refused_while_its_pipe_is_being_changed() {
    let place = postgres();
    let store = open(&place, KEY).await.unwrap();
    store.create(&new_pipe("clicks"), None, "ann").await.unwrap();
    let mut somebody = somebody(&place).await;
    sqlx::raw_sql("BEGIN; UPDATE pipes SET revision = revision").execute(&mut somebody).await.unwrap();
    let refused = store.create(&new_pipe("clicks"), None, "bob").await.unwrap_err();
    assert!(matches!(refused, StoreError::NameTaken(_)), "{refused}");
    // The same where it has another group.
    let other = at_brokers("clicks", "other.example.com:9092", "other");
    let refused = store.create(&other, None, "bob").await.unwrap_err();
    assert!(matches!(refused, StoreError::NameTaken(_)), "{refused}");
    sqlx::raw_sql("UPDATE housepipe_store SET version = version; COMMIT")
        .execute(&mut somebody)
        .await
        .unwrap();
    somebody.close().await.unwrap();
    store.close().await;
}

/// Pauses, resumes and edits the pipe `clicks`, removes it and defines it anew, and takes its name: what each may be refused for is that another was
/// faster.
async fn change(store: &Store, caller: usize) -> Result<(), StoreError> {
    for round in 0..ROUNDS {
        let pipes = store.pipes("", 10).await?;
        let done = match (pipes.first(), caller) {
            (Some(pipe), 0 | 1) => store.want(&pipe.id, None, round % 2 == 0, "ann").await.map(drop),
            (Some(pipe), 2) => store.edit(&pipe.id, pipe.revision, &edit(&[], &[]), "ann").await.map(drop),
            (Some(pipe), 3) if round % 4 == 0 => {
                let removed = store.remove(&pipe.id, None, CleanUp::default(), "ann").await;
                match removed {
                    Ok(pipe) => store.forget(&pipe).await.map(drop),
                    Err(error) => Err(error),
                }
            }
            _ => store.create(&new_pipe("clicks"), None, "bob").await.map(drop),
        };
        match done {
            Ok(()) => {}
            Err(
                StoreError::NameTaken(_)
                | StoreError::Changed(_)
                | StoreError::Leaving
                | StoreError::NoPipe(_),
            ) => {}
            Err(error) => return Err(error),
        }
        store.note(&asked()).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_calls_that_change_one_pipe_at_once_none_is_broken_off() {
    const CALLERS: usize = 6;
    each_place(async |place: &Place| {
        let store = Arc::new(open(place, KEY).await.unwrap());
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let store = Arc::clone(&store);
                tokio::spawn(async move { change(&store, caller).await })
            })
            .collect();
        for caller in callers {
            caller.await.unwrap().unwrap();
        }
        let entries = store.audit(0, 1_000).await.unwrap();
        assert_eq!(entries.len(), CALLERS * ROUNDS, "none is lost");
        // A connection tells its counts when it ends.
        store.close().await;
        if place.file.is_none() {
            assert_eq!(deadlocks(place).await, 0);
        }
    })
    .await;
}

/// How often PostgreSQL has broken off a transaction there, as far as connections have told it that have ended.
async fn deadlocks(place: &Place) -> i64 {
    let mut somebody = somebody(place).await;
    let others = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    while sqlx::query(others).fetch_one(&mut somebody).await.unwrap().get::<i64, _>(0) > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let count = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    sqlx::query(count).fetch_one(&mut somebody).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_postgresql_breaks_off_is_begun_again() {
    let place = postgres();
    let store = Arc::new(open(&place, KEY).await.unwrap());
    let pipe = store.create(&new_pipe("clicks"), None, "ann").await.unwrap();
    let (mut one, mut two) = (somebody(&place).await, somebody(&place).await);

    // It has the pipe's row, and waits for that of all changes.
    sqlx::raw_sql("BEGIN; UPDATE housepipe_store SET version = version").execute(&mut one).await.unwrap();
    let pause = tokio::spawn({
        let (store, id) = (Arc::clone(&store), pipe.id.clone());
        async move { store.want(&id, None, false, "ann").await }
    });
    until_so_many_wait(&mut two, 1).await;
    sqlx::raw_sql("UPDATE pipes SET revision = revision; COMMIT").execute(&mut one).await.unwrap();
    assert_eq!(pause.await.unwrap().unwrap().revision, 2);

    // It has the row of all changes, and waits for the audit's table.
    sqlx::raw_sql("BEGIN; LOCK TABLE audit").execute(&mut one).await.unwrap();
    let note = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.note(&asked()).await }
    });
    until_so_many_wait(&mut two, 1).await;
    sqlx::raw_sql("UPDATE housepipe_store SET version = version; COMMIT").execute(&mut one).await.unwrap();
    note.await.unwrap().unwrap();
    assert_eq!(store.audit(0, 10).await.unwrap().len(), 1);
    store.close().await;
    assert_eq!(deadlocks_but_for(&place, [one, two]).await, 2, "both were broken off");
}

async fn deadlocks_but_for(place: &Place, ended: [AnyConnection; 2]) -> i64 {
    for connection in ended {
        connection.close().await.unwrap();
    }
    deadlocks(place).await
}

/// Opens a state of version 2 while a process of that version writes: it has run `first`, and runs `then` once the other one waits for it.
async fn is_brought_up_to_date_between(first: &'static str, then: &'static str) -> Store {
    let place = Arc::new(postgres());
    let store = open(&place, KEY).await.unwrap();
    store.create(&new_pipe("clicks"), None, "ann").await.unwrap();
    store.close().await;
    let (mut one, mut two) = (somebody(&place).await, somebody(&place).await);
    let before = "UPDATE housepipe_store SET version = 2; ALTER TABLE audit DROP COLUMN detail";
    sqlx::raw_sql(before).execute(&mut one).await.unwrap();
    sqlx::raw_sql(first).execute(&mut one).await.unwrap();
    let opened = tokio::spawn({
        let place = Arc::clone(&place);
        async move { open(&place, KEY).await }
    });
    until_so_many_wait(&mut two, 1).await;
    sqlx::raw_sql(then).execute(&mut one).await.unwrap();
    let store = opened.await.unwrap().unwrap();
    let found = store.pipes("", 10).await.unwrap();
    // All connections have to end before their counts are known.
    store.close().await;
    assert_eq!(deadlocks_but_for(&place, [one, two]).await, 0, "nobody was broken off");
    assert!(!found.is_empty());
    open(&place, KEY).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_are_brought_up_to_date_while_a_process_of_the_version_before_writes() {
    // A line of the audit.
    let store = is_brought_up_to_date_between(
        "BEGIN; UPDATE housepipe_store SET last_audit = 1",
        "INSERT INTO audit VALUES (1, 1, 'ann', 'admin', NULL, 'POST', '/api/v1/pipes', 201); COMMIT",
    )
    .await;
    assert_eq!(store.audit(0, 10).await.unwrap().len(), 1);
    store.close().await;
    // A pipe that is paused: its row, and then that of all changes.
    let store = is_brought_up_to_date_between(
        "BEGIN; UPDATE pipes SET revision = revision",
        "UPDATE pipes SET wanted = 'paused', revision = revision + 1; UPDATE housepipe_store SET last_event = last_event + 1; COMMIT",
    )
    .await;
    assert_eq!(store.pipes("", 10).await.unwrap()[0].revision, 2);
    store.close().await;
    // A pipe that is made: that of all changes, and then its own.
    let store = is_brought_up_to_date_between(
        "BEGIN; UPDATE housepipe_store SET version = version",
        "INSERT INTO pipes SELECT 'p0', 'views', 'b:1 views', document, wanted, clean_up, 1, 0, 1, 1, 1 FROM pipes; COMMIT",
    )
    .await;
    assert_eq!(store.pipes("", 10).await.unwrap().len(), 2);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_postgresql_breaks_off_is_begun_again() {
    let place = Arc::new(postgres());
    open(&place, KEY).await.unwrap().close().await;
    let (mut one, mut two) = (somebody(&place).await, somebody(&place).await);
    let before = "UPDATE housepipe_store SET version = 2; ALTER TABLE audit DROP COLUMN detail";
    sqlx::raw_sql(before).execute(&mut one).await.unwrap();
    // It has both tables, and waits for that of the audit.
    sqlx::raw_sql("BEGIN; LOCK TABLE audit").execute(&mut one).await.unwrap();
    let opened = tokio::spawn({
        let place = Arc::clone(&place);
        async move { open(&place, KEY).await }
    });
    until_so_many_wait(&mut two, 1).await;
    sqlx::raw_sql("UPDATE housepipe_store SET version = version; COMMIT").execute(&mut one).await.unwrap();
    opened.await.unwrap().unwrap().close().await;
    assert_eq!(deadlocks_but_for(&place, [one, two]).await, 1, "it was broken off");
}
