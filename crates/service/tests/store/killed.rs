//! Files as a process leaves them that was killed: changes lie beside them which SQLite has yet to make, or to undo.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sqlx::{Connection, Executor, SqliteConnection};

use crate::places::{KEY, Place, open, sqlite};
use crate::{create_fifty, new_pipe};

/// What SQLite keeps beside a file: changes that are to be made in it, their index, and changes that are to be undone.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// A state in use, with pipes in its file and one in the `-wal` beside it, whose process was killed once it had run `sql`.
async fn killed(sql: &'static str) -> Place {
    let place = sqlite();
    let store = open(&place, KEY).await.unwrap();
    store.first_token().await.unwrap().unwrap();
    create_fifty(&store).await;
    store.close().await;
    drop(store);
    let store = open(&place, KEY).await.unwrap();
    store.create(&new_pipe("last"), None, "ann").await.unwrap();
    let file = place.file.as_ref().unwrap();
    // Whoever closes it last writes into it, and removes what lies beside it.
    let mut holds = SqliteConnection::connect_with(&options(file)).await.unwrap();
    holds.execute("SELECT * FROM pipes").await.unwrap();
    store.close().await;
    holds.execute(sql).await.unwrap();
    let left = copied(file);
    holds.close().await.unwrap();
    assert!(!std::fs::read(beside(left.file.as_ref().unwrap(), "-wal")).unwrap().is_empty());
    left
}

fn options(file: &Path) -> sqlx::sqlite::SqliteConnectOptions {
    sqlx::sqlite::SqliteConnectOptions::new().filename(file)
}

/// The same files in another place.
fn copied(file: &Path) -> Place {
    let place = sqlite();
    let to = place.file.as_ref().unwrap();
    std::fs::copy(file, to).unwrap();
    for ending in BESIDE {
        if beside(file, ending).exists() {
            std::fs::copy(beside(file, ending), beside(to, ending)).unwrap();
        }
    }
    place
}

