//! Files that cannot be used are refused with a reason, and left as they are.

use std::path::Path;

use sqlx::{Connection, Executor, SqliteConnection};

use crate::places::{KEY, Place, open, sqlite};
use crate::{CANARY, create_fifty, new_pipe};

/// The file, and what SQLite keeps beside it.
fn bytes(file: &Path) -> Vec<u8> {
    let mut all = std::fs::read(file).unwrap();
    for beside in ["-wal", "-journal"] {
        let mut name = file.as_os_str().to_owned();
        name.push(beside);
        all.extend(std::fs::read(name).unwrap_or_default());
    }
    all
}

async fn refuses(place: &Place) -> String {
    let file = place.file.as_ref().unwrap();
    let before = bytes(file);
    let error = open(place, KEY).await.unwrap_err();
    assert_eq!(bytes(file), before, "it was left as it is");
    let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    format!("{error} {source}")
}

async fn change(place: &Place, sql: &'static str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(place.file.as_ref().unwrap())
        .create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    connection.execute(sql).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn no_secret_is_in_the_file() {
    let place = sqlite();
    let store = open(&place, KEY).await.unwrap();
    store.create(&new_pipe("clicks"), None, "ann").await.unwrap();
    let file = place.file.clone().unwrap();
    for _ in 0..2 {
        let bytes = bytes(&file);
        assert!(bytes.windows(6).any(|part| part == b"clicks"), "the pipe is there");
        assert!(
            !bytes.windows(CANARY.len()).any(|part| part == CANARY.as_bytes()),
            "and its secrets are not"
        );
        store.close().await;
    }
}

#[tokio::test]
async fn all_files_are_this_users_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = sqlite();
    let folder = place.file.as_ref().unwrap().parent().unwrap();
    let rights = || -> Vec<String> {
        let files = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
        files
            .map(|file| {
                format!("{:o} {:?}", file.metadata().unwrap().permissions().mode() & 0o777, file.file_name())
            })
            .collect()
    };
    for name in ["a", "b"] {
        let store = open(&place, KEY).await.unwrap();
        store.create(&new_pipe(name), None, "ann").await.unwrap();
        let all = rights();
        assert!(all.len() >= 3 && all.iter().all(|file| file.starts_with("600 ")), "{all:?}");
        store.close().await;
        drop(store);
        // As an earlier version has left it.
        let mut lock = place.file.clone().unwrap().into_os_string();
        lock.push(".lock");
        std::fs::set_permissions(lock, std::fs::Permissions::from_mode(0o644)).unwrap();
    }
}

#[tokio::test]
async fn a_second_process_is_refused() {
    let place = sqlite();
    let store = open(&place, KEY).await.unwrap();
    let error = open(&place, KEY).await.unwrap_err();
    assert!(error.to_string().contains("another process uses it"), "{error}");
    store.close().await;
    drop(store);
    open(&place, KEY).await.unwrap().close().await;
}

#[tokio::test]
async fn a_newer_store_is_refused() {
    let place = sqlite();
    open(&place, KEY).await.unwrap().close().await;
    change(&place, "UPDATE housepipe_store SET version = 99").await;
    change(&place, "PRAGMA wal_checkpoint(TRUNCATE)").await;
    let told = refuses(&place).await;
    assert!(told.contains("version 99") && told.contains("take a newer housepipe"), "{told}");
}

#[tokio::test]
async fn a_database_of_something_else_is_refused() {
    let place = sqlite();
    change(&place, "CREATE TABLE invoices (n INTEGER)").await;
    let told = refuses(&place).await;
    assert!(told.contains("`invoices`"), "{told}");
}

#[tokio::test]
async fn what_is_no_database_is_refused() {
    let place = sqlite();
    std::fs::write(place.file.as_ref().unwrap(), "name: clicks\n".repeat(1_000)).unwrap();
    let told = refuses(&place).await;
    assert!(told.contains("is damaged, or is something else"), "{told}");
}

#[tokio::test]
async fn a_damaged_file_is_refused() {
    let place = sqlite();
    let store = open(&place, KEY).await.unwrap();
    create_fifty(&store).await;
    store.close().await;
    drop(store);
    change(&place, "PRAGMA wal_checkpoint(TRUNCATE)").await;
    let file = place.file.as_ref().unwrap();
    let mut bytes = std::fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..].fill(0xa5);
    std::fs::write(file, &bytes).unwrap();
    let told = refuses(&place).await;
    assert!(told.contains("is damaged") && told.contains("restore it from a backup"), "{told}");
}

