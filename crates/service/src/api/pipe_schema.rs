//! The pipe file in the description: its JSON Schema, each of whose parts is a schema of the description.
//!
//! A pipe that is shown has it. A pipe file that is sent is described as an object: the parser judges it, key by key, and behind other reasons to refuse
//! the call, such as another state of the pipe than `If-Match` names.

use housepipe_runtime::PIPE_FILE_SCHEMA;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// What the parts of the schema are called in the description, before their own names.
const NAME: &str = "PipeFile";

/// Where the description has its schemas.
const SCHEMAS: &str = "/components/schemas";

/// Stands for the pipe file until [`put_into`] gives its schema.
#[derive(ToSchema)]
#[schema(as = PipeFile)]
pub(crate) struct WholePipeFile {}

/// Puts the schema in place of [`WholePipeFile`].
pub(super) fn put_into(description: &mut Value) {
    // It is a file of this repository, of which a test shows that it is one.
    let Ok(Value::Object(mut schema)) = serde_json::from_str(PIPE_FILE_SCHEMA) else { return };
    let Some(Value::Object(schemas)) = description.pointer_mut(SCHEMAS) else { return };
    let parts = match schema.remove("$defs") {
        Some(Value::Object(parts)) => parts,
        _ => Map::new(),
    };
    // It is part of another document, and has the name that it has there.
    for of_document in ["$schema", "$id", "title"] {
        schema.remove(of_document);
    }
    let wholes = [(NAME.to_owned(), Value::Object(schema))];
    for (name, mut schema) in parts.into_iter().map(|(name, part)| (part_name(&name), part)).chain(wholes) {
        move_in(&mut schema);
        schemas.insert(name, schema);
    }
}

/// `PipeFileColumn` for `column`.
fn part_name(name: &str) -> String {
    let (first, rest) = name.split_at_checked(1).unwrap_or((name, ""));
    format!("{NAME}{}{rest}", first.to_ascii_uppercase())
}

/// Has references lead to where the parts are. Secrets are shown as well, as references, and so they are not for writing alone.
fn move_in(schema: &mut Value) {
    match schema {
        Value::Object(keys) => {
            keys.remove("writeOnly");
            if let Some(Value::String(reference)) = keys.get_mut("$ref")
                && let Some(name) = reference.strip_prefix("#/$defs/")
            {
                *reference = format!("#{SCHEMAS}/{}", part_name(name));
            }
            keys.values_mut().for_each(move_in);
        }
        Value::Array(items) => items.iter_mut().for_each(move_in),
        _ => {}
    }
}
