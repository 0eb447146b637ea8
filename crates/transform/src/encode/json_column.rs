//! JSON columns: the validated text, sent as it is.

use super::cursor::Cursor;
use super::fault::Fault;
use super::json_path::Scratch;
use super::{State, json_path, skip, string};
use crate::plan::{JsonOp, JsonPath, push_length};
use crate::reject::RejectCode;

/// Depth of nested objects that the server's parser takes.
const SERVER_DEPTH_MAX: usize = 1_023;

/// Paths of one document, with their buffers.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    /// The path of the key at hand, behind those of the scopes around it.
    current: Vec<u8>,
    /// The brackets that are open.
    open: Vec<Open>,
    /// The bytes of all paths.
    bytes: Vec<u8>,
    /// Each path of a value: where it stands in `bytes`, and where its value stands in the record.
    leaves: Vec<Leaf>,
    /// Scopes met so far: the document, and each object that is an element of an array.
    scopes: usize,
    /// Buffers for the values of typed paths.
    scratch: Scratch,
}

/// The scope of the document itself.
const DOCUMENT: usize = 1;

/// An open bracket.
#[derive(Debug, Clone, Copy)]
struct Open {
    is_object: bool,
    /// Its object is the top of a scope.
    is_top: bool,
    scope: usize,
    /// Where it stands in the record.
    position: usize,
    /// Where the paths of its scope start in `current`, and where its own path ends.
    scope_start: usize,
    end: usize,
}

/// What kind of value a key has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Null,
    Object,
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
        self.open.clear();
        self.bytes.clear();
        self.leaves.clear();
        self.scopes = 0;
    }

    /// Gives back buffers that have grown beyond the size.
    pub(crate) fn give_back(&mut self, bytes_max: usize) {
        if self.bytes.capacity() + self.scratch.capacity() > bytes_max
            || self.leaves.capacity() > bytes_max / 24
        {
            *self = Self::default();
        }
    }

    /// Enters an array or an object, which is a value itself.
    fn open(&mut self, is_object: bool, position: usize) {
        let end = self.current.len();
        let opened = match self.open.last().copied() {
            Some(outer) if outer.is_object => {
                self.value(if is_object { Kind::Object } else { Kind::Plain }, position);
                Open { is_object, is_top: false, end, position, ..outer }
            }
            // The document, or an element of an array.
            outer if is_object || outer.is_none() => {
                self.scopes += 1;
                Open { is_object, is_top: true, scope: self.scopes, scope_start: end, end, position }
            }
            Some(outer) => Open { is_object, is_top: false, end, position, ..outer },
            None => Open { is_object, is_top: true, scope: 0, scope_start: end, end, position },
        };
        self.open.push(opened);
    }

    fn close(&mut self) {
        if let Some(open) = self.open.pop() {
            self.current.truncate(open.end);
        }
    }

    fn in_object(&self) -> bool {
        self.open.last().is_some_and(|open| open.is_object)
    }

    fn key(&mut self, key: &[u8]) {
        let Some(open) = self.open.last() else { return };
        self.current.truncate(open.end);
        if !open.is_top {
            self.current.push(b'.');
        }
        self.current.extend_from_slice(key);
    }

    /// Notes a value of an object. Its key may stand in this object once for plain values and once for an object;
    /// its path, in however many keys it is cut, may have one plain value that is not null.
    fn value(&mut self, kind: Kind, position: usize) {
        let Some(open) = self.open.last().copied().filter(|open| open.is_object) else { return };
        let is_object = u8::from(kind == Kind::Object);
        self.note(open.position, is_object, open.end, position);
        if kind == Kind::Plain {
            self.note(open.scope, 2, open.scope_start, position);
        }
    }

    /// The path of the key at hand in the document, none inside of arrays.
    fn in_document(&self) -> Option<&[u8]> {
        self.open.last().filter(|open| open.scope == DOCUMENT).map(|open| &self.current[open.scope_start..])
    }

    /// Notes a value that is read as a whole, or left out: what is inside of it has no path.
    fn whole(&mut self, is_object: bool, is_skipped: bool, position: usize) {
        let Some(open) = self.open.last().copied() else { return };
        self.note(open.position, u8::from(is_object), open.end, position);
        if !is_skipped {
            self.note(open.scope, 2, open.scope_start, position);
        }
    }

    /// Notes the path from here on, as one of these that may not be repeated.
    fn note(&mut self, owner: usize, kind: u8, from: usize, position: usize) {
        let start = self.bytes.len();
        self.bytes.push(kind);
        self.bytes.extend_from_slice(&owner.to_be_bytes());
        self.bytes.extend_from_slice(&self.current[from..]);
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
    let result = skip::value_strict(c, s).and_then(|()| check(paths, &c.bytes[..c.at], start, s));
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
    let mut c = Cursor { bytes, at: start };
    let mut expects_key = false;
    loop {
        c.blank(false);
        let position = c.at;
        if c.is_at_end() {
            break;
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
                    odd_path(paths, &mut c, s)?;
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
        if s.paths.open.len() > SERVER_DEPTH_MAX {
            return Err(refused(position, "the document is nested deeper than a JSON column takes"));
        }
        if s.paths.bytes.len() > s.row_bytes_max {
            let message = "the paths of the document are longer than the limit";
            return Err(Fault::new(RejectCode::RecordTooLarge, position, message));
        }
    }
    match s.paths.duplicate() {
        Some(position) => Err(refused(position, "the same path stands twice in the document")),
        None => Ok(()),
    }
}

/// Passes over the value of a key that is not like others: one with a type of its own, or one that is left out.
fn odd_path(paths: &JsonOp, c: &mut Cursor<'_>, s: &mut State) -> Result<(), Fault> {
    let path = match s.paths.in_document().map(|path| paths.find(path)) {
        None | Some(JsonPath::Plain) => return Ok(()),
        Some(path) => path,
    };
    c.blank(false);
    let at = c.at;
    s.paths.whole(c.peek() == b'{', matches!(path, JsonPath::Skipped), at);
    // Texts inside of it have to be texts for the server's parser all the same.
    skip::value_strict(c, s)?;
    check_tokens(&c.bytes[..c.at], at, s)?;
    if let JsonPath::Typed(name, op) = path {
        let mut scratch = std::mem::take(&mut s.paths.scratch);
        let mut value = Cursor { bytes: c.bytes, at };
        let fits = json_path::check(op, &mut value, s, &mut scratch);
        s.paths.scratch = scratch;
        fits.map_err(|fault| {
            // The server makes something of a key that stands twice, once before an object.
            let object = s.paths.open.last().map_or(at, |open| open.position);
            let key = name.rsplit('.').next().unwrap_or(name);
            let fault = if stands_again(c.bytes, object, key, s) { fault.made_final() } else { fault };
            fault.in_element(name)
        })?;
    }
    Ok(())
}

/// Whether the key stands more than once in the object at the position, which is known to be JSON.
#[cold]
fn stands_again(bytes: &[u8], object: usize, key: &str, s: &mut State) -> bool {
    let mut c = Cursor { bytes, at: object + 1 };
    let mut count = 0;
    loop {
        c.blank(false);
        if c.peek() != b'"' {
            return count > 1;
        }
        let Ok(raw) = string::scan(&mut c) else { return count > 1 };
        count += usize::from(raw.bytes == key.as_bytes());
        c.blank(false);
        c.eat(b':');
        c.blank(false);
        if skip::value_strict(&mut c, s).is_err() {
            return count > 1;
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
