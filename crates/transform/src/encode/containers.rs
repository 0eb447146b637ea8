//! Arrays, maps and tuples. Recursion is bounded by the depth of the column's type.

use super::cursor::Cursor;
use super::fault::Fault;
use super::{Span, State, number, skip, string, value};
use crate::plan::{DefaultOf, Op, TupleOp, VectorOp, push_length};
use crate::reject::RejectCode;

/// Where a length will stand: one byte is kept for it.
pub(super) fn reserve_length(out: &mut Vec<u8>) -> usize {
    out.push(0);
    out.len() - 1
}

/// Writes the length; what follows moves when the length needs more than its byte.
pub(super) fn write_length(at: usize, length: usize, out: &mut Vec<u8>) {
    if length < 0x80 {
        out[at] = length.to_le_bytes()[0];
        return;
    }
    let end = out.len();
    push_length(length, out);
    let extra = out.len() - end;
    out[at..].rotate_right(extra);
    // The kept byte now stands behind the length.
    out.remove(at + extra);
}

/// An Array.
pub(crate) fn array(inner: &Op, c: &mut Cursor<'_>, s: &mut State, out: &mut Vec<u8>) -> Result<(), Fault> {
    if c.peek() != b'[' {
        return Err(string::mismatch(c, s, "an Array"));
    }
    s.enter(c.at)?;
    c.at += 1;
    let length_at = reserve_length(out);
    let mut length = 0;
    c.blank(s.lenient);
    if !c.eat(b']') {
        loop {
            value::encode(inner, c, s, out).map_err(|fault| fault.at_index(length))?;
            length += 1;
            s.check_row_bytes(c.at, out)?;
            c.blank(s.lenient);
            if c.eat(b',') {
                c.blank(s.lenient);
                if s.lenient && c.eat(b']') {
                    break;
                }
            } else if c.eat(b']') {
                break;
            } else {
                return Err(c.unexpected("`,` or `]`").at_index(length - 1));
            }
        }
    }
    write_length(length_at, length, out);
    s.depth -= 1;
    Ok(())
}

/// A Map, its pairs in the order of the record.
pub(crate) fn map(
    key: &Op,
    item: &Op,
    c: &mut Cursor<'_>,
    s: &mut State,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    if c.peek() != b'{' {
        return Err(string::mismatch(c, s, "a Map"));
    }
    s.enter(c.at)?;
    c.at += 1;
    let length_at = reserve_length(out);
    let mut length = 0;
    c.blank(s.lenient);
    if !c.eat(b'}') {
        loop {
            s.count_field(c.at)?;
            if !s.lenient && c.peek() != b'"' {
                return Err(c.unexpected("a key in double quotes"));
            }
            value::encode(key, c, s, out).map_err(|fault| fault.at_index(length))?;
            c.blank(s.lenient);
            if !c.eat(b':') {
                return Err(c.unexpected("`:`").at_index(length));
            }
            c.blank(s.lenient);
            value::encode(item, c, s, out).map_err(|fault| fault.at_index(length))?;
            length += 1;
            s.check_row_bytes(c.at, out)?;
            c.blank(s.lenient);
            if c.eat(b',') {
                c.blank(s.lenient);
                if s.lenient && c.eat(b'}') {
                    break;
                }
            } else if c.eat(b'}') {
                break;
            } else {
                return Err(c.unexpected("`,` or `}`").at_index(length - 1));
            }
        }
    }
    write_length(length_at, length, out);
    s.depth -= 1;
    Ok(())
}

/// A vector: so many bare numbers as it has dimensions.
pub(crate) fn vector(
    vector: &VectorOp,
    c: &mut Cursor<'_>,
    s: &mut State,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    if c.peek() != b'[' {
        return Err(string::mismatch(c, s, "a QBit"));
    }
    s.enter(c.at)?;
    c.at += 1;
    push_length(vector.dimension, out);
    // ClickHouse has one reader for these elements, inside of a Variant too.
    let in_variant = std::mem::replace(&mut s.in_variant, false);
    let read = elements(vector, c, s, out);
    s.in_variant = in_variant;
    read?;
    s.depth -= 1;
    s.check_row_bytes(c.at, out)
}

fn elements(vector: &VectorOp, c: &mut Cursor<'_>, s: &mut State, out: &mut Vec<u8>) -> Result<(), Fault> {
    for at in 0..vector.dimension {
        c.blank(s.lenient);
        if at > 0 {
            if c.peek() == b']' {
                return Err(wrong_dimension(vector, c));
            }
            if !c.eat(b',') {
                return Err(c.unexpected("`,`"));
            }
            c.blank(s.lenient);
        }
        let element = match c.peek() {
            b'"' | b't' | b'f' | b'[' | b'{' => Err(string::mismatch(c, s, "an element of a QBit")),
            // The number 0 may be nothing at all.
            b']' if !s.lenient && at == 0 => Err(wrong_dimension(vector, c)),
            b']' if !s.lenient => Err(c.unexpected("a value")),
            _ => element(&vector.element, c, s, out),
        };
        element.map_err(|fault| fault.at_index(at))?;
    }
    c.blank(s.lenient);
    if !c.eat(b']') {
        return Err(if c.peek() == b',' { wrong_dimension(vector, c) } else { c.unexpected("`]`") });
    }
    Ok(())
}

/// A bare number; to ClickHouse `nan` is one here, and nothing is null.
fn element(op: &Op, c: &mut Cursor<'_>, s: &mut State, out: &mut Vec<u8>) -> Result<(), Fault> {
    match op {
        Op::Int(kind) => number::integer(*kind, c, s, out),
        Op::BFloat16 => number::bfloat16(c, s, out),
        Op::Float32 => number::float32(c, s, out),
        _ => number::float64(c, s, out),
    }
}

