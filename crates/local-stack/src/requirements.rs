//! Tools that must be on the machine, and how to get those that are not.

mod package_manager;

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cache::Cache;
use crate::command::{self, Growth};
use crate::error::{Result, StackError};
use crate::manifest::Manifest;
use crate::prepare::{self, Wanted};
use crate::progress::Progress;
use package_manager::PackageManager;

/// Oldest minor version of Python 3 that both wheels are published for.
const PYTHON_MINOR_MIN: u32 = 10;

/// Something that is not on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Missing {
    /// Its name, such as `Maven`.
    pub what: String,
    /// What it is for.
    pub why: String,
    /// The command that installs it, or advice where we do not know the system's package manager.
    pub mend: String,
    /// The packages that bring it; empty where we do not know the system's package manager.
    pub packages: Vec<String>,
}

/// A tool that the set-up or the build needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// For the wheels and the keepers.
    Python,
    /// For the jars. Java is not among the needs: the runtime from PyPI runs Maven as well.
    Maven,
    /// For librdkafka.
    CToolchain,
    /// For finding OpenSSL and zlib.
    PkgConfig,
    /// For librdkafka with TLS.
    OpenSsl,
    /// For librdkafka with compression.
    Zlib,
    /// For checking units of systemd; on Linux alone.
    SystemdAnalyze,
    /// For the scripts of the documentation.
    Curl,
}

impl Need {
    const ALL: [Self; 6] =
        [Self::Python, Self::Maven, Self::CToolchain, Self::PkgConfig, Self::OpenSsl, Self::Zlib];
    /// What the build needs, whatever the cache holds.
    const BUILD: [Self; 4] = [Self::CToolchain, Self::PkgConfig, Self::OpenSsl, Self::Zlib];

    const fn what(self) -> &'static str {
        match self {
            Self::Python => "Python 3.10 or newer with venv",
            Self::Maven => "Maven",
            Self::CToolchain => "a C and C++ compiler and make",
            Self::PkgConfig => "pkg-config",
            Self::OpenSsl => "the headers of OpenSSL",
            Self::Zlib => "the headers of zlib",
            Self::SystemdAnalyze => "systemd-analyze",
            Self::Curl => "curl",
        }
    }

    const fn why(self) -> &'static str {
        match self {
            Self::Python => "installs and runs the local ClickHouse, and looks after both servers",
            Self::Maven => "downloads the local Kafka",
            Self::CToolchain | Self::PkgConfig => "builds librdkafka, the Kafka client",
            Self::OpenSsl => "gives librdkafka TLS and SASL",
            Self::Zlib => "gives librdkafka gzip",
            Self::SystemdAnalyze => "reads the unit of the service as systemd does",
            Self::Curl => "calls the API as the script of the documentation does",
        }
    }

    fn is_met(self) -> bool {
        match self {
            Self::Python => succeeds("python3", &["-c", &python_test()]),
            Self::Maven => find_program("mvn").is_some(),
            Self::CToolchain => ["cc", "c++", "make"].iter().all(|program| find_program(program).is_some()),
            Self::PkgConfig => find_program("pkg-config").is_some(),
            Self::OpenSsl => has_headers("openssl", "openssl/ssl.h"),
            Self::Zlib => has_headers("zlib", "zlib.h"),
            Self::SystemdAnalyze => find_program("systemd-analyze").is_some(),
            Self::Curl => find_program("curl").is_some(),
        }
    }

    fn missing(self, manager: Option<PackageManager>) -> Missing {
        let packages: Vec<String> = manager
            .map(|manager| manager.packages(self).iter().map(|package| (*package).to_owned()).collect())
            .unwrap_or_default();
        let mend = manager.map_or_else(
            || format!("install {} with the system's package manager", self.what()),
            |manager| manager.command_line(&packages),
        );
        Missing { what: self.what().to_owned(), why: self.why().to_owned(), mend, packages }
    }
}

