//! Whether the schema registry answers, and the schema that the pipe file names can be used.

use housepipe_schema_registry::{RegistryError, SchemaId, Target};

use super::{Check, Verdict};
use crate::error::explain;
use crate::pipe_file::RegistrySpec;
use crate::schemas::Schemas;

const NAME: &str = "schema registry";

/// A schema that a registry may have or not: either is an answer.
const ANY_SCHEMA: SchemaId = SchemaId(1);

pub(super) async fn look(spec: &RegistrySpec) -> Check {
    let (verdict, detail) = match Schemas::open_for_a_look(spec).await {
        Err(error) => (Verdict::Failed, explain(&error)),
        Ok(schemas) => match schemas.configured() {
            Some(id) => (Verdict::Ok, words_of_schema(&spec.target, id)),
            None => match schemas.registry().schema(ANY_SCHEMA).await {
                Ok(_) | Err(RegistryError::NoSchema { .. }) => (
                    Verdict::Ok,
                    "it answers; each record has to name its schema, since the url names none".to_owned(),
                ),
                Err(error) => (Verdict::Failed, explain(&error)),
            },
        },
    };
    Check { name: NAME, verdict, detail }
}

fn words_of_schema(target: &Target, id: SchemaId) -> String {
    match target {
        Target::Version(subject, version) => format!(
            "records without a frame are checked against version {version} of `{subject}`, which is schema {id}"
        ),
        _ => format!("records without a frame are checked against schema {id}"),
    }
}
