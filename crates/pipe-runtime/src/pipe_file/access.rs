//! `destination.setup:` and `destination.access:` — who makes what is missing, and what the pipe's own user may do.
//!
//! ```yaml
//! username: housepipe_clicks
//! password: "${env:CLICKS_PASSWORD}"
//! setup: { username: admin, password: "${env:ADMIN_PASSWORD}" }
//! access: only_destination      # or full, or { role: loaders }
//! ```

use super::fields::{Fields, Located};
use super::suggest::{cut, nearest};
use super::types::{AccessSpec, SetUpSpec};
use super::yaml::Value;
use super::{Problem, WORD_LETTERS_MAX};

/// Words for `access:` beside a role.
const WORDS: [(&str, AccessSpec); 2] =
    [("only_destination", AccessSpec::OnlyDestination), ("full", AccessSpec::Full)];

/// Reads `setup:`.
pub(super) fn set_up(at: &Located<'_>, problems: &mut Vec<Problem>) -> Option<SetUpSpec> {
    let mut fields = Fields::of(at, problems)?;
    let username = fields.require("username", problems).and_then(|v| v.nonempty(problems));
    let password = match fields.take("password") {
        Some(v) => v.secret(problems).map(Some),
        None => Some(None),
    };
    fields.finish(problems);
    Some(SetUpSpec { username: username?, password: password? })
}

/// Reads `access:`.
pub(super) fn access(at: &Located<'_>, problems: &mut Vec<Problem>) -> Option<AccessSpec> {
    if let Value::Map(_) = at.node.value {
        let mut fields = Fields::of(at, problems)?;
        let role = fields.require("role", problems).and_then(|v| v.nonempty(problems));
        fields.finish(problems);
        return role.map(AccessSpec::Role);
    }
    let text = at.text(problems)?;
    if let Some((_, access)) = WORDS.iter().find(|(word, _)| *word == text) {
        return Some(access.clone());
    }
    let words = WORDS.map(|(word, _)| word);
    let mend = match nearest(&text, &words) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("one of: {}, {{ role: NAME }}", words.join(", ")),
    };
    problems.push(at.problem(format!("`{}` is not a choice here", cut(&text, WORD_LETTERS_MAX))).mend(mend));
    None
}

/// What stands beside `access:`.
pub(super) struct Beside<'a> {
    /// The user that the file names.
    pub(super) username: Option<&'a str>,
    pub(super) has_password: bool,
    pub(super) set_up: Option<&'a SetUpSpec>,
}

/// Refuses a user of the pipe's own that could not be made.
pub(super) fn check_own_user(at: &Located<'_>, beside: &Beside<'_>, problems: &mut Vec<Problem>) {
    let is_named_later = at.outside.surroundings().names_own_user();
    let (message, mend) = match beside {
        Beside { username: None, .. } if !is_named_later => (
            "it is about a user that is made for the pipe, and there is no `username`",
            "add `username:` beside it",
        ),
        Beside { has_password: false, .. } if !is_named_later => {
            ("the pipe's user is made with a password, and there is none", "add `password:` beside it")
        }
        Beside { set_up: None, .. } => {
            ("nothing says who makes the pipe's user", "add `setup: { username: …, password: … }` beside it")
        }
        Beside { username: Some(own), set_up: Some(maker), .. } if *own == maker.username => (
            "the pipe's user would be made by itself",
            "name another one in `username:`, or leave `access` out where that user is there already",
        ),
        _ => return,
    };
    problems.push(at.problem(message).mend(mend));
}
