//! Texts: where one ends, and what its escapes stand for.

use crate::rejected::Rejected;

/// Finds the end of the text whose opening quote is at `start`: the place of its closing quote, and whether it has escapes.
pub(super) fn end_of_text(bytes: &[u8], start: usize) -> Result<(usize, bool), Rejected> {
    let (mut at, mut has_escapes) = (start + 1, false);
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let found = memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
        if let Some(control) = rest.iter().take(found).position(|byte| *byte < b' ') {
            return Err(Rejected::not_json(
                at + control,
                "a control character in a text, which has to be escaped",
            ));
        }
        at += found;
        match bytes.get(at) {
            Some(b'"') => return Ok((at, has_escapes)),
            Some(_) => {
                has_escapes = true;
                at += 2;
            }
            None => return Err(Rejected::not_json(bytes.len(), "a text that does not end")),
        }
    }
}

/// Appends what is between the quotes of a text with escapes. `start` is the place of `text` in the record.
pub(super) fn unescape(text: &str, start: usize, out: &mut String) -> Result<(), Rejected> {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        let (plain, escaped) = rest.split_at(at);
        out.push_str(plain);
        let place = start + text.len() - escaped.len();
        let (character, length) = escape(escaped.as_bytes(), place)?;
        out.push(character);
        rest = escaped.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
    Ok(())
}

/// The character of the escape that `bytes` begin with, and how many bytes it takes.
fn escape(bytes: &[u8], place: usize) -> Result<(char, usize), Rejected> {
    let plain = |character| Ok((character, 2));
    match bytes.get(1) {
        Some(b'"') => plain('"'),
        Some(b'\\') => plain('\\'),
        Some(b'/') => plain('/'),
        Some(b'b') => plain('\u{8}'),
        Some(b'f') => plain('\u{c}'),
        Some(b'n') => plain('\n'),
        Some(b'r') => plain('\r'),
        Some(b't') => plain('\t'),
        Some(b'u') => {
            let first =
                hex(bytes, 2).ok_or(Rejected::not_json(place, "a `\\u` without four hexadecimal digits"))?;
            if let Some(character) = char::from_u32(first) {
                return Ok((character, 6));
            }
            let second = if bytes.get(6..8) == Some(b"\\u") { hex(bytes, 8) } else { None };
            match (first, second) {
                (0xD800..=0xDBFF, Some(second @ 0xDC00..=0xDFFF)) => {
                    let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                    Ok((char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 12))
                }
                _ => Err(Rejected::not_json(place, "an escaped surrogate that is not one of a pair")),
            }
        }
        _ => Err(Rejected::not_json(place, "an escape that JSON does not have")),
    }
}

fn hex(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = bytes.get(at..at + 4)?;
    digits.iter().try_fold(0, |code, digit| Some(code << 4 | char::from(*digit).to_digit(16)?))
}
