//! What is made once for all brokers: the formatted folder and the cache of loaded classes.
//!
//! With static voters a formatted folder holds no port, so that each broker starts from a copy of two small files.
//! The cache of classes (Java 25's ahead-of-time cache, the heir of class-data sharing) shortens a broker's start
//! from 1.6 s to 0.6 s.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::files::{ACL_PROPERTIES, JAVA_VARIABLES, Place, SERVER_PROPERTIES, settings};
use super::{Kafka, KafkaFiles, KafkaOptions, USER_SCRAM};
use crate::User;
use crate::command::Growth;
use crate::error::{Result, StackError};
use crate::manifest::fingerprint;
use crate::prepare::{ClickhousePart, KafkaPart, Maker, Parts, Tools};
use crate::progress::Progress;

/// Any 16 bytes in Kafka's own base 64; each run gives itself another id, see [`name_broker`].
const CLUSTER_ID: &str = "aG91c2VwaXBlLWxvY2Fscw";
/// Writing the class cache takes about five seconds on an idle core.
const CLASSES_MAX: Duration = Duration::from_secs(180);

/// Formats a folder and makes the class cache where they are missing.
pub(crate) fn ensure(maker: &mut Maker<'_>, jars: &Path, runtime: &Path) -> Result<KafkaFiles> {
    let mut files = KafkaFiles {
        java: runtime.join("bin/java"),
        jars: jars.to_owned(),
        template: PathBuf::new(),
        classes: None,
    };
    // Both depend on the jars, on the runtime, on our settings and on the user in the formatted folder; the folders of
    // the first two name their sums.
    let (jars, runtime) = (jars.to_string_lossy(), runtime.to_string_lossy());
    let User { name, password } = USER_SCRAM;
    let print =
        fingerprint(&[&jars, &runtime, SERVER_PROPERTIES, ACL_PROPERTIES, CLUSTER_ID, name, password]);

    files.template = maker.ensure(&format!("kafka-formatted-{print}"), |tools, folder, progress| {
        progress.step("Formatting a folder for Kafka");
        format(&files, tools, folder, progress)
    })?;
    let classes = maker.ensure(&format!("kafka-classes-{print}"), |tools, folder, progress| {
        progress.step("Making Kafka start faster (a cache of its classes, made once)");
        cache_classes(&files, tools, folder)
    })?;
    files.classes = Some(classes.join("classes.aot"));
    Ok(files)
}

fn format(files: &KafkaFiles, tools: &Tools<'_>, folder: &Path, progress: &mut dyn Progress) -> Result<()> {
    let properties = folder.join("server.properties");
    // None of it stays: a broker has its own id, ports and folders.
    let place = Place { id: 1, folder, ports: [1, 2, 3, 4, 5], certificates: folder, controllers: &[1] };
    fs::write(&properties, settings(&place, &KafkaOptions::default()))
        .map_err(StackError::file("write", &properties))?;
    let mut java = Command::new(&files.java);
    java.args(["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"])
        .arg(files.class_path()?)
        .args(["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"])
        .arg(&properties);
    for name in JAVA_VARIABLES {
        java.env_remove(name);
    }
    for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
        java.arg("-S")
            .arg(format!("{mechanism}=[name={},password={}]", USER_SCRAM.name, USER_SCRAM.password));
    }
    tools.run(&java, "kafka-format.log", progress, &Growth::NONE)?;

    // Each broker draws a directory id of its own.
    edit_meta(folder, |line| (!line.starts_with("directory.id")).then(|| line.to_owned()))
}

/// Gives the broker in `folder` its id, and a cluster id of its own, by which it is told from a stranger at its port.
pub(super) fn name_broker(folder: &Path, id: u16, cluster_id: &str) -> Result<()> {
    edit_meta(folder, |line| {
        Some(match line.split_once('=') {
            Some(("cluster.id", _)) => format!("cluster.id={cluster_id}"),
            Some(("node.id", _)) => format!("node.id={id}"),
            _ => line.to_owned(),
        })
    })
}

/// Passes each line of the formatted folder's `meta.properties` through `edit`.
fn edit_meta(folder: &Path, edit: impl Fn(&str) -> Option<String>) -> Result<()> {
    let meta = folder.join("data/meta.properties");
    let text = fs::read_to_string(&meta).map_err(StackError::file("read", &meta))?;
    let lines: String = text.lines().filter_map(edit).map(|line| line + "\n").collect();
    fs::write(&meta, lines).map_err(StackError::file("write", &meta))
}

/// Runs a broker whose Java writes the class cache when it ends.
fn cache_classes(files: &KafkaFiles, tools: &Tools<'_>, folder: &Path) -> Result<()> {
    let classes = folder.join("classes.aot");
    let parts = Parts {
        cache: tools.cache.clone(),
        python: Some(tools.python.to_owned()),
        clickhouse: ClickhousePart::External { url: String::new() },
        kafka: KafkaPart::Local(files.clone()),
        registry: None,
        postgres: None,
        metrics_reader: None,
    };
    let java = [format!("-XX:AOTCacheOutput={}", classes.display())];
    let mut broker = Kafka::attempt(&parts, 1, &KafkaOptions::default(), &java)?;
    // Java writes it at its end. What it had of it when it was killed would be kept for good.
    let ended = broker.stop_until(Instant::now() + CLASSES_MAX)?;
    if ended && classes.is_file() {
        Ok(())
    } else {
        Err(StackError::Ended {
            server: super::SERVER,
            reason: "it did not write the whole cache of its classes".to_owned(),
            tail: broker.log_tail(),
        })
    }
}
