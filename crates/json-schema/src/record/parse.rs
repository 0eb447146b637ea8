//! Bytes to a tree, in one pass without recursion.

use super::text::{end_of_text, unescape};
use super::{Item, Kind, SCANNED_MEMBERS, Tree};
use crate::limits::Limits;
use crate::options::Names;
use crate::rejected::{NotJson, Rejected};

/// Reads records, one after the other, into buffers that it keeps.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    items: Vec<Item>,
    sorted: Vec<u32>,
    unescaped: String,
    /// Containers that are open.
    open: Vec<u32>,
}

/// Places of each buffer that are kept for the next record.
const KEPT_ITEMS: usize = 64 << 10;

impl Parser {
    /// Reads a record.
    ///
    /// # Errors
    /// What is not JSON, and what the limits and the rule for names forbid.
    pub(crate) fn parse<'t>(
        &'t mut self,
        record: &'t [u8],
        limits: &Limits,
        names: Names,
    ) -> Result<Tree<'t>, Rejected> {
        let bytes_max = limits.record_bytes.min(u32::MAX as usize / 2);
        if record.len() > bytes_max {
            return Err(Rejected::TooMuch { what: "bytes", limit: bytes_max as u64 });
        }
        let Ok(text) = simdutf8::basic::from_utf8(record) else {
            let position = std::str::from_utf8(record).map_or_else(|error| error.valid_up_to(), str::len);
            return Err(Rejected::NotJson(NotJson { position, reason: "bytes that are not UTF-8" }));
        };
        self.clear();
        Reader { parser: self, text, bytes: record, at: 0, depth_max: limits.record_depth, names }
            .document()?;
        let Parser { items, sorted, unescaped, .. } = self;
        Ok(Tree { items, sorted, text, unescaped })
    }

    /// Forgets the record, and gives back what it took beyond what most records take: the next one may come late, or never.
    pub(crate) fn clear(&mut self) {
        self.items.clear();
        self.sorted.clear();
        self.unescaped.clear();
        self.open.clear();
        self.items.shrink_to(KEPT_ITEMS);
        self.sorted.shrink_to(KEPT_ITEMS);
        self.unescaped.shrink_to(KEPT_ITEMS);
        self.open.shrink_to(KEPT_ITEMS);
    }

    /// Bytes of the buffers.
    pub(crate) fn bytes(&self) -> usize {
        self.items.capacity() * size_of::<Item>()
            + (self.sorted.capacity() + self.open.capacity()) * size_of::<u32>()
            + self.unescaped.capacity()
    }
}

struct Reader<'r> {
    parser: &'r mut Parser,
    text: &'r str,
    bytes: &'r [u8],
    at: usize,
    depth_max: usize,
    names: Names,
}