#[tokio::test]
async fn an_emptied_file_is_no_new_store() {
    let place = sqlite();
    open(&place, KEY).await.unwrap().close().await;
    std::fs::write(place.file.as_ref().unwrap(), "").unwrap();
    let told = refuses(&place).await;
    assert!(told.contains("it is empty") && told.contains("restore it from a backup"), "{told}");
}

#[tokio::test]
async fn a_first_start_that_was_killed_is_begun_anew() {
    let place = sqlite();
    let file = place.file.as_ref().unwrap();
    let mut begun = file.as_os_str().to_owned();
    begun.push(".new");
    for half in ["", "SQLite format 3"] {
        std::fs::write(&begun, half).unwrap();
        open(&place, KEY).await.unwrap().close().await;
        assert!(!Path::new(&begun).exists(), "it has its name");
        std::fs::remove_file(file).unwrap();
    }
}

#[tokio::test]
async fn a_path_that_leads_nowhere_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("none/store.db");
    let address = housepipe_service::StoreAddress::Sqlite(file);
    let seal = housepipe_service::Seal::new(&KEY.into()).unwrap();
    let error = housepipe_service::Store::open(&address, seal).await.unwrap_err();
    assert!(
        error.to_string().contains("none/store.db") && error.to_string().contains("No such file"),
        "{error}"
    );
}

#[tokio::test]
async fn two_spellings_of_a_path_are_one_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("a")).unwrap();
    let file = folder.path().join("s.db");
    let place = |file: std::path::PathBuf| Place::at(file);
    let store = open(&place(file.clone()), KEY).await.unwrap();
    std::os::unix::fs::symlink(&file, folder.path().join("link.db")).unwrap();
    for other in [folder.path().join("a/../s.db"), folder.path().join("link.db")] {
        let error = open(&place(other.clone()), KEY).await.unwrap_err();
        assert!(error.to_string().contains("another process uses it"), "{}: {error}", other.display());
    }
    store.close().await;
}

#[tokio::test]
async fn a_link_that_leads_to_no_file_is_refused_and_makes_none() {
    let folder = tempfile::tempdir().unwrap();
    let (link, target) = (folder.path().join("link.db"), folder.path().join("s.db"));
    for leads_to in [target.clone(), "s.db".into(), folder.path().join("none/s.db"), link.clone()] {
        std::os::unix::fs::symlink(&leads_to, &link).unwrap();
        let told = open(&Place::at(link.clone()), KEY).await.unwrap_err().to_string();
        assert!(
            told.contains("link.db") && told.contains(&format!("a link to `{}`", leads_to.display())),
            "{told}"
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing but the link");
        std::fs::remove_file(&link).unwrap();
    }
    // Of a link that leads to one the lock is beside that one.
    open(&Place::at(target.clone()), KEY).await.unwrap().close().await;
    std::os::unix::fs::symlink(&target, &link).unwrap();
    let store = open(&Place::at(link), KEY).await.unwrap();
    let error = open(&Place::at(target), KEY).await.unwrap_err();
    assert!(error.to_string().contains("another process uses it"), "{error}");
    store.close().await;
}

/// A row that a later version, or a hand, has left: the others are not harmed by it, and it can be removed.
#[tokio::test]
async fn a_damaged_row_takes_none_along() {
    let place = sqlite();
    let store = open(&place, KEY).await.unwrap();
    let bad = store.create(&new_pipe("bad"), None, "ann").await.unwrap();
    store.create(&new_pipe("good"), None, "ann").await.unwrap();
    store.close().await;
    drop(store);
    change(&place, "UPDATE pipes SET document = '{', clean_up = '{\"more\":1}' WHERE name = 'bad'").await;
    let store = open(&place, KEY).await.unwrap();
    let pipes = store.pipes("", 10).await.unwrap();
    assert!(pipes[0].document.is_err() && pipes[1].document.is_ok());
    let leaving = store.remove(&bad.id, None, housepipe_service::CleanUp::default(), "ann").await.unwrap();
    assert!(store.forget(&leaving).await.unwrap());
    store.close().await;
}