/// What the machine lacks to build the project and to run the local stack; empty where all is there.
///
/// ```
/// for missing in housepipe_local_stack::requirements::check() {
///     println!("{} ({}): {}", missing.what, missing.why, missing.mend);
/// }
/// ```
#[must_use]
pub fn check() -> Vec<Missing> {
    check_for(&Need::ALL)
}

/// What the machine lacks to build the project and to run these servers, given what is in the cache already: with all
/// parts there, neither pip nor Maven is needed any more.
///
/// # Errors
/// [`StackError::NoCache`] where no folder for the cache is known, [`StackError::Platform`] where a part is not
/// published for this machine.
///
/// ```
/// use housepipe_local_stack::{Wanted, requirements};
/// for missing in requirements::check_wanted(&Wanted::pinned())? {
///     println!("{} ({}): {}", missing.what, missing.why, missing.mend);
/// }
/// # Ok::<(), housepipe_local_stack::StackError>(())
/// ```
pub fn check_wanted(wanted: &Wanted) -> Result<Vec<Missing>> {
    let mut needs = Need::BUILD.to_vec();
    needs.extend(prepare::needs(wanted, &Cache::from_environment()?, &Manifest::embedded())?);
    Ok(check_for(&needs))
}

/// Installs what is missing with the system's package manager, if that works without a question: as root, or with a
/// sudo that asks for no password, or with Homebrew.
///
/// # Errors
/// [`StackError::Missing`] where it cannot be done without a question, or where the machine still lacks something
/// afterwards; [`StackError::Command`] where the package manager failed.
pub fn install(missing: &[Missing], progress: &mut dyn Progress) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    let by_hand = || StackError::Missing(missing.to_vec());
    let manager = PackageManager::of_this_machine().ok_or_else(by_hand)?;
    let prefix = manager.privilege().ok_or_else(by_hand)?;
    let mut packages: Vec<String> = missing.iter().flat_map(|missing| missing.packages.clone()).collect();
    packages.sort();
    packages.dedup();
    if packages.is_empty() {
        return Err(by_hand());
    }

    let log_folder = Cache::from_environment()?.logs()?;
    for (name, arguments) in manager.steps(&packages) {
        let words: Vec<String> = prefix.iter().map(|word| (*word).to_owned()).chain(arguments).collect();
        progress.step(&format!("Running {}", words.join(" ")));
        // The words start with the package manager at least.
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env("DEBIAN_FRONTEND", "noninteractive");
        command::run(&mut command, &log_folder.join(name), progress, &Growth::NONE)?;
    }
    let mut left = check();
    left.extend(check_for(&[Need::SystemdAnalyze, Need::Curl]));
    left.retain(|left| missing.iter().any(|wanted| wanted.what == left.what));
    if left.is_empty() { Ok(()) } else { Err(StackError::Missing(left)) }
}

/// Which of the needs are not met.
pub(crate) fn check_for(needs: &[Need]) -> Vec<Missing> {
    let manager = PackageManager::of_this_machine();
    needs.iter().filter(|need| !need.is_met()).map(|need| need.missing(manager)).collect()
}

/// Fails where one of the needs is not met.
pub(crate) fn demand(needs: &[Need]) -> Result<()> {
    let missing = check_for(needs);
    if missing.is_empty() { Ok(()) } else { Err(StackError::Missing(missing)) }
}

/// A program that ends well under a Python which is new enough and can make environments. `ensurepip` is what
/// Debian keeps in a package of its own.
fn python_test() -> String {
    format!("import sys, venv, ensurepip; sys.exit(sys.version_info < (3, {PYTHON_MINOR_MIN}))")
}

/// Whether pkg-config knows the library, or the compiler finds its header.
fn has_headers(library: &str, header: &str) -> bool {
    succeeds("pkg-config", &["--exists", library])
        || ["/usr/include", "/usr/local/include", "/opt/homebrew/include"]
            .iter()
            .any(|folder| Path::new(folder).join(header).is_file())
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

/// The first program called `name` on the `PATH`.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    find_program_in(&std::env::var_os("PATH")?, name)
}

