//! The lines of the rejects file.

use std::borrow::Cow;
use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use housepipe_transform::Reject;
use serde::Serialize;

/// One line of the rejects file.
#[derive(Serialize)]
struct RejectLine<'a> {
    line: u64,
    offset: usize,
    column: Option<&'a str>,
    code: &'static str,
    message: &'a str,
    /// The line as text; what is not UTF-8 is replaced.
    raw: Cow<'a, str>,
    /// The bytes of the line, where text cannot hold them.
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_base64: Option<String>,
    /// How many bytes the line has, where `raw` is only its beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_bytes: Option<usize>,
}

/// Writes why the line was refused, and the line. `cut_line_bytes` is the length of a line that was cut.
pub(super) fn write(
    rejects: &mut dyn Write,
    line: u64,
    reject: &Reject,
    raw: &[u8],
    cut_line_bytes: Option<usize>,
) -> io::Result<()> {
    let raw = raw.strip_suffix(b"\r").unwrap_or(raw);
    let text = String::from_utf8_lossy(raw);
    let raw_base64 = matches!(text, Cow::Owned(_)).then(|| STANDARD.encode(raw));
    let reject = RejectLine {
        line,
        offset: reject.position,
        column: reject.column.as_deref(),
        code: reject.code.as_str(),
        message: &reject.message,
        raw: text,
        raw_base64,
        raw_bytes: cut_line_bytes,
    };
    serde_json::to_writer(&mut *rejects, &reject)?;
    rejects.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use housepipe_transform::RejectCode;

    use super::*;

    fn written(raw: &[u8], cut_line_bytes: Option<usize>) -> String {
        let reject = Reject::new(RejectCode::OutOfRange, 5, "too large").in_column("a");
        let mut line = Vec::new();
        write(&mut line, 7, &reject, raw, cut_line_bytes).unwrap();
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn a_line_that_is_text_stands_as_it_is() {
        expect![[r#"
            {"line":7,"offset":5,"column":"a","code":"out_of_range","message":"too large","raw":"{\"a\":\"é\"}"}
        "#]]
        .assert_eq(&written("{\"a\":\"é\"}\r".as_bytes(), None));
    }

    #[test]
    fn bytes_that_are_no_text_are_kept_beside_it() {
        expect![[r#"
            {"line":7,"offset":5,"column":"a","code":"out_of_range","message":"too large","raw":"a�b","raw_base64":"Yf9i"}
        "#]]
        .assert_eq(&written(b"a\xffb", None));
    }

    #[test]
    fn a_line_that_was_cut_says_how_long_it_is() {
        expect![[r#"
            {"line":7,"offset":5,"column":"a","code":"out_of_range","message":"too large","raw":"[[[[","raw_bytes":20000000}
        "#]]
        .assert_eq(&written(b"[[[[", Some(20_000_000)));
    }
}
