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

    /// The draft of a `$schema`, with `http` or `https`, with or without a `#` at the end. One that names no draft,
    /// `http://json-schema.org/schema#`, stands for draft 7: the last one of which this could be said.
    ///
    /// ```
    /// use housepipe_json_schema::Draft;
    /// assert_eq!(Draft::by_uri("http://json-schema.org/draft-07/schema#"), Some(Draft::Draft7));
    /// assert_eq!(Draft::by_uri("http://json-schema.org/schema#"), Some(Draft::Draft7));
    /// assert_eq!(Draft::by_uri("http://json-schema.org/draft-03/schema#"), None);
    /// ```
    #[must_use]
    pub fn by_uri(uri: &str) -> Option<Draft> {
        let rest = uri.strip_prefix("https://").or_else(|| uri.strip_prefix("http://"))?;
        let rest = rest.strip_suffix('#').unwrap_or(rest);
        if rest == "json-schema.org/schema" {
            return Some(Draft::Draft7);
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, Schema, Validator};

    #[test]
    fn a_schema_of_no_draft_is_one_of_draft_7() {
        let none: [(&str, &str); 0] = [];
        let text = r#"{"$schema":"http://json-schema.org/schema#","if":{"minLength":2},"then":{"maxLength":3},"items":[{"type":"string"}],
            "additionalItems":false}"#;
        let schema = Schema::compile(text, none, &Options::default()).unwrap();
        assert_eq!(schema.draft(), Draft::Draft7);
        let mut validator = Validator::new(schema);
        assert!(validator.check(br#"["a"]"#).is_ok() && validator.check(br#""abc""#).is_ok());
        assert!(validator.check(br#"["a",1]"#).is_err() && validator.check(br#""abcd""#).is_err());
    }
}
