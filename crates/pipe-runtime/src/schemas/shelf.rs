//! The schemas that a process has at hand, for all its threads.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use housepipe_json_schema::Schema;
use housepipe_schema_registry::{Registry, RegistryError, SchemaId, Target};

use super::fetch::{self, Found, Unusable};
use crate::error::PipeError;
use crate::pipe_file::RegistrySpec;

/// Compiled schemas that are kept; of more, those that were not asked for longest are compiled anew when they are.
const SCHEMAS_MAX: usize = 256;

/// Texts of the compiled schemas that are kept, with what each refers to, in bytes; the newest one is kept whatever it has.
const SCHEMAS_BYTES_MAX: usize = 32 << 20;

/// What the schemas that are kept are compiled to, in bytes: a short text may become something large. The newest one is kept
/// whatever it has.
const COMPILED_BYTES_MAX: usize = 128 << 20;

/// Time for which the client believes that a registry does not have something, in milliseconds: it is asked again soon.
const ABSENT_MS: u64 = 2_000;

/// Age of the knowledge that a schema cannot be used from which on the registry is asked again, in milliseconds. Until it has
/// answered, and where it does not, that holds.
const UNUSABLE_MS: u64 = 60_000;

/// Time without a record that waits for a schema, after which nobody does any more, in milliseconds. A worker looks twice a second, but
/// one with many partitions comes back to each after some batches of the others.
const WANTED_MS: u64 = 60_000;

/// Schemas that the registry is asked for at once, those for which a partition stands still not counted; the others are asked for
/// after them.
const ASKED_MAX: usize = 256;

/// What is known of the schemas of a registry. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Schemas(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    /// Of records that name none.
    configured: Option<SchemaId>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    known: HashMap<SchemaId, Known>,
    /// Somebody asks the registry for them at this moment.
    asked: HashSet<SchemaId>,
    /// When a record was last found that waits for it.
    wanted: HashMap<SchemaId, Instant>,
    /// Counts questions, to tell which was asked for last.
    clock: u64,
}

impl State {
    /// Whether something has to be forgotten before this one is kept.
    fn is_full_for(&self, found: &Found) -> bool {
        let sum = |bytes: fn(&Found) -> usize| -> usize {
            bytes(found) + self.known.values().map(|known| bytes(&known.found)).sum::<usize>()
        };
        self.known.len() >= SCHEMAS_MAX
            || sum(|found| found.bytes) > SCHEMAS_BYTES_MAX
            || sum(compiled_bytes) > COMPILED_BYTES_MAX
    }
}

fn compiled_bytes(found: &Found) -> usize {
    found.schema.as_ref().map_or(0, Schema::bytes)
}

#[derive(Debug, Clone)]
struct Known {
    found: Found,
    since: Instant,
    used: u64,
}

impl Known {
    fn is_old(&self) -> bool {
        self.found.schema.is_err() && self.since.elapsed() >= Duration::from_millis(UNUSABLE_MS)
    }
}

impl Schemas {
    /// The registry of a pipe, and the schema that its file names, which is fetched.
    ///
    /// # Errors
    /// [`PipeError::Registry`] and [`PipeError::Schema`] where the schema that the file names is not to be had, or is none.
    pub(crate) async fn open(spec: &RegistrySpec) -> Result<Schemas, PipeError> {
        let mut config = spec.config.clone();
        config.limits.absent_ms = config.limits.absent_ms.min(ABSENT_MS);
        let registry = Registry::new(config)?;
        let configured = match &spec.target {
            Target::Root => None,
            target => Some(registry.fetch(target).await?.id),
        };
        let schemas = Schemas(Arc::new(Inner { registry, configured, state: Mutex::default() }));
        if let Some(id) = configured {
            let found = fetch::compiled(&schemas.0.registry, id).await?;
            if let Err(unusable) = &found.schema {
                return Err(PipeError::Schema { problem: unusable.message.clone() });
            }
            schemas.learn(id, found);
        }
        Ok(schemas)
    }

    /// These schemas, and a registry that is never asked.
    #[cfg(test)]
    pub(super) fn known(configured: Option<SchemaId>, texts: &[(u32, &str)]) -> Schemas {
        let address = "http://127.0.0.1:1".parse().unwrap();
        let registry = Registry::new(housepipe_schema_registry::RegistryConfig::at(&address)).unwrap();
        let schemas = Schemas(Arc::new(Inner { registry, configured, state: Mutex::default() }));
        let none: [(&str, &str); 0] = [];
        for (id, text) in texts {
            let schema = Schema::compile(text, none, &housepipe_json_schema::Options::default()).unwrap();
            schemas.learn(SchemaId(*id), Found { schema: Ok(schema), bytes: text.len() });
        }
        schemas
    }

