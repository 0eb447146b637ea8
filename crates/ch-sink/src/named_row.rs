//! Where to cut rows that were refused: ClickHouse often names the first of them.

use std::ops::Range;

/// Whether to look where ClickHouse points. What it names is a hint, since it may count the rows of a block, and another
/// constraint may refuse an earlier row; so each hint that misled is followed by a cut in the middle, and a search takes a
/// few times as many inserts as one by halves, at most.
///
/// Rows are counted as the caller likes, in the order in which they are inserted.
#[derive(Debug, Clone)]
pub struct NamedRow<T> {
    named: Option<T>,
    was_wrong: bool,
}

impl<T> Default for NamedRow<T> {
    fn default() -> Self {
        NamedRow { named: None, was_wrong: false }
    }
}

impl<T: PartialOrd + Copy> NamedRow<T> {
    /// These rows were accepted.
    pub fn accepted(&mut self, rows: &Range<T>) {
        self.was_wrong |= self.named.is_some_and(|named| rows.contains(&named));
    }

    /// These rows were refused, and `named` is the one that ClickHouse says. Returns it where it is to be followed: where
    /// it is to be tried alone.
    pub fn refused(&mut self, rows: &Range<T>, named: Option<T>) -> Option<T> {
        let was_wrong = std::mem::take(&mut self.was_wrong);
        let lie_before = self.named.is_some_and(|last| rows.end <= last);
        self.named = named.filter(|named| !was_wrong && !lie_before && rows.contains(named));
        self.named
    }
}

/// Where `rows` rows that were refused as a whole are cut, two or more: before and behind the one that was named, else in
/// the middle. A cut at either end cuts nothing off.
///
/// ```
/// assert_eq!(housepipe_ch_sink::cuts(10, Some(7)), [7, 8]);
/// assert_eq!(housepipe_ch_sink::cuts(10, None), [5, 10]);
/// ```
pub fn cuts(rows: usize, named: Option<usize>) -> [usize; 2] {
    named.filter(|row| *row < rows).map_or([rows / 2, rows], |row| [row, row + 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_that_misled_is_followed_by_a_cut_in_the_middle() {
        let mut rows = NamedRow::default();
        assert_eq!(rows.refused(&(0..100), Some(99)), Some(99));
        assert_eq!(
            rows.refused(&(0..99), Some(98)),
            None,
            "what lies before the first refused row was refused"
        );
        assert_eq!(rows.refused(&(0..49), Some(48)), Some(48));
        rows.accepted(&(0..48));
        rows.accepted(&(48..49));
        assert_eq!(rows.refused(&(49..99), Some(50)), None, "the row that was named was accepted");
        assert_eq!(rows.refused(&(49..74), Some(50)), Some(50));
        assert_eq!(rows.refused(&(50..51), Some(50)), Some(50));
        assert_eq!(rows.refused(&(51..74), Some(74)), None, "a row beyond the insert");
    }
}
