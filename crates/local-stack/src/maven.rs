//! How Maven is run, and how what it brings is compared with its checksum.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

use crate::command::{Growth, Measure};
use crate::error::{Result, StackError};
use crate::manifest::hex;
use crate::prepare::Tools;
use crate::progress::Progress;

/// Maven in the folder `work`, with a `repository` of this set-up alone: a file that was damaged in the user's own would come
/// back with every attempt.
pub(crate) fn command(work: &Path, repository: &Path, java_runtime: &Path) -> Command {
    let mut maven = Command::new("mvn");
    maven
        .args(["-B", "--strict-checksums"])
        .arg(format!("-Dmaven.repo.local={}", repository.display()))
        // A .mvn folder or a MAVEN_ARGS above us is not for this project.
        .current_dir(work)
        .env_remove("MAVEN_ARGS");
    if !system_has_java() {
        maven.env("JAVA_HOME", java_runtime);
    }
    maven
}

/// One file of a Maven repository.
pub(crate) struct Download<'a> {
    /// The version of Maven's dependency plugin, which copies it.
    pub(crate) plugin: &'a str,
    /// As Maven names it.
    pub(crate) coordinates: String,
    /// As the file is called.
    pub(crate) file: String,
    pub(crate) bytes: u64,
    /// Hexadecimal sum.
    pub(crate) sha256: &'a str,
}

/// Downloads a file into the folder `work`, which is made, compares it with its sum and returns its path.
pub(crate) fn download(
    wanted: &Download<'_>,
    java_runtime: &Path,
    tools: &Tools<'_>,
    work: &Path,
    log: &str,
    progress: &mut dyn Progress,
) -> Result<PathBuf> {
    std::fs::create_dir_all(work).map_err(StackError::file("create", work))?;
    let repository = work.join("repository");
    let mut maven = command(work, &repository, java_runtime);
    maven
        .arg(format!("org.apache.maven.plugins:maven-dependency-plugin:{}:copy", wanted.plugin))
        .arg(format!("-Dartifact={}", wanted.coordinates))
        .arg(format!("-DoutputDirectory={}", work.display()));
    let growth = Growth { folders: &[&repository], total: Some(wanted.bytes), measure: Measure::LargestFile };
    tools.run(&maven, log, progress, &growth)?;
    let file = work.join(&wanted.file);
    let found = sha256(&file)?;
    if found == wanted.sha256 {
        Ok(file)
    } else {
        Err(StackError::Checksum { file, expected: wanted.sha256.to_owned(), found })
    }
}

/// The sum of a file, in hexadecimal digits.
pub(crate) fn sha256(file: &Path) -> Result<String> {
    let mut hasher = Sha256::new();
    let mut reader = File::open(file).map_err(StackError::file("open", file))?;
    std::io::copy(&mut reader, &mut hasher).map_err(StackError::file("read", file))?;
    Ok(hex(&hasher.finalize()))
}

/// Whether Maven will find a Java by itself. `java` alone may be a stub that only says where to get one.
fn system_has_java() -> bool {
    if let Some(home) = std::env::var_os("JAVA_HOME") {
        return PathBuf::from(home).join("bin/java").is_file();
    }
    Command::new("java")
        .arg("-version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
