//! Problem details (RFC 9457), as a service gives them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a service says of a call that it refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Problem {
    /// Which kind of problem it is: one of a closed set.
    pub(crate) code: String,
    #[serde(default)]
    pub(crate) title: String,
    #[serde(default)]
    pub(crate) status: u16,
    #[serde(default)]
    pub(crate) detail: String,
    /// What is wrong with a pipe file, key by key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) errors: Vec<KeyProblem>,
    /// Whether it is about a token, and no pipe: some codes are of both.
    #[serde(skip)]
    pub(crate) of_token: bool,
}

/// What is wrong with one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeyProblem {
    #[serde(default)]
    pub(crate) key: String,
    pub(crate) message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mend: Option<String>,
}

impl Problem {
    /// What to do from the command line, where the service cannot know that it was called from there.
    fn mend(&self) -> Option<&'static str> {
        Some(match self.code.as_str() {
            "unauthenticated" => {
                "set HOUSEPIPE_TOKEN, or --token-file, to a token of this service; `housepipe serve --new-admin NAME` makes one where \
                 all are lost"
            }
            "forbidden" => "ask an admin of the service for a token with that role",
            "foreign_origin" => "call it by a name that it knows, or start it with `--public-host NAME`",
            "no_such_path" => {
                "it may be of another version than this command, or --server has a path too many"
            }
            "pipe_changed" => {
                "somebody was faster: look at what it is now (`housepipe pipes file NAME`), and make the edit anew"
            }
            "name_taken" if self.of_token => {
                "give another name, or have the service forget that one first (`housepipe tokens remove NAME`)"
            }
            "name_taken" => "`housepipe pipes edit` changes a pipe that is there",
            "pipe_renamed" => "name it as it is, or create another one",
            "body_too_large" => "is it a pipe file?",
            _ => return None,
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {})", self.title, self.code, self.status)?;
        // The detail of a pipe file is the same as its keys, one after the other.
        if self.errors.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        for KeyProblem { key, message, mend } in &self.errors {
            write!(f, "\n  ")?;
            if !key.is_empty() {
                write!(f, "`{key}`: ")?;
            }
            write!(f, "{message}")?;
            if let Some(mend) = mend {
                write!(f, "; {mend}")?;
            }
        }
        match self.mend() {
            Some(mend) => write!(f, "\n  {mend}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn problem(json: &str) -> Problem {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn each_key_is_told_with_its_mend() {
        let of_file = problem(
            r#"{"type":"urn:housepipe:problem:invalid_pipe","title":"the pipe file cannot be used","status":422,"code":"invalid_pipe",
                "detail":"the pipe file: `source.topik`: unknown key; did you mean `topic`?",
                "errors":[{"key":"source.topik","message":"unknown key","mend":"did you mean `topic`?"},{"key":"","message":"empty"}]}"#,
        );
        expect![[r#"
            the pipe file cannot be used (invalid_pipe, 422)
              `source.topik`: unknown key; did you mean `topic`?
              empty"#]]
        .assert_eq(&of_file.to_string());
    }

    #[test]
    fn a_name_that_is_taken_is_mended_by_what_it_is_the_name_of() {
        let of_pipe = problem(r#"{"code":"name_taken","title":"taken","status":409,"detail":"x"}"#);
        assert!(of_pipe.to_string().contains("`housepipe pipes edit`"), "{of_pipe}");
        let of_token = Problem { of_token: true, ..of_pipe };
        assert!(of_token.to_string().contains("`housepipe tokens remove NAME`"), "{of_token}");
    }

    #[test]
    fn what_the_service_cannot_know_is_added() {
        let unknown = problem(
            r#"{"code":"unauthenticated","title":"who are you?","status":401,"detail":"the token is not known","and":"more"}"#,
        );
        expect![[r#"
            who are you? (unauthenticated, 401): the token is not known
              set HOUSEPIPE_TOKEN, or --token-file, to a token of this service; `housepipe serve --new-admin NAME` makes one where all are lost"#]]
        .assert_eq(&unknown.to_string());
        // A code that this version does not know is told as it comes.
        let of_a_later_one =
            problem(r#"{"code":"moon_phase","title":"wrong moon","status":409,"detail":"wait"}"#);
        assert_eq!(of_a_later_one.to_string(), "wrong moon (moon_phase, 409): wait");
    }
}
