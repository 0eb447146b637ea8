//! Where the values of a record stand in its row, and how they come into the columns' order.

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

    /// Appends the row to `out`: the values in the columns' order, defaults where there are none.
    pub(crate) fn gather(&self, plan: &Plan, row: &[u8], out: &mut Vec<u8>) {
        gather(plan, &self.of_column, |number| self.starts.get(number).copied(), row, out);
    }

    pub(crate) fn of_column(&self) -> &[usize] {
        &self.of_column
    }
}

/// Appends a row whose values start where `start` says, each ending where the next one starts.
pub(crate) fn gather(
    plan: &Plan,
    of_column: &[usize],
    start: impl Fn(usize) -> Option<usize>,
    row: &[u8],
    out: &mut Vec<u8>,
) {
    for (field, place) in plan.fields.iter().zip(of_column) {
        let value = match place.checked_sub(1) {
            None => &*field.missing,
            Some(number) => {
                let from = start(number).unwrap_or(row.len());
                let to = start(number + 1).unwrap_or(row.len());
                row.get(from..to).unwrap_or_default()
            }
        };
        out.extend_from_slice(value);
    }
}
