//! Checking records.

use crate::accept::Memory;
use crate::record::Parser;
use crate::rejected::Rejected;
use crate::schema::{Compiled, Schema};

/// Checks records against a schema, one after the other. It learns how they are written, so each thread has its own.
#[derive(Debug)]
pub struct Validator {
    schema: Schema,
    memory: Memory,
    buffers: Buffers,
}

/// Where records are taken apart that are checked value by value. Validators that take turns can share one:
/// [`Validator::check_in`]. What a large record takes is given back behind it, up to 4 MiB.
///
/// ```
/// use housepipe_json_schema::{Buffers, Options, Schema, Validator};
/// let none: [(&str, &str); 0] = [];
/// let schemas = ["true", "false"].map(|text| Schema::compile(text, none, &Options::default()).unwrap());
/// let mut buffers = Buffers::default();
/// let verdicts = schemas.map(|schema| Validator::new(schema).check_in(b"[1]", &mut buffers).is_ok());
/// assert_eq!(verdicts, [true, false]);
/// ```
#[derive(Debug, Default)]
pub struct Buffers(Parser);

impl Validator {
    /// A validator with empty buffers.
    #[must_use]
    pub fn new(schema: Schema) -> Validator {
        let memory = schema.0.acceptor.as_ref().map(Memory::new).unwrap_or_default();
        Validator { schema, memory, buffers: Buffers::default() }
    }

    /// Checks a record.
    ///
    /// # Errors
    /// Why the record is rejected: of several violations always the same one, whatever the records before it were.
    pub fn check(&mut self, record: &[u8]) -> Result<(), Rejected> {
        if self.is_certainly_valid(record) { Ok(()) } else { self.check_by_tree(record) }
    }

    /// Checks a record in buffers that others use as well.
    ///
    /// # Errors
    /// As [`Validator::check`].
    pub fn check_in(&mut self, record: &[u8], buffers: &mut Buffers) -> Result<(), Rejected> {
        if self.is_certainly_valid(record) { Ok(()) } else { by_tree(&self.schema.0, record, buffers) }
    }

    /// Whether the fast way alone tells that the record is valid. Where it does not, the record may be valid or not.
    pub fn is_certainly_valid(&mut self, record: &[u8]) -> bool {
        let compiled = &*self.schema.0;
        let is_short = record.len() <= compiled.limits.record_bytes;
        is_short
            && compiled.acceptor.as_ref().is_some_and(|acceptor| acceptor.accepts(record, &mut self.memory))
    }

    /// Checks a record without the fast way, which gives the same verdict.
    ///
    /// # Errors
    /// As [`Validator::check`].
    pub fn check_by_tree(&mut self, record: &[u8]) -> Result<(), Rejected> {
        by_tree(&self.schema.0, record, &mut self.buffers)
    }

    /// Bytes that it takes beside its schema ([`Schema::bytes`]), which others may share.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Validator>() + self.memory.bytes() + self.buffers.0.bytes()
    }
}

fn by_tree(compiled: &Compiled, record: &[u8], buffers: &mut Buffers) -> Result<(), Rejected> {
    let Buffers(parser) = buffers;
    let tree = parser.parse(record, &compiled.limits, compiled.names);
    let verdict = tree.and_then(|tree| compiled.library.check(tree));
    // The next record that needs them may come late, since most of them go the fast way.
    parser.clear();
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;

    #[test]
    fn nothing_is_kept_of_a_large_record() {
        let none: [(&str, &str); 0] = [];
        let schema = Schema::compile(r#"{"not":{"maxItems":1}}"#, none, &Options::default()).unwrap();
        let record = format!("[{}1]", "1,".repeat(500_000));
        let mut validator = Validator::new(schema);
        assert_eq!(validator.check(record.as_bytes()), Ok(()));
        assert!(validator.bytes() < 4 << 20, "{}", validator.bytes());
        // Nor of one that is no JSON.
        assert!(validator.check(record.trim_end_matches(']').as_bytes()).is_err());
        assert!(validator.bytes() < 4 << 20, "{}", validator.bytes());
        let mut buffers = Buffers::default();
        let before = validator.bytes();
        assert_eq!(validator.check_in(record.as_bytes(), &mut buffers), Ok(()));
        assert!(validator.bytes() == before && buffers.0.bytes() < 4 << 20);
    }
}