    /// As if what is known of a schema were old.
    #[cfg(test)]
    pub(super) fn age(&self, id: SchemaId) {
        if let Some(known) = self.lock().known.get_mut(&id) {
            known.since = Instant::now().checked_sub(Duration::from_millis(UNUSABLE_MS)).unwrap();
        }
    }

    /// The schema of records that name none.
    pub(crate) fn configured(&self) -> Option<SchemaId> {
        self.0.configured
    }

    /// The registry's client.
    pub(crate) fn registry(&self) -> &Registry {
        &self.0.registry
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The schema `id`, or why there is none; nothing where the registry has to be asked.
    pub(super) fn at_hand(&self, id: SchemaId) -> Option<Result<Schema, Unusable>> {
        let mut state = self.lock();
        state.clock += 1;
        let used = state.clock;
        let known = state.known.get_mut(&id)?;
        known.used = used;
        Some(known.found.schema.clone())
    }

    /// Whether what is known of a schema is so old that the registry is to be asked again, beside records that go on.
    pub(super) fn is_old(&self, id: SchemaId) -> bool {
        self.lock().known.get(&id).is_some_and(Known::is_old)
    }

    /// Whether the caller has to [`fetch`](Self::fetch) the schema, which a record waits for: nobody else does. The `first` one for
    /// which a partition waits always has room.
    pub(crate) fn begin(&self, id: SchemaId, first: bool) -> bool {
        let mut state = self.lock();
        let is_lacking = !state.known.contains_key(&id);
        let has_room = first || state.asked.len() < ASKED_MAX;
        if is_lacking && (has_room || state.asked.contains(&id)) {
            state.wanted.insert(id, Instant::now());
        }
        is_lacking && has_room && state.asked.insert(id)
    }

    /// Whether the caller has to ask once whether what is known of the schema still holds: it is old, and nobody else does.
    pub(crate) fn begin_to_doubt(&self, id: SchemaId) -> bool {
        let mut state = self.lock();
        state.asked.len() < ASKED_MAX
            && state.known.get(&id).is_some_and(Known::is_old)
            && state.asked.insert(id)
    }

    /// What is known of the schema is believed for another while.
    pub(crate) fn believe(&self, id: SchemaId) {
        if let Some(known) = self.lock().known.get_mut(&id) {
            known.since = Instant::now();
        }
    }

    /// Whether a record has waited for the schema lately: its partition may be somebody else's by now.
    pub(crate) fn is_wanted(&self, id: SchemaId) -> bool {
        let wanted = self.lock().wanted.get(&id).copied();
        wanted.is_some_and(|at| at.elapsed() < Duration::from_millis(WANTED_MS))
    }

    /// Nobody fetches it any more.
    pub(crate) fn give_up(&self, id: SchemaId) {
        let mut state = self.lock();
        state.asked.remove(&id);
        state.wanted.remove(&id);
    }

    /// Asks the registry for a schema. The answer is kept with [`learn`](Self::learn).
    ///
    /// # Errors
    /// What may pass, or be mended.
    pub(crate) async fn fetch(&self, id: SchemaId) -> Result<Found, RegistryError> {
        fetch::compiled(&self.0.registry, id).await
    }

    /// Keeps an answer of the registry's.
    pub(crate) fn learn(&self, id: SchemaId, found: Found) {
        self.give_up(id);
        let mut state = self.lock();
        state.clock += 1;
        let used = state.clock;
        state.known.remove(&id);
        while state.is_full_for(&found)
            && let Some(oldest) = state.known.iter().min_by_key(|(_, known)| known.used).map(|(id, _)| *id)
        {
            state.known.remove(&oldest);
        }
        state.known.insert(id, Known { found, since: Instant::now(), used });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_texts_that_become_something_large_are_not_at_hand_at_once() {
        let properties: Vec<String> =
            (0..1_500).map(|at| format!(r#""k{at}":{{"type":"integer"}}"#)).collect();
        let text = format!(r#"{{"properties":{{{}}}}}"#, properties.join(","));
        let none: [(&str, &str); 0] = [];
        let large = Schema::compile(&text, none, &housepipe_json_schema::Options::default()).unwrap();
        let room = COMPILED_BYTES_MAX / large.bytes();
        assert!(room < 200, "{}", large.bytes());
        let schemas = Schemas::known(None, &[]);
        for id in 0..200 {
            schemas.learn(SchemaId(id), Found { schema: Ok(large.clone()), bytes: 1 });
        }
        let at_hand: Vec<u32> = (0..200).filter(|id| schemas.at_hand(SchemaId(*id)).is_some()).collect();
        assert_eq!(at_hand.len(), room);
        assert_eq!(at_hand.last(), Some(&199));
    }
}