/// All files of the place. Not the lock, and not the index: SQLite makes it anew of the `-wal`.
fn files(place: &Place) -> BTreeMap<PathBuf, Vec<u8>> {
    let file = place.file.as_ref().unwrap();
    let all = std::fs::read_dir(file.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    let all = all.filter(|path| *path != beside(file, "-shm") && *path != beside(file, ".lock"));
    all.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

/// What is said of it; it is left as it is.
async fn refuses(place: &Place, key: &str) -> String {
    let before = files(place);
    let error = open(place, key).await.unwrap_err();
    let after = files(place);
    assert!(after.keys().eq(before.keys()), "{:?} became {:?}", before.keys(), after.keys());
    assert!(after == before, "a file was changed");
    let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    format!("{error} {source}")
}

#[tokio::test]
async fn changes_of_a_file_that_is_gone_come_into_no_new_one() {
    for left in ["-wal", "-journal"] {
        let place = killed("SELECT 1").await;
        let file = place.file.as_ref().unwrap();
        let moved = file.with_file_name("moved");
        std::fs::rename(file, &moved).unwrap();
        if left == "-journal" {
            std::fs::rename(beside(file, "-wal"), beside(file, "-journal")).unwrap();
        }
        let told = refuses(&place, KEY).await;
        let named = format!("`{}`", beside(file, left).display());
        assert!(told.contains("moved or deleted") && told.contains(&named), "{told}");
        assert!(told.contains("Put it back") && told.contains("for a new state, remove them"), "{told}");
        if left == "-wal" {
            std::fs::rename(&moved, file).unwrap();
            let store = open(&place, KEY).await.unwrap();
            assert_eq!(store.pipes("", 100).await.unwrap().len(), 51, "it is as it was");
            store.close().await;
            drop(store);
            std::fs::remove_file(file).unwrap();
        } else {
            std::fs::remove_file(beside(file, left)).unwrap();
        }
        let store = open(&place, KEY).await.unwrap();
        assert!(store.first_token().await.unwrap().is_some(), "a new one, with a token of its own");
        assert!(store.pipes("", 100).await.unwrap().is_empty());
        store.close().await;
    }
}

#[tokio::test]
async fn an_emptied_file_names_what_goes_with_it() {
    let place = killed("SELECT 1").await;
    std::fs::write(place.file.as_ref().unwrap(), "").unwrap();
    let told = refuses(&place, KEY).await;
    assert!(told.contains("it is empty") && told.contains("without the `-wal` and `-shm`"), "{told}");
}

#[tokio::test]
async fn a_backup_that_is_put_back_beside_the_changes_of_another_file_is_told_so() {
    let place = killed("SELECT 1").await;
    let other = sqlite();
    let store = open(&other, KEY).await.unwrap();
    store.create(&new_pipe("other"), None, "ann").await.unwrap();
    store.close().await;
    drop(store);
    std::fs::copy(other.file.as_ref().unwrap(), place.file.as_ref().unwrap()).unwrap();
    let told = refuses(&place, KEY).await;
    assert!(told.contains("is damaged") && told.contains("without the `-wal` and `-shm`"), "{told}");
    std::fs::remove_file(beside(place.file.as_ref().unwrap(), "-wal")).unwrap();
    let store = open(&place, KEY).await.unwrap();
    assert_eq!(store.pipes("", 100).await.unwrap()[0].name, "other");
    store.close().await;
}

/// A first start writes under another name, which it begins anew whatever was left there.
#[tokio::test]
async fn a_first_start_that_was_killed_anywhere_is_begun_anew() {
    let former = killed("SELECT 1").await;
    let former = former.file.as_ref().unwrap();
    let place = sqlite();
    let file = place.file.as_ref().unwrap();
    let begun = beside(file, ".new");
    for left in [&[""][..], &["-journal"], &["", "-journal"], &["", "-wal"], &["", "-wal", "-shm"], &["-wal"]]
    {
        for ending in left {
            // Whatever lies there: it has the tokens and pipes of another state.
            let from = if *ending == "-journal" { "-wal" } else { ending };
            std::fs::copy(beside(former, from), beside(&begun, ending)).unwrap();
        }
        let store = open(&place, KEY).await.unwrap();
        assert!(store.first_token().await.unwrap().is_some(), "{left:?}");
        assert!(store.pipes("", 100).await.unwrap().is_empty(), "{left:?}");
        store.close().await;
        drop(store);
        let names: Vec<_> = files(&place).into_keys().collect();
        assert_eq!(names, std::slice::from_ref(file), "it has its name, and nothing is left");
        std::fs::remove_file(file).unwrap();
    }
}

#[tokio::test]
async fn what_is_refused_keeps_the_changes_beside_it() {
    for (sql, key, says) in [
        ("SELECT 1", "another key that is long enough for it", "sealed with another key"),
        ("UPDATE housepipe_store SET version = 99", KEY, "take a newer housepipe"),
        ("UPDATE housepipe_store SET version = -1", KEY, "its version is -1"),
        ("DROP TABLE audit", KEY, "its table `audit` is missing"),
        ("ALTER TABLE housepipe_store RENAME TO invoices", KEY, "tables of something else"),
    ] {
        let place = killed(sql).await;
        for _ in 0..2 {
            let told = refuses(&place, key).await;
            assert!(told.contains(says), "{sql}: {told}");
        }
        // The same with nothing beside it.
        let file = place.file.as_ref().unwrap();
        SqliteConnection::connect_with(&options(file)).await.unwrap().close().await.unwrap();
        let mut connection = SqliteConnection::connect_with(&options(file)).await.unwrap();
        connection.execute("SELECT * FROM sqlite_master").await.unwrap();
        connection.close().await.unwrap();
        assert!(!beside(file, "-wal").exists());
        let told = refuses(&place, key).await;
        assert!(told.contains(says), "{sql}: {told}");
        assert!(!beside(file, "-wal").exists() && !beside(file, "-shm").exists());
    }
}

#[tokio::test]
async fn a_damaged_file_keeps_the_changes_beside_it() {
    let place = killed("SELECT 1").await;
    let file = place.file.as_ref().unwrap();
    let whole = std::fs::read(file).unwrap();
    let mut bytes = whole.clone();
    let middle = bytes.len() / 2;
    bytes[middle..].fill(0xa5);
    std::fs::write(file, &bytes).unwrap();
    for _ in 0..2 {
        let told = refuses(&place, KEY).await;
        assert!(told.contains("is damaged") && told.contains("without the `-wal` and `-shm`"), "{told}");
    }
    // Whoever saves what was in it needs them.
    std::fs::write(file, &whole).unwrap();
    let store = open(&place, KEY).await.unwrap();
    assert_eq!(store.pipes("", 100).await.unwrap().len(), 51);
    store.close().await;
}

/// A state whose process was killed while it wrote into the file itself, as behind a restore: what is half done is to be undone by the `-journal`.
async fn killed_in_the_file() -> Place {
    let place = sqlite();
    let store = open(&place, KEY).await.unwrap();
    create_fifty(&store).await;
    store.close().await;
    drop(store);
    let file = place.file.as_ref().unwrap();
    let mut writes = SqliteConnection::connect_with(&options(file)).await.unwrap();
    // With no room for more than a page it is written before its end.
    writes.execute("PRAGMA journal_mode = DELETE; PRAGMA cache_size = 1").await.unwrap();
    writes.execute("BEGIN; UPDATE pipes SET document = '{', created_ms = 0").await.unwrap();
    let left = copied(file);
    writes.close().await.unwrap();
    left
}

#[tokio::test]
async fn what_is_refused_keeps_what_undoes_a_change_beside_it() {
    let place = killed_in_the_file().await;
    let journal = std::fs::read(beside(place.file.as_ref().unwrap(), "-journal")).unwrap();
    assert!(journal.iter().take(8).any(|byte| *byte != 0), "there is something to be undone");
    let told = refuses(&place, "another key that is long enough for it").await;
    assert!(told.contains("sealed with another key"), "{told}");
    let store = open(&place, KEY).await.unwrap();
    let pipes = store.pipes("", 100).await.unwrap();
    assert_eq!(pipes.len(), 50);
    assert!(pipes.iter().all(|pipe| pipe.document.is_ok() && pipe.created_ms > 0), "it was undone");
    store.close().await;
    drop(store);
    let names: Vec<_> = files(&place).into_keys().collect();
    assert_eq!(names, [place.file.clone().unwrap()], "no copy is left");
}
