//! JSON columns: the validated text, sent as it is.

use super::cursor::Cursor;
use super::fault::Fault;
use super::{State, skip, string};
use crate::reject::RejectCode;

/// Depth of nested objects that the server's parser takes.
const SERVER_DEPTH_MAX: usize = 1_023;

/// Paths of one document, with their buffers.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    /// The keys of the objects that are open, each behind its length.
    current: Vec<u8>,
    /// Where each open object's path ends in `current`.
    ends: Vec<usize>,
    /// The bytes of all leaf paths.
    bytes: Vec<u8>,
    /// Each leaf path: where it stands in `bytes`, and where its value stands in the record.
    leaves: Vec<Leaf>,
}

#[derive(Debug, Clone, Copy)]
struct Leaf {
    start: usize,
    end: usize,
    position: usize,
}

impl Paths {
    fn clear(&mut self) {
        self.current.clear();
        self.ends.clear();
        self.bytes.clear();
        self.leaves.clear();
    }

    /// Gives back buffers that have grown beyond the size.
    pub(crate) fn give_back(&mut self, bytes_max: usize) {
        if self.bytes.capacity() > bytes_max || self.leaves.capacity() > bytes_max / 24 {
            *self = Self::default();
        }
    }

    fn leaf(&mut self, position: usize) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&self.current);
        self.leaves.push(Leaf { start, end: self.bytes.len(), position });
    }

    /// Where a path stands for the second time.
    fn duplicate(&mut self) -> Option<usize> {
        let Self { bytes, leaves, .. } = self;
        let path = |leaf: &Leaf| &bytes[leaf.start..leaf.end];
        leaves.sort_unstable_by(|a, b| path(a).cmp(path(b)).then(a.position.cmp(&b.position)));
        leaves.windows(2).find(|pair| path(&pair[0]) == path(&pair[1])).map(|pair| pair[1].position)
    }
}

/// A JSON column: an object, written as its text.
pub(crate) fn json(c: &mut Cursor<'_>, s: &mut State, out: &mut Vec<u8>) -> Result<(), Fault> {
    let start = c.at;
    if c.peek() != b'{' {
        return Err(string::mismatch(c, s, "a JSON column"));
    }
    skip::value_strict(c, s)?;
    let text = &c.bytes[start..c.at];
    check(text, start, s)?;
    string::push_length(text.len(), out);
    out.extend_from_slice(text);
    Ok(())
}

/// Checks what the server's parser refuses although it is JSON. The text is known to be JSON.
fn check(text: &[u8], offset: usize, s: &mut State) -> Result<(), Fault> {
    let refused = |position: usize, message: &str| {
        Err(Fault::new(RejectCode::InvalidJsonColumn, offset + position, message))
    };
    s.paths.clear();
    let mut c = Cursor::new(text);
    // An array is a leaf: its level is counted, its values are only looked at for numbers.
    let mut arrays = 0usize;
    let mut depth = 0usize;
    let mut expects_key = false;
    loop {
        c.blank(false);
        if c.is_at_end() {
            break;
        }
        match c.peek() {
            b'{' => {
                depth += 1;
                c.at += 1;
                expects_key = true;
                s.brackets_open(b'{');
                if arrays == 0 {
                    s.paths.ends.push(s.paths.current.len());
                }
            }
            b'[' => {
                depth += 1;
                if arrays == 0 {
                    s.paths.leaf(offset + c.at);
                }
                arrays += 1;
                c.at += 1;
                s.brackets_open(b'[');
                expects_key = false;
            }
            b'}' => {
                depth -= 1;
                c.at += 1;
                s.brackets_close();
                if arrays == 0 {
                    let end = s.paths.ends.pop().unwrap_or(0);
                    s.paths.current.truncate(end);
                }
                expects_key = false;
            }
            b']' => {
                depth -= 1;
                arrays -= 1;
                c.at += 1;
                s.brackets_close();
                expects_key = false;
            }
            b',' => {
                c.at += 1;
                expects_key = s.brackets.last() == Some(&b'{');
            }
            b'"' if expects_key => {
                let raw = string::scan(&mut c)?;
                let key = if raw.escaped { string::decode(&raw, false, &mut s.text)? } else { raw.bytes };
                if arrays == 0 {
                    let base = s.paths.ends.last().copied().unwrap_or(0);
                    s.paths.current.truncate(base);
                    if base > 0 {
                        s.paths.current.push(b'.');
                    }
                    s.paths.current.extend_from_slice(key);
                }
                c.blank(false);
                c.at += 1; // The colon.
                expects_key = false;
            }
            byte => {
                let position = c.at;
                if arrays == 0 {
                    s.paths.leaf(offset + position);
                }
                match byte {
                    b'"' => {
                        string::scan(&mut c)?;
                    }
                    b't' | b'n' => c.at += 4,
                    b'f' => c.at += 5,
                    _ => {
                        c.at = super::number::json_number_end(c.bytes, position)?;
                        let number: Result<f64, _> = fast_float2::parse(&text[position..c.at]);
                        if !number.is_ok_and(f64::is_finite) {
                            return refused(position, "the number is out of range for a JSON column");
                        }
                    }
                }
            }
        }
        if depth > SERVER_DEPTH_MAX {
            return refused(c.at, "the document is nested deeper than a JSON column takes");
        }
        if s.paths.bytes.len() > s.row_bytes_max {
            return refused(c.at, "the paths of the document are too long");
        }
    }
    match s.paths.duplicate() {
        Some(position) => refused(position - offset, "the same path stands twice in the document"),
        None => Ok(()),
    }
}

impl State {
    fn brackets_open(&mut self, bracket: u8) {
        self.brackets.push(bracket);
    }

    fn brackets_close(&mut self) {
        self.brackets.pop();
    }
}
