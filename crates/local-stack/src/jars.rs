//! Kafka's jars by way of Maven, each compared with its checksum.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

use crate::command::{Growth, Measure};
use crate::error::{Result, StackError};
use crate::manifest::{KafkaJars, hex};
use crate::prepare::{Maker, Tools};
use crate::progress::Progress;

/// What the jars, Maven's plugins and their poms come to; only for the progress display.
const REPOSITORY_BYTES: u64 = 43_000_000;

/// The folder with the jars.
pub(crate) fn ensure(maker: &mut Maker<'_>, kafka: &KafkaJars, java_runtime: &Path) -> Result<PathBuf> {
    maker
        .ensure(&kafka.folder(), |tools, folder, progress| make(kafka, java_runtime, tools, folder, progress))
}

fn make(
    kafka: &KafkaJars,
    java_runtime: &Path,
    tools: &Tools<'_>,
    folder: &Path,
    progress: &mut dyn Progress,
) -> Result<()> {
    progress.step(&format!("Downloading the jars of Kafka {} ({})", kafka.version, kafka.why));
    let work = tools.staging("maven");
    fs::create_dir_all(&work).map_err(StackError::file("create", &work))?;
    let repository = work.join("repository");
    let pom = work.join("pom.xml");
    fs::write(&pom, kafka.pom()).map_err(StackError::file("write", &pom))?;

    let mut maven = Command::new("mvn");
    maven
        .args(["-B", "--strict-checksums", "-f"])
        .arg(&pom)
        .arg(format!(
            "org.apache.maven.plugins:maven-dependency-plugin:{}:copy-dependencies",
            kafka.dependency_plugin
        ))
        .arg("-DincludeScope=runtime")
        .arg(format!("-DoutputDirectory={}", folder.display()))
        // Of this set-up alone: a jar that was damaged in the user's own repository would come back with every attempt.
        .arg(format!("-Dmaven.repo.local={}", repository.display()))
        // A .mvn folder or a MAVEN_ARGS above us is not for this project.
        .current_dir(&work)
        .env_remove("MAVEN_ARGS");
    if !system_has_java() {
        maven.env("JAVA_HOME", java_runtime);
    }
    // Maven's own plugins come into the repository as well, and the jars are copied from it at the end.
    let growth = Growth { folders: &[&repository], total: Some(REPOSITORY_BYTES), measure: Measure::Sum };
    tools.run(&maven, "maven.log", progress, &growth)?;
    verify(folder, &kafka.jars)
}

/// Compares the folder with the list: every jar with its sum, and no jar besides.
fn verify(folder: &Path, jars: &BTreeMap<String, String>) -> Result<()> {
    for (name, expected) in jars {
        let file = folder.join(name);
        let found = if file.is_file() { sha256(&file)? } else { "of no file".to_owned() };
        if found != *expected {
            return Err(StackError::Checksum { file, expected: expected.clone(), found });
        }
    }
    for entry in fs::read_dir(folder).map_err(StackError::file("read", folder))? {
        let entry = entry.map_err(StackError::file("read", folder))?;
        if !jars.contains_key(&*entry.file_name().to_string_lossy()) {
            let found = sha256(&entry.path())?;
            return Err(StackError::Checksum {
                file: entry.path(),
                expected: "of no file".to_owned(),
                found,
            });
        }
    }
    Ok(())
}

fn sha256(file: &Path) -> Result<String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_a_missing_and_a_foreign_jar_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("a.jar", "abc");
        let sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let list = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), sum.to_owned())).collect();
        verify(folder.path(), &list(&["a.jar"])).unwrap();
        assert!(verify(folder.path(), &list(&["a.jar", "b.jar"])).is_err(), "b.jar is missing");
        write("b.jar", "abcd");
        assert!(verify(folder.path(), &list(&["a.jar", "b.jar"])).is_err(), "b.jar was changed");
        assert!(verify(folder.path(), &list(&["a.jar"])).is_err(), "b.jar is foreign");
    }
}
