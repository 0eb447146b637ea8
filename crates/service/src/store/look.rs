//! A look at a file before anything is written into it: whoever is refused finds the file, and the changes beside it, as they were.
//!
//! A connection that may write does so when it ends, also where it was asked for nothing: SQLite makes the changes of the `-wal` in the file then, and
//! removes it. Of a damaged file that is the best source of what was in it.

use std::path::Path;

use sqlx::{AnyConnection, Connection as _};

use super::{StoreError, file, percent, schema};
use crate::seal::Seal;

/// Refuses a file that is damaged, of a newer version, of another key, or of something else. Nothing is written into it, nor into what lies beside it
/// but for the `-shm`, an index of the `-wal` which whoever comes first makes anew.
pub(super) async fn look(path: &Path, seal: &Seal) -> Result<(), StoreError> {
    if file::has_content(path, "-journal") {
        // Nobody can read the file before they are undone in it, so that is done in a copy.
        let copy = file::copy_beside(path)?;
        let looked = look_at(&copy, "mode=rw", path, seal).await;
        file::remove_all(&copy).map_err(|error| StoreError::File { path: copy, why: error.to_string() })?;
        return looked;
    }
    // A connection that may only read cannot lock the file for itself alone, without which SQLite leaves the changes where they are. Where there are
    // none it would leave an empty `-wal`, unless it is told that nobody changes the file, which the lock of the store sees to.
    let mode = if file::has_content(path, "-wal") { "mode=ro" } else { "mode=ro&immutable=true" };
    look_at(path, mode, path, seal).await
}

/// Looks at the file `at`, and tells of it as `path`.
async fn look_at(at: &Path, mode: &str, path: &Path, seal: &Seal) -> Result<(), StoreError> {
    let of_file = |error: StoreError| match error {
        StoreError::Database(error) => file::error_of(path, &error),
        other => other,
    };
    let url = format!("sqlite://{}?{mode}", percent(at));
    let mut connection = AnyConnection::connect(&url).await.map_err(|error| file::error_of(path, &error))?;
    let looked = match schema::damage(&mut connection).await {
        Ok(None) => schema::look(&mut connection, seal).await.map_err(of_file),
        Ok(Some(found)) => Err(file::damaged(path, &found)),
        Err(error) => Err(file::error_of(path, &error)),
    };
    let closed = connection.close().await.map_err(|error| file::error_of(path, &error));
    looked.and(closed)
}
