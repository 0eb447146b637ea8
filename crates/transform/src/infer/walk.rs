//! The walk over a sample's values, which are noted path by path.

use std::borrow::Cow;

use super::InferenceLimits;
use super::mark::Mark;
use super::node::{Arrays, Node, Objects};
use super::sample;
use super::trial::Trial;
use crate::encode::{Cursor, Fault, json_number_end, scan_text, skip_value};

/// Walks over values that are known to be JSON.
pub(super) struct Walk<'w> {
    pub(super) limits: &'w InferenceLimits,
    pub(super) trial: &'w mut Trial,
    /// Paths that may still be followed for the first time.
    pub(super) paths_left: &'w mut usize,
    /// The sample.
    pub(super) mark: Mark,
    /// The sample is UTF-8.
    pub(super) is_utf8: bool,
}

/// Whether a JSON column certainly takes the value: in doubt it is asked.
type Plain = bool;

impl Walk<'_> {
    /// Notes the value at the cursor, below which so many levels are followed, and moves behind it.
    pub(super) fn value(
        &mut self,
        node: &mut Node,
        c: &mut Cursor<'_>,
        levels: usize,
    ) -> Result<Plain, Fault> {
        node.present += 1;
        match c.peek() {
            b'n' => {
                c.literal("null")?;
                node.nulls.note(self.mark);
                Ok(true)
            }
            b't' | b'f' => {
                c.literal(if c.peek() == b't' { "true" } else { "false" })?;
                node.bools.note(self.mark);
                Ok(true)
            }
            b'"' => self.text(node, c),
            b'[' => self.array(node.arrays.get_or_insert_default(), c, levels),
            b'{' => self.object(node.objects.get_or_insert_default(), c, levels),
            _ => self.number(node, c),
        }
    }

    fn text(&mut self, node: &mut Node, c: &mut Cursor<'_>) -> Result<Plain, Fault> {
        let start = Cursor { bytes: c.bytes, at: c.at };
        let raw = scan_text(c)?;
        let texts = node.texts.get_or_insert_default();
        texts.note(&raw, &start, self.trial, self.mark, self.limits.distinct_max);
        Ok(self.is_plain(raw.bytes, raw.escaped))
    }

    /// Texts of a JSON column are UTF-8, with no control character as it stands, and no half of a surrogate pair.
    fn is_plain(&self, text: &[u8], escaped: bool) -> Plain {
        let has_control = text.iter().fold(false, |found, byte| found | (*byte < 0x20));
        let may_be_surrogate = escaped && text.windows(3).any(|w| matches!(w, [b'\\', b'u', b'd' | b'D']));
        self.is_utf8 && !has_control && !may_be_surrogate
    }

    fn number(&mut self, node: &mut Node, c: &mut Cursor<'_>) -> Result<Plain, Fault> {
        let start = Cursor { bytes: c.bytes, at: c.at };
        c.at = json_number_end(c.bytes, c.at)?;
        let text = &c.bytes[start.at..c.at];
        if text.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E')) {
            return Ok(node.floats.get_or_insert_default().note(text, self.mark));
        }
        let integers = node.integers.get_or_insert_default();
        integers.note(text, &start, self.trial, self.mark, self.limits.distinct_max);
        Ok(true)
    }

    /// Skips the value: what is inside of it is not known.
    fn skip(&mut self, c: &mut Cursor<'_>) -> Result<Plain, Fault> {
        self.trial.state.begin(0);
        skip_value(c, &mut self.trial.state)?;
        Ok(false)
    }

    /// Whether one more path may be followed.
    fn takes_path(&mut self) -> bool {
        let left = self.paths_left.checked_sub(1);
        *self.paths_left = left.unwrap_or(0);
        left.is_some()
    }

    fn array(&mut self, arrays: &mut Arrays, c: &mut Cursor<'_>, levels: usize) -> Result<Plain, Fault> {
        arrays.seen.note(self.mark);
        let Some(levels) = levels.checked_sub(1) else {
            arrays.unread.get_or_insert(self.mark);
            return self.skip(c);
        };
        let start = c.at;
        c.at += 1;
        c.blank(false);
        if c.eat(b']') {
            return Ok(true);
        }
        if arrays.element.is_none() {
            if !self.takes_path() {
                arrays.unread.get_or_insert(self.mark);
                c.at = start;
                return self.skip(c);
            }
            arrays.element = Some(Node::default());
        }
        let Some(element) = &mut arrays.element else { return self.skip(c) };
        let mut plain = true;
        loop {
            plain &= self.value(element, c, levels)?;
            c.blank(false);
            if !c.eat(b',') {
                break;
            }
            c.blank(false);
        }
        c.eat(b']');
        Ok(plain)
    }

    fn object(&mut self, objects: &mut Objects, c: &mut Cursor<'_>, levels: usize) -> Result<Plain, Fault> {
        let start = Cursor { bytes: c.bytes, at: c.at };
        objects.begin(self.mark);
        let plain = match levels.checked_sub(1) {
            Some(levels) => self.members(objects, c, levels)?,
            None => {
                objects.unread.get_or_insert(self.mark);
                self.skip(c)?
            }
        };
        if plain || self.trial.fits_json(&start) {
            return Ok(plain);
        }
        objects.no_json.get_or_insert(self.mark);
        Ok(false)
    }

    fn members(&mut self, objects: &mut Objects, c: &mut Cursor<'_>, levels: usize) -> Result<Plain, Fault> {
        c.at += 1;
        c.blank(false);
        let (mut plain, mut met, mut guess) = (true, 0, 0);
        if !c.eat(b'}') {
            loop {
                let key_at = c.at;
                let key = sample::key(c)?;
                plain &= self.is_plain(&c.bytes[key_at..c.at], matches!(key, Cow::Owned(_)));
                if matches!(key, Cow::Owned(_)) || is_odd(&key) {
                    objects.odd_key.get_or_insert(self.mark);
                    plain &= !key.contains(&b'.');
                }
                let place = objects.find(&key, guess).or_else(|| {
                    let has_room = objects.fields.len() < self.limits.keys_max
                        && key.len() <= self.limits.key_bytes_max
                        && self.takes_path();
                    has_room.then(|| objects.push(&key))
                });
                if let Some(at) = place {
                    guess = at + 1;
                    if objects.meet(at) {
                        objects.twice.get_or_insert(self.mark);
                        plain = false;
                    } else {
                        met += usize::from(objects.fields[at].node.gap.is_none());
                    }
                    plain &= self.value(&mut objects.fields[at].node, c, levels)?;
                } else {
                    plain &= self.rest(objects, c, levels)?;
                }
                c.blank(false);
                if !c.eat(b',') {
                    break;
                }
                c.blank(false);
            }
            c.eat(b'}');
        }
        objects.end(met, self.mark);
        Ok(plain)
    }

    /// Notes the value of a key for which there is no more room. Whether the key stands twice is not known.
    fn rest(&mut self, objects: &mut Objects, c: &mut Cursor<'_>, levels: usize) -> Result<Plain, Fault> {
        if objects.rest.is_none() && !self.takes_path() {
            objects.unread.get_or_insert(self.mark);
            return self.skip(c);
        }
        self.value(objects.rest.get_or_insert_default(), c, levels)?;
        Ok(false)
    }
}

/// Whether the key cannot name an element of a Tuple, or would be read as another one there: with a point it would be a
/// path, a number the place of an element, and `null` is ClickHouse's own. Neither can one that is written with escapes,
/// since a Tuple's keys are read with those of SQL.
fn is_odd(key: &[u8]) -> bool {
    let is_number = key.iter().all(u8::is_ascii_digit);
    is_number || key == b"null" || key.contains(&b'.') || std::str::from_utf8(key).is_err()
}
