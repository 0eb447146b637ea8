//! The drafts, and how a schema names its own.

use std::fmt;

/// A version of JSON Schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Draft {
    /// <https://json-schema.org/draft-04>
    Draft4,
    /// <https://json-schema.org/draft-06>
    Draft6,
    /// <https://json-schema.org/draft-07>
    Draft7,
    /// <https://json-schema.org/draft/2019-09>
    Draft201909,
    /// <https://json-schema.org/draft/2020-12>
    Draft202012,
}

impl Draft {
    /// Every draft, the oldest first.
    pub const ALL: [Draft; 5] =
        [Draft::Draft4, Draft::Draft6, Draft::Draft7, Draft::Draft201909, Draft::Draft202012];

    /// The draft of a `$schema`, with `http` or `https`, with or without a `#` at the end.
    ///
    /// ```
    /// use housepipe_json_schema::Draft;
    /// assert_eq!(Draft::by_uri("http://json-schema.org/draft-07/schema#"), Some(Draft::Draft7));
    /// assert_eq!(Draft::by_uri("http://json-schema.org/schema"), None);
    /// ```
    #[must_use]
    pub fn by_uri(uri: &str) -> Option<Draft> {
        let rest = uri.strip_prefix("https://").or_else(|| uri.strip_prefix("http://"))?;
        let rest = rest.strip_suffix('#').unwrap_or(rest);
        Draft::ALL.into_iter().find(|draft| draft.uri().split_once("://").is_some_and(|(_, own)| own == rest))
    }

    /// The `$schema` of the draft.
    #[must_use]
    pub const fn uri(self) -> &'static str {
        match self {
            Draft::Draft4 => "http://json-schema.org/draft-04/schema",
            Draft::Draft6 => "http://json-schema.org/draft-06/schema",
            Draft::Draft7 => "http://json-schema.org/draft-07/schema",
            Draft::Draft201909 => "https://json-schema.org/draft/2019-09/schema",
            Draft::Draft202012 => "https://json-schema.org/draft/2020-12/schema",
        }
    }

    pub(crate) const fn in_library(self) -> jsonschema::Draft {
        match self {
            Draft::Draft4 => jsonschema::Draft::Draft4,
            Draft::Draft6 => jsonschema::Draft::Draft6,
            Draft::Draft7 => jsonschema::Draft::Draft7,
            Draft::Draft201909 => jsonschema::Draft::Draft201909,
            Draft::Draft202012 => jsonschema::Draft::Draft202012,
        }
    }
}

impl fmt::Display for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Draft::Draft4 => "draft 4",
            Draft::Draft6 => "draft 6",
            Draft::Draft7 => "draft 7",
            Draft::Draft201909 => "draft 2019-09",
            Draft::Draft202012 => "draft 2020-12",
        })
    }
}
