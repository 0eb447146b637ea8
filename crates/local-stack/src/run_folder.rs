//! Folders of running servers: made, locked for as long as their keeper lives, swept when it is gone; and the
//! ports that belong to them.

use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, Hasher};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use crate::cache::{Cache, remove_folder};
use crate::error::{Result, StackError};

/// Where ports are looked for: below the range from which Linux takes the local ports of outgoing connections, so
/// that a port is still free when its server comes back after a kill.
const PORT_RANGE: std::ops::Range<u16> = 20_000..32_000;
/// Tries before we say that there are no free ports.
const PORT_TRIES_MAX: usize = 2_000;
/// The file whose lock shows that a folder is in use.
const LOCK_FILE: &str = "keeper.log";
/// The file that lists a folder's ports, one a line.
const PORTS_FILE: &str = "ports";

/// A new folder, locked. The lock lives in [`RunFolder::lock`], which becomes the keeper's standard error.
#[derive(Debug)]
pub(crate) struct RunFolder {
    pub(crate) path: PathBuf,
    pub(crate) ports: Vec<u16>,
    /// What the server of this folder shows when it is asked who it is.
    pub(crate) token: String,
    pub(crate) lock: File,
}

impl RunFolder {
    /// Sweeps what dead owners left, then makes a folder with `ports` free ports of its own.
    pub(crate) fn make(cache: &Cache, server: &str, ports: usize) -> Result<Self> {
        let runs = cache.runs();
        fs::create_dir_all(&runs).map_err(StackError::file("create", &runs))?;
        // Under this lock no folder is half made, and no two owners choose the same port.
        let guard = runs.join("lock");
        let guard_file = File::create(&guard).map_err(StackError::file("create", &guard))?;
        guard_file.lock().map_err(StackError::file("lock", &guard))?;

        let taken = sweep(&runs)?;
        let ports = free_ports(ports, &taken)?;
        let path = tempfile::Builder::new()
            .prefix(&format!("{server}-"))
            .tempdir_in(&runs)
            .map_err(StackError::file("create a folder in", &runs))?
            .keep();
        let lock_path = path.join(LOCK_FILE);
        let lock = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&lock_path)
            .map_err(StackError::file("create", &lock_path))?;
        lock.lock().map_err(StackError::file("lock", &lock_path))?;
        write_ports(&path, &ports)?;
        Ok(Self { path, ports, token: random_token(), lock })
    }
}

fn write_ports(folder: &Path, ports: &[u16]) -> Result<()> {
    let path = folder.join(PORTS_FILE);
    let text: String = ports.iter().map(|port| format!("{port}\n")).collect();
    fs::write(&path, text).map_err(StackError::file("write", &path))
}

/// Removes the folders that nobody holds and returns the ports of the others.
fn sweep(runs: &Path) -> Result<Vec<u16>> {
    let mut taken = Vec::new();
    for entry in fs::read_dir(runs).map_err(StackError::file("read", runs))? {
        let folder = entry.map_err(StackError::file("read", runs))?.path();
        if !folder.is_dir() {
            continue;
        }
        let held = match File::open(folder.join(LOCK_FILE)) {
            Ok(file) => file.try_lock().is_err(),
            // No lock file under the guard: its making was interrupted, or its keeper removes it right now.
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            // Too many open files, or a folder of another user: no sign that nobody holds it.
            Err(_) => true,
        };
        if held {
            let ports = fs::read_to_string(folder.join(PORTS_FILE)).unwrap_or_default();
            taken.extend(ports.lines().filter_map(|line| line.parse::<u16>().ok()));
        } else {
            // Its keeper may be removing it at the same time; whoever comes last finds nothing left.
            let _ = remove_folder(&folder);
        }
    }
    Ok(taken)
}

/// Finds free ports by holding binds on all of them at once.
fn free_ports(wanted: usize, taken: &[u16]) -> Result<Vec<u16>> {
    let mut held: Vec<(u16, TcpListener)> = Vec::with_capacity(wanted);
    for _ in 0..PORT_TRIES_MAX {
        if held.len() == wanted {
            break;
        }
        let port = random_port();
        if taken.contains(&port) || held.iter().any(|(other, _)| *other == port) {
            continue;
        }
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            held.push((port, listener));
        }
    }
    if held.len() < wanted {
        return Err(StackError::NoPorts { wanted, range: PORT_RANGE });
    }
    Ok(held.into_iter().map(|(port, _)| port).collect())
}

/// 22 letters and digits that no other server of this machine has. They are also a cluster id as Kafka wants it:
/// 16 bytes in base 64, of which the last letter leaves four bits unused.
fn random_token() -> String {
    format!("{:016x}{:05x}A", random(), random() & 0xf_ffff)
}

/// Each `RandomState` has keys of its own, which makes its empty hash a random number.
fn random() -> u64 {
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}

fn random_port() -> u16 {
    let random = random();
    let width = u64::from(PORT_RANGE.end - PORT_RANGE.start);
    // The remainder is below the width, which is a u16.
    PORT_RANGE.start + u16::try_from(random % width).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_holds_is_swept() {
        let runs = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let folder = runs.path().join(name);
            fs::create_dir(&folder).unwrap();
            write_ports(&folder, &[20_001]).unwrap();
            folder
        };
        let (half_made, dead, held, unreadable) =
            (make("half-made"), make("dead"), make("held"), make("unreadable"));
        File::create(dead.join(LOCK_FILE)).unwrap();
        let lock = File::create(held.join(LOCK_FILE)).unwrap();
        lock.lock().unwrap();
        // It cannot be opened, for another reason than that it is not there.
        std::os::unix::fs::symlink(LOCK_FILE, unreadable.join(LOCK_FILE)).unwrap();

        assert_eq!(sweep(runs.path()).unwrap(), [20_001, 20_001]);
        assert!(!half_made.exists() && !dead.exists());
        assert!(held.exists() && unreadable.exists());
    }
}