/// The beginning, the end and the length of a name in one number.
fn digest(name: &[u8]) -> u64 {
    let (first, last) = match (name.first_chunk(), name.last_chunk()) {
        (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
        _ => (name.iter().fold(0, |all, byte| all << 8 | u64::from(*byte)), 0),
    };
    first ^ last.rotate_left(29) ^ (name.len() as u64).rotate_left(53)
}

/// A place in a record, which has fewer bytes than [`u32::MAX`].
fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

impl Reader<'_> {
    fn document(&mut self) -> Result<(), Rejected> {
        if self.bytes.starts_with(b"\xEF\xBB\xBF") {
            return Err(self.fault("a byte order mark, which JSON does not have"));
        }
        self.skip_blanks();
        let mut has_value = self.value()?;
        // A value was read, or a container was opened.
        while let Some(&container) = self.parser.open.last() {
            let is_object =
                self.parser.items.get(container as usize).is_some_and(|item| item.kind == Kind::Object);
            self.skip_blanks();
            let closing = if is_object { b'}' } else { b']' };
            match self.bytes.get(self.at) {
                Some(byte) if *byte == closing => {
                    self.at += 1;
                    self.close(container)?;
                    has_value = true;
                    continue;
                }
                Some(b',') if has_value => {
                    self.at += 1;
                    self.skip_blanks();
                }
                None => return Err(self.fault("an array or an object that does not end")),
                Some(_) if has_value => {
                    return Err(self.fault("something else where a comma or an end has to follow"));
                }
                Some(_) => {}
            }
            self.count(container);
            if is_object {
                self.name()?;
            }
            has_value = self.value()?;
        }
        self.skip_blanks();
        match self.bytes.get(self.at) {
            None => Ok(()),
            Some(_) => Err(self.fault("something behind the document")),
        }
    }

    fn fault(&self, reason: &'static str) -> Rejected {
        Rejected::not_json(self.at.min(self.bytes.len()), reason)
    }

    fn skip_blanks(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn count(&mut self, container: u32) {
        if let Some(item) = self.parser.items.get_mut(container as usize) {
            item.from += 1;
        }
    }

    fn push(&mut self, kind: Kind, start: usize) {
        let (start, end) = (place(start), place(self.at));
        self.parser.items.push(Item { kind, is_unescaped: false, start, end, from: 0, to: 0, sorted: 0 });
    }

    /// The name of a member and its colon.
    fn name(&mut self) -> Result<(), Rejected> {
        if self.bytes.get(self.at) != Some(&b'"') {
            return Err(self.fault("something else where a name in quotes has to follow"));
        }
        self.string(Kind::Name)?;
        self.skip_blanks();
        if self.bytes.get(self.at) != Some(&b':') {
            return Err(self.fault("a name without a colon behind it"));
        }
        self.at += 1;
        self.skip_blanks();
        Ok(())
    }

    /// Reads a value, or opens a container: then nothing is in it yet, and the answer is false.
    fn value(&mut self) -> Result<bool, Rejected> {
        let start = self.at;
        match self.bytes.get(self.at) {
            Some(b'"') => self.string(Kind::String)?,
            Some(b'{') => return self.open(Kind::Object),
            Some(b'[') => return self.open(Kind::Array),
            Some(b'n') => self.word(Kind::Null, b"null")?,
            Some(b't') => self.word(Kind::True, b"true")?,
            Some(b'f') => self.word(Kind::False, b"false")?,
            Some(b'-' | b'0'..=b'9') => {
                self.number()?;
                self.push(Kind::Number, start);
            }
            Some(_) => return Err(self.fault("something else where a value has to follow")),
            None => return Err(self.fault("a value is missing")),
        }
        Ok(true)
    }

    fn open(&mut self, kind: Kind) -> Result<bool, Rejected> {
        if self.parser.open.len() >= self.depth_max {
            return Err(Rejected::TooMuch {
                what: "levels of arrays and objects",
                limit: self.depth_max as u64,
            });
        }
        self.parser.open.push(place(self.parser.items.len()));
        self.at += 1;
        self.push(kind, self.at - 1);
        Ok(false)
    }

    fn close(&mut self, container: u32) -> Result<(), Rejected> {
        self.parser.open.pop();
        let (end, to) = (place(self.at), place(self.parser.items.len()));
        if let Some(item) = self.parser.items.get_mut(container as usize) {
            (item.end, item.to) = (end, to);
            let (is_object, count) = (item.kind == Kind::Object, item.from);
            if is_object && count > 1 && (count > SCANNED_MEMBERS || !self.names_differ(container)) {
                self.settle_names(container)?;
            }
        }
        Ok(())
    }

    /// Whether no two names of an object of few members are the same, told by a digest of each. Two that are alike may differ
    /// all the same.
    fn names_differ(&self, object: u32) -> bool {
        let Parser { items, unescaped, .. } = &*self.parser;
        let tree = Tree { items, sorted: &[], text: self.text, unescaped };
        let mut digests = [0_u64; SCANNED_MEMBERS as usize];
        let (mut next, end, mut count) = (object + 1, tree.next(object), 0);
        while next < end {
            let digest = tree.item(next).map_or(0, |name| digest(tree.text(name).as_bytes()));
            let (before, rest) = digests.split_at_mut(count);
            let Some(slot) = rest.first_mut() else { return false };
            if before.contains(&digest) {
                return false;
            }
            *slot = digest;
            count += 1;
            next = tree.next(next + 1);
        }
        true
    }

    /// Leaves the last of names that are the same, and brings those of large objects into order.
    fn settle_names(&mut self, object: u32) -> Result<(), Rejected> {
        let Parser { items, sorted, unescaped, .. } = &mut *self.parser;
        let tree = Tree { items, sorted: &[], text: self.text, unescaped };
        let text = |at: u32| tree.item(at).map_or("", |item| tree.text(item));
        let first = sorted.len();
        let (mut next, end) = (object + 1, tree.next(object));
        while next < end {
            sorted.push(next);
            next = tree.next(next + 1);
        }
        let names = sorted.get_mut(first..).unwrap_or_default();
        names.sort_unstable_by(|a, b| text(*a).cmp(text(*b)).then(a.cmp(b)));
        // Of equal names the last in the record is the last here.
        let mut kept = first;
        let mut repeated: Option<u32> = None;
        for at in first..sorted.len() {
            let (Some(&name), following) = (sorted.get(at), sorted.get(at + 1)) else { break };
            let shadow = following.filter(|next| text(**next) == text(name));
            repeated = shadow.map(|next| repeated.map_or(*next, |first| first.min(*next))).or(repeated);
            if shadow.is_none() {
                if let Some(slot) = sorted.get_mut(kept) {
                    *slot = name;
                }
                kept += 1;
            }
        }
        if let (Names::Unique, Some(repeated)) = (self.names, repeated) {
            let at = items.get(repeated as usize).map_or(self.at, |name| name.start as usize);
            return Err(Rejected::not_json(at, "a name that stands in its object already"));
        }
        let live = place(kept - first);
        let shadowed = items.get(object as usize).map_or(0, |item| item.from) > live;
        if shadowed {
            self.shadow(object, first, kept);
        }
        let Parser { items, sorted, .. } = &mut *self.parser;
        if let Some(item) = items.get_mut(object as usize) {
            (item.from, item.sorted) = (live, place(first));
        }
        sorted.truncate(if live > SCANNED_MEMBERS { kept } else { first });
        Ok(())
    }

    /// Marks all names of the object but those in `sorted[first..kept]`.
    fn shadow(&mut self, object: u32, first: usize, kept: usize) {
        let Parser { items, sorted, .. } = &mut *self.parser;
        let tree_next = |items: &[Item], at: u32| match items.get(at as usize) {
            Some(Item { kind: Kind::Array | Kind::Object, to, .. }) => *to,
            _ => at + 1,
        };
        let mut live: Vec<u32> = sorted.get(first..kept).unwrap_or_default().to_vec();
        live.sort_unstable();
        let (mut next, end) = (object + 1, tree_next(items, object));
        while next < end {
            let value = next + 1;
            if live.binary_search(&next).is_err()
                && let Some(item) = items.get_mut(next as usize)
            {
                item.kind = Kind::Shadowed;
            }
            next = tree_next(items, value);
        }
    }

    fn word(&mut self, kind: Kind, word: &[u8]) -> Result<(), Rejected> {
        if !self.bytes.get(self.at..).unwrap_or_default().starts_with(word) {
            return Err(self.fault("a word that is none of `null`, `true` and `false`"));
        }
        self.at += word.len();
        self.push(kind, self.at - word.len());
        Ok(())
    }

    fn string(&mut self, kind: Kind) -> Result<(), Rejected> {
        let start = self.at;
        let (end, has_escapes) = end_of_text(self.bytes, start)?;
        self.at = end + 1;
        self.push(kind, start);
        let (mut from, mut to) = (start + 1, end);
        if has_escapes {
            from = self.parser.unescaped.len();
            let text = self.text.get(start + 1..end).unwrap_or_default();
            unescape(text, start + 1, &mut self.parser.unescaped)?;
            to = self.parser.unescaped.len();
        }
        if let Some(item) = self.parser.items.last_mut() {
            item.is_unescaped = has_escapes;
            (item.from, item.to) = (place(from), place(to));
        }
        Ok(())
    }

    /// Passes a number, by the grammar of RFC 8259.
    fn number(&mut self) -> Result<(), Rejected> {
        if self.bytes.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        if self.bytes.get(self.at) == Some(&b'0') {
            self.at += 1;
            if matches!(self.bytes.get(self.at), Some(b'0'..=b'9')) {
                return Err(self.fault("a number with a zero before its first digit"));
            }
        } else {
            self.digits()?;
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.bytes.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Rejected> {
        let start = self.at;
        while matches!(self.bytes.get(self.at), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start {
            Err(self.fault("a number without a digit where one has to follow"))
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn value(record: &[u8]) -> Result<serde_json::Value, Rejected> {
        Parser::default().parse(record, &Limits::default(), Names::LastCounts).map(|tree| tree.to_value(0))
    }

    #[test]
    fn reads_what_serde_reads() {
        let record = br#" {"a": [1, -2.5, {"b": null}, [], {}, "x\ty\u00e9\ud83d\ude00"], "" : true,"c":{"d":false}} "#;
        assert_eq!(value(record).unwrap(), serde_json::from_slice::<serde_json::Value>(record).unwrap());
    }

    #[test]
    fn the_last_of_equal_names_counts_in_small_and_large_objects() {
        assert_eq!(value(br#"{"a":1,"b":2,"\u0061":[3]}"#).unwrap(), json!({"a": [3], "b": 2}));
        let many: Vec<String> = (0..160).map(|at| format!("\"k{}\":{at}", at % 120)).collect();
        let record = format!("{{{}}}", many.join(","));
        let mut parser = Parser::default();
        let tree = parser.parse(record.as_bytes(), &Limits::default(), Names::LastCounts).unwrap();
        assert_eq!(tree.members(0).count(), 120);
        for at in 0..120 {
            let member = tree.member(0, &format!("k{at}")).unwrap();
            assert_eq!(tree.to_value(member), json!(if at < 40 { at + 120 } else { at }));
        }
        assert_eq!(tree.member(0, "k120"), None);
    }

    #[test]
    fn says_where_it_is_no_json() {
        for (record, position) in [
            (&b""[..], 0),
            (b"  ", 2),
            (b"{", 1),
            (b"[1,]", 3),
            (b"{\"a\":1,}", 7),
            (b"{\"a\" 1}", 5),
            (b"{a:1}", 1),
            (b"[1 2]", 3),
            (b"01", 1),
            (b"-", 1),
            (b"1.", 2),
            (b"1e", 2),
            (b".5", 0),
            (b"+1", 0),
            (b"nul", 0),
            (b"NaN", 0),
            (b"\"a", 2),
            (b"\"a\nb\"", 2),
            (b"\"\\x\"", 1),
            (b"\"\\u12\"", 1),
            (b"\"\\ud800\"", 1),
            (b"\"\\ud800\\u0041\"", 1),
            (b"\"\\udc00\"", 1),
            (b"{} {}", 3),
            (b"\"a\xff\"", 2),
            (b"\xef\xbb\xbf{}", 0),
            (b"[1}", 2),
        ] {
            match value(record) {
                Err(Rejected::NotJson(fault)) => {
                    assert_eq!(
                        fault.position,
                        position,
                        "{} {}",
                        String::from_utf8_lossy(record),
                        fault.reason
                    );
                }
                other => panic!("{} gives {other:?}", String::from_utf8_lossy(record)),
            }
        }
    }

    #[test]
    fn little_is_kept_of_a_large_record() {
        let many: Vec<String> = (0..200_000).map(|at| format!("\"\\u0041{at}\":[]")).collect();
        let record = format!("{{{}}}", many.join(","));
        let mut parser = Parser::default();
        assert!(parser.parse(record.as_bytes(), &Limits::default(), Names::LastCounts).is_ok());
        assert!(parser.bytes() > 8 << 20, "{}", parser.bytes());
        parser.clear();
        assert!(parser.bytes() < 4 << 20, "{}", parser.bytes());
    }

    #[test]
    fn depth_and_bytes_are_limited() {
        let limits = Limits { record_depth: 3, record_bytes: 10, ..Limits::default() };
        let mut parser = Parser::default();
        assert!(parser.parse(b"[[[1]]]", &limits, Names::LastCounts).is_ok());
        let deep = parser.parse(b"[[[[]]]]", &limits, Names::LastCounts).map(|_| ()).unwrap_err();
        assert_eq!(deep, Rejected::TooMuch { what: "levels of arrays and objects", limit: 3 });
        let long = parser.parse(b"[1,2,3,4,5]", &limits, Names::LastCounts).map(|_| ()).unwrap_err();
        assert_eq!(long, Rejected::TooMuch { what: "bytes", limit: 10 });
    }
}
