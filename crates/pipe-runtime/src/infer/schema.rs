//! The columns that the records' schema says.

mod columns;
#[cfg(test)]
mod tests;

use housepipe_json_schema::{Options, Outline};
use housepipe_kafka_source::OwnedRecord;
use housepipe_schema_registry::{
    ErrorClass, Framing, Registry, Resolved, SchemaId, SchemaKind, Target, parse_framing,
};
use housepipe_transform::ExpectedColumn;

use crate::error::{PipeError, explain};
use crate::pipe_file::RegistrySpec;

/// A schema of a registry, and the columns that it says.
#[derive(Debug, Clone)]
pub(crate) struct Declared {
    pub(crate) id: SchemaId,
    pub(crate) columns: Vec<ExpectedColumn>,
}

/// The schema of the topic's records: that which the newest of them names, or the one of the pipe file, where it names none, or one
/// that is not to be used. None where there is neither; then the text says why the records' own was not used.
///
/// # Errors
/// [`PipeError::Registry`] where the registry does not answer, or lacks the schema of the pipe file, and [`PipeError::Schema`] where
/// that one is no JSON Schema.
pub(super) async fn of_topic(
    spec: &RegistrySpec,
    records: &[OwnedRecord],
) -> Result<(Option<Declared>, Option<String>), PipeError> {
    let registry = Registry::new(spec.config.clone())?;
    let mut problem = None;
    if let Some(id) = newest_id(records) {
        match of_target(&registry, &Target::Id(id)).await {
            Ok(declared) => return Ok((Some(declared), None)),
            Err(PipeError::Registry(error)) if error.class() != ErrorClass::Reject => {
                return Err(error.into());
            }
            Err(error) => problem = Some(explain(&error)),
        }
    }
    let declared = match &spec.target {
        Target::Root => None,
        target => Some(of_target(&registry, target).await?),
    };
    Ok((declared, problem))
}

async fn of_target(registry: &Registry, target: &Target) -> Result<Declared, PipeError> {
    let schema = registry.fetch(target).await?;
    let resolved = registry.resolve(&schema).await?;
    // A schema may be large.
    tokio::task::spawn_blocking(move || declared(&resolved)).await.map_err(|_| PipeError::WorkerPanicked)?
}

/// The schema that the newest record names; none where that names none.
pub(crate) fn newest_id(records: &[OwnedRecord]) -> Option<SchemaId> {
    let with_value = records.iter().filter(|record| record.payload.is_some());
    let newest = with_value.max_by_key(|record| (record.timestamp_ms, record.offset.0))?;
    match parse_framing(newest.payload.as_deref()?) {
        Framing::Framed { schema_id, .. } => Some(schema_id),
        Framing::Unframed(_) => None,
    }
}

fn declared(resolved: &Resolved) -> Result<Declared, PipeError> {
    let id = resolved.schema.id;
    let unusable = |problem: &str| PipeError::Schema {
        problem: format!("schema {id} says nothing of columns: {problem}"),
    };
    if resolved.schema.kind != SchemaKind::Json {
        return Err(unusable("it is no JSON Schema"));
    }
    let references = resolved.references.iter().map(|(name, schema)| (name.as_str(), schema.text.as_str()));
    let outline = Outline::read(&resolved.schema.text, references, &Options::default())
        .map_err(|error| unusable(&explain(&error)))?;
    Ok(Declared { id, columns: columns::of(&outline, id) })
}
