//! Newline-delimited records, as files hold them.

use std::ops::Range;

use super::Encoder;
use crate::reject::Reject;

/// What [`Encoder::encode_lines`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LineCounts {
    /// Lines, blank ones included.
    pub lines: usize,
    /// Lines that hold a record.
    pub records: usize,
    /// Rows that were appended.
    pub rows: usize,
}

/// A line whose record was rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LineReject {
    /// The line, counted from 0.
    pub line: usize,
    /// Where the line stands in the input, its newline left out.
    pub bytes: Range<usize>,
    /// Why, with positions counted from the line's first byte.
    pub reject: Reject,
}

impl Encoder {
    /// Appends the rows of the lines to `out`, one record a line; empty and blank lines are no records.
    ///
    /// A last line without a newline is a line too: hand over whole lines where the input comes in pieces.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use housepipe_transform::{Encoder, Plan, PlanOptions};
    ///
    /// let plan = Plan::compile(&"a UInt8".parse()?, &PlanOptions::default())?;
    /// let mut encoder = Encoder::new(Arc::new(plan));
    /// let mut rows = Vec::new();
    /// let counts = encoder.encode_lines(b"{\"a\":1}\n\n{\"a\":-1}\n", &mut rows, |rejected| {
    ///     assert_eq!((rejected.line, rejected.bytes, rejected.reject.position), (2, 9..17, 5));
    /// });
    /// assert_eq!((counts.lines, counts.records, counts.rows), (3, 2, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn encode_lines(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        mut on_reject: impl FnMut(LineReject),
    ) -> LineCounts {
        let mut counts = LineCounts::default();
        let mut lines = [Line { number: 0, start: 0, end: 0 }; LINES_AT_ONCE];
        let mut start = 0;
        while start < input.len() {
            let mut count = 0;
            while count < LINES_AT_ONCE && start < input.len() {
                let end = memchr::memchr(b'\n', &input[start..]).map_or(input.len(), |at| start + at);
                let is_record = !input[start..end].iter().all(u8::is_ascii_whitespace);
                if is_record {
                    lines[count] = Line { number: counts.lines, start, end };
                    count += 1;
                }
                counts.lines += 1;
                start = end + 1;
            }
            let records = lines.map(|line| &input[line.start..line.end]);
            counts.records += count;
            counts.rows += self.encode_batch(&records[..count], out, |index, reject| {
                let Line { number, start, end } = lines[index];
                on_reject(LineReject { line: number, bytes: start..end, reject });
            });
        }
        counts
    }
}

/// Lines that are cut out before they are encoded.
const LINES_AT_ONCE: usize = 64;

/// A line that holds a record.
#[derive(Debug, Clone, Copy)]
struct Line {
    number: usize,
    start: usize,
    end: usize,
}
