//! Values that no column takes: checked, not kept. Never recursive.

use super::State;
use super::cursor::Cursor;
use super::fault::Fault;
use super::{number, string};
use crate::reject::RejectCode;

/// Skips a value as the semantics of the plan ask.
pub(crate) fn value(c: &mut Cursor<'_>, s: &mut State) -> Result<(), Fault> {
    if s.lenient { value_lenient(c, s) } else { value_strict(c, s) }
}

/// Passes over the value, and reads its text again, up to its end. The keys in it count once.
pub(crate) fn again<'t>(
    c: &mut Cursor<'t>,
    s: &mut State,
    read: impl FnOnce(Cursor<'t>, &mut State) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let start = c.at;
    value(c, s)?;
    let text = Cursor { bytes: &c.bytes[..c.at], at: start };
    let fields_left = std::mem::replace(&mut s.fields_left, usize::MAX);
    let result = read(text, s);
    s.fields_left = fields_left;
    result
}

fn open(c: &mut Cursor<'_>, s: &mut State) -> Result<(), Fault> {
    if s.depth + s.brackets.len() >= s.depth_max {
        let message = "arrays and objects are nested deeper than the limit";
        return Err(Fault::new(RejectCode::TooDeep, c.at, message));
    }
    s.brackets.push(c.peek());
    c.at += 1;
    Ok(())
}

/// Reads over a string, its escapes checked.
fn check_string(c: &mut Cursor<'_>, s: &mut State) -> Result<(), Fault> {
    let raw = string::scan(c)?;
    if raw.escaped {
        string::decode(&raw, s.lenient, &mut s.text)?;
    }
    Ok(())
}

/// A value that does not nest.
fn scalar(c: &mut Cursor<'_>, s: &mut State) -> Result<(), Fault> {
    match c.peek() {
        b'"' => check_string(c, s),
        b't' => c.literal("true"),
        b'f' => c.literal("false"),
        b'n' => c.literal("null"),
        b'+' if s.lenient && matches!(c.bytes.get(c.at + 1), Some(b'+' | b'-')) => {
            // ClickHouse reads over a plus, and then a number with a sign of its own.
            c.at += 1;
            number::check_any(c, true)
        }
        _ => number::check_any(c, s.lenient),
    }
}

fn key(c: &mut Cursor<'_>, s: &mut State) -> Result<(), Fault> {
    s.count_field(c.at)?;
    if c.peek() != b'"' {
        return Err(c.unexpected("a key in double quotes"));
    }
    check_string(c, s)?;
    c.blank(s.lenient);
    if !c.eat(b':') {
        return Err(c.unexpected("`:`"));
    }
    c.blank(s.lenient);
    Ok(())
}

/// Skips a value of RFC 8259.
pub(crate) fn value_strict(c: &mut Cursor<'_>, s: &mut State) -> Result<(), Fault> {
    s.brackets.clear();
    'value: loop {
        match c.peek() {
            b'[' => {
                open(c, s)?;
                c.blank(false);
                if c.peek() != b']' {
                    continue 'value;
                }
            }
            b'{' => {
                open(c, s)?;
                c.blank(false);
                if c.peek() != b'}' {
                    key(c, s)?;
                    continue 'value;
                }
            }
            _ => scalar(c, s)?,
        }
        // A value or an empty container has been read: close what ends here.
        loop {
            let Some(bracket) = s.brackets.last() else { return Ok(()) };
            let is_array = *bracket == b'[';
            c.blank(false);
            match c.peek() {
                b',' => {
                    c.at += 1;
                    c.blank(false);
                    if !is_array {
                        key(c, s)?;
                    }
                    continue 'value;
                }
                b']' if is_array => c.at += 1,
                b'}' if !is_array => c.at += 1,
                _ => return Err(c.unexpected(if is_array { "`,` or `]`" } else { "`,` or `}`" })),
            }
            s.brackets.pop();
        }
    }
}

/// Skips a value as ClickHouse does: commas between the pairs of an object are optional.
fn value_lenient(c: &mut Cursor<'_>, s: &mut State) -> Result<(), Fault> {
    s.brackets.clear();
    'value: loop {
        c.blank(true);
        match c.peek() {
            b'[' => {
                open(c, s)?;
                c.blank(true);
                if c.peek() != b']' {
                    continue 'value;
                }
            }
            b'{' => {
                open(c, s)?;
                c.blank(true);
                if c.peek() != b'}' {
                    key(c, s)?;
                    continue 'value;
                }
            }
            _ => scalar(c, s)?,
        }
        loop {
            let Some(bracket) = s.brackets.last() else { return Ok(()) };
            c.blank(true);
            if *bracket == b'[' {
                if c.eat(b',') {
                    continue 'value;
                }
                if !c.eat(b']') {
                    return Err(c.unexpected("`,` or `]`"));
                }
            } else {
                if c.eat(b',') {
                    c.blank(true);
                }
                if !c.eat(b'}') {
                    key(c, s)?;
                    continue 'value;
                }
            }
            s.brackets.pop();
        }
    }
}

/// Reads over an array or object of which ClickHouse only balances brackets of the outer kind, outside of strings.
/// Brackets of both kinds count towards the depth, since a reader of the String would nest as deep.
pub(crate) fn brackets(c: &mut Cursor<'_>, s: &mut State) -> Result<(), Fault> {
    let outer_is_array = c.peek() == b'[';
    let (mut arrays, mut objects) = (0usize, 0usize);
    while let Some(byte) = c.bytes.get(c.at) {
        match *byte {
            b'"' => {
                string::scan(c)?;
                continue;
            }
            // ClickHouse passes over what is escaped outside of texts, too.
            b'\\' => {
                c.at += 2;
                continue;
            }
            b'[' => arrays += 1,
            b'{' => objects += 1,
            // A bracket of the inner kind may close what was never open.
            b']' => arrays = arrays.saturating_sub(1),
            b'}' => objects = objects.saturating_sub(1),
            // A key, as far as this text has keys.
            b':' => s.count_field(c.at)?,
            _ => {}
        }
        if s.depth + arrays + objects > s.depth_max {
            let message = "arrays and objects are nested deeper than the limit";
            return Err(Fault::new(RejectCode::TooDeep, c.at, message));
        }
        c.at += 1;
        if (if outer_is_array { arrays } else { objects }) == 0 {
            return Ok(());
        }
    }
    Err(c.unexpected("a closing bracket"))
}
