//! Whether the server could compile the regular expression of a `SKIP REGEXP`: the syntax of RE2, and its words for
//! what is wrong. Names of scripts (`\p{Greek}`) are taken as they are, and the size of the program is not looked at.

mod escape;

/// Returns what is wrong with the expression, as RE2 says it.
pub(super) fn check(pattern: &str) -> Result<(), String> {
    Scanner { pattern, at: 0, groups: 0, last: Last::Nothing }.whole()
}

/// Repetitions that an expression may ask for.
const REPEAT_MAX: u32 = 1_000;

/// What stands before the place that is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    /// Nothing that could be repeated.
    Nothing,
    /// What could be repeated.
    Atom,
    /// A repetition, which begins there.
    Repetition(usize),
}

struct Scanner<'p> {
    pattern: &'p str,
    at: usize,
    /// Groups that are open.
    groups: usize,
    last: Last,
}

impl<'p> Scanner<'p> {
    fn whole(mut self) -> Result<(), String> {
        while let Some(c) = self.peek() {
            match c {
                '(' => self.group()?,
                ')' if self.groups == 0 => return Err(format!("unexpected ): {}", self.pattern)),
                ')' => {
                    self.groups -= 1;
                    self.atom(1);
                }
                '|' => {
                    self.at += 1;
                    self.last = Last::Nothing;
                }
                '*' | '+' | '?' => self.repetition(1)?,
                '{' => match self.counted() {
                    Some((bytes, fits)) => {
                        if !fits {
                            return Err(format!("invalid repetition size: {}", &self.rest()[..bytes]));
                        }
                        self.repetition(bytes)?;
                    }
                    None => self.atom(1),
                },
                '[' => self.class()?,
                '\\' if self.rest().starts_with("\\Q") => {
                    let rest = self.rest();
                    self.atom(rest.find("\\E").map_or(rest.len(), |end| end + 2));
                }
                '\\' => {
                    if self.rest()[1..].starts_with(['A', 'b', 'B', 'C', 'z']) {
                        self.at += 2;
                    } else {
                        self.escape()?;
                    }
                    self.last = Last::Atom;
                }
                c => self.atom(c.len_utf8()),
            }
        }
        if self.groups > 0 { Err(format!("missing ): {}", self.pattern)) } else { Ok(()) }
    }

    fn rest(&self) -> &'p str {
        &self.pattern[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn atom(&mut self, bytes: usize) {
        self.at += bytes;
        self.last = Last::Atom;
    }

    fn group(&mut self) -> Result<(), String> {
        let rest = self.rest();
        self.at += 1;
        if let Some(named) = rest.strip_prefix("(?P<").or_else(|| rest.strip_prefix("(?<")) {
            let name = named.find('>').map(|end| &named[..end]);
            let is_name = |name: &str| name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric());
            match name {
                Some(name) if !name.is_empty() && is_name(name) => {
                    self.at += rest.len() - named.len() + name.len();
                }
                Some(_) => {
                    let end = rest.find('>').map_or(rest.len(), |end| end + 1);
                    return Err(format!("invalid named capture group: {}", &rest[..end]));
                }
                None => return Err(format!("invalid named capture group: {rest}")),
            }
        } else if let Some(flags) = rest.strip_prefix("(?") {
            let len = flags.bytes().take_while(|byte| b"imsU-".contains(byte)).count();
            match flags.as_bytes().get(len) {
                Some(b':') if !flags[..len].ends_with('-') => self.at += 2 + len,
                Some(b')') if !flags[..len].ends_with('-') => {
                    // Flags alone: they open no group.
                    self.at += 2 + len;
                    return Ok(());
                }
                Some(_) => {
                    let odd = flags[len..].chars().next().map_or(0, char::len_utf8);
                    return Err(format!("invalid perl operator: {}", &rest[..2 + len + odd]));
                }
                None => return Err(format!("invalid perl operator: {rest}")),
            }
        }
        self.groups += 1;
        self.last = Last::Nothing;
        Ok(())
    }

    /// A repetition of so many bytes, and the `?` that makes it a lazy one.
    fn repetition(&mut self, bytes: usize) -> Result<(), String> {
        let start = self.at;
        self.at += bytes;
        self.at += usize::from(self.rest().starts_with('?'));
        match self.last {
            Last::Nothing => {
                Err(format!("no argument for repetition operator: {}", &self.pattern[start..self.at]))
            }
            Last::Repetition(first) => {
                Err(format!("bad repetition operator: {}", &self.pattern[first..self.at]))
            }
            Last::Atom => {
                self.last = Last::Repetition(start);
                Ok(())
            }
        }
    }

    /// The bytes of `{2}`, `{2,}` or `{2,3}`, and whether RE2 repeats so often; none where the brace is a plain character.
    fn counted(&self) -> Option<(usize, bool)> {
        let inside = &self.rest()[1..];
        let inside = &inside[..inside.find('}')?];
        let number = |text: &str| {
            let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let is_padded = text.len() > 1 && text.starts_with('0');
            (is_number && !is_padded).then(|| text.parse().unwrap_or(u32::MAX))
        };
        let (least, most) = match inside.split_once(',') {
            None => (number(inside)?, number(inside)?),
            Some((least, "")) => (number(least)?, REPEAT_MAX),
            Some((least, most)) => (number(least)?, number(most)?),
        };
        Some((inside.len() + 2, least <= REPEAT_MAX && most <= REPEAT_MAX && least <= most))
    }

    fn class(&mut self) -> Result<(), String> {
        let start = self.at;
        let missing = format!("missing ]: {}", &self.pattern[start..]);
        self.at += 1;
        self.at += usize::from(self.rest().starts_with('^'));
        let mut is_first = true;
        loop {
            let rest = self.rest();
            match self.peek() {
                None => return Err(missing),
                Some(']') if !is_first => break,
                _ => {}
            }
            is_first = false;
            if let Some(end) = rest.strip_prefix("[:").and_then(|rest| rest.find(":]")) {
                let name = &rest[2..end + 2];
                if !POSIX_CLASSES.contains(&name.trim_start_matches('^')) {
                    return Err(format!("invalid character class range: [:{name}:]"));
                }
                self.at += end + 4;
                continue;
            }
            let from = self.at;
            let low = self.class_character(&missing)?;
            let rest = self.rest();
            if rest.starts_with('-') && !rest[1..].starts_with(']') && low.is_some() {
                self.at += 1;
                let high = self.class_character(&missing)?;
                if high < low {
                    return Err(format!("invalid character class range: {}", &self.pattern[from..self.at]));
                }
            }
        }
        self.at += 1;
        self.last = Last::Atom;
        Ok(())
    }

    /// A character of a class; none where it is a class of its own, such as `\d`.
    fn class_character(&mut self, missing: &str) -> Result<Option<char>, String> {
        match self.peek() {
            None => Err(missing.to_owned()),
            Some('\\') => self.escape(),
            Some(c) => {
                self.at += c.len_utf8();
                Ok(Some(c))
            }
        }
    }
}

const POSIX_CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
    "upper", "word", "xdigit",
];
