//! States that cannot be used are refused with a reason in both databases, and left as they are.

use crate::places::{KEY, Place, each_place, open, postgres, sqlite};
use crate::rows::{columns, rows, run};

/// A state in use, which somebody has changed.
async fn changed(place: &Place, sql: &str) {
    run(place, include_str!("states/3.sql")).await;
    run(place, sql).await;
}

/// What is said of it.
async fn refuses(place: &Place) -> String {
    let before = (columns(place).await, rows(place).await);
    let error = open(place, KEY).await.unwrap_err();
    assert_eq!((columns(place).await, rows(place).await), before, "it was left as it is");
    error.to_string()
}

#[tokio::test]
async fn a_newer_state_is_refused() {
    each_place(async |place: &Place| {
        changed(place, "UPDATE housepipe_store SET version = 99; ALTER TABLE pipes ADD COLUMN colour TEXT")
            .await;
        let told = refuses(place).await;
        assert!(told.contains("version 99") && told.contains("take a newer housepipe"), "{told}");
    })
    .await;
}

#[tokio::test]
async fn a_damaged_state_is_refused() {
    for (sql, says) in [
        ("DELETE FROM housepipe_store", "`housepipe_store` has 0 rows"),
        ("INSERT INTO housepipe_store SELECT * FROM housepipe_store", "`housepipe_store` has 2 rows"),
        ("UPDATE housepipe_store SET version = -1", "its version is -1"),
        ("UPDATE housepipe_store SET version = 0", "its version is 0"),
        ("UPDATE housepipe_store SET key_check = NULL", "the check of its key is missing"),
    ] {
        each_place(async |place: &Place| {
            changed(place, sql).await;
            let told = refuses(place).await;
            assert!(told.contains(says), "{sql}: {told}");
            assert!(told.contains("was left as it is: restore it from a backup"), "{sql}: {told}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_state_without_one_of_its_tables_is_refused() {
    for table in ["pipes", "replicas", "secrets", "events", "tokens", "idempotency", "audit"] {
        each_place(async |place: &Place| {
            // Secrets are of pipes, and go first.
            let beside = if table == "pipes" { "DROP TABLE secrets; " } else { "" };
            changed(place, &format!("{beside}DROP TABLE {table}")).await;
            let told = refuses(place).await;
            assert!(told.contains(&format!("its table `{table}` is missing")), "{told}");
            let all = rows(place).await;
            let left = all.iter().map(|(table, _)| table).filter(|table| *table != "housepipe_store");
            assert!(left.count() < 7, "a table is not dropped here: {all:?}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_state_of_version_1_without_an_audit_is_none_that_is_damaged() {
    each_place(async |place: &Place| {
        run(place, include_str!("states/1.sql")).await;
        open(place, KEY).await.unwrap().close().await;
        run(place, "DROP TABLE audit; UPDATE housepipe_store SET version = 2").await;
        assert!(refuses(place).await.contains("its table `audit` is missing"));
    })
    .await;
}

#[tokio::test]
async fn another_key_and_another_program_are_refused() {
    for place in [sqlite, postgres] {
        let place = place();
        changed(&place, "UPDATE housepipe_store SET key_check = 'v1.AAAA'").await;
        let told = refuses(&place).await;
        assert!(told.contains("sealed with another key") && told.contains("left as it is"), "{told}");
    }
    let place = postgres();
    run(&place, "CREATE TABLE invoices (n BIGINT, m BIGINT)").await;
    let told = refuses(&place).await;
    assert!(told.contains("`invoices`") && told.contains("left as it is"), "{told}");
}
