//! Text from elsewhere among words for people: names of columns, of clients, what a server has said.

use crate::pipe_file::comment;

/// Text from elsewhere in one line of at most `width` characters, with nothing that would act on a terminal.
pub(crate) fn shown(text: &str, width: usize) -> String {
    let cut: String = text.chars().take(width).collect();
    let mark = if cut.len() < text.len() { "…" } else { "" };
    let line = comment(&cut);
    format!("{}{mark}", line.strip_prefix("# ").unwrap_or(&line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_acts_on_a_terminal_and_nothing_begins_a_line() {
        assert_eq!(shown("a\u{1b}]52;c;eA\u{7}\nb\u{202e}", 100), r"a\u{1b}]52;c;eA\u{7}\nb\u{202e}");
        assert_eq!((shown("größer", 3), shown("größer", 6)), ("grö…".to_owned(), "größer".to_owned()));
    }
}
