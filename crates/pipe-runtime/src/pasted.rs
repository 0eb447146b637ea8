//! Documents that somebody has pasted: one a line, or over several lines each, or as an array.

use serde_json::value::RawValue;

/// A document, and the line on which it begins, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pasted {
    pub(crate) line: u64,
    pub(crate) text: Vec<u8>,
}

/// The first `count` documents of `text`. Where it is not JSON as a whole, each line that is not blank is one, whatever it holds.
pub(crate) fn documents(text: &str, count: usize) -> Vec<Pasted> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    of_values(text, count).unwrap_or_else(|| of_lines(text, count))
}

/// Of JSON values behind each other, whose elements are the documents where there is one array alone; none where it is something else.
fn of_values(text: &str, count: usize) -> Option<Vec<Pasted>> {
    let mut found = Vec::new();
    for value in serde_json::Deserializer::from_str(text).into_iter::<&RawValue>() {
        found.push(value.ok()?.get());
        if found.len() == count && found.first().is_none_or(|first| !first.starts_with('[')) {
            break;
        }
    }
    if let [array] = found.as_slice()
        && array.starts_with('[')
    {
        let elements: Vec<&RawValue> = serde_json::from_str(array).ok()?;
        found = elements.into_iter().map(RawValue::get).collect();
    }
    let mut lines = Lines { text, at: 0, line: 1 };
    Some(
        found
            .into_iter()
            .take(count)
            .map(|value| Pasted { line: lines.of(value), text: value.as_bytes().to_vec() })
            .collect(),
    )
}

/// Counts lines up to parts of a text that come one behind the other.
struct Lines<'t> {
    text: &'t str,
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line on which `part` begins, which is a piece of the text itself.
    fn of(&mut self, part: &str) -> u64 {
        let begins = part.as_ptr().addr().saturating_sub(self.text.as_ptr().addr()).min(self.text.len());
        let between = self.text.as_bytes().get(self.at..begins).unwrap_or_default();
        self.line += between.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.at = begins.max(self.at);
        self.line
    }
}

fn of_lines(text: &str, count: usize) -> Vec<Pasted> {
    let numbered = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    numbered
        .take(count)
        .map(|(line, text)| Pasted { line, text: text.trim_end().as_bytes().to_vec() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, count: usize) -> Vec<(u64, String)> {
        let found = documents(text, count).into_iter();
        found.map(|pasted| (pasted.line, String::from_utf8(pasted.text).unwrap())).collect()
    }

    fn expected(pairs: &[(u64, &str)]) -> Vec<(u64, String)> {
        pairs.iter().map(|(line, text)| (*line, (*text).to_owned())).collect()
    }

    #[test]
    fn documents_stand_one_a_line_or_over_several_or_in_an_array() {
        for (text, found) in [
            ("{\"a\":1}\n\n{\"a\":2}\r\n", &[(1, "{\"a\":1}"), (3, "{\"a\":2}")][..]),
            ("\u{feff}{\n \"a\": 1\n}\n{\"a\":2}", &[(1, "{\n \"a\": 1\n}"), (4, "{\"a\":2}")]),
            ("[\n{\"a\":1},\n{\"a\":2}]", &[(2, "{\"a\":1}"), (3, "{\"a\":2}")]),
            ("[1]\n[2]", &[(1, "[1]"), (2, "[2]")]),
            ("", &[]),
            (" \n ", &[]),
            ("[]", &[]),
        ] {
            assert_eq!(of(text, 10), expected(found), "{text}");
        }
        assert_eq!(of("{}\n{}\n{}", 2).len(), 2);
        assert_eq!(of("[{},{},{}]", 2).len(), 2);
        // A number keeps its digits.
        assert_eq!(of("{\"n\":1e400, \"m\":0.10}", 1), expected(&[(1, "{\"n\":1e400, \"m\":0.10}")]));
    }

    #[test]
    fn a_line_that_is_no_json_spoils_no_other() {
        let text = "{\"a\":1}\n{\"a\":\n\n{\"a\":3}\n";
        assert_eq!(of(text, 10), expected(&[(1, "{\"a\":1}"), (2, "{\"a\":"), (4, "{\"a\":3}")]));
        assert_eq!(of("a,b\n1,2", 1), expected(&[(1, "a,b")]));
        let deep = "[".repeat(100_000);
        assert_eq!(of(&deep, 1).len(), 1);
    }
}
