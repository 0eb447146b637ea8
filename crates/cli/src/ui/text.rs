//! Text from elsewhere, as people may look at it.

/// At most `width` characters of `text` on one line: text from a topic may hold escape sequences that would act on the
/// terminal.
pub(crate) fn shown(text: &str, width: usize) -> String {
    let mut out = String::new();
    for (index, character) in text.chars().enumerate() {
        if index == width {
            out.push('…');
            break;
        }
        match character {
            // Marks that turn the direction of text around are no control characters, and garble a line as well.
            c if c.is_control()
                || ('\u{200e}'..='\u{202e}').contains(&c)
                || ('\u{2066}'..='\u{2069}').contains(&c) =>
            {
                out.extend(c.escape_default());
            }
            c => out.push(c),
        }
    }
    out
}

/// The same for text of several lines, such as a statement: all of it, and on its lines.
pub(crate) fn shown_lines(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(|line| shown(line, usize::MAX)).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_and_does_not_act_on_a_terminal() {
        assert_eq!(shown("a\u{1b}[31m\nb\u{202e}", 100), r"a\u{1b}[31m\nb\u{202e}");
        assert_eq!(shown("größer", 3), "grö…");
        assert_eq!(shown("größer", 6), "größer");
        assert_eq!(shown_lines("a\u{1b}c\n  b\r\n"), "a\\u{1b}c\n  b\\r\n");
    }
}
