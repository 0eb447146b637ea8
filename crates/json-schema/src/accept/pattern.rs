//! Patterns that mean the same in a linear engine, for texts of ASCII.

use regex_automata::Input;
use regex_automata::dfa::dense::DFA;
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;

/// Bytes that the tables of one pattern may take; one that needs more is left to the library.
const TABLE_BYTES: usize = 128 << 10;

/// A pattern as tables: one look-up a byte, however the pattern is made.
pub(super) struct Pattern(DFA<Vec<u32>>);

impl std::fmt::Debug for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pattern")
    }
}

impl Pattern {
    /// The pattern, where all of it means the same here as in ECMA-262, for texts of ASCII, and its tables are small.
    pub(super) fn compile(pattern: &str) -> Option<Pattern> {
        if !is_common(pattern.as_bytes()) {
            return None;
        }
        let config = dense::Config::new()
            .start_kind(StartKind::Unanchored)
            .dfa_size_limit(Some(TABLE_BYTES))
            .determinize_size_limit(Some(TABLE_BYTES));
        // Where `.` ends a line at `\r` as well.
        let syntax = syntax::Config::new().unicode(false).utf8(false).crlf(true);
        let nfa = thompson::Config::new().utf8(false).nfa_size_limit(Some(TABLE_BYTES));
        let dfa = dense::Builder::new().configure(config).syntax(syntax).thompson(nfa).build(pattern);
        dfa.ok().map(Pattern)
    }

    /// Bytes of its tables.
    pub(super) fn bytes(&self) -> usize {
        self.0.memory_usage()
    }

    /// Whether a text of ASCII matches for certain.
    pub(super) fn matches(&self, text: &[u8]) -> bool {
        self.0.try_search_fwd(&Input::new(text).earliest(true)).is_ok_and(|found| found.is_some())
    }
}

/// Whether a pattern is made of what both languages share.
fn is_common(pattern: &[u8]) -> bool {
    let mut rest = pattern;
    let mut can_repeat = false;
    while let [first, tail @ ..] = rest {
        rest = tail;
        let mut repeats = true;
        match first {
            b'\\' => match tail {
                [escaped, tail @ ..] if is_common_escape(*escaped) => rest = tail,
                _ => return false,
            },
            b'[' => match after_class(tail) {
                Some(tail) => rest = tail,
                None => return false,
            },
            b'(' => {
                repeats = false;
                if let Some(inside) = tail.strip_prefix(b"?") {
                    match inside.strip_prefix(b":") {
                        Some(tail) => rest = tail,
                        None => return false,
                    }
                }
            }
            b'^' | b'$' | b'|' => repeats = false,
            b'*' | b'+' | b'?' | b'{' => {
                if !can_repeat {
                    return false;
                }
                repeats = false;
                if *first == b'{' {
                    match after_counts(tail) {
                        Some(tail) => rest = tail,
                        None => return false,
                    }
                }
                // A lazy repetition matches the same texts.
                rest = rest.strip_prefix(b"?").unwrap_or(rest);
            }
            b']' | b'}' => return false,
            b' '..=b'~' => {}
            _ => return false,
        }
        can_repeat = repeats;
    }
    true
}

fn is_common_escape(byte: u8) -> bool {
    b"dDwWst.-/\\^$|()[]{}*+?nr".contains(&byte)
}

/// What follows a class, which begins behind its bracket.
fn after_class(inside: &[u8]) -> Option<&[u8]> {
    let mut rest = inside.strip_prefix(b"^").unwrap_or(inside);
    let mut is_empty = true;
    loop {
        let [first, tail @ ..] = rest else { return None };
        rest = match first {
            b']' if is_empty => return None,
            b']' => return Some(tail),
            b'[' | b'&' | b'~' => return None,
            // At an end of the class it stands for itself, and between two plain characters it makes a range.
            b'-' if tail.first() == Some(&b'-') => return None,
            b'\\' => match tail {
                [escaped, tail @ ..] if is_common_escape(*escaped) => {
                    let is_range = b"dDwWs".contains(escaped) && tail.first() == Some(&b'-');
                    if is_range && tail.get(1) != Some(&b']') {
                        return None;
                    }
                    tail
                }
                _ => return None,
            },
            b' '..=b'~' => tail,
            _ => return None,
        };
        is_empty = false;
    }
}

/// What follows the counts of a repetition, `{2}`, `{2,}` or `{2,3}`, which begin behind the brace.
fn after_counts(inside: &[u8]) -> Option<&[u8]> {
    let end = inside.iter().position(|byte| *byte == b'}')?;
    let (counts, rest) = inside.split_at(end);
    let is_number = |text: &[u8]| !text.is_empty() && text.len() <= 4 && text.iter().all(u8::is_ascii_digit);
    let mut parts = counts.splitn(2, |byte| *byte == b',');
    let is_right =
        is_number(parts.next()?) && parts.next().is_none_or(|most| most.is_empty() || is_number(most));
    is_right.then(|| rest.get(1..)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_patterns_match_as_they_do_elsewhere() {
        for (pattern, right, wrong) in [
            ("^[A-Z]{2}$", "DE", "DEU"),
            (r"^\d+(\.\d{1,2})?$", "12.34", "12."),
            ("b+?c", "abbc", "ab"),
            ("^(?:red|green)-[a-z0-9_-]*$", "red-a_1-", "blue-"),
            (r"^\S", "\n", ""),
            (r"^[^\s/]+$", "a-b", "a b"),
            ("^.$", "\u{b}", "\r"),
        ] {
            match Pattern::compile(pattern) {
                Some(compiled) => {
                    assert!(compiled.matches(right.as_bytes()), "{pattern}");
                    assert!(!compiled.matches(wrong.as_bytes()), "{pattern}");
                }
                // `\S` is left to the library.
                None => assert_eq!(pattern, r"^\S"),
            }
        }
    }

    #[test]
    fn others_are_left_to_the_library() {
        for pattern in [
            "(?=a)b",
            "(?!a)",
            r"(a)\1",
            "(?<n>a)",
            "(?i)a",
            "[[:alpha:]]",
            "[a&&b]",
            "[a--b]",
            "[]a]",
            "[^]",
            "a**",
            "a*+",
            "a{,3}",
            "a{",
            "{1}",
            "a}",
            "]",
            r"\p{L}",
            r"\b",
            r"\x41",
            r"\<a",
            "ä",
            "*a",
            r"[\d-z]",
            "(",
            "[a",
        ] {
            assert!(Pattern::compile(pattern).is_none(), "{pattern}");
        }
        assert!(Pattern::compile("(a{1000}){1000}").is_none());
        assert!(Pattern::compile("[ab]*a[ab]{60}").is_none());
    }
}
