//! What a registry is started from: its archive, unpacked, and the command line of Java.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{RegistryOptions, USER_REGISTRY};
use crate::certificates::Certificates;
use crate::command::Growth;
use crate::error::Result;
use crate::kafka::JAVA_VARIABLES;
use crate::keeper::Launch;
use crate::manifest::RegistryArchive;
use crate::maven::{self, Download};
use crate::prepare::{Maker, Tools};
use crate::progress::Progress;

/// Ports of HTTP, of the management interface and of HTTPS.
pub(super) const PORTS: usize = 3;
/// Heap of a registry, in MiB.
const HEAP_MIB: u16 = 256;
/// Unpacks an archive whose sum was compared: its first argument into its second.
const UNPACK_PY: &str = "import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2])";

/// What a registry is started from; all of it in the cache.
#[derive(Debug, Clone)]
pub(crate) struct RegistryFiles {
    java: PathBuf,
    /// The folder with `quarkus-run.jar`.
    app: PathBuf,
}

impl RegistryFiles {
    /// Downloads and unpacks the archive where that was not done.
    pub(crate) fn ensure(
        maker: &mut Maker<'_>,
        archive: &RegistryArchive,
        java_runtime: &Path,
    ) -> Result<RegistryFiles> {
        let app = maker.ensure(&archive.folder(), |tools, folder, progress| {
            unpack(archive, java_runtime, tools, folder, progress)
        })?;
        Ok(RegistryFiles { java: java_runtime.join("bin/java"), app })
    }

    /// The command line of a registry in `folder`, on these ports, that shows `token` with every answer.
    pub(super) fn launch(
        &self,
        folder: &Path,
        [http, management, https]: [u16; PORTS],
        token: &str,
        certificates: &Certificates,
        options: &RegistryOptions,
    ) -> Launch {
        let own = "127.0.0.1";
        let mut argv = vec![
            self.java.to_string_lossy().into_owned(),
            format!("-Xmx{HEAP_MIB}m"),
            "-XX:+UseSerialGC".to_owned(),
            "-XX:TieredStopAtLevel=1".to_owned(),
        ];
        let mut set = |key: &str, value: &str| argv.push(format!("-D{key}={value}"));
        // It unpacks native libraries there, and a registry that is killed would leave them behind.
        set("java.io.tmpdir", &folder.to_string_lossy());
        set("quarkus.http.host", own);
        set("quarkus.http.port", &http.to_string());
        set("quarkus.management.host", own);
        set("quarkus.management.port", &management.to_string());
        set("quarkus.http.ssl-port", &https.to_string());
        set("quarkus.http.ssl.certificate.files", &certificates.server.to_string_lossy());
        set("quarkus.http.ssl.certificate.key-files", &certificates.server_key.to_string_lossy());
        set(&format!("quarkus.http.header.\"{}\".value", super::TOKEN_HEADER), token);
        set("quarkus.http.access-log.enabled", "false");
        set("apicurio.datasource.jdbc.initial-size", "2");
        set("apicurio.datasource.jdbc.min-size", "2");
        // A file that is written before the answer is sent: what was registered outlives a SIGKILL.
        let database = folder.join("data/registry");
        set("apicurio.datasource.url", &format!("jdbc:h2:file:{};WRITE_DELAY=0", database.display()));
        if options.basic {
            let user = USER_REGISTRY.name;
            set("quarkus.http.auth.basic", "true");
            set("quarkus.security.users.embedded.plain-text", "true");
            set(&format!("quarkus.security.users.embedded.users.{user}"), USER_REGISTRY.password);
            set(&format!("quarkus.security.users.embedded.roles.{user}"), "sr-admin");
            set("quarkus.http.auth.permission.all.paths", &format!("{}/*", super::API));
            set("quarkus.http.auth.permission.all.policy", "authenticated");
        }
        argv.extend(["-jar".to_owned(), self.app.join("quarkus-run.jar").to_string_lossy().into_owned()]);
        let env = JAVA_VARIABLES.iter().map(|name| ((*name).to_owned(), None)).collect();
        Launch { argv, env, end: None }
    }
}

fn unpack(
    archive: &RegistryArchive,
    java_runtime: &Path,
    tools: &Tools<'_>,
    folder: &Path,
    progress: &mut dyn Progress,
) -> Result<()> {
    progress.step(&format!("Downloading Apicurio Registry {} ({})", archive.version, archive.why));
    let work = tools.staging("registry");
    let wanted = Download {
        plugin: &archive.dependency_plugin,
        coordinates: archive.coordinates(),
        file: archive.file(),
        bytes: archive.download_bytes,
        sha256: &archive.sha256,
    };
    let file = maven::download(&wanted, java_runtime, tools, &work, "maven-registry.log", progress)?;
    progress.step("Unpacking it");
    let mut python = Command::new(tools.python);
    python.args(["-I", "-c", UNPACK_PY]).arg(&file).arg(folder);
    tools.run(&python, "registry-unpack.log", progress, &Growth::NONE)?;
    crate::cache::remove_folder(&work)
}
