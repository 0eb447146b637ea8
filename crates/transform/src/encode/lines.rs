//! Newline-delimited records, as files hold them.

use std::ops::{ControlFlow, Range};

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
    /// Bytes of the input that these lines are, their newlines included. What stands behind them was not looked at.
    pub bytes: usize,
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
    /// Appends the rows of the lines to `out`, one record a line; empty and blank lines are no records. White space is
    /// JSON's; with [`Semantics::ClickHouse`](crate::Semantics) vertical tab and form feed are too.
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
    ///
    /// `out` grows with the input, and by far more than the input has bytes where short records make wide rows: who
    /// reads from strangers takes [`encode_lines_up_to`](Self::encode_lines_up_to).
    pub fn encode_lines(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        on_reject: impl FnMut(LineReject),
    ) -> LineCounts {
        self.encode_lines_up_to(input, out, usize::MAX, on_reject)
    }

    /// The same, until `out` has `out_bytes_max` bytes or more. [`LineCounts::bytes`] says where to go on: the input from
    /// there on is what the next call gets, whose lines are counted from 0 again.
    ///
    /// So `out` holds less than `out_bytes_max` bytes and one row, which has
    /// [`Limits::row_bytes_max`](crate::Limits) bytes at most, or up to four rows that a fast path has made side by side
    /// of records of 256 KiB at most. Every call reads one record at least, also where `out` is full before.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use housepipe_transform::{Encoder, Plan, PlanOptions};
    ///
    /// let plan = Plan::compile(&"a FixedString(100)".parse()?, &PlanOptions::default())?;
    /// let mut encoder = Encoder::new(Arc::new(plan));
    /// let mut input: &[u8] = b"{}\n{}\n\n{}\n{}\n{}";
    /// let (mut rows, mut written) = (Vec::new(), Vec::new());
    /// while !input.is_empty() {
    ///     rows.clear();
    ///     let counts = encoder.encode_lines_up_to(input, &mut rows, 150, |rejected| panic!("{rejected:?}"));
    ///     input = &input[counts.bytes..];
    ///     written.push((counts.lines, rows.len()));
    /// }
    /// assert_eq!(written, [(3, 200), (2, 200), (1, 100)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn encode_lines_up_to(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        out_bytes_max: usize,
        mut on_reject: impl FnMut(LineReject),
    ) -> LineCounts {
        let mut counts = LineCounts::default();
        let mut lines = [Line { number: 0, start: 0, end: 0 }; LINES_AT_ONCE];
        while counts.bytes < input.len() {
            let (mut start, mut number, mut count) = (counts.bytes, counts.lines, 0);
            while count < LINES_AT_ONCE && start < input.len() {
                let end = memchr::memchr(b'\n', &input[start..]).map_or(input.len(), |at| start + at);
                let is_record = !input[start..end].iter().all(|byte| is_blank(*byte, self.state.lenient));
                if is_record {
                    lines[count] = Line { number, start, end };
                    count += 1;
                }
                number += 1;
                start = input.len().min(end + 1);
            }
            let records = lines.map(|line| &input[line.start..line.end]);
            let done = self.encode_each(&records[..count], out, |index, row| {
                match row {
                    Ok(end) => {
                        counts.rows += 1;
                        if end >= out_bytes_max {
                            return ControlFlow::Break(());
                        }
                    }
                    Err(reject) => {
                        let Line { number, start, end } = lines[index];
                        on_reject(LineReject { line: number, bytes: start..end, reject });
                    }
                }
                ControlFlow::Continue(())
            });
            counts.records += done;
            // Where it broke, the next call begins with the first record that has not had its turn.
            (counts.lines, counts.bytes) =
                lines[..count].get(done).map_or((number, start), |left| (left.number, left.start));
            if out.len() >= out_bytes_max {
                break;
            }
        }
        counts
    }
}

/// White space that makes no record of a line: JSON's, and with ClickHouse's leniencies what it takes for such.
fn is_blank(byte: u8, lenient: bool) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r') || lenient && matches!(byte, 0x0b | 0x0c)
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
