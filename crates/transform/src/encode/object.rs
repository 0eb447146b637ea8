//! The record itself: an object whose keys fill the columns.

use super::cursor::Cursor;
use super::fault::Fault;
use super::{Span, State, skip, string, value};
use crate::plan::{Field, KeyMatch, Plan};
use crate::reject::RejectCode;

/// Reads the record and appends its row.
pub(crate) fn row(plan: &Plan, c: &mut Cursor<'_>, s: &mut State, out: &mut Vec<u8>) -> Result<(), Fault> {
    c.blank(s.lenient);
    if !c.eat(b'{') {
        return Err(not_an_object(c, s));
    }
    let mut walk = Walk { plan, expected: 0, read: 0, in_order: true };
    s.spans.resize(plan.fields.len(), Span::NONE);
    walk.fields(c, s, out)?;
    c.blank(s.lenient);
    if !c.is_at_end() {
        return Err(Fault::new(RejectCode::TrailingData, c.at, "something follows the object"));
    }
    if !(walk.in_order && walk.read == plan.fields.len()) {
        gather(plan, s, out);
    }
    s.check_row_bytes(c.at, out)
}

/// The fault of a record that does not begin an object, as the cursor stands at its first byte.
pub(crate) fn not_an_object(c: &mut Cursor<'_>, s: &mut State) -> Fault {
    let at = c.at;
    // A document of another kind is told apart from what is no document at all.
    match skip::value_strict(c, s) {
        Ok(()) => {
            c.blank(false);
            if c.is_at_end() {
                Fault::new(RejectCode::NotAnObject, at, "the record is not a JSON object")
            } else {
                Fault::json(c.at, "the record is not a JSON document")
            }
        }
        Err(fault) => fault,
    }
}

struct Walk<'p> {
    plan: &'p Plan,
    /// The column whose key is guessed to come next.
    expected: usize,
    /// Columns that have their value.
    read: usize,
    /// The values read so far stand in the output in the columns' order, from the first on.
    in_order: bool,
}

impl Walk<'_> {
    fn fields(&mut self, c: &mut Cursor<'_>, s: &mut State, out: &mut Vec<u8>) -> Result<(), Fault> {
        c.blank(s.lenient);
        if c.eat(b'}') {
            return Ok(());
        }
        loop {
            let key_at = c.at;
            s.count_field(key_at)?;
            let guess = self.guess(c);
            let field = match guess {
                Some(index) => Some(index),
                None => self.key(c, s)?,
            };
            c.blank(s.lenient);
            if !c.eat(b':') {
                return Err(c.unexpected("`:`"));
            }
            c.blank(s.lenient);
            match field {
                // Once every column has its value, the rest of the object is only checked.
                Some(index) if self.read < self.plan.fields.len() => self.field(index, key_at, c, s, out)?,
                _ => skip::value(c, s)?,
            }
            c.blank(s.lenient);
            if c.eat(b',') {
                c.blank(s.lenient);
            } else if c.eat(b'}') {
                return Ok(());
            } else {
                return Err(c.unexpected("`,` or `}`"));
            }
        }
    }

    /// Takes the key that is expected, where it comes next.
    #[inline]
    fn guess(&self, c: &mut Cursor<'_>) -> Option<usize> {
        let key = &*self.plan.fields.get(self.expected)?.key;
        let rest = c.rest();
        let end = key.len() + 1;
        if rest.first() == Some(&b'"') && rest.get(end) == Some(&b'"') && rest[1..end] == *key && plain(key) {
            c.at += end + 1;
            return Some(self.expected);
        }
        None
    }

    /// Reads a key and finds its column.
    fn key(&self, c: &mut Cursor<'_>, s: &mut State) -> Result<Option<usize>, Fault> {
        if c.peek() != b'"' {
            return Err(c.unexpected("a key in double quotes"));
        }
        let raw = string::scan(c)?;
        let key = if raw.escaped { string::decode(&raw, s.lenient, &mut s.text)? } else { raw.bytes };
        match self.plan.keys.find(key) {
            KeyMatch::One(index) => Ok(Some(index)),
            // Once every column has its value, keys are not looked at any more.
            KeyMatch::Several if self.read < self.plan.fields.len() => {
                let message = "the key fits several columns by letter case";
                Err(Fault::new(RejectCode::AmbiguousKey, raw.at - 1, message))
            }
            KeyMatch::Several => Ok(None),
            KeyMatch::None => {
                s.unknown.count(key);
                Ok(None)
            }
        }
    }

    #[inline]
    fn field(
        &mut self,
        index: usize,
        key_at: usize,
        c: &mut Cursor<'_>,
        s: &mut State,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let field = &self.plan.fields[index];
        if s.spans[index] != Span::NONE {
            let message = "the key appears twice";
            return Err(Fault::new(RejectCode::DuplicateKey, key_at, message).in_column(&field.name));
        }
        let start = out.len();
        field_value(field, c, s, out)?;
        s.spans[index] = Span { start: start - s.row_start, end: out.len() - s.row_start };
        self.in_order &= index == self.read;
        self.read += 1;
        self.expected = index + 1;
        s.check_row_bytes(c.at, out)
    }
}

/// The value of a column, with its marker.
#[inline]
pub(super) fn field_value(
    field: &Field,
    c: &mut Cursor<'_>,
    s: &mut State,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    match &field.null {
        Some(null) if c.peek() == b'n' => {
            c.literal("null").map_err(|fault| fault.in_column(&field.name))?;
            out.extend_from_slice(null);
            Ok(())
        }
        _ => {
            if field.marks {
                out.push(0);
            }
            value::encode(&field.op, c, s, out).map_err(|fault| fault.in_column(&field.name))
        }
    }
}

/// Whether the key may stand in a record without an escape.
fn plain(key: &[u8]) -> bool {
    !key.contains(&b'"') && !key.contains(&b'\\')
}

/// Puts the values of the row into the columns' order, defaults where there are none.
fn gather(plan: &Plan, s: &mut State, out: &mut Vec<u8>) {
    s.gather.clear();
    s.gather.extend_from_slice(&out[s.row_start..]);
    out.truncate(s.row_start);
    for (field, span) in plan.fields.iter().zip(&s.spans) {
        match *span {
            Span::NONE => out.extend_from_slice(&field.missing),
            Span { start, end } => out.extend_from_slice(&s.gather[start..end]),
        }
    }
}
