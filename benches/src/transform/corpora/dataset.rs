//! Records in memory, one a line.

use std::ops::Range;

use anyhow::Context;

use super::super::peers::Typed;

/// Records of one kind, one a line, with the places where they stand.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// The corpus they belong to.
    pub name: String,
    /// The columns as ClickHouse writes them.
    pub columns: String,
    /// How the peers read them; none for records of a user, which only the engines and ClickHouse read.
    pub typed: Option<Typed>,
    lines: Vec<u8>,
    places: Vec<Range<usize>>,
}

impl Dataset {
    /// No records yet.
    #[must_use]
    pub fn new(name: impl Into<String>, columns: String, typed: Option<Typed>) -> Dataset {
        Dataset { name: name.into(), columns, typed, lines: Vec::new(), places: Vec::new() }
    }

    /// The lines of a file; blank ones are no records.
    ///
    /// # Errors
    /// Where the file cannot be read or holds no record.
    pub fn read(path: &std::path::Path, columns: &str) -> anyhow::Result<Dataset> {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut dataset = Dataset::new(path.display().to_string(), columns.to_owned(), None);
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
            dataset.push(line);
        }
        anyhow::ensure!(!dataset.places.is_empty(), "{} holds no record", path.display());
        Ok(dataset)
    }

    /// Adds a record.
    pub fn push(&mut self, record: &[u8]) {
        let start = self.lines.len();
        self.lines.extend_from_slice(record);
        self.places.push(start..self.lines.len());
        self.lines.push(b'\n');
    }

    /// The records, in order.
    pub fn records(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.places.iter().map(|place| &self.lines[place.clone()])
    }

    /// All lines, each with its newline.
    #[must_use]
    pub fn lines(&self) -> &[u8] {
        &self.lines
    }

    /// Bytes of all lines.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.lines.len()
    }

    /// How many records there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The records in slices of at most this many bytes, and of one record at least.
    #[must_use]
    pub fn slices(&self, bytes_max: usize) -> Vec<Vec<&[u8]>> {
        let mut slices: Vec<Vec<&[u8]>> = Vec::new();
        let mut bytes = usize::MAX;
        for record in self.records() {
            if bytes.saturating_add(record.len()) > bytes_max {
                slices.push(Vec::new());
                bytes = 0;
            }
            bytes += record.len();
            if let Some(slice) = slices.last_mut() {
                slice.push(record);
            }
        }
        slices
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_hold_every_record_once_and_keep_to_their_size() {
        let mut dataset = Dataset::new("x", "a UInt8".to_owned(), None);
        for length in [3, 3, 9, 1, 5] {
            dataset.push(&vec![b'x'; length]);
        }
        let lengths: Vec<Vec<usize>> =
            dataset.slices(6).iter().map(|slice| slice.iter().map(|record| record.len()).collect()).collect();
        assert_eq!(lengths, [vec![3, 3], vec![9], vec![1, 5]]);
    }
}
