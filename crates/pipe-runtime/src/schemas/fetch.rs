//! From an id to a compiled schema.

use housepipe_json_schema::{Names, Options, Schema, SchemaError};
use housepipe_schema_registry::{
    ErrorClass, Registry, RegistryError, Resolved, Schema as Text, SchemaId, SchemaKind,
};

use super::codes;
use crate::error::explain;

/// Why no record can be checked against a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unusable {
    /// Code of the rejects.
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// The registry does not have something that one of its servers may not have heard of yet.
    pub(crate) may_come: bool,
}

impl Unusable {
    #[cfg(test)]
    pub(super) fn for_tests() -> Unusable {
        Unusable::new(SchemaId(1), "a test says so")
    }

    fn new(id: SchemaId, problem: &str) -> Unusable {
        let message = format!("schema {id} cannot be used: {problem}");
        Unusable { code: codes::UNUSABLE, message, may_come: false }
    }

    fn of(id: SchemaId, error: &RegistryError) -> Unusable {
        match error {
            RegistryError::NoSchema { .. } => {
                Unusable { code: codes::UNKNOWN, message: error.to_string(), may_come: true }
            }
            RegistryError::Reference { .. } => {
                Unusable { may_come: true, ..Unusable::new(id, &explain(error)) }
            }
            other => Unusable::new(id, &explain(other)),
        }
    }
}

/// What is to be known of a schema.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// Ready to check records, or why it never will be.
    pub(crate) schema: Result<Schema, Unusable>,
    /// Bytes of its text and of all that it refers to; 0 where it is not to be had.
    pub(crate) bytes: usize,
}

/// The schema `id`, ready to check records, or why there is none that ever will be.
///
/// # Errors
/// What may pass, or be mended.
pub(super) async fn compiled(registry: &Registry, id: SchemaId) -> Result<Found, RegistryError> {
    let resolved = match resolved(registry, id).await {
        Ok(resolved) => resolved,
        Err(error) if error.class() == ErrorClass::Reject => {
            return Ok(Found { schema: Err(Unusable::of(id, &error)), bytes: 0 });
        }
        Err(error) => return Err(error),
    };
    let referred = resolved.references.values().map(|schema| schema.text.len());
    let bytes = resolved.schema.text.len() + referred.sum::<usize>();
    Ok(Found { schema: compile(resolved).await, bytes })
}

async fn resolved(registry: &Registry, id: SchemaId) -> Result<Resolved, RegistryError> {
    let text = registry.schema(id).await?;
    registry.resolve(&text).await
}

/// How schemas are read: of two values under one name the encoder may take another one than the check.
fn options() -> Options {
    let mut options = Options::default();
    options.names = Names::Unique;
    options
}

/// A schema may be large, and its expressions many: it is compiled beside those who wait for answers.
async fn compile(resolved: Resolved) -> Result<Schema, Unusable> {
    let id = resolved.schema.id;
    let compiled = tokio::task::spawn_blocking(move || {
        let kinds = std::iter::once(&resolved.schema).chain(resolved.references.values());
        if let Some(other) = kinds.into_iter().find(|schema| schema.kind != SchemaKind::Json) {
            return Err(other_language(id, other));
        }
        let references =
            resolved.references.iter().map(|(name, schema)| (name.as_str(), schema.text.as_str()));
        let compiled = Schema::compile(&resolved.schema.text, references, &options());
        compiled.map_err(|error: SchemaError| Unusable::new(id, &error.to_string()))
    });
    match compiled.await {
        Ok(compiled) => compiled,
        Err(stopped) => match stopped.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime shuts down, and this task with it.
            Err(_) => std::future::pending().await,
        },
    }
}

fn other_language(id: SchemaId, schema: &Text) -> Unusable {
    let language = match &schema.kind {
        SchemaKind::Avro => "Avro",
        SchemaKind::Protobuf => "Protobuf",
        SchemaKind::Other(name) => name.as_str(),
        _ => "another language",
    };
    Unusable::new(
        id,
        &format!("schema {} is written in {language}, and records are checked as JSON", schema.id),
    )
}
