//! The one way in which identifiers and strings get into SQL.

/// `name` as a quoted identifier, whatever it contains.
///
/// ```
/// assert_eq!(housepipe_ch_sink::quote_identifier("a`b"), r"`a\`b`");
/// ```
pub fn quote_identifier(name: &str) -> String {
    quote(name, '`')
}

/// `text` as a string literal, whatever it contains.
///
/// ```
/// assert_eq!(housepipe_ch_sink::quote_string("it's"), r"'it\'s'");
/// ```
pub fn quote_string(text: &str) -> String {
    quote(text, '\'')
}

fn quote(text: &str, mark: char) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push(mark);
    for character in text.chars() {
        match character {
            '\0' => out.push_str("\\0"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\\' => out.push_str("\\\\"),
            _ if character == mark => {
                out.push('\\');
                out.push(mark);
            }
            _ => out.push(character),
        }
    }
    out.push(mark);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_the_quotes_early() {
        assert_eq!(quote_identifier("t` DROP"), r"`t\` DROP`");
        assert_eq!(quote_identifier(r"t\"), r"`t\\`");
        assert_eq!(quote_identifier(r"t\`"), r"`t\\\``");
        assert_eq!(quote_identifier("a\0b\n"), r"`a\0b\n`");
        assert_eq!(quote_string(r"\' OR 1"), r"'\\\' OR 1'");
        assert_eq!(quote_identifier("größe"), "`größe`");
    }
}
