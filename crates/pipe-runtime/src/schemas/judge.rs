//! Checks the records of one thread.

use housepipe_json_schema::{NotJson, Rejected, Validator};
use housepipe_schema_registry::{Framing, RegistryError, SchemaId, parse_framing};
use housepipe_transform::RejectCode;

use super::codes;
use super::shelf::Schemas;

/// The largest id of a schema: registries have 31 bits for it, and answer otherwise for more.
const ID_MAX: u32 = i32::MAX.unsigned_abs();

/// Schemas that a thread has at hand by itself.
const AT_HAND_MAX: usize = 16;

/// Why a record is rejected before it is encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// The key of the record that it is about; empty where it is about the record.
    pub(crate) key: String,
}

impl Refusal {
    fn new(code: &'static str, message: String) -> Refusal {
        Refusal { code, message, key: String::new() }
    }

    /// What the schema `id` says of a record that has so many bytes before its document.
    fn of(id: SchemaId, rejected: &Rejected, frame_bytes: usize) -> Refusal {
        match rejected {
            Rejected::NotJson(NotJson { position, reason, .. }) => Refusal::new(
                RejectCode::InvalidJson.as_str(),
                format!("{reason} (at byte {})", position + frame_bytes),
            ),
            Rejected::Violation(violation) => Refusal {
                code: codes::VIOLATION,
                message: format!("schema {id}: {rejected}"),
                key: first_key(&violation.instance_path),
            },
            other => Refusal::new(codes::TOO_MUCH, other.to_string()),
        }
    }
}

/// The first step of a JSON Pointer (RFC 6901), as the key that it stands for.
fn first_key(pointer: &str) -> String {
    let first = pointer.strip_prefix('/').and_then(|rest| rest.split('/').next()).unwrap_or_default();
    first.replace("~1", "/").replace("~0", "~")
}

/// What is known of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is as its schema wants it.
    Fine,
    /// It is rejected.
    Refused(Refusal),
    /// The registry has to be asked for its schema first.
    Lacks(SchemaId),
}

/// Checks records. Each thread has its own.
#[derive(Debug)]
pub(crate) struct Judge {
    schemas: Schemas,
    /// Those that were used last, the last one in front.
    at_hand: Vec<(SchemaId, Validator)>,
}

impl Judge {
    pub(crate) fn new(schemas: Schemas) -> Judge {
        Judge { schemas, at_hand: Vec::new() }
    }

    pub(crate) fn schemas(&self) -> &Schemas {
        &self.schemas
    }

    /// The schema that the registry has to be asked for before the record can be judged, if there is one.
    pub(crate) fn lacks(&self, payload: Option<&[u8]>) -> Option<SchemaId> {
        let id = self.schema_of(payload?).ok()?;
        let is_at_hand = self.at_hand.iter().any(|(known, _)| *known == id);
        (!is_at_hand && self.schemas.at_hand(id).is_none()).then_some(id)
    }

    /// The schema that the registry is to be asked for again while the record is judged by what is known of it, if there is one.
    pub(crate) fn doubts(&self, payload: Option<&[u8]>) -> Option<SchemaId> {
        let id = self.schema_of(payload?).ok()?;
        let is_at_hand = self.at_hand.iter().any(|(known, _)| *known == id);
        (!is_at_hand && self.schemas.is_old(id)).then_some(id)
    }

    /// Fetches what the registry has to be asked for before the record can be judged. For whoever may wait.
    ///
    /// # Errors
    /// What may pass, or be mended.
    pub(crate) async fn prepare(&self, payload: Option<&[u8]>) -> Result<(), RegistryError> {
        if let Some(id) = self.lacks(payload) {
            self.schemas.learn(id, self.schemas.fetch(id).await?);
        }
        Ok(())
    }

    /// Checks a record with its frame.
    pub(crate) fn judge(&mut self, payload: &[u8]) -> Verdict {
        let id = match self.schema_of(payload) {
            Ok(id) => id,
            Err(refusal) => return Verdict::Refused(refusal),
        };
        match self.at_hand.iter().position(|(known, _)| *known == id) {
            Some(0) => {}
            Some(at) => self.at_hand[..=at].rotate_right(1),
            None => match self.schemas.at_hand(id) {
                None => return Verdict::Lacks(id),
                Some(Err(unusable)) => {
                    return Verdict::Refused(Refusal::new(unusable.code, unusable.message));
                }
                Some(Ok(schema)) => {
                    self.at_hand.truncate(AT_HAND_MAX - 1);
                    self.at_hand.insert(0, (id, Validator::new(schema)));
                }
            },
        }
        let Some((_, validator)) = self.at_hand.first_mut() else { return Verdict::Lacks(id) };
        let body = parse_framing(payload).body();
        match validator.check(body) {
            Ok(()) => Verdict::Fine,
            Err(rejected) => Verdict::Refused(Refusal::of(id, &rejected, payload.len() - body.len())),
        }
    }

    /// The schema that holds for a record.
    fn schema_of(&self, payload: &[u8]) -> Result<SchemaId, Refusal> {
        match parse_framing(payload) {
            Framing::Framed { schema_id, .. } if schema_id.0 > ID_MAX => Err(Refusal::new(
                codes::UNKNOWN,
                format!("no registry has a schema with the id {schema_id}: their ids end at {ID_MAX}"),
            )),
            Framing::Framed { schema_id, .. } => Ok(schema_id),
            Framing::Unframed([0, ..]) => Err(Refusal::new(
                codes::BAD_FRAME,
                format!("a frame has 5 bytes before the record, and here are {} in all", payload.len()),
            )),
            Framing::Unframed([first, ..]) if first.is_ascii_control() && !first.is_ascii_whitespace() => {
                Err(Refusal::new(
                    codes::BAD_FRAME,
                    format!(
                        "the first byte is {first:#04x}, which begins neither JSON nor a frame, whose first byte is 0x00"
                    ),
                ))
            }
            Framing::Unframed(_) => self.schemas.configured().ok_or_else(|| {
                Refusal::new(
                    codes::UNNAMED,
                    "the record names no schema, and `schema_registry.url` names the registry alone; add /subjects/NAME or \
                     /schemas/ids/NUMBER to it for records without a frame"
                        .to_owned(),
                )
            }),
        }
    }
}
