//! Why a schema cannot be used: what, where, and how to mend it.

/// A schema that no record can be checked against.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// A limit is exceeded.
    #[error("{document} has more {what} than the limit of {limit}; {mend}")]
    TooLarge {
        /// The schema or the name of the reference.
        document: String,
        /// What there is too much of, with its unit.
        what: &'static str,
        /// How much there may be.
        limit: u64,
        /// What to do.
        mend: &'static str,
    },
    /// A text that is not JSON.
    #[error("{document} is not JSON: {reason} at byte {position}")]
    NotJson {
        /// The schema or the name of the reference.
        document: String,
        /// The byte of the text.
        position: usize,
        /// Why.
        reason: &'static str,
    },
    /// A `$schema` that is not known.
    #[error(
        "{document} has the `$schema` {uri:?}, which is not known; known are the drafts 4, 6, 7, 2019-09 and 2020-12, and \
         what the schema's references bring"
    )]
    UnknownDraft {
        /// The schema or the name of the reference.
        document: String,
        /// The `$schema`.
        uri: String,
    },
    /// A `$ref` that leads nowhere.
    #[error(
        "the schema refers to {reference:?}, which is neither in it nor in its references{}; register that schema, and name it \
         as a reference of this one",
        listed(.known)
    )]
    UnknownReference {
        /// The `$ref`, as it is resolved.
        reference: String,
        /// The names of the references that there are.
        known: Vec<String>,
    },
    /// A place inside of a document that a `$ref` names and that does not exist.
    #[error("the schema refers to {place:?} inside of a document that has no such place; correct the `$ref`")]
    UnknownPlace {
        /// The pointer or the anchor.
        place: String,
    },
    /// Something that is no schema of its draft.
    #[error("the schema is no schema of its draft: {problem} (at `{place}`)")]
    Invalid {
        /// What is wrong.
        problem: String,
        /// Where, as a JSON Pointer.
        place: String,
    },
    /// References that lead back to themselves without ever looking at a part of the value.
    #[error(
        "the schema refers to itself at `{place}` without an end: no value could ever be checked; break the circle"
    )]
    Endless {
        /// Where, as a JSON Pointer, with the name of the reference before it.
        place: String,
    },
}

fn listed(names: &[String]) -> String {
    match names {
        [] => String::from(" (it has none)"),
        names => format!(" ({})", names.join(", ")),
    }
}
