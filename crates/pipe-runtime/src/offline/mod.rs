//! Newline-delimited JSON to RowBinary without Kafka and without a server.

mod chunks;
mod rejects;
mod rows;

use std::io::{self, Read, Write};
use std::sync::Arc;

use housepipe_transform::{Columns, Encoder, Plan, PlanError, PlanOptions, Semantics, TypeParseError};
use serde::Serialize;

use chunks::Chunks;
use rows::Rows;

/// How [`LineTransform`] reads values.
#[derive(Debug, Clone, Default)]
pub struct OfflineOptions {
    /// How strictly.
    pub semantics: Semantics,
}

/// What [`LineTransform::run`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct OfflineSummary {
    /// Lines that hold a record.
    pub read: u64,
    /// Rows written.
    pub accepted: u64,
    /// Records refused.
    pub rejected: u64,
    /// Bytes of the input.
    pub bytes_read: u64,
    /// Bytes of the rows.
    pub bytes_written: u64,
}

/// Why [`LineTransform`] stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OfflineError {
    /// The column list cannot be read.
    #[error("the column list `{}` is wrong", around(.columns, .source.position))]
    Columns {
        /// As it was given.
        columns: String,
        /// Where and why.
        source: TypeParseError,
    },
    /// The columns cannot be filled.
    #[error("the column list cannot be used")]
    Plan(#[from] PlanError),
    /// The input broke off.
    #[error("cannot read the input")]
    Read(#[source] io::Error),
    /// The output took no more.
    #[error("cannot write the rows")]
    Write(#[source] io::Error),
    /// The rejects could not be written.
    #[error("cannot write the rejects")]
    Rejects(#[source] io::Error),
}

/// Bytes of a list of columns that a message shows before and behind the place where it is wrong.
const SHOWN_BYTES_MAX: usize = 60;

/// The text around the place, cut at characters.
fn around(text: &str, position: usize) -> String {
    let start = text.floor_char_boundary(position.saturating_sub(SHOWN_BYTES_MAX));
    let end = text.ceil_char_boundary(position.saturating_add(SHOWN_BYTES_MAX));
    let mark = |is_cut: bool| if is_cut { "…" } else { "" };
    format!("{}{}{}", mark(start > 0), &text[start..end], mark(end < text.len()))
}

/// Bytes of rows after which a buffer is written (1 MiB): short records can make wide rows, and without it a chunk of
/// them would be as many in memory at once. The row that passes it is written with the others.
const ROWS_BYTES_MAX: usize = 1 << 20;

/// Newline-delimited JSON to rows of a list of columns.
///
/// ```
/// use housepipe_runtime::{LineTransform, OfflineOptions};
///
/// let transform = LineTransform::new("a UInt8", &OfflineOptions::default())?;
/// let mut rejects = Vec::new();
/// let input: &[u8] = b"{\"a\":1}\n{\"a\":\"x\"}\n";
/// let summary = transform.run(input, std::io::sink(), Some(&mut rejects))?;
/// assert_eq!((summary.read, summary.accepted, summary.rejected), (2, 1, 1));
/// assert!(rejects.starts_with(br#"{"line":2,"offset":5,"column":"a","code":"invalid_number""#));
/// # Ok::<(), housepipe_runtime::OfflineError>(())
/// ```
#[derive(Debug)]
pub struct LineTransform {
    encoder: Encoder,
}

impl LineTransform {
    /// Reads the list of columns.
    ///
    /// # Errors
    /// [`OfflineError::Columns`] and [`OfflineError::Plan`] for a list that is wrong or cannot be filled.
    pub fn new(columns: &str, options: &OfflineOptions) -> Result<LineTransform, OfflineError> {
        let columns: Columns = columns
            .parse()
            .map_err(|source| OfflineError::Columns { columns: columns.to_owned(), source })?;
        let plan_options = PlanOptions::default().with_semantics(options.semantics);
        let plan = Plan::compile(&columns, &plan_options)?;
        Ok(LineTransform { encoder: Encoder::new(Arc::new(plan)) })
    }

    /// Encodes every line of `input` as one row and writes the rows to `output`, in the order of the input.
    ///
    /// Reading and writing have a thread each, so that they overlap with the encoding on the caller's; a few buffers go
    /// around between them: of 256 KiB, or as long as the longest line, for the input; of 1 MiB and one row more for the
    /// rows.
    ///
    /// Refused records go to `rejects` as JSON Lines: `line` (1-based), `offset` (byte in the line), `column`, `code`,
    /// `message`, `raw`; `raw_base64` beside it where the line is not UTF-8, and `raw_bytes`, the length of the whole
    /// line, where it is longer than any record may be and was cut at 17 MiB. Empty and blank lines are no records.
    ///
    /// # Errors
    /// [`OfflineError`] for input and output that fail; a refused record is no error. Where the output fails, the thread
    /// that reads is left behind: it may be waiting for an input that never ends.
    pub fn run(
        self,
        input: impl Read + Send + 'static,
        output: impl Write + Send + 'static,
        mut rejects: Option<&mut dyn Write>,
    ) -> Result<OfflineSummary, OfflineError> {
        let mut encoder = self.encoder;
        let mut summary = OfflineSummary::default();
        let chunks = Chunks::read(input).map_err(OfflineError::Read)?;
        let mut rows = Rows::write(output).map_err(OfflineError::Write)?;
        let mut first_line = 1;
        'input: while let Some(chunk) = chunks.next().map_err(OfflineError::Read)? {
            summary.bytes_read += chunk.taken as u64;
            let mut lines = chunk.lines.as_slice();
            while !lines.is_empty() {
                let mut encoded = rows.buffer();
                let mut failed = None;
                let counts = encoder.encode_lines_up_to(lines, &mut encoded, ROWS_BYTES_MAX, |rejected| {
                    summary.rejected += 1;
                    if let Some(rejects) = rejects.as_deref_mut()
                        && failed.is_none()
                    {
                        let line = first_line + rejected.line as u64;
                        let raw = lines.get(rejected.bytes).unwrap_or_default();
                        failed =
                            rejects::write(rejects, line, &rejected.reject, raw, chunk.cut_line_bytes).err();
                    }
                });
                if let Some(error) = failed {
                    return Err(OfflineError::Rejects(error));
                }
                first_line += counts.lines as u64;
                summary.read += counts.records as u64;
                summary.accepted += counts.rows as u64;
                summary.bytes_written += encoded.len() as u64;
                lines = lines.get(counts.bytes..).unwrap_or_default();
                if !rows.send(encoded) {
                    break 'input;
                }
            }
            chunks.give_back(chunk);
        }
        rows.finish().map_err(OfflineError::Write)?;
        if let Some(rejects) = rejects {
            rejects.flush().map_err(OfflineError::Rejects)?;
        }
        Ok(summary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_of_columns_is_shown_around_its_fault() {
        let many =
            |prefix: &str| (0..1_000).map(|n| format!("{prefix}{n} UInt8")).collect::<Vec<_>>().join(", ");
        let columns = format!("{}, ü Decimal(77, 0), {}", many("a"), many("b"));
        let error = LineTransform::new(&columns, &OfflineOptions::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the column list `…a995 UInt8, a996 UInt8, a997 UInt8, a998 UInt8, a999 UInt8, ü Decimal(77, 0), b0 UInt8, b1 UInt8, b2 UInt8, b3 UInt8, b…` is wrong"
        );
        assert_eq!(around("a UInt9", 2), "a UInt9");
        assert_eq!(around("", 7), "");
    }
}
