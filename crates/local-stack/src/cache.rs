//! The cache: one folder that holds what was downloaded or made once, shared by every process of the user.
//!
//! ```text
//! <cache>/parts/<name>-<version>-<fingerprint>/   complete, never changed again
//! <cache>/staging/                                work in progress; emptied, as far as it goes, by whoever holds the lock
//! <cache>/logs/                                   output of pip and Maven
//! <cache>/run/                                    folders of running servers
//! <cache>/prepare.lock                            held while parts are made
//! ```

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::{Result, StackError};
use crate::progress::Progress;

/// The cache folder.
#[derive(Debug, Clone)]
pub(crate) struct Cache {
    root: PathBuf,
}

/// The right to change the cache; given back when dropped, or when the process ends.
#[derive(Debug)]
pub(crate) struct CacheLock {
    #[expect(dead_code, reason = "held for its lock")]
    file: File,
    /// Where work in progress stands. No other lock ever has the same folder, so that nothing a killed set-up left
    /// behind, and no tool of it that still writes, is in the way. Removed with this value, as far as it goes.
    staging: TempDir,
}

impl CacheLock {
    /// A place for work in progress.
    pub(crate) fn staging(&self, name: &str) -> PathBuf {
        self.staging.path().join(name)
    }
}

impl Cache {
    /// `$HOUSEPIPE_CACHE`, else `$XDG_CACHE_HOME/housepipe`, else `~/.cache/housepipe`.
    pub(crate) fn from_environment() -> Result<Self> {
        Self::locate(|name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from))
    }

    fn locate(variable: impl Fn(&str) -> Option<PathBuf>) -> Result<Self> {
        let root = variable("HOUSEPIPE_CACHE")
            .or_else(|| variable("XDG_CACHE_HOME").map(|folder| folder.join("housepipe")))
            .or_else(|| variable("HOME").map(|home| home.join(".cache/housepipe")))
            .ok_or(StackError::NoCache)?;
        // Servers get this path while they stand in folders of their own.
        let root = std::path::absolute(&root).map_err(StackError::file("make absolute", &root))?;
        Ok(Self { root })
    }

    /// A cache in a folder that a test names.
    #[cfg(test)]
    pub(crate) const fn at(root: PathBuf) -> Self {
        Self { root }
    }

    pub(crate) fn part(&self, name: &str) -> PathBuf {
        self.root.join("parts").join(name)
    }

    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.root.join("logs").join(name)
    }

    /// The folder of the logs, made where it is missing.
    pub(crate) fn logs(&self) -> Result<PathBuf> {
        let logs = self.root.join("logs");
        fs::create_dir_all(&logs).map_err(StackError::file("create", &logs))?;
        Ok(logs)
    }

    pub(crate) fn runs(&self) -> PathBuf {
        self.root.join("run")
    }

    /// Waits until no other process prepares. Call it only where a part is missing.
    pub(crate) fn lock(&self, progress: &mut dyn Progress) -> Result<CacheLock> {
        for folder in ["parts", "logs", "run"] {
            let folder = self.root.join(folder);
            fs::create_dir_all(&folder).map_err(StackError::file("create", &folder))?;
        }
        let path = self.root.join("prepare.lock");
        let file = File::create(&path).map_err(StackError::file("create", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                progress.step("Waiting for another process that prepares the local stack");
                file.lock().map_err(StackError::file("lock", &path))?;
            }
            Err(TryLockError::Error(source)) => {
                return Err(StackError::File { what: "lock", path, source });
            }
        }
        let staging = self.root.join("staging");
        // What a killed set-up left. A part of it may resist; it is in nobody's way.
        let _ = remove_folder(&staging);
        fs::create_dir_all(&staging).map_err(StackError::file("create", &staging))?;
        let staging =
            tempfile::tempdir_in(&staging).map_err(StackError::file("create a folder in", &staging))?;
        Ok(CacheLock { file, staging })
    }

    /// Makes a part that is missing: `make` fills an empty folder, which gets its name only when it is complete.
    /// An interrupted `make` leaves nothing but staging.
    pub(crate) fn ensure(
        &self,
        lock: &CacheLock,
        name: &str,
        make: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let part = self.part(name);
        if part.is_dir() {
            return Ok(part);
        }
        let folder = lock.staging(name);
        remove_folder(&folder)?;
        fs::create_dir_all(&folder).map_err(StackError::file("create", &folder))?;
        make(&folder)?;
        fs::rename(&folder, &part).map_err(StackError::file("rename", &folder))?;
        Ok(part)
    }
}

/// Removes a folder with all it holds; one that is not there is fine.
pub(crate) fn remove_folder(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(StackError::File { what: "remove", path: folder.to_owned(), source })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    fn cache_in(folder: &Path) -> Cache {
        Cache::locate(|name| (name == "HOUSEPIPE_CACHE").then(|| folder.to_owned())).unwrap()
    }

    #[test]
    fn the_environment_decides_in_order() {
        let all = |name: &str| Some(PathBuf::from(format!("/{name}")));
        assert_eq!(Cache::locate(all).unwrap().root, Path::new("/HOUSEPIPE_CACHE"));
        let without = |name: &str| (name != "HOUSEPIPE_CACHE").then(|| PathBuf::from(format!("/{name}")));
        assert_eq!(Cache::locate(without).unwrap().root, Path::new("/XDG_CACHE_HOME/housepipe"));
        let home = |name: &str| (name == "HOME").then(|| PathBuf::from("/home/u"));
        assert_eq!(Cache::locate(home).unwrap().root, Path::new("/home/u/.cache/housepipe"));
        assert!(matches!(Cache::locate(|_| None), Err(StackError::NoCache)));
    }

    #[test]
    fn a_part_that_fails_half_way_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache_in(folder.path());
        let lock = cache.lock(&mut Silent).unwrap();
        let failed = cache.ensure(&lock, "p", |folder| {
            fs::write(folder.join("half"), "x").unwrap();
            Err(StackError::NoCache)
        });
        assert!(failed.is_err());
        assert!(!cache.part("p").exists());

        let part = cache.ensure(&lock, "p", |folder| {
            assert!(!folder.join("half").exists(), "the remains of the first attempt are still here");
            fs::write(folder.join("whole"), "x").unwrap();
            Ok(())
        });
        assert!(part.unwrap().join("whole").is_file());
    }

    #[test]
    fn two_set_ups_never_share_a_place_and_a_finished_one_leaves_none() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache_in(folder.path());
        let first = cache.lock(&mut Silent).unwrap().staging("wheel");
        let lock = cache.lock(&mut Silent).unwrap();
        let second = lock.staging("wheel");
        assert_ne!(first, second);
        fs::create_dir_all(&second).unwrap();
        drop(lock);
        assert_eq!(fs::read_dir(folder.path().join("staging")).unwrap().count(), 0);
    }
}
