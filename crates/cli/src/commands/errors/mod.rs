//! `housepipe errors`: the error table.

pub(crate) mod list;
pub(crate) mod replay;

use housepipe_runtime::{ErrorQuery, ErrorsError};

use crate::args::ErrorsFilter;
use crate::exit::Exit;

/// The query that the flags ask for.
fn query(filter: ErrorsFilter) -> ErrorQuery {
    ErrorQuery {
        codes: filter.codes,
        columns: filter.columns,
        since_ms: filter.since,
        until_ms: filter.until,
        condition: filter.condition,
        ..ErrorQuery::default()
    }
}

/// What was asked for wrongly is wrong usage; anything else is work that failed.
fn exit(error: ErrorsError) -> Exit {
    if error.is_usage() { Exit::usage(error.into()) } else { Exit::failed(error.into()) }
}

/// At most `width` characters of `text` on one line: text from a topic may hold escape sequences that would act on the
/// terminal.
fn shown(text: &str, width: usize) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_and_does_not_act_on_a_terminal() {
        assert_eq!(shown("a\u{1b}[31m\nb\u{202e}", 100), r"a\u{1b}[31m\nb\u{202e}");
        assert_eq!(shown("größer", 3), "grö…");
        assert_eq!(shown("größer", 6), "größer");
    }
}
