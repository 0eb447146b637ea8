//! JSON columns: the validated text, sent as it is.

use super::cursor::Cursor;
use super::fault::Fault;
use super::json_document::{Duplicate, Kind};
use super::{State, json_path, skip, string};
use crate::plan::{JsonOp, JsonPath, push_length};
use crate::reject::RejectCode;

/// Depth of nested objects that the server's parser takes.
const SERVER_DEPTH_MAX: usize = 1_023;

/// A JSON column: an object, written as its text.
pub(crate) fn json(
    paths: &JsonOp,
    c: &mut Cursor<'_>,
    s: &mut State,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    let start = c.at;
    if c.peek() != b'{' {
        return Err(string::mismatch(c, s, "a JSON column"));
    }
    // The server's parser knows no leniency.
    let lenient = std::mem::replace(&mut s.lenient, false);
    let result = skip::again(c, s, |text, s| check(paths, text.bytes, start, s));
    s.lenient = lenient;
    result?;
    let text = &c.bytes[start..c.at];
    push_length(text.len(), out);
    out.extend_from_slice(text);
    Ok(())
}

#[cold]
pub(super) fn refused(position: usize, message: &str) -> Fault {
    Fault::new(RejectCode::InvalidJsonColumn, position, message)
}

/// Checks what the server's parser refuses although it is JSON. The text from `start` on is known to be JSON.
fn check(paths: &JsonOp, bytes: &[u8], start: usize, s: &mut State) -> Result<(), Fault> {
    if let Err(error) = std::str::from_utf8(&bytes[start..]) {
        return Err(refused(start + error.valid_up_to(), "a JSON column takes UTF-8 alone"));
    }
    s.paths.clear();
    let misfit = walk(paths, bytes, start, s)?;
    if s.paths.is_suspicious() {
        walk(paths, bytes, start, s)?;
        let duplicate = s.paths.duplicate();
        // What the server meets first counts: of a Variant other members are tried after this, and not after some misfits.
        let is_first = |found: Duplicate| misfit.as_ref().is_none_or(|misfit| found.met <= misfit.position());
        if let Some(found) = duplicate.filter(|found| is_first(*found)) {
            return Err(refused(found.position, "the same path stands twice in the document"));
        }
    }
    misfit.map_or(Ok(()), Err)
}

/// Walks the document, and notes its paths. Returns the first value that does not fit its path.
fn walk(paths: &JsonOp, bytes: &[u8], start: usize, s: &mut State) -> Result<Option<Fault>, Fault> {
    let mut c = Cursor { bytes, at: start };
    let mut expects_key = false;
    let mut misfit = None;
    loop {
        c.blank(false);
        let position = c.at;
        if c.is_at_end() {
            return Ok(misfit);
        }
        match c.peek() {
            bracket @ (b'{' | b'[') => {
                s.paths.open(bracket == b'{', position);
                c.at += 1;
                expects_key = bracket == b'{';
            }
            b'}' | b']' => {
                s.paths.close();
                c.at += 1;
                expects_key = false;
            }
            b',' => {
                c.at += 1;
                expects_key = s.paths.in_object();
            }
            b'"' => {
                let raw = string::scan(&mut c)?;
                let text = check_text(&raw, &mut s.text)?;
                if expects_key {
                    s.paths.key(text);
                    c.blank(false);
                    c.at += 1; // The colon.
                    expects_key = false;
                    misfit = odd_path(paths, &mut c, s, misfit)?;
                } else {
                    s.paths.value(Kind::Plain, position);
                }
            }
            byte => {
                s.paths.value(if byte == b'n' { Kind::Null } else { Kind::Plain }, position);
                c.at = match byte {
                    b't' | b'n' => position + 4,
                    b'f' => position + 5,
                    _ => number_end(bytes, position)?,
                };
            }
        }
        if s.paths.depth() > SERVER_DEPTH_MAX {
            return Err(refused(position, "the document is nested deeper than a JSON column takes"));
        }
        if s.paths.bytes() > s.row_bytes_max {
            let message = "the paths of the document that seem to stand twice are longer than the limit";
            return Err(Fault::new(RejectCode::RecordTooLarge, position, message));
        }
    }
}

