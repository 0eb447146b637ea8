//! Where the values of a record stand in its row, and how they come into the columns' order.

use crate::kernels::{BLOCK_BYTES, append};
use crate::plan::Plan;

/// Where the values of a record stand, in the order in which they were read.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// For each column, the number of its value plus 1, or 0 where the record has none.
    of_column: Vec<usize>,
    /// Where each value starts in the row.
    starts: Vec<usize>,
    /// The values came in the columns' order.
    in_order: bool,
}

impl Places {
    pub(crate) fn clear(&mut self, columns: usize) {
        self.of_column.clear();
        self.of_column.resize(columns, 0);
        self.starts.clear();
        self.in_order = true;
    }

    /// Values so far.
    #[inline(always)]
    pub(crate) fn count(&self) -> usize {
        self.starts.len()
    }

    /// Notes that the next value is the column's and starts here; false where the column has one already.
    #[inline(always)]
    pub(crate) fn add(&mut self, column: usize, start: usize) -> bool {
        let number = self.starts.len();
        let place = &mut self.of_column[column];
        if *place != 0 {
            return false;
        }
        *place = number + 1;
        self.in_order &= column == number;
        self.starts.push(start);
        true
    }

    /// Whether the values are the row as it stands.
    #[inline(always)]
    pub(crate) fn is_row(&self) -> bool {
        self.in_order && self.starts.len() == self.of_column.len()
    }

    /// For each column, the number of its value plus 1, or 0.
    pub(crate) fn of_column(&self) -> &[usize] {
        &self.of_column
    }

    /// Appends the row to `out`, its values in the columns' order.
    pub(crate) fn gather(&mut self, defaults: &Defaults, row: &mut Vec<u8>, out: &mut Vec<u8>) {
        gather(defaults, &self.of_column, &mut self.starts, row, out);
    }
}

/// The bytes of all columns that a record may leave out, one behind the other.
#[derive(Debug)]
pub(crate) struct Defaults {
    bytes: Vec<u8>,
    /// Where each column's bytes start, and where the last ones end.
    starts: Vec<usize>,
}

impl Defaults {
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut bytes = Vec::new();
        let mut starts = vec![0];
        for field in &plan.fields {
            bytes.extend_from_slice(&field.missing);
            starts.push(bytes.len());
        }
        // Blocks are copied from it.
        bytes.reserve(BLOCK_BYTES);
        Self { bytes, starts }
    }

    /// The bytes of all columns, a block to spare behind them.
    #[inline(always)]
    pub(crate) fn bytes(&self) -> &Vec<u8> {
        &self.bytes
    }

    /// Where the bytes of these columns stand.
    #[inline(always)]
    pub(crate) fn range(&self, columns: std::ops::Range<usize>) -> std::ops::Range<usize> {
        self.starts[columns.start]..self.starts[columns.end]
    }

    /// How many bytes a record without any key takes.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }
}

/// Appends a row to `out`: the values in the columns' order, defaults where there are none. The values start where
/// `starts` says, each ending where the next one starts.
pub(crate) fn gather(
    defaults: &Defaults,
    of_column: &[usize],
    starts: &mut Vec<usize>,
    row: &mut Vec<u8>,
    out: &mut Vec<u8>,
) {
    starts.push(row.len());
    row.reserve(BLOCK_BYTES);
    out.reserve(row.len() + defaults.bytes.len() + BLOCK_BYTES);
    let breaks = of_column.windows(2).filter(|pair| pair[1] != pair[0] + usize::from(pair[0] != 0)).count();
    if breaks * 4 > of_column.len() {
        // Piece by piece, without a guess of the processor at what comes next.
        for (column, place) in of_column.iter().enumerate() {
            let sources =
                [(&defaults.bytes, &*defaults.starts, column), (&*row, &**starts, place.wrapping_sub(1))];
            let (from, starts, at) = sources[usize::from(*place != 0)];
            append(from, starts[at]..starts[at + 1], out);
        }
        return;
    }
    let mut column = 0;
    while let Some(place) = of_column.get(column) {
        let first = column;
        column += 1;
        match place.checked_sub(1) {
            None => {
                while of_column.get(column) == Some(&0) {
                    column += 1;
                }
                append(&defaults.bytes, defaults.starts[first]..defaults.starts[column], out);
            }
            Some(number) => {
                while of_column.get(column) == Some(&(place + column - first)) {
                    column += 1;
                }
                append(row, starts[number]..starts[number + column - first], out);
            }
        }
    }
}
