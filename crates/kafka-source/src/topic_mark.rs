//! Which topic a committed offset is of: a mark behind the metadata of the commit.
//!
//! An offset says nothing in a topic that was deleted and created anew under the same name. Apache Kafka forgets a group's
//! offsets together with their topic, but a member that has not noticed yet commits on, and not every broker forgets. So
//! the id of the topic stands behind whatever else is kept with the offset, and the offset once more:
//!
//! ```text
//! 1;L=9f3a5c01d27e;s=1000;h=09dcfa56@a7c1f0c2b3d94e5f8a6b7c8d9e0f1a2b:1000
//! @a7c1f0c2b3d94e5f8a6b7c8d9e0f1a2b:1000
//! ```
//!
//! A tool that moves the offset and keeps the text has been told where to: its offset counts, and the mark does not.

use std::fmt;

use crate::Offset;

/// What the brokers call one life of a topic. Kafka 2.8 and later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TopicId(u128);

impl TopicId {
    /// None for the zero id, by which older brokers say that they have none.
    pub(crate) fn from_bits(high: i64, low: i64) -> Option<TopicId> {
        let id = (u128::from(high.cast_unsigned()) << 64) | u128::from(low.cast_unsigned());
        (id != 0).then_some(TopicId(id))
    }

    /// As librdkafka writes it: 22 digits of base 64. None for the zero id.
    pub(crate) fn from_base64(text: &str) -> Option<TopicId> {
        if text.len() != BASE64_DIGITS {
            return None;
        }
        // 22 digits have four bits more than the id; they are behind it.
        let (digits, last) = text.as_bytes().split_at(BASE64_DIGITS - 1);
        let mut id = digits.iter().try_fold(0, |id: u128, digit| Some((id << 6) | base64_value(*digit)?))?;
        id = (id << 2) | (base64_value(*last.first()?)? >> 4);
        (id != 0).then_some(TopicId(id))
    }
}

/// Digits of an id in base 64, without padding.
const BASE64_DIGITS: usize = 22;

fn base64_value(digit: u8) -> Option<u128> {
    let value = match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u128::from(value))
}

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// `text` with the mark for `offset` behind it, where the id is known.
pub(crate) fn marked(text: &str, id: Option<TopicId>, offset: Offset) -> String {
    id.map_or_else(|| text.to_owned(), |id| format!("{text}@{id}:{offset}"))
}

/// Parts what was committed with `offset` from the mark behind it, and tells the topic where the mark is of this offset.
/// Whatever does not end with a mark is kept whole.
pub(crate) fn split(mut committed: Vec<u8>, offset: Offset) -> (Vec<u8>, Option<TopicId>) {
    let Some(at) = committed.iter().rposition(|byte| *byte == b'@') else { return (committed, None) };
    let Some((id, of)) = parse(&committed[at + 1..]) else { return (committed, None) };
    committed.truncate(at);
    (committed, (of == offset).then_some(id))
}

/// Nothing but what is written by [`marked`].
fn parse(mark: &[u8]) -> Option<(TopicId, Offset)> {
    let (id, offset) = std::str::from_utf8(mark).ok()?.split_once(':')?;
    let parsed = (TopicId(u128::from_str_radix(id, 16).ok()?), Offset(offset.parse().ok()?));
    (format!("{}:{}", parsed.0, parsed.1).as_bytes() == mark).then_some(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_stays_as_it_is() {
        // A pipe that is upgraded reads what the older one has written.
        let id = TopicId::from_bits(0x0123_4567_89ab_cdef, -2);
        let at = Offset(1_000);
        for (text, whole) in [
            ("", "@0123456789abcdeffffffffffffffffe:1000"),
            (
                "1;L=9f3a5c01d27e;s=1000;h=09dcfa56",
                "1;L=9f3a5c01d27e;s=1000;h=09dcfa56@0123456789abcdeffffffffffffffffe:1000",
            ),
            ("me@home", "me@home@0123456789abcdeffffffffffffffffe:1000"),
        ] {
            assert_eq!(marked(text, id, at), whole);
            assert_eq!(split(whole.into(), at), (text.into(), id));
            assert_eq!(split(whole.into(), Offset(999)), (text.into(), None), "moved by a tool");
        }
        assert_eq!(marked("text", TopicId::from_bits(0, 0), at), "text");
    }

    #[test]
    fn what_has_no_mark_is_kept() {
        for text in [
            &b""[..],
            b"@",
            b"@:",
            b"consumer-1",
            b"1;L=9f3a5c01d27e;s=0;h=c0add79d",
            b"@0123456789abcdeffffffffffffffffe",
            b"@0123456789ABCDEFffffffffffffffff:1",
            b"@+123456789abcdeffffffffffffffff:1",
            b"@0123456789abcdeffffffffffffffffe:01",
            b"@0123456789abcdeffffffffffffffffe:+1",
            b"@123456789abcdeffffffffffffffffe:1",
            b"\xff@\xff:1",
        ] {
            assert_eq!(split(text.to_vec(), Offset(1)), (text.to_vec(), None));
        }
    }
}
