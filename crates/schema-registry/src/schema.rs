//! A schema as the registry keeps it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::address::Subject;
use crate::framing::SchemaId;

/// A schema as the registry keeps it; its text is not looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// Its id.
    pub id: SchemaId,
    /// The language that it is written in.
    pub kind: SchemaKind,
    /// Its text.
    pub text: String,
    /// What its text refers to.
    pub references: Vec<Reference>,
}

/// The language of a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SchemaKind {
    /// JSON Schema.
    Json,
    /// Avro; also where the registry names no language.
    Avro,
    /// Protocol Buffers.
    Protobuf,
    /// Another one, as the registry names it.
    Other(String),
}

impl SchemaKind {
    /// From the `schemaType` of an answer, which is absent for Avro.
    pub(crate) fn from_answer(kind: Option<&str>) -> Self {
        match kind {
            None | Some("AVRO") => SchemaKind::Avro,
            Some("JSON") => SchemaKind::Json,
            Some("PROTOBUF") => SchemaKind::Protobuf,
            Some(other) => SchemaKind::Other(other.to_owned()),
        }
    }
}

/// What a schema's text refers to by a name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    /// How the text names it: for JSON Schema what stands in a `$ref`.
    pub name: String,
    /// The subject that has it.
    pub subject: Subject,
    /// The version of the subject, counted from 1.
    pub version: u32,
}

/// A schema with everything that it refers to, directly or by others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The schema.
    pub schema: Arc<Schema>,
    /// What each name stands for, in this schema and in all that it refers to. Registries keep names per schema, but
    /// serializers resolve them in one common map, and so does this one.
    pub references: BTreeMap<String, Arc<Schema>>,
}
