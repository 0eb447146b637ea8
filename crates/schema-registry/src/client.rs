//! The client: which host is asked, how often, and what is remembered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use url::Url;

use crate::address::{Subject, Target, Version};
use crate::answer;
use crate::backoff;
use crate::cache::Cache;
use crate::config::{Limits, RegistryConfig};
use crate::error::{ErrorClass, RegistryError};
use crate::framing::SchemaId;
use crate::http::Http;
use crate::references;
use crate::said::Said;
use crate::schema::{Resolved, Schema};
use crate::silence::Silence;

/// The longest pause within a call, in milliseconds. Where a registry asks for a longer one, its error is returned at once and
/// says so ([`RegistryError::retry_after_ms`]).
const PAUSE_MAX_MS: u64 = 5_000;

/// A client of a schema registry. Clones share connections and memory.
///
/// ```no_run
/// use housepipe_schema_registry::{Address, Registry, RegistryConfig, SchemaId};
///
/// # async fn example() -> Result<(), housepipe_schema_registry::RegistryError> {
/// let address: Address = "http://localhost:8081/subjects/clicks-value".parse()?;
/// let registry = Registry::new(RegistryConfig::at(&address))?;
/// let latest = registry.fetch(&address.target).await?;
/// let by_id = registry.schema(latest.id).await?; // from memory
/// println!("{}", registry.resolve(&by_id).await?.references.len());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Registry {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    http: Http,
    hosts: Vec<Host>,
    limits: Limits,
    cache: Cache,
    requests: Semaphore,
    /// The host that had a schema last.
    preferred: AtomicUsize,
}

/// One of the hosts of a registry.
#[derive(Debug)]
struct Host {
    root: Url,
    silence: Silence,
}

impl Host {
    fn new(root: Url) -> Self {
        Host { root, silence: Silence::default() }
    }
}

impl Registry {
    /// A client; nothing is asked yet, and only files that `config` names are read.
    ///
    /// # Errors
    /// [`RegistryError::Config`] where there is no root, or credentials or certificates cannot be used.
    pub fn new(config: RegistryConfig) -> Result<Self, RegistryError> {
        if config.roots.is_empty() {
            let problem = "no url is given; write it as https://host:port".to_owned();
            return Err(RegistryError::Config { problem });
        }
        let shared = Shared {
            http: Http::new(&config)?,
            cache: Cache::new(&config.limits),
            requests: Semaphore::new(config.limits.requests.clamp(1, Semaphore::MAX_PERMITS)),
            preferred: AtomicUsize::new(0),
            hosts: config.roots.into_iter().map(Host::new).collect(),
            limits: config.limits,
        };
        Ok(Registry { shared: Arc::new(shared) })
    }

    /// The schema with the id `id`: from memory, or from the registry, which is asked once however many wait.
    ///
    /// # Errors
    /// [`RegistryError::NoSchema`] where there is none, as all hosts say that have answered within [`Limits::silent_ms`], which is
    /// believed for [`Limits::absent_ms`]; else what stands in the way, see [`RegistryError::class`].
    pub async fn schema(&self, id: SchemaId) -> Result<Arc<Schema>, RegistryError> {
        self.remembered(&Target::Id(id)).await
    }

    /// A version of a subject. One with a number is remembered, also where it was deleted softly since; the latest is asked for
    /// each time.
    ///
    /// # Errors
    /// [`RegistryError::NoSubject`] and [`RegistryError::NoVersion`]; else as [`Registry::schema`].
    pub async fn version(&self, subject: &Subject, version: Version) -> Result<Arc<Schema>, RegistryError> {
        let target = Target::Version(subject.clone(), version);
        match version {
            Version::Number(_) => self.remembered(&target).await,
            Version::Latest => self.ask(&target).await,
        }
    }

    /// What a URL named.
    ///
    /// # Errors
    /// [`RegistryError::Address`] for [`Target::Root`], which names no schema; else as [`Registry::version`].
    pub async fn fetch(&self, target: &Target) -> Result<Arc<Schema>, RegistryError> {
        match target {
            Target::Id(id) => self.schema(*id).await,
            Target::Version(subject, version) => self.version(subject, *version).await,
            Target::Root => Err(RegistryError::Address {
                address: format!("`{}`", self.shared.hosts[0].root),
                problem: "it names no schema; add /subjects/NAME or /schemas/ids/NUMBER".to_owned(),
            }),
        }
    }

