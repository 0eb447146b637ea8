//! The schemas that a process has at hand, for all its threads.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use housepipe_json_schema::Schema;
use housepipe_schema_registry::{Registry, RegistryError, SchemaId, Target};

use super::codes;
use super::fetch::{self, Unusable};
use crate::error::PipeError;
use crate::pipe_file::RegistrySpec;

/// Compiled schemas that are kept; of more, those that were not asked for longest are compiled anew when they are.
const SCHEMAS_MAX: usize = 256;

/// Time for which a registry is asked again for a schema that it does not have, before records of it are rejected, in milliseconds:
/// one of several servers may hear of a new schema later than the others.
const UNKNOWN_ASKED_MS: u64 = 12_000;

/// Time between two of these questions, in milliseconds, and for which the client believes that there is none.
const UNKNOWN_PAUSE_MS: u64 = 2_000;

/// Time for which it is believed that a schema cannot be used, in milliseconds.
const UNUSABLE_MS: u64 = 60_000;

/// What is known of the schemas of a registry. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Schemas(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    /// Of records that name none.
    configured: Option<SchemaId>,
    unknown_asked: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    known: HashMap<SchemaId, Known>,
    /// Somebody asks the registry for them at this moment.
    asked: HashSet<SchemaId>,
    /// Counts questions, to tell which was asked for last.
    clock: u64,
}

#[derive(Debug, Clone)]
struct Known {
    found: Result<Schema, Unusable>,
    since: Instant,
    used: u64,
}

impl Known {
    fn is_believed(&self) -> bool {
        self.found.is_ok() || self.since.elapsed() < Duration::from_millis(UNUSABLE_MS)
    }
}

impl Schemas {
    /// The registry of a pipe, and the schema that its file names, which is fetched.
    ///
    /// # Errors
    /// [`PipeError::Registry`] and [`PipeError::Schema`] where the schema that the file names is not to be had, or is none.
    pub(crate) async fn open(spec: &RegistrySpec) -> Result<Schemas, PipeError> {
        Schemas::with(spec, Duration::from_millis(UNKNOWN_ASKED_MS)).await
    }

    /// The same for a look at records that are not loaded: a registry that does not have a schema is asked once.
    ///
    /// # Errors
    /// As [`Schemas::open`].
    pub(crate) async fn open_for_a_look(spec: &RegistrySpec) -> Result<Schemas, PipeError> {
        Schemas::with(spec, Duration::ZERO).await
    }

    async fn with(spec: &RegistrySpec, unknown_asked: Duration) -> Result<Schemas, PipeError> {
        let mut config = spec.config.clone();
        // It is asked again sooner here, to hear of a new schema.
        config.limits.absent_ms = config.limits.absent_ms.min(UNKNOWN_PAUSE_MS);
        let registry = Registry::new(config)?;
        let configured = match &spec.target {
            Target::Root => None,
            target => Some(registry.fetch(target).await?.id),
        };
        let schemas =
            Schemas(Arc::new(Inner { registry, configured, unknown_asked, state: Mutex::default() }));
        if let Some(id) = configured {
            let found = fetch::compiled(&schemas.0.registry, id).await?;
            if let Err(unusable) = &found {
                return Err(PipeError::Schema { problem: unusable.message.clone() });
            }
            schemas.learn(id, found);
        }
        Ok(schemas)
    }

    /// The schema of records that name none.
    pub(crate) fn configured(&self) -> Option<SchemaId> {
        self.0.configured
    }

    /// The registry's client.
    pub(crate) fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// These schemas, and a registry that is never asked.
    #[cfg(test)]
    pub(super) fn known(configured: Option<SchemaId>, texts: &[(u32, &str)]) -> Schemas {
        let address = "http://127.0.0.1:1".parse().unwrap();
        let registry = Registry::new(housepipe_schema_registry::RegistryConfig::at(&address)).unwrap();
        let inner = Inner { registry, configured, unknown_asked: Duration::ZERO, state: Mutex::default() };
        let schemas = Schemas(Arc::new(inner));
        let none: [(&str, &str); 0] = [];
        for (id, text) in texts {
            let schema = Schema::compile(text, none, &housepipe_json_schema::Options::default()).unwrap();
            schemas.learn(SchemaId(*id), Ok(schema));
        }
        schemas
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The schema `id`, or why there is none; nothing where the registry has to be asked.
    pub(super) fn at_hand(&self, id: SchemaId) -> Option<Result<Schema, Unusable>> {
        let mut state = self.lock();
        state.clock += 1;
        let used = state.clock;
        let known = state.known.get_mut(&id).filter(|known| known.is_believed())?;
        known.used = used;
        Some(known.found.clone())
    }

    /// Whether the caller has to [`fetch`](Self::fetch) the schema: it is not at hand, and nobody else does.
    pub(crate) fn begin(&self, id: SchemaId) -> bool {
        let mut state = self.lock();
        let is_at_hand = state.known.get(&id).is_some_and(Known::is_believed);
        !is_at_hand && state.asked.insert(id)
    }

    /// Nobody fetches it any more.
    pub(crate) fn give_up(&self, id: SchemaId) {
        self.lock().asked.remove(&id);
    }

    /// Asks the registry for a schema, and keeps the answer. For one that is not there it is asked again for some time.
    ///
    /// # Errors
    /// What may pass, or be mended.
    pub(crate) async fn fetch(&self, id: SchemaId) -> Result<(), RegistryError> {
        let began = Instant::now();
        loop {
            let found = fetch::compiled(&self.0.registry, id).await?;
            let is_unknown = found.as_ref().is_err_and(|unusable| unusable.code == codes::UNKNOWN);
            if !is_unknown || began.elapsed() >= self.0.unknown_asked {
                self.learn(id, found);
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(UNKNOWN_PAUSE_MS)).await;
        }
    }

    fn learn(&self, id: SchemaId, found: Result<Schema, Unusable>) {
        let mut state = self.lock();
        state.asked.remove(&id);
        state.clock += 1;
        let used = state.clock;
        if state.known.len() >= SCHEMAS_MAX
            && let Some(oldest) = state.known.iter().min_by_key(|(_, known)| known.used).map(|(id, _)| *id)
        {
            state.known.remove(&oldest);
        }
        state.known.insert(id, Known { found, since: Instant::now(), used });
    }
}
