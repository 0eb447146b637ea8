//! The client: which host is asked, how often, and what is remembered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

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
use crate::schema::{Resolved, Schema};

/// The longest pause within a call, in milliseconds. Where a registry asks for a longer one, its error is returned at once and
/// says so.
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
    roots: Vec<Url>,
    limits: Limits,
    cache: Cache,
    requests: Semaphore,
    /// The root that answered last.
    preferred: AtomicUsize,
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
            roots: config.roots,
            limits: config.limits,
        };
        Ok(Registry { shared: Arc::new(shared) })
    }

    /// The schema with the id `id`: from memory, or from the registry, which is asked once however many wait.
    ///
    /// # Errors
    /// [`RegistryError::NoSchema`] where there is none, which is believed for [`Limits::absent_ms`]; else what stands in the
    /// way, see [`RegistryError::class`].
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
                address: format!("`{}`", self.shared.roots[0]),
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
    /// Asks every root, and all of them again after a pause, while another answer may be hoped for.
    async fn ask(&self, target: &Target) -> Result<Schema, RegistryError> {
        let mut attempt = 0;
        loop {
            let error = match self.ask_roots(target).await {
                Ok(schema) => return Ok(schema),
                Err(error) => error,
            };
            let pause_ms = match &error {
                RegistryError::Busy { retry_after_ms: Some(asked_ms), .. } => *asked_ms,
                _ => backoff::delay_ms(attempt, backoff::random()),
            };
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

    /// Asks the root that answered last, and the others where it cannot, or does not have it: it may have been told to one of them
    /// just now. That none has it is believed where one has said so, though others are away: they may be away for good.
    async fn ask_roots(&self, target: &Target) -> Result<Schema, RegistryError> {
        let first = self.preferred.load(Ordering::Relaxed);
        let mut kept: Option<RegistryError> = None;
        for step in 0..self.roots.len() {
            let at = (first + step) % self.roots.len();
            match self.ask_root(&self.roots[at], target).await {
                Ok(schema) => {
                    self.preferred.store(at, Ordering::Relaxed);
                    return Ok(schema);
                }
                Err(error) if error.is_of_one_host() => {
                    // While one of them may come back, it is worth while to wait.
                    let weight =
                        |error: &RegistryError| (error.is_absence(), error.class() == ErrorClass::Retry);
                    let keep = kept.as_ref().is_none_or(|kept| weight(kept) < weight(&error));
                    kept = if keep { Some(error) } else { kept };
                }
                Err(error) => return Err(error),
            }
        }
        Err(kept.unwrap_or(RegistryError::Config { problem: "no url is given".to_owned() }))
    }

    async fn ask_root(&self, root: &Url, target: &Target) -> Result<Schema, RegistryError> {
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
