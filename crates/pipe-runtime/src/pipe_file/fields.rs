//! Taking a mapping apart, key by key, and collecting every problem on the way.

use housepipe_kafka_source::Pem;
use secrecy::SecretString;

use super::suggest::{cut, nearest};
use super::surroundings::{Key, Outside};
use super::yaml::{Entry, Node, Value};
use super::{PROBLEMS_MAX, Problem, WORD_LETTERS_MAX, units};

/// The keys of one mapping. Whoever reads a key takes it; [`Fields::finish`] reports what nobody took.
pub(super) struct Fields<'a> {
    path: String,
    line: usize,
    entries: Vec<(&'a Entry, bool)>,
    known: Vec<&'static str>,
    outside: &'a Outside<'a>,
}

/// A value together with where it stands, for the messages about it.
#[derive(Clone)]
pub(super) struct Located<'a> {
    pub(super) path: String,
    pub(super) node: &'a Node,
    pub(super) outside: &'a Outside<'a>,
}

impl<'a> Fields<'a> {
    /// The keys of the mapping `at`, or a problem where it is none.
    pub(super) fn of(at: &Located<'a>, problems: &mut Vec<Problem>) -> Option<Fields<'a>> {
        let node = at.node;
        match &node.value {
            Value::Map(entries) => Some(Fields {
                path: at.path.clone(),
                line: node.line,
                entries: entries.iter().map(|entry| (entry, false)).collect(),
                known: Vec::new(),
                outside: at.outside,
            }),
            other => {
                problems.push(
                    at.problem(format!("expected a mapping of keys, found {}", other.describe()))
                        .mend("write it as `key: value` lines, indented below"),
                );
                None
            }
        }
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The value of `key`, where it is there.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Located<'a>> {
        self.known.push(key);
        let path = self.path_of(key);
        let entry = self.entries.iter_mut().find(|(entry, _)| entry.key == key)?;
        entry.1 = true;
        Some(Located { path, node: &entry.0.node, outside: self.outside })
    }

    /// The value of `key`, or a problem where it is missing.
    pub(super) fn require(&mut self, key: &'static str, problems: &mut Vec<Problem>) -> Option<Located<'a>> {
        let found = self.take(key);
        if found.is_none() {
            problems
                .push(Problem::at(self.line, &self.path_of(key), "missing").mend(format!("add `{key}:`")));
        }
        found
    }

    /// Reports the keys that nobody took.
    pub(super) fn finish(self, problems: &mut Vec<Problem>) {
        // One more shows that there are more than are told.
        let room = (PROBLEMS_MAX + 1).saturating_sub(problems.len());
        for (entry, _) in self.entries.iter().filter(|(_, taken)| !taken).take(room) {
            let path = self.path_of(&entry.key);
            let mend = match nearest(&entry.key, &self.known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known keys here: {}", self.known.join(", ")),
            };
            problems.push(Problem::at(entry.line, &path, "unknown key").mend(mend));
        }
    }
}

impl<'a> Located<'a> {
    /// A value inside of this one.
    pub(super) fn inner(&self, path: String, node: &'a Node) -> Located<'a> {
        Located { path, node, outside: self.outside }
    }

    pub(super) fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::at(self.node.line, &self.path, message)
    }

    /// The value as text, with `${env:..}` and `${file:..}` resolved.
    pub(super) fn text(&self, problems: &mut Vec<Problem>) -> Option<String> {
        self.text_as(false, problems)
    }

    fn text_as(&self, is_secret: bool, problems: &mut Vec<Problem>) -> Option<String> {
        let key = Key { path: &self.path, is_secret };
        match &self.node.value {
            Value::Text(text) | Value::Plain(text) => match self.outside.resolve(text, key) {
                Ok(resolved) => Some(resolved),
                Err(message) => {
                    problems.push(self.problem(message));
                    None
                }
            },
            other => {
                problems.push(self.problem(format!("expected text, found {}", other.describe())));
                None
            }
        }
    }

    /// Text that may not be empty, and that has no control characters, as the name of something: not every broker, database and terminal takes
    /// them for the same.
    pub(super) fn nonempty(&self, problems: &mut Vec<Problem>) -> Option<String> {
        let text = self.nonempty_text(problems)?;
        if let Some(letter) = text.chars().find(|letter| letter.is_control()) {
            problems
                .push(self.problem(format!("no control characters may be in it, and here is {letter:?}")));
            return None;
        }
        Some(text)
    }

    /// The same of whatever characters: an expression, or the name of a column, which may be that of a field in strangers' records.
    pub(super) fn nonempty_text(&self, problems: &mut Vec<Problem>) -> Option<String> {
        self.nonempty_as(false, problems)
    }

    fn nonempty_as(&self, is_secret: bool, problems: &mut Vec<Problem>) -> Option<String> {
        let text = self.text_as(is_secret, problems)?;
        if text.trim().is_empty() {
            problems.push(self.problem("empty"));
            return None;
        }
        Some(text)
    }

    /// A secret; it may be empty.
    pub(super) fn secret(&self, problems: &mut Vec<Problem>) -> Option<SecretString> {
        self.outside.is_secret(&self.path);
        self.text_as(true, problems).map(SecretString::from)
    }

    /// A secret that may not be empty.
    pub(super) fn nonempty_secret(&self, problems: &mut Vec<Problem>) -> Option<SecretString> {
        self.outside.is_secret(&self.path);
        self.nonempty_as(true, problems).map(SecretString::from)
    }

    /// A certificate in PEM, or the path of its file. One that comes with its key, as some files do, is a secret.
    pub(super) fn pem(&self, problems: &mut Vec<Problem>) -> Option<String> {
        let text = self.pem_text(problems)?;
        if text.contains("PRIVATE KEY-----") {
            self.outside.is_secret(&self.path);
        }
        Some(text)
    }

    /// A private key in PEM, or the path of its file.
    pub(super) fn secret_pem(&self, problems: &mut Vec<Problem>) -> Option<String> {
        self.outside.is_secret(&self.path);
        self.pem_text(problems)
    }

    fn pem_text(&self, problems: &mut Vec<Problem>) -> Option<String> {
        self.outside.is_pem(&self.path);
        let text = self.nonempty_as(true, problems)?;
        let allowed = self.outside.surroundings().allows_paths();
        if let (Pem::Path(_), Err(message)) = (Pem::from_path_or_inline(text.as_str()), allowed) {
            problems.push(self.problem(message));
            return None;
        }
        Some(text)
    }

    /// Whether the pipe may connect to the host of this value; it is a problem where it may not.
    pub(super) fn reaches(&self, host: &str, problems: &mut Vec<Problem>) -> bool {
        match self.outside.surroundings().allows_host(host) {
            Ok(()) => true,
            Err(message) => {
                problems.push(self.problem(message));
                false
            }
        }
    }

    /// The value parsed by `parse`, whose error says what was expected.
    pub(super) fn parsed<T>(
        &self,
        problems: &mut Vec<Problem>,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.text(problems)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(message) => {
                problems.push(self.problem(message));
                None
            }
        }
    }

    /// One of a closed list of words.
    pub(super) fn choice<T: Copy>(
        &self,
        choices: &[(&'static str, T)],
        problems: &mut Vec<Problem>,
    ) -> Option<T> {
        let text = self.text(problems)?;
        if let Some((_, value)) = choices.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let words: Vec<&'static str> = choices.iter().map(|(word, _)| *word).collect();
        let mend = match nearest(&text, &words) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("one of: {}", words.join(", ")),
        };
        problems.push(
            self.problem(format!("`{}` is not a choice here", cut(&text, WORD_LETTERS_MAX))).mend(mend),
        );
        None
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, problems: &mut Vec<Problem>) -> Option<bool> {
        self.choice(&[("true", true), ("false", false)], problems)
    }

    /// A whole number within `[least, most]`; `_` may group its digits.
    pub(super) fn integer(&self, least: u64, most: u64, problems: &mut Vec<Problem>) -> Option<u64> {
        self.parsed(problems, |text| units::integer(text, least, most))
    }

    /// The items of a list; a single value counts as a list of one.
    pub(super) fn items(&self) -> Vec<Located<'a>> {
        match &self.node.value {
            Value::List(nodes) => nodes
                .iter()
                .enumerate()
                .map(|(index, node)| self.inner(format!("{}[{index}]", self.path), node))
                .collect(),
            Value::Null => Vec::new(),
            _ => vec![self.clone()],
        }
    }
}
