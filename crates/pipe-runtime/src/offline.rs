//! Newline-delimited JSON to RowBinary without Kafka and without a server.

use std::io::{self, BufRead, Write};
use std::sync::Arc;

use housepipe_transform::{
    Columns, Encoder, Plan, PlanError, PlanOptions, Reject, Semantics, TypeParseError,
};
use serde::Serialize;

/// Encoded bytes that are gathered before they are written.
const OUTPUT_BYTES: usize = 256 << 10;

/// A line may have this many bytes, at most: the cap of a record and some white space around it.
const LINE_BYTES_MAX: usize = 17 << 20;

/// How [`transform_lines`] reads values.
#[derive(Debug, Clone, Default)]
pub struct OfflineOptions {
    /// How strictly.
    pub semantics: Semantics,
}

/// What [`transform_lines`] did.
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

/// Why [`transform_lines`] stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OfflineError {
    /// The column list cannot be read.
    #[error("the column list `{columns}` is wrong")]
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

/// One line of the rejects file.
#[derive(Serialize)]
struct RejectLine<'a> {
    line: u64,
    offset: usize,
    column: Option<&'a str>,
    code: &'static str,
    message: &'a str,
    raw: std::borrow::Cow<'a, str>,
}

/// Encodes every line of `input` as one row of `columns` and writes the rows to `output`, in the order of the input.
///
/// Refused records go to `rejects` as JSON Lines: `line` (1-based), `offset` (byte in the line), `column`, `code`,
/// `message`, `raw`. Empty and blank lines are no records.
///
/// # Errors
/// [`OfflineError`] for a wrong column list and for input and output that fail; a refused record is no error.
pub fn transform_lines(
    columns: &str,
    options: &OfflineOptions,
    mut input: impl BufRead,
    mut output: impl Write,
    mut rejects: Option<&mut dyn Write>,
) -> Result<OfflineSummary, OfflineError> {
    let columns: Columns =
        columns.parse().map_err(|source| OfflineError::Columns { columns: columns.to_owned(), source })?;
    let plan_options = PlanOptions::default().with_semantics(options.semantics);
    let plan = Arc::new(Plan::compile(&columns, &plan_options)?);
    let mut encoder = Encoder::new(plan);
    let mut summary = OfflineSummary::default();
    let mut rows = Vec::with_capacity(OUTPUT_BYTES + (OUTPUT_BYTES >> 2));
    let mut line = Vec::new();
    let mut number = 0;
    while let Some(read) = next_line(&mut input, &mut line).map_err(OfflineError::Read)? {
        number += 1;
        summary.bytes_read += read as u64;
        let record = trim_end(&line);
        if record.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        summary.read += 1;
        match encoder.encode(record, &mut rows) {
            Ok(()) => summary.accepted += 1,
            Err(reject) => {
                summary.rejected += 1;
                if let Some(rejects) = rejects.as_deref_mut() {
                    write_reject(rejects, number, &reject, record)?;
                }
            }
        }
        if rows.len() >= OUTPUT_BYTES {
            output.write_all(&rows).map_err(OfflineError::Write)?;
            summary.bytes_written += rows.len() as u64;
            rows.clear();
        }
    }
    output.write_all(&rows).and_then(|()| output.flush()).map_err(OfflineError::Write)?;
    summary.bytes_written += rows.len() as u64;
    if let Some(rejects) = rejects {
        rejects.flush().map_err(OfflineError::Rejects)?;
    }
    Ok(summary)
}

/// The next line into `line`, cut at [`LINE_BYTES_MAX`]; the bytes taken from the input, or none at its end.
///
/// A longer line is refused as a record by its length; its rest is passed over.
fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Option<usize>> {
    line.clear();
    let mut taken = 0;
    loop {
        let chunk = match input.fill_buf() {
            Ok(chunk) => chunk,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if chunk.is_empty() {
            return Ok((taken > 0).then_some(taken));
        }
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let part = end.map_or(chunk.len(), |at| at + 1);
        let room = LINE_BYTES_MAX.saturating_sub(line.len());
        line.extend_from_slice(&chunk[..part.min(room)]);
        input.consume(part);
        taken += part;
        if end.is_some() {
            return Ok(Some(taken));
        }
    }
}

fn trim_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn write_reject(rejects: &mut dyn Write, line: u64, reject: &Reject, raw: &[u8]) -> Result<(), OfflineError> {
    let reject = RejectLine {
        line,
        offset: reject.position,
        column: reject.column.as_deref(),
        code: reject.code.as_str(),
        message: &reject.message,
        raw: String::from_utf8_lossy(raw),
    };
    serde_json::to_writer(&mut *rejects, &reject).map_err(|error| OfflineError::Rejects(error.into()))?;
    rejects.write_all(b"\n").map_err(OfflineError::Rejects)
}
