//! JSON text.

use std::fmt::{self, Write as _};

/// Appends what is formatted.
pub(super) fn push(out: &mut String, what: fmt::Arguments<'_>) {
    // Writing into a String cannot fail.
    let _ = out.write_fmt(what);
}

/// Appends the text in double quotes.
pub(super) fn text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => {
                push(out, format_args!("\\u{:04x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Appends bytes as text; what is not UTF-8 is replaced.
pub(super) fn bytes(bytes: &[u8], out: &mut String) {
    text(&String::from_utf8_lossy(bytes), out);
}

/// Appends a number, or null where JSON has none such.
pub(super) fn float(value: f64, shortest: impl fmt::Display, out: &mut String) {
    if value.is_finite() {
        push(out, format_args!("{shortest}"));
    } else {
        out.push_str("null");
    }
}
