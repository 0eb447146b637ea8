//! Whether the schema registry answers, and the schema that the pipe file names can be used.

use housepipe_schema_registry::{RegistryError, SchemaId, Target, Version};

use super::{Check, Verdict};
use crate::error::explain;
use crate::pipe_file::{DeliveryMode, RegistrySpec};
use crate::schemas::Schemas;

const NAME: &str = "schema registry";

/// A schema that a registry may have or not: either is an answer.
const ANY_SCHEMA: SchemaId = SchemaId(1);

pub(super) async fn look(spec: &RegistrySpec, delivery: DeliveryMode) -> Check {
    let (verdict, detail) = match Schemas::open(spec).await {
        Err(error) => (Verdict::Failed, explain(&error)),
        Ok(schemas) => match schemas.configured() {
            Some(id) => words_of_schema(&spec.target, id, delivery),
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

fn words_of_schema(target: &Target, id: SchemaId, delivery: DeliveryMode) -> (Verdict, String) {
    let Target::Version(subject, version) = target else {
        return (Verdict::Ok, format!("records without a frame are checked against schema {id}"));
    };
    let words = format!(
        "records without a frame are checked against version {version} of `{subject}`, which is schema {id}"
    );
    match (version, delivery) {
        (Version::Latest, DeliveryMode::ExactlyOnce) => (
            Verdict::Warning,
            format!(
                "{words}; a partition stops that is taken over in the middle of a batch once another version is registered: name \
                 /schemas/ids/{id}, and change it while nothing is pending"
            ),
        ),
        _ => (Verdict::Ok, words),
    }
}
