//! Rows decoded back into JSON, for people to look at.

mod dynamic;
mod json;
mod moment;
mod reader;
mod value;

use crate::columns::Columns;
use crate::plan::{Plan, RowFormat};
use crate::zone::TimeZone;
use reader::Reader;

/// Rows that cannot be decoded by the plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at byte {position} of the rows: {message}")]
#[non_exhaustive]
pub struct DecodeError {
    /// The byte of the rows at which they stopped making sense.
    pub position: usize,
    /// The column that was read.
    pub column: String,
    /// What is wrong.
    pub message: String,
}

/// The rows of a plan, each as a JSON object in one line; see [`Plan::decode`].
#[derive(Debug)]
pub struct DecodedRows<'p, 'r> {
    columns: &'p Columns,
    server_timezone: TimeZone,
    has_markers: bool,
    reader: Reader<'r>,
}

impl Plan {
    /// Decodes rows that an encoder of this plan has written: each as a JSON object, the columns in their order.
    ///
    /// Moments stand in the time of their column's zone, binary text that is not UTF-8 has replacement characters, and a
    /// column that the server fills by its DEFAULT expression is left out. It is made for display, not for speed.
    ///
    /// # Errors
    /// Each item is a [`DecodeError`] where the bytes are not rows of the plan; it is then the last item.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use housepipe_transform::{Encoder, Plan, PlanOptions};
    ///
    /// let columns = "at DateTime('Europe/Berlin'), tags Array(LowCardinality(String))".parse()?;
    /// let plan = Arc::new(Plan::compile(&columns, &PlanOptions::default())?);
    /// let mut rows = Vec::new();
    /// Encoder::new(Arc::clone(&plan)).encode(br#"{"tags":["a"],"at":"2026-07-01T10:00:00Z"}"#, &mut rows)?;
    /// let texts: Vec<String> = plan.decode(&rows).collect::<Result<_, _>>()?;
    /// assert_eq!(texts, [r#"{"at":"2026-07-01 12:00:00","tags":["a"]}"#]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn decode<'r>(&self, rows: &'r [u8]) -> DecodedRows<'_, 'r> {
        DecodedRows {
            columns: &self.columns,
            server_timezone: self.options.server_timezone,
            has_markers: self.options.format == RowFormat::RowBinaryWithDefaults,
            reader: Reader::new(rows),
        }
    }
}

impl Iterator for DecodedRows<'_, '_> {
    type Item = Result<String, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.is_at_end() {
            return None;
        }
        let row = self.row();
        if row.is_err() {
            // Nobody knows where the next row starts.
            self.reader.skip_all();
        }
        Some(row)
    }
}

impl DecodedRows<'_, '_> {
    fn row(&mut self) -> Result<String, DecodeError> {
        let mut out = String::from("{");
        for column in self.columns {
            let error = |at: usize, message: String| DecodeError {
                position: at,
                column: column.name.clone(),
                message,
            };
            let start = self.reader.position();
            if self.has_markers {
                match self.reader.byte() {
                    Ok(0) => {}
                    Ok(1) => continue,
                    Ok(_) => return Err(error(start, "a marker is 0 or 1".to_owned())),
                    Err(message) => return Err(error(start, message)),
                }
            }
            if out.len() > 1 {
                out.push(',');
            }
            json::text(&column.name, &mut out);
            out.push(':');
            value::value(&column.ty, &mut self.reader, self.server_timezone, &mut out)
                .map_err(|message| error(self.reader.position(), message))?;
        }
        out.push('}');
        Ok(out)
    }
}
