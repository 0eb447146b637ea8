//! The data that every server begins with: made once by `initdb`, which takes a second or two, and then copied.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::USER_POSTGRES;
use super::files::VARIABLES;
use crate::User;
use crate::command::Growth;
use crate::error::{Result, StackError};
use crate::manifest::fingerprint;
use crate::prepare::{Maker, Tools};
use crate::progress::Progress;

/// The folder of the data, in the template as well as in a server's folder.
pub(super) const DATA: &str = "data";
/// The program that starts those of PostgreSQL, in the template.
pub(super) const LAUNCHER: &str = "launcher.py";

const LAUNCHER_PY: &str = include_str!("launcher.py");
/// Like the other parts of the cache it is not synced to the disk. The files of the log are the smallest that there are, to
/// have less to copy.
const ARGUMENTS: &[&str] = &[
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C",
    "--wal-segsize=1",
    "--no-sync",
    "--no-instructions",
];

/// Makes the template where it is missing: a folder with [`DATA`] and [`LAUNCHER`].
pub(super) fn ensure(maker: &mut Maker<'_>, programs: &Path) -> Result<PathBuf> {
    // The folder of the programs names their sum.
    let programs_text = programs.to_string_lossy();
    let User { name, password } = USER_POSTGRES;
    let mut texts = vec![&*programs_text, LAUNCHER_PY, name, password];
    texts.extend(ARGUMENTS);
    maker.ensure(&format!("postgres-formatted-{}", fingerprint(&texts)), |tools, folder, progress| {
        progress.step("Formatting a folder for PostgreSQL");
        format(programs, tools, folder, progress)
    })
}

fn format(programs: &Path, tools: &Tools<'_>, folder: &Path, progress: &mut dyn Progress) -> Result<()> {
    let launcher = folder.join(LAUNCHER);
    fs::write(&launcher, LAUNCHER_PY).map_err(StackError::file("write", &launcher))?;
    let password = folder.join("password");
    fs::write(&password, USER_POSTGRES.password).map_err(StackError::file("write", &password))?;
    let mut initdb = Command::new(tools.python);
    initdb.args(["-I", "-S"]).arg(&launcher).arg(programs.join("bin/initdb"));
    initdb.arg("--pgdata").arg(folder.join(DATA)).args(["--username", USER_POSTGRES.name]);
    initdb.arg("--pwfile").arg(&password).args(ARGUMENTS);
    for name in VARIABLES {
        initdb.env_remove(name);
    }
    // It becomes the time zone of all sessions.
    initdb.env("TZ", "UTC");
    tools.run(&initdb, "postgres-format.log", progress, &Growth::NONE)?;
    fs::remove_file(&password).map_err(StackError::file("remove", &password))
}

/// Copies a folder with all it holds, permissions and owners included: the server takes data of its own user only.
pub(super) fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to).map_err(StackError::file("create", to))?;
    for entry in fs::read_dir(from).map_err(StackError::file("read", from))? {
        let entry = entry.map_err(StackError::file("read", from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().map_err(StackError::file("read", &source))?.is_dir() {
            copy(&source, &target)?;
        } else {
            fs::copy(&source, &target).map_err(StackError::file("copy", &source))?;
            own(&source, &target)?;
        }
    }
    own(from, to)
}

/// Gives `target` the permissions and the owner of `source`.
fn own(source: &Path, target: &Path) -> Result<()> {
    let metadata = fs::metadata(source).map_err(StackError::file("read", source))?;
    fs::set_permissions(target, metadata.permissions())
        .and_then(|()| chown(target, Some(metadata.uid()), Some(metadata.gid())))
        .map_err(StackError::file("hand over", target))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_copy_has_the_folders_the_texts_and_the_permissions() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir_all(from.join("empty")).unwrap();
        fs::write(from.join("file"), "text").unwrap();
        for (name, mode) in [("file", 0o600), ("empty", 0o700), ("", 0o750)] {
            fs::set_permissions(from.join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        copy(&from, &to).unwrap();
        let mode = |name| fs::metadata(to.join(name)).unwrap().mode() & 0o777;
        assert_eq!([mode("file"), mode("empty"), mode("")], [0o600, 0o700, 0o750]);
        assert_eq!(fs::read(to.join("file")).unwrap(), b"text");
    }
}
