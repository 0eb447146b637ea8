//! What a typed record is made of: values that serde reads, borrowed where they can be, and that write themselves as
//! RowBinary.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

/// Writes itself as ClickHouse's RowBinary does.
pub(super) trait Put {
    /// Appends the bytes.
    fn put(&self, out: &mut Vec<u8>);
}

/// A struct whose fields stand in the order of the columns; a missing key is the type's default.
macro_rules! record {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Default, Deserialize)]
        pub(super) struct $name<S> {
            $(#[serde(default)] $field: $type,)*
        }

        impl<S: Put> Put for $name<S> {
            #[inline]
            fn put(&self, out: &mut Vec<u8>) {
                $(self.$field.put(out);)*
            }
        }
    };
}
pub(super) use record;

macro_rules! fixed {
    ($($type:ty)*) => {
        $(impl Put for $type {
            #[inline]
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
        })*
    };
}

fixed! { u16 u32 u64 i32 i64 f64 }

impl Put for bool {
    #[inline]
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
}

impl<T: Put> Put for Option<T> {
    #[inline]
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.is_none()));
        if let Some(value) = self {
            value.put(out);
        }
    }
}

impl<T: Put> Put for Vec<T> {
    #[inline]
    fn put(&self, out: &mut Vec<u8>) {
        length(self.len(), out);
        for value in self {
            value.put(out);
        }
    }
}

/// Lengths are LEB128.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "seven bits are taken")]
fn length(mut length: usize, out: &mut Vec<u8>) {
    while length >= 0x80 {
        out.push((length & 0x7F) as u8 | 0x80);
        length >>= 7;
    }
    out.push((length & 0x7F) as u8);
}

/// A text, borrowed from the record where it has no escapes.
#[derive(Debug, Default)]
pub(super) struct Text<'a>(Cow<'a, str>);

impl Put for Text<'_> {
    #[inline]
    fn put(&self, out: &mut Vec<u8>) {
        length(self.0.len(), out);
        out.extend_from_slice(self.0.as_bytes());
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;
        impl<'de> Visitor<'de> for Texts {
            type Value = Cow<'de, str>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(text))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Cow::Owned(text.to_owned()))
            }

            fn visit_string<E: Error>(self, text: String) -> Result<Self::Value, E> {
                Ok(Cow::Owned(text))
            }
        }
        deserializer.deserialize_str(Texts).map(Text)
    }
}

/// A DateTime64(6) in UTC, read from the one layout that the corpora have. A reader that knows its layout beforehand
/// is at an advantage.
#[derive(Debug, Default)]
pub(super) struct Moment(i64);

impl Put for Moment {
    #[inline]
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Moments;
        impl Visitor<'_> for Moments {
            type Value = i64;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a moment such as 2026-02-16T10:20:30.123456Z")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<i64, E> {
                micros(text.as_bytes()).ok_or_else(|| E::custom("not a moment"))
            }
        }
        deserializer.deserialize_str(Moments).map(Moment)
    }
}

/// Microseconds since 1970 of `YYYY-MM-DDThh:mm:ss.ffffffZ`.
fn micros(text: &[u8]) -> Option<i64> {
    let text: &[u8; 27] = text.try_into().ok()?;
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'.'), (26, b'Z')];
    if marks.iter().any(|(at, mark)| text[*at] != *mark) {
        return None;
    }
    let number = |digits: &[u8]| {
        digits
            .iter()
            .try_fold(0i64, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0')))
    };
    let (year, month, day) = (number(&text[0..4])?, number(&text[5..7])?, number(&text[8..10])?);
    let (hour, minute, second) = (number(&text[11..13])?, number(&text[14..16])?, number(&text[17..19])?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Days from the civil date, with years that begin in March so that the leap day is the last one.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000 + number(&text[20..26])?)
}

/// A Map: its pairs in the order of the record, as ClickHouse keeps them.
#[derive(Debug)]
pub(super) struct Pairs<K, V>(Vec<(K, V)>);

impl<K, V> Default for Pairs<K, V> {
    fn default() -> Self {
        Pairs(Vec::new())
    }
}

impl<K: Put, V: Put> Put for Pairs<K, V> {
    #[inline]
    fn put(&self, out: &mut Vec<u8>) {
        length(self.0.len(), out);
        for (key, value) in &self.0 {
            key.put(out);
            value.put(out);
        }
    }
}

impl<'de, K: Deserialize<'de>, V: Deserialize<'de>> Deserialize<'de> for Pairs<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Maps<K, V>(PhantomData<(K, V)>);
        impl<'de, K: Deserialize<'de>, V: Deserialize<'de>> Visitor<'de> for Maps<K, V> {
            type Value = Vec<(K, V)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::with_capacity(map.size_hint().unwrap_or(4));
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(pairs)
            }
        }
        deserializer.deserialize_map(Maps(PhantomData)).map(Pairs)
    }
}

/// A value that is read by a function of its own instead of inside the record's.
#[derive(Debug, Default)]
pub(super) struct Apart<T>(T);

impl<T: Put> Put for Apart<T> {
    #[inline]
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Apart<T> {
    #[inline(never)]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Apart)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_microseconds_since_1970() {
        assert_eq!(micros(b"1970-01-01T00:00:00.000001Z"), Some(1));
        assert_eq!(micros(b"2026-02-16T13:53:20.000005Z"), Some(1_771_250_000_000_005));
        assert_eq!(micros(b"2024-02-29T00:00:00.000000Z"), Some(1_709_164_800_000_000));
        assert_eq!(micros(b"soon"), None);
        assert_eq!(micros(b"2026-02-16 13:53:20.000005Z"), None);
    }

    #[test]
    fn lengths_are_leb128() {
        let mut out = Vec::new();
        length(127, &mut out);
        length(300, &mut out);
        assert_eq!(out, [127, 0xAC, 2]);
    }
}
