//! Checks the records of one thread.

use housepipe_json_schema::{Buffers, NotJson, Rejected, Schema, Validator};
use housepipe_schema_registry::{Framing, RegistryError, SchemaId, parse_framing};
use housepipe_transform::RejectCode;

use super::codes;
use super::shelf::Schemas;

/// The largest id of a schema: registries have 31 bits for it, and answer otherwise for more.
const ID_MAX: u32 = i32::MAX.unsigned_abs();

/// Schemas that a thread has at hand by itself: as many as the shelf has, since a topic may have hundreds of them in turn.
const AT_HAND_MAX: usize = 256;

/// What those take, with what is learned of their records, in bytes; the newest one is kept whatever it has. The shelf may have
/// forgotten them, so this is beside its own.
const AT_HAND_BYTES_MAX: usize = 32 << 20;

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
    at_hand: AtHand,
    /// Where a record is taken apart, by whichever schema: each of them with its own would keep hundreds.
    buffers: Buffers,
}

/// The schemas that were used last.
#[derive(Debug, Default)]
struct AtHand {
    /// In the order of their ids.
    kept: Vec<Kept>,
    /// The place of the one that was used last.
    last: usize,
    /// What they take.
    bytes: usize,
    /// Counts records, to tell which was used last.
    clock: u64,
}

#[derive(Debug)]
struct Kept {
    id: SchemaId,
    validator: Validator,
    bytes: usize,
    used: u64,
}

impl AtHand {
    fn place(&self, id: SchemaId) -> Option<usize> {
        if self.kept.get(self.last).is_some_and(|kept| kept.id == id) {
            return Some(self.last);
        }
        self.kept.binary_search_by_key(&id, |kept| kept.id).ok()
    }

    fn take_up(&mut self, place: usize) -> Option<&mut Validator> {
        self.clock += 1;
        self.last = place;
        let kept = self.kept.get_mut(place)?;
        kept.used = self.clock;
        Some(&mut kept.validator)
    }

    /// Keeps a schema that is not at hand; says at which place.
    fn keep(&mut self, id: SchemaId, schema: Schema) -> usize {
        let schema_bytes = schema.bytes();
        let validator = Validator::new(schema);
        let bytes = schema_bytes + validator.bytes();
        while !self.kept.is_empty()
            && (self.kept.len() >= AT_HAND_MAX || self.bytes + bytes > AT_HAND_BYTES_MAX)
        {
            self.forget_oldest();
        }
        let place = self.kept.partition_point(|kept| kept.id < id);
        self.kept.insert(place, Kept { id, validator, bytes, used: self.clock });
        self.bytes += bytes;
        place
    }

    fn forget_oldest(&mut self) {
        let oldest = self.kept.iter().enumerate().min_by_key(|(_, kept)| kept.used);
        if let Some(place) = oldest.map(|(place, _)| place) {
            self.bytes -= self.kept.remove(place).bytes;
        }
    }
}

impl Judge {
    pub(crate) fn new(schemas: Schemas) -> Judge {
        Judge { schemas, at_hand: AtHand::default(), buffers: Buffers::default() }
    }

    pub(crate) fn schemas(&self) -> &Schemas {
        &self.schemas
    }

    /// The schema that the registry has to be asked for before the record can be judged, if there is one.
    pub(crate) fn lacks(&self, payload: Option<&[u8]>) -> Option<SchemaId> {
        let id = self.schema_of(payload?).ok()?;
        let is_at_hand = self.at_hand.place(id).is_some();
        (!is_at_hand && self.schemas.at_hand(id).is_none()).then_some(id)
    }

    /// The schema that the registry is to be asked for again while the record is judged by what is known of it, if there is one.
    pub(crate) fn doubts(&self, payload: Option<&[u8]>) -> Option<SchemaId> {
        let id = self.schema_of(payload?).ok()?;
        let is_at_hand = self.at_hand.place(id).is_some();
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
        let place = match self.at_hand.place(id) {
            Some(place) => place,
            None => match self.schemas.at_hand(id) {
                None => return Verdict::Lacks(id),
                Some(Err(unusable)) => {
                    return Verdict::Refused(Refusal::new(unusable.code, unusable.message));
                }
                Some(Ok(schema)) => self.at_hand.keep(id, schema),
            },
        };
        let Some(validator) = self.at_hand.take_up(place) else { return Verdict::Lacks(id) };
        let body = parse_framing(payload).body();
        match validator.check_in(body, &mut self.buffers) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn compiled(text: &str) -> Schema {
        let none: [(&str, &str); 0] = [];
        Schema::compile(text, none, &housepipe_json_schema::Options::default()).unwrap()
    }

    /// The ids at hand, of those below `end`.
    fn ids(at_hand: &AtHand, end: u32) -> Vec<u32> {
        (0..end).filter(|id| at_hand.place(SchemaId(*id)).is_some()).collect()
    }

    #[test]
    fn hundreds_of_small_schemas_are_at_hand_in_turn() {
        let mut at_hand = AtHand::default();
        let small = compiled(r#"{"properties":{"id":{"type":"integer"}}}"#);
        for id in (0..250).rev() {
            at_hand.keep(SchemaId(id), small.clone());
        }
        assert_eq!(ids(&at_hand, 1_000).len(), 250);
        for id in 0..250 {
            let place = at_hand.place(SchemaId(id)).unwrap();
            assert!(at_hand.take_up(place).unwrap().check(br#"{"id":1}"#).is_ok());
        }
        // Of more those stay that were used last.
        let place = at_hand.place(SchemaId(7)).unwrap();
        at_hand.take_up(place).unwrap();
        for id in 250..300 {
            let place = at_hand.keep(SchemaId(id), small.clone());
            at_hand.take_up(place).unwrap();
        }
        let kept = ids(&at_hand, 1_000);
        assert!(kept.len() == AT_HAND_MAX && kept.contains(&7) && !kept.contains(&0), "{kept:?}");
        assert_eq!(kept.last(), Some(&299));
    }

    #[test]
    fn of_large_schemas_there_are_as_many_as_there_is_room_for() {
        let properties: Vec<String> =
            (0..1_500).map(|at| format!(r#""k{at}":{{"type":"integer"}}"#)).collect();
        let large = compiled(&format!(r#"{{"properties":{{{}}}}}"#, properties.join(",")));
        let bytes = large.bytes() + Validator::new(large.clone()).bytes();
        let room = AT_HAND_BYTES_MAX / bytes;
        assert!((2..100).contains(&room), "{bytes} bytes");
        let mut at_hand = AtHand::default();
        for id in 0..200 {
            let place = at_hand.keep(SchemaId(id), large.clone());
            at_hand.take_up(place).unwrap();
        }
        let kept = ids(&at_hand, 200);
        assert_eq!(kept.len(), room);
        assert_eq!((kept.last(), at_hand.bytes), (Some(&199), room * bytes));
    }
}
