//! How a schema is read.

use crate::draft::Draft;
use crate::limits::Limits;

/// Whether `format` is asserted or a remark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Formats {
    /// As the draft has it: asserted in the drafts 4, 6 and 7, a remark in 2019-09 and 2020-12.
    #[default]
    ByDraft,
    /// Asserted in every draft.
    Assert,
    /// A remark in every draft.
    Ignore,
}

/// What a name means that stands twice in an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Names {
    /// The last one counts, as most readers have it.
    #[default]
    LastCounts,
    /// A record with such an object is rejected, unless the fast way finds that the schema allows each of the values. For those
    /// who hand records on to a reader that takes another one than the last.
    Unique,
}

/// How a schema is read.
///
/// ```
/// use housepipe_json_schema::{Draft, Formats, Options};
/// let mut options = Options::default();
/// assert_eq!((options.default_draft, options.formats), (Draft::Draft7, Formats::ByDraft));
/// options.limits.record_depth = 32;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// The draft of a schema without `$schema`. Schema registries take it for draft 7.
    pub default_draft: Draft,
    /// Whether `format` is asserted.
    pub formats: Formats,
    /// What a name means that stands twice in an object of a record.
    pub names: Names,
    /// What a schema and a record may cost.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            default_draft: Draft::Draft7,
            formats: Formats::ByDraft,
            names: Names::LastCounts,
            limits: Limits::default(),
        }
    }
}
