//! What a broker is started from: its settings, the files in its folder and the command line of Java.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::{KafkaOptions, USER_ADMIN, USER_PLAIN};
use crate::error::{Result, StackError};
use crate::issuer::{ISSUER_AUDIENCE, ISSUER_NAME};
use crate::keeper::Launch;

pub(super) const SERVER_PROPERTIES: &str = include_str!("server.properties");
pub(super) const ACL_PROPERTIES: &str = include_str!("acl.properties");
const ISSUER_PROPERTIES: &str = include_str!("issuer.properties");
const LOG_PROPERTIES: &str = include_str!("log4j2.properties");

/// Variables from which every Java takes further options. Those of the user are for other programs: an agent or a
/// collector in them breaks the broker or makes its cache of classes useless.
pub(crate) const JAVA_VARIABLES: [&str; 4] =
    ["JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "JDK_AOT_VM_OPTIONS"];

/// What a broker is started from; all of it in the cache.
#[derive(Debug, Clone)]
pub(crate) struct KafkaFiles {
    pub(super) java: PathBuf,
    pub(super) jars: PathBuf,
    pub(super) template: PathBuf,
    pub(super) classes: Option<PathBuf>,
}

impl KafkaFiles {
    /// All jars by name, in order: the cache of classes is valid for exactly one order.
    pub(super) fn class_path(&self) -> Result<OsString> {
        let mut jars: Vec<PathBuf> = fs::read_dir(&self.jars)
            .map_err(StackError::file("read", &self.jars))?
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .collect();
        jars.sort();
        std::env::join_paths(&jars).map_err(|error| StackError::File {
            what: "put into a class path",
            path: self.jars.clone(),
            source: std::io::Error::other(error),
        })
    }
}

/// Ports of the controller, of the plain, the SASL and the mTLS listener, and of the one behind a proxy.
pub(super) const PORTS: usize = 5;

/// Heap of a broker that is alone, in MiB.
const HEAP_MIB: u16 = 160;
/// Heap of a broker that bears a part of the load only, in MiB.
const HEAP_OF_SEVERAL_MIB: u16 = 96;
/// Heap of a broker for benchmarks, in MiB.
const HEAP_OF_THROUGHPUT_MIB: u16 = 1_024;

/// Where a broker is, and who is beside it.
#[derive(Debug)]
pub(super) struct Place<'a> {
    /// Its number in the cluster, from 1.
    pub(super) id: u16,
    pub(super) folder: &'a Path,
    pub(super) ports: [u16; PORTS],
    /// The folder with the certificates that all brokers share.
    pub(super) certificates: &'a Path,
    /// The ports of all controllers, in the order of their ids.
    pub(super) controllers: &'a [u16],
}

impl Place<'_> {
    /// The controllers with their ids, as Kafka writes them.
    fn voters(&self) -> String {
        let voter = |(id, port): (u16, &u16)| format!("{id}@127.0.0.1:{port}");
        (1..).zip(self.controllers).map(voter).collect::<Vec<_>>().join(",")
    }

    /// Replicas of each partition that must have a record before it is acknowledged: most of them.
    fn in_sync(&self) -> usize {
        self.controllers.len() / 2 + 1
    }
}

/// Where the key of an issuer is.
fn jwks_url(port: u16) -> String {
    format!("http://127.0.0.1:{port}/jwks")
}

