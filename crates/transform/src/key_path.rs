//! Paths: where in a record the value of a column stands.

use std::fmt;
use std::str::FromStr;

/// Steps of a path, at most.
const STEPS_MAX: usize = 32;

/// The highest index of an array that a path may name.
const INDEX_MAX: usize = 1_000_000;

/// Where in a record a value stands: a key, then keys and indexes below it.
///
/// Keys are separated by dots, indexes stand in brackets and count from 0. A key that has a dot, a bracket or a backquote in
/// it stands in backquotes, a backquote in it twice. So does a key that begins with an underscore where it is the whole path:
/// bare, it would be the name of a virtual column, or one that was mistyped.
///
/// ```
/// use housepipe_transform::{KeyPath, PathStep};
///
/// let path: KeyPath = "user.emails[0].`a.b`".parse()?;
/// assert_eq!(path.key(), "user");
/// assert_eq!(path.rest()[1], PathStep::Index(0));
/// assert_eq!(path.to_string(), "user.emails[0].`a.b`");
/// # Ok::<(), housepipe_transform::PathParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyPath {
    key: String,
    rest: Vec<PathStep>,
}

/// A step below the first key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PathStep {
    /// Into an object.
    Key(String),
    /// Into an array, counted from 0.
    Index(usize),
}

/// Why a text is no path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}, at byte {position}")]
pub struct PathParseError {
    /// Where, in bytes from the start of the text.
    pub position: usize,
    reason: &'static str,
}

impl KeyPath {
    /// The path of a field of the record.
    #[must_use]
    pub fn field(key: impl Into<String>) -> KeyPath {
        KeyPath { key: key.into(), rest: Vec::new() }
    }

    /// The field of the record in which it begins.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The steps below that field.
    #[must_use]
    pub fn rest(&self) -> &[PathStep] {
        &self.rest
    }
}

impl FromStr for KeyPath {
    type Err = PathParseError;

    fn from_str(text: &str) -> Result<KeyPath, PathParseError> {
        let mut reader = Reader { text, at: 0 };
        let mut path = KeyPath::field(reader.key()?);
        while reader.at < text.len() {
            if path.rest.len() + 1 == STEPS_MAX {
                return Err(reader.error("a path has 32 steps at most"));
            }
            let step = if reader.eat('[') {
                PathStep::Index(reader.index()?)
            } else if reader.eat('.') {
                PathStep::Key(reader.key()?)
            } else {
                return Err(reader.error("a `.` or an index such as `[0]` is expected"));
            };
            path.rest.push(step);
        }
        if path.rest.is_empty() && text.starts_with('_') {
            let reason = "a key that begins with an underscore is a virtual column, or stands in backquotes";
            return Err(PathParseError { position: 0, reason });
        }
        Ok(path)
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    fn error(&self, reason: &'static str) -> PathParseError {
        PathParseError { position: self.at, reason }
    }

    fn left(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn eat(&mut self, expected: char) -> bool {
        let is_there = self.left().starts_with(expected);
        self.at += if is_there { expected.len_utf8() } else { 0 };
        is_there
    }

    fn key(&mut self) -> Result<String, PathParseError> {
        if self.eat('`') {
            return self.quoted_key();
        }
        let bare = self.left().find(['.', '[', ']', '`']).map_or(self.left(), |end| &self.left()[..end]);
        if bare.is_empty() {
            return Err(self.error("a key is expected; an odd one stands in backquotes"));
        }
        self.at += bare.len();
        Ok(bare.to_owned())
    }

    /// The rest of a key in backquotes.
    fn quoted_key(&mut self) -> Result<String, PathParseError> {
        let mut key = String::new();
        loop {
            let Some(end) = self.left().find('`') else {
                return Err(self.error("a backquote has no counterpart"));
            };
            key.push_str(&self.left()[..end]);
            self.at += end + 1;
            if !self.eat('`') {
                return Ok(key);
            }
            key.push('`');
        }
    }

    /// The rest of an index, its bracket included.
    fn index(&mut self) -> Result<usize, PathParseError> {
        let Some(end) = self.left().find(']') else { return Err(self.error("a `]` is missing")) };
        let digits = &self.left()[..end];
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        match digits.parse() {
            Ok(index) if is_number && index <= INDEX_MAX => {
                self.at += end + 1;
                Ok(index)
            }
            _ => Err(self.error("an index is a number from 0 to 1000000")),
        }
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let looks_virtual = self.rest.is_empty() && self.key.starts_with('_');
        write_key(&self.key, looks_virtual, f)?;
        for step in &self.rest {
            match step {
                PathStep::Key(key) => {
                    f.write_str(".")?;
                    write_key(key, false, f)?;
                }
                PathStep::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// A key as it stands in a path: in backquotes where it must be, or where `quoted` asks for them.
fn write_key(key: &str, quoted: bool, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if quoted || key.is_empty() || key.contains(['.', '[', ']', '`']) {
        write!(f, "`{}`", key.replace('`', "``"))
    } else {
        f.write_str(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_printed_as_they_are_read() {
        for text in [
            "a",
            "a.b",
            "a[0]",
            "a[0][12].c",
            "`a.b`[7].`c``d`",
            "`_key`",
            "``",
            "a.``",
            "\u{e9}.x y",
            "_a._b",
            "_a[0]",
        ] {
            let path: KeyPath = text.parse().unwrap();
            assert_eq!(path.to_string(), text);
        }
        assert_eq!("`_a`.`_b`".parse::<KeyPath>().unwrap().to_string(), "_a._b");
    }

    #[test]
    fn what_is_no_path_is_told_where() {
        let error = |text: &str| text.parse::<KeyPath>().unwrap_err().to_string();
        assert_eq!(error(""), "a key is expected; an odd one stands in backquotes, at byte 0");
        let underscore =
            "a key that begins with an underscore is a virtual column, or stands in backquotes, at byte 0";
        assert_eq!((error("_a"), error("_offset")), (underscore.to_owned(), underscore.to_owned()));
        assert_eq!(error("a."), "a key is expected; an odd one stands in backquotes, at byte 2");
        assert_eq!(error("[0]"), "a key is expected; an odd one stands in backquotes, at byte 0");
        assert_eq!(error("a[-1]"), "an index is a number from 0 to 1000000, at byte 2");
        assert_eq!(error("a[+1]"), "an index is a number from 0 to 1000000, at byte 2");
        assert_eq!(error("a[1000001]"), "an index is a number from 0 to 1000000, at byte 2");
        assert_eq!(error("a[1"), "a `]` is missing, at byte 2");
        assert_eq!(error("a[1]b"), "a `.` or an index such as `[0]` is expected, at byte 4");
        assert_eq!(error("`a"), "a backquote has no counterpart, at byte 1");
        assert_eq!(error(&["a"; 33].join(".")), "a path has 32 steps at most, at byte 63");
        assert!(["a"; 32].join(".").parse::<KeyPath>().is_ok());
    }
}
