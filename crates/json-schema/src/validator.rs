//! Checking records.

use crate::accept::Memory;
use crate::record::Parser;
use crate::rejected::Rejected;
use crate::schema::Schema;

/// Checks records against a schema, one after the other. It keeps its buffers, so each thread has its own.
#[derive(Debug)]
pub struct Validator {
    schema: Schema,
    parser: Parser,
    memory: Memory,
}

impl Validator {
    /// A validator with empty buffers.
    #[must_use]
    pub fn new(schema: Schema) -> Validator {
        let memory = schema.0.acceptor.as_ref().map(Memory::new).unwrap_or_default();
        Validator { schema, parser: Parser::default(), memory }
    }

    /// Checks a record.
    ///
    /// # Errors
    /// Why the record is rejected: of several violations always the same one, whatever the records before it were.
    pub fn check(&mut self, record: &[u8]) -> Result<(), Rejected> {
        if self.is_certainly_valid(record) { Ok(()) } else { self.check_by_tree(record) }
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
        let compiled = &self.schema.0;
        let tree = self.parser.parse(record, &compiled.limits, compiled.names)?;
        compiled.library.check(tree)
    }
}
