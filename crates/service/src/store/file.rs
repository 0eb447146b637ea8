//! The file of a store in SQLite: where it is, whose it is, and how it comes about.

use std::fs::{File, Permissions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::StoreError;

/// The rights of the files: those of this user.
const RIGHTS: u32 = 0o600;
/// How a file comes back. SQLite would make the changes of the former one in it.
pub(super) const RESTORE: &str =
    "restore it from a backup, without the `-wal` and `-shm` that lie beside it now";

/// The path from the root on, without links and `..` in it: two spellings of one file must meet in one lock.
///
/// # Errors
/// [`StoreError::File`] where it is a link that leads to no file. SQLite would make one there that others
/// may read, and its lock would lie beside the link.
pub(super) fn whole(path: &Path) -> Result<PathBuf, StoreError> {
    let refuse = |why: String| StoreError::File { path: path.to_owned(), why };
    let path = match path.canonicalize() {
        Ok(path) => path,
        Err(error) if path.is_symlink() => {
            let target = path.read_link().unwrap_or_default();
            return Err(refuse(format!(
                "it is a link to `{}`, where no file is found ({error}): look whether its disk is there; for a new state name the file itself",
                target.display()
            )));
        }
        Err(_) => {
            let name = path.file_name().ok_or_else(|| refuse("it names no file".to_owned()))?;
            let folder =
                path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let folder = folder
                .canonicalize()
                .map_err(|error| refuse(format!("its folder {}: {error}", folder.display())))?;
            folder.join(name)
        }
    };
    match path.to_str() {
        Some(_) => Ok(path),
        None => Err(refuse("its path is not UTF-8".to_owned())),
    }
}

/// Whether there is nothing at the path, so that a store is made there.
///
/// # Errors
/// [`StoreError::File`] where there is a file without anything in it: it was something else before, and whoever cut it off wants to know. Also where
/// it is gone, and changes of it are left: SQLite would make them in whatever file comes to lie beside them. A start makes none before the file has
/// its name, so none of its own that was killed has left them.
pub(super) fn is_missing(path: &Path) -> Result<bool, StoreError> {
    let refuse = |why: String| StoreError::File { path: path.to_owned(), why };
    match path.symlink_metadata() {
        Ok(found) if found.is_file() && found.len() == 0 => Err(refuse(format!(
            "it is empty, and was left as it is: {RESTORE}; or remove it for a new one, and those two with it"
        ))),
        Ok(_) => Ok(false),
        Err(error) if error.kind() == ErrorKind::NotFound => match changes_beside(path) {
            left if left.is_empty() => Ok(true),
            left => Err(refuse(format!(
                "it was moved or deleted, and what belongs to it was left: {}. Put it back beside them; or, for a new state, remove them",
                left.join(", ")
            ))),
        },
        Err(error) => Err(refuse(error.to_string())),
    }
}

/// Files beside the path with changes that SQLite has yet to make in it, or to undo.
fn changes_beside(path: &Path) -> Vec<String> {
    let files = ["-wal", "-journal"].map(|ending| beside(path, ending));
    let left = files.iter().filter(|file| file.symlink_metadata().is_ok());
    left.map(|file| format!("`{}`", file.display())).collect()
}

/// Makes an empty file beside the path, in place of what a start has left there that was killed. Nobody but this user reads it: what it holds besides
/// secrets is nobody else's business either. SQLite gives the files beside it the same rights.
pub(super) fn make_beside(path: &Path) -> Result<PathBuf, StoreError> {
    let refuse = |error: std::io::Error| StoreError::File { path: path.to_owned(), why: error.to_string() };
    let begun = beside(path, ".new");
    remove_all(&begun).map_err(refuse)?;
    File::options().write(true).create_new(true).mode(RIGHTS).open(&begun).map_err(refuse)?;
    Ok(begun)
}

/// Removes a file, and what SQLite keeps beside it, if they are there.
pub(super) fn remove_all(path: &Path) -> std::io::Result<()> {
    for ending in ["", "-journal", "-wal", "-shm"] {
        match std::fs::remove_file(beside(path, ending)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Whether there is a file of this ending beside the path, with something in it.
pub(super) fn has_content(path: &Path, ending: &str) -> bool {
    beside(path, ending).metadata().is_ok_and(|found| found.len() > 0)
}

/// Copies the file, and the changes beside it, in place of a copy that a start has left there which was killed. Nobody but this user reads it.
pub(super) fn copy_beside(path: &Path) -> Result<PathBuf, StoreError> {
    let copy = beside(path, ".look");
    let copied = remove_all(&copy).and_then(|()| {
        for ending in ["", "-journal", "-wal"].into_iter().filter(|ending| beside(path, ending).exists()) {
            let mut from = File::open(beside(path, ending))?;
            let to = beside(&copy, ending);
            std::io::copy(
                &mut from,
                &mut File::options().write(true).create_new(true).mode(RIGHTS).open(to)?,
            )?;
        }
        Ok(())
    });
    match copied {
        Ok(()) => Ok(copy),
        Err(error) => {
            // What is there of it takes room.
            let _ = remove_all(&copy);
            let why = format!("a copy to look at, `{}`: {error}", copy.display());
            Err(StoreError::File { path: path.to_owned(), why })
        }
    }
}

/// Gives a file that was made beside its path the path itself, for good.
pub(super) fn give_its_name(begun: &Path, path: &Path) -> Result<(), StoreError> {
    let refuse = |error: std::io::Error| StoreError::File { path: path.to_owned(), why: error.to_string() };
    std::fs::rename(begun, path).map_err(refuse)?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(refuse)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Keeps other processes out: two supervisors would run each pipe twice, with half of the secrets' changes each.
pub(super) fn lock(path: &Path) -> Result<File, StoreError> {
    let refuse = |why: String| StoreError::File { path: path.to_owned(), why };
    let name = beside(path, ".lock");
    let file = File::options().create(true).truncate(false).write(true).mode(RIGHTS).open(&name);
    let file = file.map_err(|error| refuse(format!("its lock {}: {error}", name.display())))?;
    // One of an earlier version was open to all, and whoever reads it may hold it. One of another user stays as it is.
    let _ = file.set_permissions(Permissions::from_mode(RIGHTS));
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(refuse(
            "another process uses it; end that one, or keep the state in PostgreSQL, which several processes share"
                .to_owned(),
        )),
        Err(TryLockError::Error(error)) => Err(refuse(format!("its lock {}: {error}", name.display()))),
    }
}

/// What SQLite says of a file, so that a person knows what to do.
pub(super) fn error_of(path: &Path, error: &sqlx::Error) -> StoreError {
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<u32>().ok());
    // The lowest byte says what it is, the others say more: <https://www.sqlite.org/rescode.html>.
    let why = match code.map(|code| code & 0xff) {
        // SQLITE_CORRUPT and SQLITE_NOTADB.
        Some(11 | 26) => return damaged(path, &error.to_string()),
        _ => error.to_string(),
    };
    StoreError::File { path: path.to_owned(), why }
}

/// That the file is damaged, by what SQLite has `found`.
pub(super) fn damaged(path: &Path, found: &str) -> StoreError {
    let found = found.split_whitespace().collect::<Vec<_>>().join(" ");
    let why = format!("{found}; it is damaged, or is something else, and was left as it is: {RESTORE}");
    StoreError::File { path: path.to_owned(), why }
}
