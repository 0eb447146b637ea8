//! Names out of other names, and lists out of a line.

/// A pipe's name for a topic.
pub(super) fn pipe_name(topic: &str) -> String {
    let lower = topic.to_lowercase();
    let name: String = lower
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '-' })
        .collect();
    let name = name.trim_start_matches(['-', '_']);
    let name: String = name.chars().take(63).collect();
    if name.is_empty() { "pipe".to_owned() } else { name }
}

/// A table's name for a topic: one that needs no quotes in SQL.
pub(super) fn table_name(topic: &str) -> String {
    let name: String = topic.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("t_{name}") } else { name }
}

/// Whether `text` is a name that a shell takes for an environment variable.
pub(super) fn is_variable(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The parts between commas that are in no brackets and no quotes.
pub(super) fn list(text: &str) -> Vec<String> {
    let (mut parts, mut depth, mut quote) = (vec![String::new()], 0_u32, None);
    for character in text.chars() {
        match (quote, character) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"' | '`') => quote = Some(character),
            (None, '(' | '[') => depth = depth.saturating_add(1),
            (None, ')' | ']') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = parts.last_mut() {
            last.push(character);
        }
    }
    parts.iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

/// The names in an expression: its words, with the points in them, and what stands in backquotes or double quotes.
pub(super) fn names(expression: &str) -> Vec<String> {
    let is_of_word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    let mut names = Vec::new();
    let mut characters = expression.chars().peekable();
    while let Some(first) = characters.next() {
        match first {
            '\'' | '"' | '`' => {
                let text = up_to(&mut characters, first);
                if first != '\'' {
                    names.push(text);
                }
            }
            first if is_of_word(first) => {
                let mut word = String::from(first);
                while let Some(next) = characters.next_if(|next| is_of_word(*next)) {
                    word.push(next);
                }
                names.push(word);
            }
            _ => {}
        }
    }
    names
}

/// What stands before the next `mark`, which is taken too, without its escapes.
fn up_to(characters: &mut impl Iterator<Item = char>, mark: char) -> String {
    let mut text = String::new();
    while let Some(character) = characters.next() {
        match character {
            c if c == mark => break,
            '\\' => text.extend(characters.next().map(unescaped)),
            c => text.push(c),
        }
    }
    text
}

/// The character that stands behind a backslash as `character`.
fn unescaped(character: char) -> char {
    match character {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        '0' => '\0',
        'b' => '\u{8}',
        'f' => '\u{c}',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_what_they_name() {
        for (topic, pipe, table) in [
            ("clicks", "clicks", "clicks"),
            ("Shop.Orders.v1", "shop-orders-v1", "Shop_Orders_v1"),
            ("_x", "x", "_x"),
            ("2026.a", "2026-a", "t_2026_a"),
            ("---", "pipe", "___"),
        ] {
            assert_eq!((pipe_name(topic), table_name(topic)), (pipe.to_owned(), table.to_owned()), "{topic}");
        }
    }

    #[test]
    fn lists_are_cut_at_commas_of_their_own() {
        assert_eq!(
            list("a, cityHash64(b, 'x,y'),, `odd, name` ,"),
            ["a", "cityHash64(b, 'x,y')", "`odd, name`"]
        );
        assert_eq!(list(" "), Vec::<String>::new());
        assert_eq!(list(")a,b("), [")a", "b("]);
    }

    #[test]
    fn names_of_expressions_are_words_and_what_is_quoted() {
        for (expression, found) in [
            ("toYYYYMM(ts)", &["toYYYYMM", "ts"][..]),
            ("f('a b', n.x)[1] + _y", &["f", "n.x", "1", "_y"]),
            (r#"g(`odd \`\n name`, "größe")"#, &["g", "odd `\n name", "größe"]),
            ("'it\\'s' || `open", &["open"]),
            (" ", &[]),
        ] {
            assert_eq!(names(expression), found, "{expression}");
        }
    }

    #[test]
    fn variables_are_names() {
        assert!(is_variable("KAFKA_PASSWORD") && is_variable("_x1"));
        assert!(!is_variable("") && !is_variable("1x") && !is_variable("A B") && !is_variable("a-b"));
    }
}
