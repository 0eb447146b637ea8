//! A record's first five bytes.

use std::fmt;

/// The first byte of a framed record.
const MAGIC: u8 = 0;

/// A schema's id, unique in one registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SchemaId(pub u32);

impl fmt::Display for SchemaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A record's bytes, with or without a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing<'a> {
    /// A frame and what it carries.
    Framed {
        /// The schema that the body was written with.
        schema_id: SchemaId,
        /// The record without the frame; may be empty.
        body: &'a [u8],
    },
    /// No frame: the first byte is not zero, or fewer than five bytes are there.
    Unframed(&'a [u8]),
}

impl<'a> Framing<'a> {
    /// The record without its frame, if it has one.
    pub const fn body(self) -> &'a [u8] {
        match self {
            Framing::Framed { body, .. } | Framing::Unframed(body) => body,
        }
    }
}

/// The reader of frames.
#[derive(Debug, Clone, Copy)]
pub struct Framed;

impl Framed {
    /// As [`parse_framing`].
    pub const fn parse(record: &[u8]) -> Framing<'_> {
        parse_framing(record)
    }
}

/// Takes the frame off `record`. It never fails: what has no whole frame is [`Framing::Unframed`] and whole.
///
/// A text format never begins with a zero byte, so the two cannot be confused for JSON, CSV and TSV.
pub const fn parse_framing(record: &[u8]) -> Framing<'_> {
    match record {
        [MAGIC, a, b, c, d, body @ ..] => {
            Framing::Framed { schema_id: SchemaId(u32::from_be_bytes([*a, *b, *c, *d])), body }
        }
        _ => Framing::Unframed(record),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_five_bytes() {
        let framed = |id, body| Framing::Framed { schema_id: SchemaId(id), body };
        assert_eq!(parse_framing(b"\0\x01\x02\x03\x04{}"), framed(0x0102_0304, b"{}"));
        assert_eq!(parse_framing(b"\0\xff\xff\xff\xff"), framed(u32::MAX, b""));
        assert_eq!(Framed::parse(b"\0\0\0\0\0\0"), framed(0, b"\0"));
        assert_eq!(parse_framing(b"\0\0\0\0\x07x").body(), b"x");
    }

    #[test]
    fn short_and_unframed_records_stay_whole() {
        for record in [&b""[..], b"\0", b"\0\0\0\0", b"{}", b"\x01\0\0\0\0x", b"12345"] {
            assert_eq!(parse_framing(record), Framing::Unframed(record));
            assert_eq!(parse_framing(record).body(), record);
        }
    }
}
