//! Kafka's jars by way of Maven, each compared with its checksum.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::command::{Growth, Measure};
use crate::error::{Result, StackError};
use crate::manifest::KafkaJars;
use crate::maven::{self, sha256};
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

    let plugin = format!(
        "org.apache.maven.plugins:maven-dependency-plugin:{}:copy-dependencies",
        kafka.dependency_plugin
    );
    let mut maven = maven::command(&work, &repository, java_runtime);
    maven.arg("-f").arg(&pom).arg(plugin).arg("-DincludeScope=runtime");
    maven.arg(format!("-DoutputDirectory={}", folder.display()));
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
