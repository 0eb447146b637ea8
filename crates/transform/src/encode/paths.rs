//! Columns that are filled from inside of one field. Recursion is bounded by the steps of their paths.

use super::cursor::Cursor;
use super::fault::Fault;
use super::{Span, State, object, skip, string};
use crate::plan::{ArrayNode, KeyMatch, ObjectNode, PathNode, Place};
use crate::reject::RejectCode;

/// Appends the columns of the node from the value at the cursor; `null` is as if the value were not there.
pub(crate) fn node(
    node: &PathNode,
    c: &mut Cursor<'_>,
    s: &mut State,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    match node {
        PathNode::Column(field) => object::field_value(field, c, s, out),
        PathNode::Object(_) | PathNode::Array(_) if c.peek() == b'n' => {
            c.literal("null")?;
            node.push_missing(out);
            s.check_row_bytes(c.at, out)
        }
        PathNode::Object(node) => keys(node, c, s, out),
        PathNode::Array(node) => elements(node, c, s, out),
    }
}

/// The fault of a value that has nothing below it where the path goes on.
#[cold]
fn wrong_kind(path: &str, column: &str, what: &str, c: &mut Cursor<'_>, s: &mut State) -> Fault {
    let at = c.at;
    match skip::value(c, s) {
        Ok(()) => {
            Fault::new(RejectCode::TypeMismatch, at, format!("`{path}` is no {what}")).in_column(column)
        }
        Err(fault) => fault,
    }
}

fn keys(node: &ObjectNode, c: &mut Cursor<'_>, s: &mut State, out: &mut Vec<u8>) -> Result<(), Fault> {
    let place = &node.place;
    if c.peek() != b'{' {
        return Err(wrong_kind(&place.path, &place.column, "object", c, s));
    }
    s.enter(c.at)?;
    c.at += 1;
    let (base, start) = (s.spans.len(), out.len());
    s.spans.resize(base + node.children.len(), Span::NONE);
    let (mut read, mut in_order) = (0, true);
    c.blank(s.lenient);
    if !c.eat(b'}') {
        loop {
            let key_at = c.at;
            s.count_field(key_at)?;
            if c.peek() != b'"' {
                return Err(c.unexpected("a key in double quotes"));
            }
            let raw = string::scan(c)?;
            let key = if raw.escaped { string::decode(&raw, s.lenient, &mut s.text)? } else { raw.bytes };
            let child = match node.keys.find(key) {
                KeyMatch::One(index) => Some(index),
                KeyMatch::Several => return Err(ambiguous(place, key_at)),
                KeyMatch::None => None,
            };
            c.blank(s.lenient);
            if !c.eat(b':') {
                return Err(c.unexpected("`:`"));
            }
            c.blank(s.lenient);
            match child.and_then(|index| Some((index, node.children.get(index)?))) {
                Some((index, child)) => {
                    if s.spans[base + index] != Span::NONE {
                        let message = format!("the key appears twice in `{}`", place.path);
                        let fault = Fault::new(RejectCode::DuplicateKey, key_at, message);
                        return Err(fault.in_column(&place.column));
                    }
                    let value_start = out.len();
                    self::node(child, c, s, out)?;
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
    if !(in_order && read == node.children.len()) {
        gather(node, base, start, s, out);
    }
    s.spans.truncate(base);
    s.depth -= 1;
    s.check_row_bytes(c.at, out)
}

#[cold]
fn ambiguous(place: &Place, key_at: usize) -> Fault {
    let message = format!("the key fits several columns of `{}` by letter case", place.path);
    Fault::new(RejectCode::AmbiguousKey, key_at, message).in_column(&place.column)
}

/// Puts the columns into the node's order.
fn gather(node: &ObjectNode, base: usize, start: usize, s: &mut State, out: &mut Vec<u8>) {
    s.gather.clear();
    s.gather.extend_from_slice(&out[start..]);
    out.truncate(start);
    for (child, span) in node.children.iter().zip(&s.spans[base..]) {
        match *span {
            Span::NONE => child.push_missing(out),
            Span { start, end } => out.extend_from_slice(&s.gather[start..end]),
        }
    }
}

fn elements(node: &ArrayNode, c: &mut Cursor<'_>, s: &mut State, out: &mut Vec<u8>) -> Result<(), Fault> {
    if c.peek() != b'[' {
        return Err(wrong_kind(&node.place.path, &node.place.column, "array", c, s));
    }
    s.enter(c.at)?;
    c.at += 1;
    let mut wanted = node.children.iter();
    let mut next = wanted.next();
    let mut index = 0;
    c.blank(s.lenient);
    if !c.eat(b']') {
        loop {
            match next {
                Some((at, child)) if *at == index => {
                    self::node(child, c, s, out)?;
                    next = wanted.next();
                }
                _ => skip::value(c, s)?,
            }
            index += 1;
            c.blank(s.lenient);
            if c.eat(b',') {
                c.blank(s.lenient);
                if s.lenient && c.eat(b']') {
                    break;
                }
            } else if c.eat(b']') {
                break;
            } else {
                return Err(c.unexpected("`,` or `]`"));
            }
        }
    }
    for (_, child) in next.into_iter().chain(wanted) {
        child.push_missing(out);
    }
    s.depth -= 1;
    s.check_row_bytes(c.at, out)
}
