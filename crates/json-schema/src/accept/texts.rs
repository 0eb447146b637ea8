//! Texts.

use std::sync::Arc;

use super::block::{byte, first_special, load, specials};
use super::format::Format;
use super::part::Merge;
use super::pattern::Pattern;

/// What a text has to keep.
#[derive(Debug, Clone)]
pub(super) struct TextRule {
    /// Characters.
    pub(super) length_min: usize,
    /// Characters.
    pub(super) length_max: usize,
    pub(super) format: Option<Format>,
    pub(super) pattern: Option<Arc<Pattern>>,
    pub(super) choices: Option<Arc<Choices>>,
    /// Whether there is a pattern or a choice.
    pub(super) is_special: bool,
}

impl Default for TextRule {
    /// The rule that every text keeps.
    fn default() -> Self {
        TextRule {
            length_min: 0,
            length_max: usize::MAX,
            format: None,
            pattern: None,
            choices: None,
            is_special: false,
        }
    }
}

impl Merge for TextRule {
    fn merged(&self, other: &Self) -> Option<Self> {
        /// The one that is there, where there are not two.
        fn only<T: Clone>(first: Option<&T>, second: Option<&T>) -> Option<Option<T>> {
            match (first, second) {
                (Some(_), Some(_)) => None,
                (one, None) | (None, one) => Some(one.cloned()),
            }
        }
        Some(TextRule {
            length_min: self.length_min.max(other.length_min),
            length_max: self.length_max.min(other.length_max),
            is_special: self.is_special || other.is_special,
            format: only(self.format.as_ref(), other.format.as_ref())?,
            pattern: only(self.pattern.as_ref(), other.pattern.as_ref())?,
            choices: only(self.choices.as_ref(), other.choices.as_ref())?,
        })
    }
}

/// The texts that are allowed, where they are few.
#[derive(Debug)]
pub(super) struct Choices {
    /// Up to sixteen bytes, with zeros behind.
    short: Box<[u128]>,
    long: Box<[Box<[u8]>]>,
}

impl Choices {
    pub(super) fn new<'t>(texts: impl IntoIterator<Item = &'t str>) -> Choices {
        let plain = |text: &&str| text.bytes().all(|byte| first_special(u128::from(byte) | 0x61 << 8) > 0);
        let (short, long): (Vec<_>, Vec<_>) =
            texts.into_iter().filter(plain).partition(|text| text.len() <= 16);
        Choices {
            short: short.into_iter().map(|text| load(text.as_bytes(), 0)).collect(),
            long: long.into_iter().map(|text| text.as_bytes().into()).collect(),
        }
    }

    #[inline]
    fn contain(&self, bytes: &[u8], at: usize, end: usize) -> bool {
        let length = end - at;
        if length <= 16 {
            // Zero shifts of 128 bits do not exist, so that two are made of one.
            let bits = 8 * length;
            let mask = ((1_u128 << (bits / 2)) << (bits - bits / 2)).wrapping_sub(1);
            let text = load(bytes, at) & mask;
            // All of them are compared, since nobody foresees which one it is.
            return self.short.iter().fold(false, |is_found, choice| is_found | (*choice == text));
        }
        bytes.get(at..end).is_some_and(|text| self.long.iter().any(|choice| **choice == *text))
    }
}

/// The place where plain ASCII ends that begins at `at`: at a quote, mostly.
#[inline(always)]
pub(super) fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    // Two blocks at once: most texts end in them, and a processor foresees that.
    while let Some(blocks) = bytes.get(at..).and_then(<[u8]>::first_chunk::<32>) {
        let (Some(first), Some(second)) = (blocks.first_chunk(), blocks.last_chunk()) else { break };
        let special = specials(*first) | specials(*second) << 16;
        if special != 0 {
            return at + special.trailing_zeros() as usize;
        }
        at += 32;
    }
    plain_end_at_the_end(bytes, at)
}

/// The same where fewer than two blocks are left of the record.
#[inline(never)]
fn plain_end_at_the_end(bytes: &[u8], mut at: usize) -> usize {
    loop {
        let special = first_special(load(bytes, at));
        at += special as usize;
        if special < 16 {
            return at;
        }
    }
}

/// The place of the quote that ends the text which begins at `at`, where the text is JSON.
#[inline(always)]
pub(super) fn text_end(bytes: &[u8], at: usize) -> Option<usize> {
    let end = plain_end(bytes, at);
    if byte(bytes, end) == b'"' { Some(end) } else { hard_end(bytes, end).map(|(end, _)| end) }
}

/// The same for a text that keeps a rule.
#[inline(always)]
pub(super) fn ruled_end(rule: &TextRule, bytes: &[u8], at: usize) -> Option<usize> {
    let end = match rule.format {
        // A format says where it ends.
        Some(format) => formatted_end(format, bytes, at)?,
        None => plain_end(bytes, at),
    };
    if byte(bytes, end) != b'"' {
        return hard_ruled_end(rule, bytes, at, end);
    }
    let length = end - at;
    if length < rule.length_min || length > rule.length_max {
        return None;
    }
    if rule.is_special && !rule.takes(bytes, at, end) {
        return None;
    }
    Some(end)
}

