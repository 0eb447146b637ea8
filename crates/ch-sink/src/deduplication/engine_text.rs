//! Reads what the server prints of engines and expressions, as far as deduplication depends on it.

use std::collections::HashSet;

use super::facts::EngineKind;
use crate::expression::quoted;

/// A word of an expression: a name, quoted or not.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Word {
    text: String,
    /// Whether a parenthesis follows: a function.
    is_call: bool,
}

/// The names in an expression, without what stands in string literals.
fn words(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            '\'' | '`' | '"' => quoted(rest).unwrap_or(rest.len()),
            _ if first.is_alphanumeric() || first == '_' => {
                rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len())
            }
            _ => first.len_utf8(),
        };
        let (word, behind) = rest.split_at(taken);
        match first {
            '`' | '"' => {
                words.push(Word { text: unquoted(word), is_call: false });
            }
            _ if first.is_alphabetic() || first == '_' => {
                words.push(Word { text: word.to_owned(), is_call: behind.trim_start().starts_with('(') });
            }
            _ => {}
        }
        rest = behind;
    }
    words
}

/// A quoted text without its quotes and escapes.
fn unquoted(text: &str) -> String {
    let inner = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
    let mut out = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        out.push(if character == '\\' { characters.next().unwrap_or(character) } else { character });
    }
    out
}

/// The first name in `expression` that makes its value another one for each attempt: a function of `functions`, which
/// are in lower case, or a column of `columns`.
pub(super) fn volatile_part(
    expression: &str,
    functions: &HashSet<String>,
    columns: &HashSet<String>,
) -> Option<String> {
    words(expression)
        .into_iter()
        .find(|word| match word.is_call {
            true => functions.contains(&word.text.to_lowercase()),
            false => columns.contains(&word.text),
        })
        .map(|word| word.text)
}

/// The value of a setting in the text of a table's engine, such as `MergeTree ORDER BY a SETTINGS b = 1`.
pub(super) fn setting<'a>(engine_full: &'a str, name: &str) -> Option<&'a str> {
    let settings = behind_settings(engine_full)?;
    let mut rest = settings;
    loop {
        let (pair, behind) = split_at_comma(rest);
        if let Some((key, value)) = pair.split_once('=')
            && key.trim() == name
        {
            return Some(value.trim().trim_matches('\''));
        }
        rest = behind?;
    }
}

/// What follows the word SETTINGS that stands in no quotes and no parentheses.
fn behind_settings(text: &str) -> Option<&str> {
    let (mut rest, mut depth) = (text, 0_usize);
    while let Some(first) = rest.chars().next() {
        match first {
            '\'' | '`' | '"' => {
                rest = rest.get(quoted(rest)?..)?;
                continue;
            }
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ' ' if depth == 0 => {
                if let Some(settings) = rest.strip_prefix(" SETTINGS ") {
                    return Some(settings);
                }
            }
            _ => {}
        }
        rest = &rest[first.len_utf8()..];
    }
    None
}

/// What stands before the first comma outside of quotes and parentheses, and what behind it.
fn split_at_comma(text: &str) -> (&str, Option<&str>) {
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(first) = text[at..].chars().next() {
        match first {
            '\'' | '`' | '"' => {
                at += quoted(&text[at..]).unwrap_or(text.len() - at);
                continue;
            }
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => return (&text[..at], Some(&text[at + 1..])),
            _ => {}
        }
        at += first.len_utf8();
    }
    (text, None)
}

/// What an engine can do, from its name and its whole text.
pub(super) fn kind(engine: &str, engine_full: &str, volatile: &HashSet<String>) -> EngineKind {
    match engine {
        "Null" => EngineKind::Null,
        "Distributed" => {
            let arguments = engine_full.split_once('(').map_or("", |(_, rest)| rest);
            let mut rest = Some(arguments);
            let mut parts = Vec::new();
            while let Some(text) = rest {
                let (part, behind) = split_at_comma(text);
                parts.push(part.trim());
                rest = behind;
            }
            // Cluster, database, table, and then the key; what closes the arguments closes the last of them.
            let last = parts.len() - 1;
            let key = parts.get(3).copied().unwrap_or_default();
            let key = if last == 3 { before_closing(key) } else { key };
            EngineKind::Distributed {
                sharding_key: key.to_owned(),
                is_random: volatile_part(key, volatile, &HashSet::new()).is_some(),
            }
        }
        _ if !engine.ends_with("MergeTree") => EngineKind::Other,
        _ if engine.starts_with("Replicated") || engine.starts_with("Shared") => EngineKind::Replicated,
        _ => EngineKind::Plain,
    }
}

/// What stands before the parenthesis that closes one which was opened before.
fn before_closing(text: &str) -> &str {
    let mut depth = 0_usize;
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' if depth == 0 => return text[..at].trim(),
            ')' => depth -= 1,
            _ => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> HashSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn settings_are_found_behind_their_word_only() {
        let text = "MergeTree PARTITION BY f(' SETTINGS a = 1') ORDER BY (a, `x SETTINGS y`) SETTINGS a = 100, \
                    storage_policy = 'a, b', index_granularity = 8192";
        assert_eq!(setting(text, "a"), Some("100"));
        assert_eq!(setting(text, "storage_policy"), Some("a, b"));
        assert_eq!(setting(text, "index_granularity"), Some("8192"));
        assert_eq!(setting(text, "granularity"), None);
        assert_eq!(setting("MergeTree ORDER BY ' SETTINGS a = 1'", "a"), None);
        assert_eq!(setting("MergeTree ORDER BY '", "a"), None);
    }

    #[test]
    fn volatile_parts_are_calls_and_columns_outside_of_texts() {
        let (functions, columns) = (names(&["now", "today"]), names(&["odd `name"]));
        let part = |text| volatile_part(text, &functions, &columns);
        assert_eq!(part("toDate(NOW ())"), Some("NOW".to_owned()));
        assert_eq!(part(r"toDate(`odd \`name`)"), Some("odd `name".to_owned()));
        assert_eq!(part("concat('now()', now, a)"), None);
        assert_eq!(part("'it''s now()"), None);
    }

    #[test]
    fn engines_are_told_apart() {
        let volatile = names(&["rand"]);
        let of = |engine, text| kind(engine, text, &volatile);
        assert_eq!(of("ReplacingMergeTree", ""), EngineKind::Plain);
        assert_eq!(of("ReplicatedSummingMergeTree", ""), EngineKind::Replicated);
        assert_eq!(of("SharedMergeTree", ""), EngineKind::Replicated);
        assert_eq!(of("Memory", ""), EngineKind::Other);
        assert_eq!(of("Null", "Null"), EngineKind::Null);
        let sharded = |text| match of("Distributed", text) {
            EngineKind::Distributed { sharding_key, is_random } => (sharding_key, is_random),
            other => panic!("{other:?}"),
        };
        assert_eq!(sharded("Distributed('c', 'd', 't', rand())"), ("rand()".to_owned(), true));
        assert_eq!(
            sharded("Distributed('c', 'd', 't', cityHash64(a, b), 'p')"),
            ("cityHash64(a, b)".to_owned(), false)
        );
        assert_eq!(sharded("Distributed('c', 'd', 't')"), (String::new(), false));
        assert_eq!(sharded("Distributed"), (String::new(), false));
    }
}