/// The broker's settings.
pub(super) fn settings(place: &Place<'_>, options: &KafkaOptions) -> String {
    let [controller, plaintext, sasl_ssl, mtls, behind] = place.ports.map(|port| port.to_string());
    // A backslash starts an escape in a file of properties.
    let path = |path: &Path| path.to_string_lossy().replace('\\', r"\\");
    let mut text = SERVER_PROPERTIES
        .replace("@FOLDER@", &path(place.folder))
        .replace("@CERTIFICATES@", &path(place.certificates))
        .replace("@ID@", &place.id.to_string())
        .replace("@VOTERS@", &place.voters())
        .replace("@REPLICAS@", &place.controllers.len().to_string())
        .replace("@IN_SYNC@", &place.in_sync().to_string())
        .replace("@CONTROLLER@", &controller)
        .replace("@PLAINTEXT@", &plaintext)
        .replace("@SASL_SSL@", &sasl_ssl)
        .replace("@MTLS@", &mtls)
        .replace("@ADMIN_PASSWORD@", USER_ADMIN.password)
        .replace("@ALICE_PASSWORD@", USER_PLAIN.password);
    if options.acl {
        text.push_str(ACL_PROPERTIES);
    }
    if let Some(port) = options.issuer {
        text.push_str(
            &ISSUER_PROPERTIES
                .replace("@JWKS@", &jwks_url(port))
                .replace("@ISSUER@", ISSUER_NAME)
                .replace("@AUDIENCE@", ISSUER_AUDIENCE),
        );
    }
    text.push('\n');
    text.push_str(options.settings);
    text.push('\n');
    if let Some(proxy) = options.behind {
        let own = "127.0.0.1";
        text = text
            .replace("listeners=PLAINTEXT:", &format!("listeners=BEHIND://{own}:{behind},PLAINTEXT:"))
            .replace("protocol.map=PLAINTEXT:", "protocol.map=BEHIND:PLAINTEXT,PLAINTEXT:");
        text.push_str(&format!(
            "\nadvertised.listeners=BEHIND://{own}:{proxy},PLAINTEXT://{own}:{plaintext},\
             SASL_SSL://{own}:{sasl_ssl},MTLS://{own}:{mtls}\n"
        ));
    }
    text
}

pub(super) fn write_files(files: &KafkaFiles, place: &Place<'_>, options: &KafkaOptions) -> Result<()> {
    let folder = place.folder;
    for (name, text) in
        [("server.properties", settings(place, options)), ("log4j2.properties", LOG_PROPERTIES.to_owned())]
    {
        let path = folder.join(name);
        fs::write(&path, text).map_err(StackError::file("write", &path))?;
    }
    copy_folder(&files.template.join("data"), &folder.join("data"))
}

/// Copies a small folder with what is in it.
fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).map_err(StackError::file("create", to))?;
    for entry in fs::read_dir(from).map_err(StackError::file("read", from))? {
        let entry = entry.map_err(StackError::file("read", from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy_folder(&source, &target)?;
        } else {
            fs::copy(&source, &target).map_err(StackError::file("copy", &source))?;
        }
    }
    Ok(())
}

pub(super) fn launch(
    files: &KafkaFiles,
    place: &Place<'_>,
    options: &KafkaOptions,
    java: &[String],
) -> Result<Launch> {
    let folder = place.folder;
    let heap_mib = match place.controllers.len() {
        _ if options.throughput => HEAP_OF_THROUGHPUT_MIB,
        0 | 1 => HEAP_MIB,
        _ => HEAP_OF_SEVERAL_MIB,
    };
    let mut argv = vec![files.java.to_string_lossy().into_owned(), "-XX:+UseSerialGC".to_owned()];
    argv.push(format!("-Xmx{heap_mib}m"));
    if !options.throughput {
        argv.push("-XX:TieredStopAtLevel=1".to_owned());
    }
    if let Some(classes) = &files.classes {
        argv.push(format!("-XX:AOTCache={}", classes.display()));
    }
    // Java warns about each class that it cannot take from its cache, which would hide the broker's own words.
    argv.extend(["-Xlog:disable".to_owned(), "-Xlog:all=error:stdout".to_owned()]);
    if let Some(port) = options.issuer {
        // Java asks no other address for keys.
        argv.push(format!("-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={}", jwks_url(port)));
    }
    argv.extend_from_slice(java);
    argv.extend([
        format!("-Dlog4j2.configurationFile={}", folder.join("log4j2.properties").display()),
        "-cp".to_owned(),
        files.class_path()?.to_string_lossy().into_owned(),
        "kafka.Kafka".to_owned(),
        folder.join("server.properties").to_string_lossy().into_owned(),
    ]);
    let env = JAVA_VARIABLES.iter().map(|name| ((*name).to_owned(), None)).collect();
    Ok(Launch { argv, env, end: None })
}