#[cold]
fn wrong_dimension(vector: &VectorOp, c: &Cursor<'_>) -> Fault {
    Fault::new(RejectCode::WrongTupleLength, c.at, format!("the QBit has {} elements", vector.dimension))
}

/// A Tuple: from an object where its elements have names, else from an array.
pub(crate) fn tuple(
    tuple: &TupleOp,
    c: &mut Cursor<'_>,
    s: &mut State,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    let (open, what) = if tuple.named { (b'{', "a named Tuple") } else { (b'[', "an unnamed Tuple") };
    if c.peek() != open {
        return Err(string::mismatch(c, s, what));
    }
    s.enter(c.at)?;
    c.at += 1;
    c.blank(s.lenient);
    if tuple.named {
        named(tuple, c, s, out)?;
    } else {
        unnamed(tuple, c, s, out)?;
    }
    s.depth -= 1;
    Ok(())
}

fn unnamed(tuple: &TupleOp, c: &mut Cursor<'_>, s: &mut State, out: &mut Vec<u8>) -> Result<(), Fault> {
    let wrong_length = |c: &Cursor<'_>| {
        let message = format!("the Tuple has {} elements", tuple.elements.len());
        Fault::new(RejectCode::WrongTupleLength, c.at, message)
    };
    for (at, element) in tuple.elements.iter().enumerate() {
        if at > 0 {
            if c.peek() == b']' {
                return Err(wrong_length(c));
            }
            if !c.eat(b',') {
                return Err(c.unexpected("`,`"));
            }
            c.blank(s.lenient);
        } else if c.peek() == b']' && !s.lenient {
            return if nothing_is_read(tuple, c, s, out) { Ok(()) } else { Err(wrong_length(c)) };
        }
        value::encode(&element.op, c, s, out).map_err(|fault| fault.at_index(at))?;
        c.blank(s.lenient);
    }
    if c.eat(b']') {
        return Ok(());
    }
    Err(if c.peek() == b',' { wrong_length(c) } else { c.unexpected("`]`") })
}

/// Reads `[]` for a single element, where ClickHouse takes nothing for the number 0, and moves behind its bracket.
fn nothing_is_read(tuple: &TupleOp, c: &mut Cursor<'_>, s: &mut State, out: &mut Vec<u8>) -> bool {
    let [element] = &*tuple.elements else { return false };
    if element.op.is_poisoned_by_default() {
        return false;
    }
    s.lenient = true;
    let is_read = value::encode(&element.op, c, s, out).is_ok() && c.eat(b']');
    s.lenient = false;
    is_read
}

fn named(tuple: &TupleOp, c: &mut Cursor<'_>, s: &mut State, out: &mut Vec<u8>) -> Result<(), Fault> {
    let base = s.spans.len();
    s.spans.resize(base + tuple.elements.len(), Span::NONE);
    let start = out.len();
    let mut read = 0;
    let mut in_order = true;
    if !c.eat(b'}') {
        loop {
            let key_at = c.at;
            s.count_field(key_at)?;
            if c.peek() != b'"' {
                return Err(c.unexpected("a key in double quotes"));
            }
            let raw = string::scan(c)?;
            string::check_escapes(&raw, s)?;
            let key = if raw.escaped { string::decode_quoted(&raw, &mut s.text)? } else { raw.bytes };
            let element = match tuple.elements.get(read) {
                Some(element) if in_order && element.name.as_bytes() == key => Some(read),
                _ => tuple.names.get(key).copied(),
            };
            c.blank(s.lenient);
            if !c.eat(b':') {
                return Err(c.unexpected("`:`"));
            }
            c.blank(s.lenient);
            match element {
                Some(index) => {
                    let name = &*tuple.elements[index].name;
                    if s.spans[base + index] != Span::NONE {
                        let message = "the key appears twice";
                        return Err(Fault::new(RejectCode::DuplicateKey, key_at, message).in_element(name));
                    }
                    let value_start = out.len();
                    value::encode(&tuple.elements[index].op, c, s, out)
                        .map_err(|fault| fault.in_element(name))?;
                    s.spans[base + index] = Span { start: value_start - start, end: out.len() - start };
                    in_order &= index == read;
                    read += 1;
                }
                None => skip::value(c, s)?,
            }
            c.blank(s.lenient);
            if c.eat(b',') {
                c.blank(s.lenient);
            } else if c.eat(b'}') {
                break;
            } else {
                return Err(c.unexpected("`,` or `}`"));
            }
        }
    }
    if !(in_order && read == tuple.elements.len()) {
        gather(tuple, base, start, c.at, s, out)?;
    }
    s.spans.truncate(base);
    Ok(())
}

/// Puts the elements into the tuple's order, defaults where there are none.
fn gather(
    tuple: &TupleOp,
    base: usize,
    start: usize,
    at: usize,
    s: &mut State,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    s.gather.clear();
    s.gather.extend_from_slice(&out[start..]);
    out.truncate(start);
    for (index, element) in tuple.elements.iter().enumerate() {
        match s.spans[base + index] {
            Span::NONE if !s.lenient && element.op.is_poisoned_by_default() => {
                let message = "a missing element is 0 for an Enum, which has no such number";
                return Err(Fault::new(RejectCode::NullEnum, at, message).in_element(&element.name));
            }
            Span::NONE => element.op.write_default(DefaultOf::OfMemory, out),
            Span { start, end } => out.extend_from_slice(&s.gather[start..end]),
        }
    }
    s.check_row_bytes(at, out)
}
