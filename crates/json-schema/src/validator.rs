//! Checking records.

use crate::record::Parser;
use crate::rejected::Rejected;
use crate::schema::Schema;

/// Checks records against a schema, one after the other. It keeps its buffers, so each thread has its own.
#[derive(Debug)]
pub struct Validator {
    schema: Schema,
    parser: Parser,
}

impl Validator {
    /// A validator with empty buffers.
    #[must_use]
    pub fn new(schema: Schema) -> Validator {
        Validator { schema, parser: Parser::default() }
    }

    /// Checks a record.
    ///
    /// # Errors
    /// Why the record is rejected: of several violations always the same one, whatever the records before it were.
    pub fn check(&mut self, record: &[u8]) -> Result<(), Rejected> {
        self.check_by_tree(record)
    }

    /// Checks a record without the fast way, which gives the same verdict.
    ///
    /// # Errors
    /// As [`Validator::check`].
    pub fn check_by_tree(&mut self, record: &[u8]) -> Result<(), Rejected> {
        let compiled = &self.schema.0;
        let tree = self.parser.parse(record, &compiled.limits)?;
        compiled.library.check(tree)
    }
}