#[inline(never)]
fn formatted_end(format: Format, bytes: &[u8], at: usize) -> Option<usize> {
    format.end(bytes, at)
}

impl TextRule {
    /// Notes whether there is more to look at than lengths.
    pub(super) fn settled(mut self) -> Self {
        self.is_special = self.choices.is_some() || self.pattern.is_some();
        self
    }

    /// Whether a text of plain ASCII is one of the choices and matches the pattern.
    #[inline(never)]
    fn takes(&self, bytes: &[u8], at: usize, end: usize) -> bool {
        self.choices.as_ref().is_none_or(|choices| choices.contain(bytes, at, end))
            && self
                .pattern
                .as_ref()
                .is_none_or(|pattern| bytes.get(at..end).is_some_and(|text| pattern.matches(text)))
    }
}

/// Texts with escapes or beyond ASCII keep lengths at most: the rest is left to the library.
#[cold]
fn hard_ruled_end(rule: &TextRule, bytes: &[u8], start: usize, at: usize) -> Option<usize> {
    if rule.format.is_some() || rule.pattern.is_some() || rule.choices.is_some() {
        return None;
    }
    let (end, others) = hard_end(bytes, at)?;
    let length = at - start + others;
    (length >= rule.length_min && length <= rule.length_max).then_some(end)
}

/// Passes a text from the first byte that is not plain: where its quote is, and the characters since then.
fn hard_end(bytes: &[u8], mut at: usize) -> Option<(usize, usize)> {
    let mut characters = 0;
    loop {
        match byte(bytes, at) {
            b'"' => return Some((at, characters)),
            b'\\' => {
                at += escape_length(bytes, at)?;
                characters += 1;
            }
            0x80.. => {
                let rest = bytes.get(at..)?;
                let length = rest.iter().position(u8::is_ascii).unwrap_or(rest.len());
                let text = simdutf8::basic::from_utf8(rest.get(..length)?).ok()?;
                characters += text.chars().count();
                at += length;
            }
            // A control character, or the end.
            0..0x20 => return None,
            _ => {}
        }
        let end = plain_end(bytes, at);
        characters += end - at;
        at = end;
    }
}

/// The bytes of an escape that stands for one character.
fn escape_length(bytes: &[u8], at: usize) -> Option<usize> {
    let code = |at: usize| -> Option<u32> {
        bytes
            .get(at..at + 4)?
            .iter()
            .try_fold(0, |code, digit| Some(code << 4 | char::from(*digit).to_digit(16)?))
    };
    match byte(bytes, at + 1) {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(2),
        b'u' => match code(at + 2)? {
            0xD800..=0xDBFF if bytes.get(at + 6..at + 8)? == b"\\u" => {
                matches!(code(at + 8)?, 0xDC00..=0xDFFF).then_some(12)
            }
            0xD800..=0xDFFF => None,
            _ => Some(6),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_end_at_their_quote() {
        for (text, characters) in [
            ("", 0),
            ("plain", 5),
            ("exactly sixteen!", 16),
            ("a text of more than thirty-two bytes", 36),
            (r"a\nb\\\u0041\/", 6),
            (r"\ud83d\ude00x", 2),
            ("äöü€😀", 5),
            ("mixed ä and \\t and plain again, for long", 39),
        ] {
            let record = format!("\"{text}\", 1");
            let rule = |min, max| TextRule { length_min: min, length_max: max, ..TextRule::default() };
            let expected = Some(text.len() + 1);
            assert_eq!(text_end(record.as_bytes(), 1), expected, "{text}");
            assert_eq!(ruled_end(&rule(characters, characters), record.as_bytes(), 1), expected, "{text}");
            assert_eq!(ruled_end(&rule(characters + 1, 99), record.as_bytes(), 1), None, "{text}");
            if characters > 0 {
                assert_eq!(ruled_end(&rule(0, characters - 1), record.as_bytes(), 1), None, "{text}");
            }
        }
    }

    #[test]
    fn what_is_no_text_has_no_end() {
        for text in [
            &b"abc"[..],
            b"a\nb\"",
            b"a\\",
            b"a\\x\"",
            b"\\u12\"",
            b"\\ud800\"",
            b"\\udc00\"",
            b"\\ud800\\u0041\"",
            b"\xff\"",
            b"a\xc3\"",
            b"\0\"",
        ] {
            assert_eq!(text_end(text, 0), None, "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn choices_are_compared_whole() {
        let texts = ["", "a", "sixteen letters!", "seventeen letters", "ä", "quo\"te"];
        let choices = Choices::new(texts);
        for text in ["", "a", "sixteen letters!", "seventeen letters"] {
            assert!(choices.contain(format!("{text}\" and more of it").as_bytes(), 0, text.len()), "{text}");
        }
        for text in ["b", "aa", "sixteen letters", "eighteen letters!!"] {
            assert!(!choices.contain(format!("{text}\" and more of it").as_bytes(), 0, text.len()), "{text}");
        }
    }
}
