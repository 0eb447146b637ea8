//! How Maven is run, and how what it brings is compared with its checksum.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

use crate::error::{Result, StackError};
use crate::manifest::hex;

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