/// Passes over the value of a key that is not like others: one with a type of its own, or one that is left out. Returns
/// `misfit`, or the fault of this value where there was none before.
fn odd_path(
    paths: &JsonOp,
    c: &mut Cursor<'_>,
    s: &mut State,
    misfit: Option<Fault>,
) -> Result<Option<Fault>, Fault> {
    let path = match s.paths.in_document().map(|path| paths.find(path)) {
        None | Some(JsonPath::Plain) => return Ok(misfit),
        Some(path) => path,
    };
    c.blank(false);
    let at = c.at;
    s.paths.whole(c.peek() == b'{', matches!(path, JsonPath::Skipped), at);
    // Texts inside of it have to be texts for the server's parser all the same.
    skip::value_strict(c, s)?;
    check_tokens(&c.bytes[..c.at], at, s)?;
    let JsonPath::Typed(name, op) = path else { return Ok(misfit) };
    if misfit.is_some() {
        return Ok(misfit);
    }
    let mut scratch = std::mem::take(&mut s.paths.scratch);
    let mut value = Cursor { bytes: c.bytes, at };
    let fits = json_path::check(op, &mut value, s, &mut scratch);
    s.paths.scratch = scratch;
    let Err(fault) = fits else { return Ok(None) };
    let object = s.paths.innermost().unwrap_or(at);
    let key = name.rsplit('.').next().unwrap_or(name);
    if stands_again(c.bytes, object, key, s) {
        // The server makes something of it.
        return Err(fault.made_final().in_element(name));
    }
    Ok(Some(fault.in_element(name)))
}

/// Whether the key stands more than once, and before an object too, in the object at the position, which is known to be
/// JSON.
#[cold]
fn stands_again(bytes: &[u8], object: usize, key: &str, s: &mut State) -> bool {
    let mut c = Cursor { bytes, at: object + 1 };
    let (mut count, mut objects) = (0, 0);
    loop {
        c.blank(false);
        if c.peek() != b'"' {
            return count > 1 && objects > 0;
        }
        let Ok(raw) = string::scan(&mut c) else { return false };
        let is_key = raw.bytes == key.as_bytes();
        c.blank(false);
        c.eat(b':');
        c.blank(false);
        count += usize::from(is_key);
        objects += usize::from(is_key && c.peek() == b'{');
        if skip::value_strict(&mut c, s).is_err() {
            return false;
        }
        c.blank(false);
        c.eat(b',');
    }
}

/// Checks the texts and numbers of a value whose paths are not looked at.
fn check_tokens(bytes: &[u8], start: usize, s: &mut State) -> Result<(), Fault> {
    let mut c = Cursor { bytes, at: start };
    while !c.is_at_end() {
        match c.peek() {
            b'"' => {
                let raw = string::scan(&mut c)?;
                check_text(&raw, &mut s.text)?;
            }
            b'-' | b'0'..=b'9' => c.at = number_end(bytes, c.at)?,
            _ => c.at += 1,
        }
    }
    Ok(())
}

/// The text of a string that the server's parser takes: no raw control character, no lone surrogate.
fn check_text<'b>(raw: &string::Raw<'b>, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], Fault> {
    if let Some(at) = raw.bytes.iter().position(|byte| *byte < 0x20) {
        return Err(refused(raw.at + at, "a raw control character in a JSON column"));
    }
    if !raw.escaped {
        return Ok(raw.bytes);
    }
    let text = string::decode(raw, false, buffer)?;
    if std::str::from_utf8(text).is_err() {
        return Err(refused(raw.at, "a lone surrogate in a JSON column"));
    }
    Ok(text)
}

/// The end of a number that a double holds, or of a whole one, which the server keeps as a text where none does.
fn number_end(bytes: &[u8], position: usize) -> Result<usize, Fault> {
    let end = super::number::json_number_end(bytes, position)?;
    let text = &bytes[position..end];
    let is_whole = !text.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E'));
    let number: Result<f64, _> = fast_float2::parse(text);
    if is_whole || number.is_ok_and(f64::is_finite) {
        return Ok(end);
    }
    Err(refused(position, "the number is out of range for a JSON column"))
}
