//! Lines of an input, one in memory at a time.

use std::io::{self, BufRead, Read as _};

/// Bytes of a line that are kept, at most (2 MiB): twice of what inference takes as a sample, so that a longer line is
/// refused as too large however much of it is white space.
const LINE_BYTES_MAX: usize = 2 << 20;

/// What some editors write before the first character of a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The lines of an input that are not blank.
pub(crate) struct Lines<R> {
    input: R,
    line: Vec<u8>,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(input: R) -> Lines<R> {
        Lines { input, line: Vec::new(), number: 0 }
    }

    /// The next line with its number, from 1; none at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<(u64, &[u8])>> {
        loop {
            self.line.clear();
            let limit = LINE_BYTES_MAX as u64;
            if self.input.by_ref().take(limit).read_until(b'\n', &mut self.line)? == 0 {
                return Ok(None);
            }
            if self.line.last() != Some(&b'\n') && self.line.len() == LINE_BYTES_MAX {
                self.input.skip_until(b'\n')?;
            }
            self.number += 1;
            if self.number == 1 && self.line.starts_with(BYTE_ORDER_MARK) {
                self.line.drain(..BYTE_ORDER_MARK.len());
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(Some((self.number, self.line.trim_ascii_end())));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &[u8]) -> Vec<(u64, Vec<u8>)> {
        let mut lines = Lines::new(input);
        std::iter::from_fn(|| lines.next().unwrap().map(|(number, line)| (number, line.to_vec()))).collect()
    }

    #[test]
    fn blank_lines_count_and_are_left_out() {
        assert_eq!(lines(b""), []);
        assert_eq!(lines(b"\n \r\n"), []);
        assert_eq!(lines(b"\xef\xbb\xbf{}\r\n\n[1]"), [(1, b"{}".to_vec()), (3, b"[1]".to_vec())]);
    }

    #[test]
    fn a_line_without_an_end_is_cut() {
        let mut input = vec![b'x'; 5 * LINE_BYTES_MAX];
        input.extend_from_slice(b"\n{}\n");
        let read = lines(&input);
        assert_eq!(
            read.iter().map(|(number, line)| (*number, line.len())).collect::<Vec<_>>(),
            [(1, LINE_BYTES_MAX), (2, 2)]
        );
    }
}
