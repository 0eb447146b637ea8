//! Consumer groups at more brokers than an index has room for.

use housepipe_service::{Secrets, StoreError};
use sqlx::{AnyConnection, Connection, Row};

use crate::places::{KEY, Place, each_place, open, postgres, sqlite};
use crate::{at_brokers, new_pipe, shown};

#[tokio::test]
async fn a_pipe_may_have_many_brokers_with_long_names() {
    each_place(async |place: &Place| {
        let store = open(place, KEY).await.unwrap();
        let brokers: Vec<String> =
            (10..74).map(|number| format!("{}{number}.example.com:9092", "b".repeat(66))).collect();
        let group = "g".repeat(249);
        store.create(&at_brokers("clicks", &brokers.join(","), &group), None, "ann").await.unwrap();
        let refused =
            store.create(&at_brokers("views", &brokers[63], &group), None, "ann").await.unwrap_err();
        assert!(matches!(&refused, StoreError::GroupTaken(name) if name == "clicks"), "{refused}");
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_store_of_version_3_keeps_its_pipes_and_their_secrets() {
    for (place, other) in [(sqlite(), sqlite()), (postgres(), postgres())] {
        let store = open(&place, KEY).await.unwrap();
        let pipe = store.create(&new_pipe("clicks"), None, "ann").await.unwrap();
        let kept = shown(&store.secrets(&pipe.id).await.unwrap());
        store.close().await;
        drop(store);
        make_of_version_3(&place, &other).await;
        let store = open(&other, KEY).await.unwrap();
        let found = store.pipe(&pipe.id).await.unwrap();
        assert_eq!((found.name.as_str(), found.revision), ("clicks", 1));
        assert_eq!(shown(&store.secrets(&pipe.id).await.unwrap()), kept);
        // What goes with a pipe goes still.
        let leaving =
            store.remove(&pipe.id, None, housepipe_service::CleanUp::default(), "ann").await.unwrap();
        assert!(store.forget(&leaving).await.unwrap());
        assert_eq!(shown(&store.secrets(&pipe.id).await.unwrap()), shown(&Secrets::new()));
        store.create(&new_pipe("clicks"), None, "ann").await.unwrap();
        let refused = store.create(&new_pipe("clicks"), None, "ann").await.unwrap_err();
        assert!(matches!(refused, StoreError::NameTaken(_)), "{refused}");
        store.close().await;
    }
}

/// A store of version 3 at `other`, with the pipes and the key of the one at `place`.
async fn make_of_version_3(place: &Place, other: &Place) {
    let url = if other.file.is_some() { format!("{}?mode=rwc", other.url()) } else { other.url() };
    let mut new = AnyConnection::connect(&url).await.unwrap();
    for step in [
        include_str!("../../src/store/migrations/1.sql"),
        include_str!("../../src/store/migrations/2.sql"),
        include_str!("../../src/store/migrations/3.sql"),
    ] {
        sqlx::raw_sql(step).execute(&mut new).await.unwrap();
    }
    let mut old = AnyConnection::connect(&place.url()).await.unwrap();
    let row = sqlx::query("SELECT key_check FROM housepipe_store").fetch_one(&mut old).await.unwrap();
    sqlx::query("UPDATE housepipe_store SET version = 3, last_event = 1, key_check = $1")
        .bind(row.get::<String, _>(0))
        .execute(&mut new)
        .await
        .unwrap();
    for row in
        sqlx::query("SELECT id, name, consumer, document FROM pipes").fetch_all(&mut old).await.unwrap()
    {
        sqlx::query(
            "INSERT INTO pipes (id, name, consumer, document, wanted, clean_up, definition, attempt, revision, created_ms, changed_ms) \
             VALUES ($1, $2, $3, $4, 'paused', '', 1, 0, 1, 1, 1)",
        )
        .bind(row.get::<String, _>(0))
        .bind(row.get::<String, _>(1))
        .bind(row.get::<String, _>(2))
        .bind(row.get::<String, _>(3))
        .execute(&mut new)
        .await
        .unwrap();
    }
    for row in sqlx::query("SELECT pipe, path, sealed FROM secrets").fetch_all(&mut old).await.unwrap() {
        sqlx::query("INSERT INTO secrets (pipe, path, sealed) VALUES ($1, $2, $3)")
            .bind(row.get::<String, _>(0))
            .bind(row.get::<String, _>(1))
            .bind(row.get::<String, _>(2))
            .execute(&mut new)
            .await
            .unwrap();
    }
    old.close().await.unwrap();
    new.close().await.unwrap();
}