/// The first file called `name` in one of the folders of `path` that somebody may execute; shells pass over others.
fn find_program_in(path: &OsStr, name: &str) -> Option<PathBuf> {
    const EXECUTABLE: u32 = 0o111;
    let is_program = |file: &PathBuf| {
        file.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & EXECUTABLE != 0)
    };
    std::env::split_paths(path).map(|folder| folder.join(name)).find(is_program)
}

/// The interpreter that an earlier call of [`python`] found, if it is still there.
pub(crate) fn known_python(cache: &Cache) -> Option<PathBuf> {
    let known = std::fs::read_to_string(python_note(cache)).ok().map(PathBuf::from)?;
    known.is_file().then_some(known)
}

fn python_note(cache: &Cache) -> PathBuf {
    cache.log("python-path")
}

/// The interpreter itself, not a wrapper such as pyenv's, which costs a tenth of a second at every start. Asked
/// once and remembered in the cache.
pub(crate) fn python(cache: &Cache) -> Result<PathBuf> {
    if let Some(known) = known_python(cache) {
        return Ok(known);
    }
    demand(&[Need::Python])?;
    let asked = Command::new("python3").args(["-c", "import sys; print(sys.executable, end='')"]).output();
    let python = match asked {
        Ok(output) if output.status.success() => {
            PathBuf::from(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        _ => PathBuf::from("python3"),
    };
    // Without the note, the next process asks again.
    if cache.logs().is_ok() {
        let _ = std::fs::write(python_note(cache), python.to_string_lossy().as_bytes());
    }
    Ok(python)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_need_has_packages_and_a_command_everywhere() {
        for manager in PackageManager::ALL {
            for need in Need::ALL {
                let missing = need.missing(Some(manager));
                // Apple's compilers come with the system; Homebrew has no package for them.
                if (manager, need) != (PackageManager::Brew, Need::CToolchain) {
                    assert!(!missing.packages.is_empty(), "{manager:?} {need:?}");
                }
                for package in &missing.packages {
                    assert!(missing.mend.contains(package), "{manager:?} {need:?}: {}", missing.mend);
                }
            }
        }
    }

    #[test]
    fn the_container_file_installs_what_the_build_needs() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/container/Containerfile");
        let text = std::fs::read_to_string(file).unwrap();
        let line = text.lines().find(|line| line.contains("apt-get install")).unwrap();
        for package in Need::BUILD.iter().flat_map(|need| PackageManager::Apt.packages(*need)) {
            assert!(line.split(' ').any(|word| word == *package), "{package} is not in: {line}");
        }
    }

    #[test]
    fn without_a_package_manager_the_mend_is_advice() {
        let missing = Need::Maven.missing(None);
        assert!(missing.packages.is_empty());
        assert_eq!(missing.mend, "install Maven with the system's package manager");
    }

    #[test]
    fn a_file_that_nobody_may_execute_is_no_program() {
        let folder = tempfile::tempdir().unwrap();
        let make = |place: &str, mode| {
            let file = folder.path().join(place).join("tool");
            std::fs::create_dir(file.parent().unwrap()).unwrap();
            std::fs::write(&file, "").unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            file
        };
        let (text, program) = (make("a", 0o644), make("b", 0o755));
        let path = |files: &[&PathBuf]| {
            std::env::join_paths(files.iter().map(|file| file.parent().unwrap())).unwrap()
        };
        assert_eq!(find_program_in(&path(&[&text, &program]), "tool"), Some(program));
        assert_eq!(find_program_in(&path(&[&text]), "tool"), None);
    }

    #[test]
    fn nothing_missing_needs_no_installation() {
        install(&[], &mut crate::Silent).unwrap();
    }

    #[test]
    fn what_no_package_brings_is_left_to_the_user() {
        let missing = [Need::Maven.missing(None)];
        assert!(
            matches!(install(&missing, &mut crate::Silent), Err(StackError::Missing(left)) if left == missing)
        );
    }
}
