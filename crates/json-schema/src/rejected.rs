//! Why a record is rejected.

use std::fmt;

/// Why a record is rejected. Messages quote a few bytes of the record at most.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejected {
    /// The bytes are not a JSON document (RFC 8259).
    NotJson(NotJson),
    /// The schema does not allow it.
    Violation(Box<Violation>),
    /// It is more than the limits allow to look at.
    TooMuch {
        /// What there is too much of, with its unit.
        what: &'static str,
        /// How much there may be.
        limit: u64,
    },
}

/// Bytes that are not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotJson {
    /// The byte of the record at which it shows; the record's length where something is missing.
    pub position: usize,
    /// Why, in a few words.
    pub reason: &'static str,
}

/// What the schema does not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// Where in the record, as a JSON Pointer (RFC 6901); empty for the record itself.
    pub instance_path: String,
    /// The keyword that is violated, such as `required`; `false` for a schema that is `false`.
    pub keyword: String,
    /// Where in the schema, as a JSON Pointer, through the `$ref`s that led there.
    pub schema_path: String,
    /// What is wrong, in plain words.
    pub message: String,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rejected::NotJson(NotJson { position, reason }) => {
                write!(f, "not JSON: {reason} at byte {position}")
            }
            Rejected::Violation(violation) => violation.fmt(f),
            Rejected::TooMuch { what, limit } => {
                write!(f, "the record has more {what} than the limit of {limit}")
            }
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Violation { instance_path, keyword, schema_path, message } = self;
        let at = if instance_path.is_empty() { "the record" } else { instance_path };
        write!(f, "{at}: {message} ({keyword}, at #{schema_path} of the schema)")
    }
}

impl std::error::Error for Rejected {}

impl Rejected {
    pub(crate) const fn not_json(position: usize, reason: &'static str) -> Rejected {
        Rejected::NotJson(NotJson { position, reason })
    }
}