    /// `schema` with everything that it refers to, directly or by others.
    ///
    /// # Errors
    /// [`RegistryError::Reference`] for what cannot be had, [`RegistryError::Cycle`], [`RegistryError::TooManyReferences`].
    pub async fn resolve(&self, schema: &Arc<Schema>) -> Result<Resolved, RegistryError> {
        references::resolve(schema, &self.shared.limits, |subject, number| async move {
            self.version(&subject, Version::Number(number)).await
        })
        .await
    }

    async fn remembered(&self, target: &Target) -> Result<Arc<Schema>, RegistryError> {
        self.shared.cache.get_or(target, || self.ask(target)).await
    }

    async fn ask(&self, target: &Target) -> Result<Arc<Schema>, RegistryError> {
        let schema = Arc::new(self.shared.ask(target).await?);
        // The ids of another context are others.
        if !matches!(target, Target::Version(subject, _) if subject.is_qualified()) {
            self.shared.cache.learn(Target::Id(schema.id), &schema);
        }
        Ok(schema)
    }
}

impl Shared {
    /// Asks every host, and all of them again after a pause, while another answer may be hoped for.
    async fn ask(&self, target: &Target) -> Result<Schema, RegistryError> {
        let mut attempt = 0;
        loop {
            let error = match self.ask_hosts(target).await {
                Ok(schema) => return Ok(schema),
                Err(error) => error,
            };
            let backoff_ms = backoff::delay_ms(attempt, backoff::random());
            let pause_ms = backoff_ms.max(error.retry_after_ms().unwrap_or(0));
            attempt += 1;
            if error.class() != ErrorClass::Retry
                || attempt >= self.limits.attempts
                || pause_ms > PAUSE_MAX_MS
            {
                return Err(error);
            }
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        }
    }

    /// Asks the host that had a schema last, and the others where it cannot answer, or does not have it: it may have been told to
    /// one of them just now.
    async fn ask_hosts(&self, target: &Target) -> Result<Schema, RegistryError> {
        let first = self.preferred.load(Ordering::Relaxed);
        let mut said = Said::default();
        for step in 0..self.hosts.len() {
            let at = (first + step) % self.hosts.len();
            let host = &self.hosts[at];
            match self.ask_host(&host.root, target).await {
                Ok(schema) => {
                    host.silence.end();
                    self.preferred.store(at, Ordering::Relaxed);
                    return Ok(schema);
                }
                Err(error) if error.is_verdict() => {
                    host.silence.end();
                    said.verdict(error);
                }
                Err(error) if error.is_silence() => {
                    let silent = host.silence.goes_on(Instant::now());
                    said.nothing(error, silent >= Duration::from_millis(self.limits.silent_ms));
                }
                Err(error) => return Err(error),
            }
        }
        Err(said.outcome())
    }

    async fn ask_host(&self, root: &Url, target: &Target) -> Result<Schema, RegistryError> {
        let url = url_of(root, target)?;
        // It is closed by nobody.
        let _permit = self.requests.acquire().await.ok();
        let answer = self.http.get(&url).await?;
        answer::schema(&url, target, &answer)
    }
}

fn url_of(root: &Url, target: &Target) -> Result<Url, RegistryError> {
    let mut url = root.clone();
    let (id, version);
    let segments = match target {
        Target::Root => Vec::new(),
        Target::Id(SchemaId(number)) => {
            id = number.to_string();
            vec!["schemas", "ids", &id]
        }
        Target::Version(Subject(subject), _) if matches!(subject.as_str(), "" | "." | "..") => {
            return Err(RegistryError::Address {
                address: format!("the subject `{subject}`"),
                problem: "no url can hold such a name".to_owned(),
            });
        }
        Target::Version(Subject(subject), number) => {
            version = number.to_string();
            vec!["subjects", subject, "versions", &version]
        }
    };
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    if let Target::Version(_, Version::Number(_)) = target {
        // Records and schemas refer to a version also after it was deleted, softly.
        url.set_query(Some("deleted=true"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_keep_the_path_of_the_root_and_escape_subjects() {
        let url = |root: &str, target: &Target| url_of(&root.parse().unwrap(), target).unwrap().to_string();
        let of = |subject: &str, version| Target::Version(Subject(subject.to_owned()), version);
        assert_eq!(url("https://r/api/", &Target::Id(SchemaId(7))), "https://r/api/schemas/ids/7");
        assert_eq!(url("https://r", &of("s", Version::Latest)), "https://r/subjects/s/versions/latest");
        assert_eq!(
            url("https://r/", &of("a/b c?%", Version::Number(2))),
            "https://r/subjects/a%2Fb%20c%3F%25/versions/2?deleted=true"
        );
        for subject in ["", ".", ".."] {
            url_of(&"https://r/".parse().unwrap(), &of(subject, Version::Latest)).unwrap_err();
        }
    }
}
