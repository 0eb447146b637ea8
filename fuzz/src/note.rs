//! What is known of a record beside its value, made of a number.

use housepipe_transform::{EachHeader, Envelope};

/// What is known of the record of an index.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Note(pub(crate) usize);

impl Envelope for Note {
    fn topic(&self) -> &str {
        "topic"
    }

    fn partition(&self) -> i32 {
        3
    }

    fn offset(&self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }

    /// Now and then none, or one that a DateTime does not hold.
    fn timestamp_ms(&self) -> Option<i64> {
        (!self.0.is_multiple_of(3)).then_some(self.offset() % 16 * 1_000 - 1_000)
    }

    fn key(&self) -> Option<&[u8]> {
        self.0.is_multiple_of(2).then_some(b"key")
    }

    fn raw_message(&self) -> Option<&[u8]> {
        (!self.0.is_multiple_of(5)).then_some(b"{}")
    }

    fn each_header(&self, each: &mut EachHeader<'_>) {
        (0..self.0 % 4).for_each(|number| each(b"name", (number > 0).then_some(b"value")));
    }
}
