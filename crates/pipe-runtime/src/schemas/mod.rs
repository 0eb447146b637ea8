//! Records are checked against JSON Schemas of a registry.
//!
//! A framed record names its schema; one without a frame has the schema that the pipe file names. [`Schemas`] asks the registry and
//! knows what it has heard, for all threads; each thread has a [`Judge`], which checks records and never waits: where the registry has
//! to be asked it says so, and the record waits.
//!
//! A record is rejected for what will not change: its bytes, and its schema, which a registry never changes. A registry that is
//! away, or lets nobody in, delays records.

mod fetch;
mod judge;
mod shelf;

#[cfg(test)]
mod tests;

pub(crate) use fetch::Found;
pub(crate) use judge::{Judge, Refusal, Verdict};
pub(crate) use shelf::Schemas;

/// Codes of rejects.
pub(crate) mod codes {
    /// The schema does not allow the record.
    pub(crate) const VIOLATION: &str = "schema_violation";
    /// The record is more than a check may look at.
    pub(crate) const TOO_MUCH: &str = "schema_too_much";
    /// The record names a schema that the registry does not have.
    pub(crate) const UNKNOWN: &str = "schema_unknown";
    /// The record's schema cannot be used to check it.
    pub(crate) const UNUSABLE: &str = "schema_unusable";
    /// The record names no schema, and the pipe file names none for such records.
    pub(crate) const UNNAMED: &str = "schema_unnamed";
    /// The record begins with bytes that are neither a frame nor JSON.
    pub(crate) const BAD_FRAME: &str = "bad_frame";
}
