//! The columns that the records' schema says.

mod columns;
#[cfg(test)]
mod tests;

use housepipe_json_schema::{Options, Outline};
use housepipe_kafka_source::OwnedRecord;
use housepipe_schema_registry::{Framing, Registry, Resolved, SchemaId, SchemaKind, Target, parse_framing};
use housepipe_transform::ExpectedColumn;

use crate::error::{PipeError, explain};
use crate::pipe_file::RegistrySpec;

/// A schema of a registry, and the columns that it says.
#[derive(Debug)]
pub(crate) struct Declared {
    pub(crate) id: SchemaId,
    pub(crate) columns: Vec<ExpectedColumn>,
}

/// The schema of the topic's records: that of the newest record that names one, else the one that the pipe file names. None
/// where there is neither.
///
/// # Errors
/// [`PipeError::Registry`] where it is not to be had, and [`PipeError::Schema`] where it is no JSON Schema.
pub(super) async fn of_topic(
    spec: &RegistrySpec,
    records: &[OwnedRecord],
) -> Result<Option<Declared>, PipeError> {
    let target = match (newest_id(records), &spec.target) {
        (Some(id), _) => Target::Id(id),
        (None, Target::Root) => return Ok(None),
        (None, target) => target.clone(),
    };
    let registry = Registry::new(spec.config.clone())?;
    let schema = registry.fetch(&target).await?;
    let resolved = registry.resolve(&schema).await?;
    declared(&resolved).map(Some)
}

/// The schema that the newest of the records names that name one.
fn newest_id(records: &[OwnedRecord]) -> Option<SchemaId> {
    let framed = records.iter().filter_map(|record| match parse_framing(record.payload.as_deref()?) {
        Framing::Framed { schema_id, .. } => Some((record.timestamp_ms, record.offset.0, schema_id)),
        Framing::Unframed(_) => None,
    });
    framed.max_by_key(|(timestamp_ms, offset, _)| (*timestamp_ms, *offset)).map(|(.., id)| id)
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
