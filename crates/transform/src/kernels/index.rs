//! Where the keys and the values of a flat record stand, by its commas and colons.

use super::lane::{Bounds, Lane};
use super::simd::Simd;

/// Commas and colons of a record, at most.
const MARKS_MAX: usize = 4_096;

/// Bytes of a record, at most: a place, and the one behind it, are kept in 16 bits.
const RECORD_BYTES_MAX: usize = u16::MAX as usize;

/// Marks of a block that are noted without a look at how many there are.
const MARKS_AT_ONCE: usize = 8;

/// Where the values of a record stand.
#[derive(Debug)]
pub(crate) struct Index {
    /// Where commas and colons stand outside of texts.
    marks: Vec<u16>,
    /// Where each column's value starts and ends, blanks included; old where the record has none.
    values: Vec<[u16; 2]>,
    /// A bit for each column that has a value.
    present: Vec<u64>,
}

impl Index {
    pub(crate) fn new(columns: usize) -> Index {
        Index { marks: Vec::new(), values: vec![[0; 2]; columns], present: vec![0; columns.div_ceil(64)] }
    }

    /// Notes where commas and colons stand outside of texts, as it seems: an escaped quote is taken for the end of a text.
    /// Returns how many there are, behind which the places mean nothing; none where that is more than an index holds.
    ///
    /// # Safety
    /// The bounds are those of a live record, and the processor has the level's instructions.
    #[inline(always)]
    pub(super) unsafe fn find_marks<S: Simd>(&mut self, bounds: &Bounds<'_>) -> Option<usize> {
        let len = bounds.record.len();
        if len > RECORD_BYTES_MAX {
            return None;
        }
        self.marks.resize(MARKS_MAX, 0);
        self.present.fill(0);
        let (mut at, mut count, mut inside) = (0, 0, 0);
        while at < len {
            // SAFETY: the block begins inside the record, and 64 bytes from there on may be read.
            let block = unsafe { S::structure_64(bounds.start.add(at)) };
            let texts = parity(block.quotes) ^ inside;
            // All bits are the last one.
            inside = ((texts as i64) >> 63) as u64;
            let mut found = block.marks & !texts;
            let behind = count + found.count_ones() as usize;
            let to = self.marks.get_mut(count..count + 64)?.as_mut_ptr();
            let mut noted = 0;
            loop {
                for place in noted..noted + MARKS_AT_ONCE {
                    // A place lies below the length, which fits.
                    let mark = at + found.trailing_zeros() as usize;
                    found &= found.wrapping_sub(1);
                    // SAFETY: `to` has 64 places, a multiple of those that are written at once. Written one by one, since
                    // compilers make vectors of them that take longer to put together.
                    unsafe { to.add(place).write_volatile(mark as u16) };
                }
                noted += MARKS_AT_ONCE;
                if count + noted >= behind || noted == 64 {
                    break;
                }
            }
            count = behind;
            at += 64;
        }
        Some(count)
    }

    /// Where the mark of this number stands.
    #[inline(always)]
    pub(super) fn mark(&self, number: usize) -> usize {
        usize::from(self.marks[number])
    }

    /// Notes the value of a column; false where it has one already.
    #[inline(always)]
    pub(super) fn note(&mut self, column: usize, value: [u16; 2]) -> bool {
        let (word, bit) = (&mut self.present[column / 64], 1 << (column % 64));
        let is_first = *word & bit == 0;
        *word |= bit;
        self.values[column] = value;
        is_first
    }

    /// Columns that have a value.
    #[inline(always)]
    pub(super) fn count(&self) -> usize {
        self.present.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// A bit for each column that has a value, 64 a word.
    #[inline(always)]
    pub(super) fn present(&self) -> &[u64] {
        &self.present
    }

    #[inline(always)]
    pub(super) fn has(&self, column: usize) -> bool {
        self.present[column / 64] >> (column % 64) & 1 == 1
    }

    /// The lane at the column's value.
    ///
    /// # Safety
    /// The record is the one that the places were found in, and has the column.
    #[inline(always)]
    pub(super) unsafe fn value(&self, column: usize, lane: Lane, bounds: &Bounds<'_>) -> Lane {
        let start = usize::from(self.values[column][0]);
        // SAFETY: the place lies inside the record.
        unsafe { Lane { at: bounds.lane(start, 0).at, out: lane.out }.blank() }
    }

    /// None where the lane does not stand where the column's value ends.
    ///
    /// # Safety
    /// As for [`Index::value`]; the lane is live.
    #[inline(always)]
    pub(super) unsafe fn ends(&self, column: usize, lane: Lane, bounds: &Bounds<'_>) -> Option<()> {
        // SAFETY: the same contract.
        let at = unsafe { bounds.read(lane.blank()) };
        (at == usize::from(self.values[column][1])).then_some(())
    }
}

/// Each bit with those below it: odd or not. Between an opening quote and the closing one the bits are 1.
#[inline(always)]
fn parity(bits: u64) -> u64 {
    [1, 2, 4, 8, 16, 32].iter().fold(bits, |bits, shift| bits ^ bits << shift)
}

#[cfg(test)]
mod tests {
    use super::super::padded::Padded;
    use super::super::portable::Portable;
    use super::*;

    /// The marks of a record, by the portable level; `agreement` compares the others with it.
    fn marks(record: &str) -> Option<Vec<usize>> {
        let (mut padded, mut row) = (Padded::default(), Vec::new());
        padded.load(record.as_bytes());
        let bounds = Bounds::new(&padded, &mut row, 0);
        let mut index = Index::new(1);
        // SAFETY: the bounds are those of a live record; every processor has the level.
        let count = unsafe { index.find_marks::<Portable>(&bounds) }?;
        Some((0..count).map(|number| index.mark(number)).collect())
    }

    #[test]
    fn marks_are_the_commas_and_colons_outside_of_texts() {
        let plain = |record: &str| -> Vec<usize> {
            let mut in_text = false;
            let is_mark = |(at, byte): (usize, char)| {
                in_text ^= byte == '"';
                (!in_text && matches!(byte, ',' | ':')).then_some(at)
            };
            record.chars().enumerate().filter_map(is_mark).collect()
        };
        let long_text = format!(r#"{{"a":"{}","b,:":[1,2]}}"#, ",:x".repeat(70));
        // More marks in a block than are noted at once.
        let dense = format!("{}{}", ",".repeat(130), r#"":,",:"#);
        for record in ["", "{}", r#"{"a":1}"#, r#"{"a":",:","b":2}"#, &long_text, &dense] {
            assert_eq!(marks(record), Some(plain(record)), "{record}");
        }
    }

    #[test]
    fn too_long_and_too_many_are_left_to_another_path() {
        assert!(marks(&" ".repeat(RECORD_BYTES_MAX)).is_some());
        assert_eq!(marks(&" ".repeat(RECORD_BYTES_MAX + 1)), None);
        assert!(marks(&",".repeat(MARKS_MAX - 64)).is_some());
        assert_eq!(marks(&",".repeat(MARKS_MAX + 1)), None);
    }
}
