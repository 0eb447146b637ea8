//! Virtual columns: what is known of a record beside its value.

use std::fmt;
use std::str::FromStr;

/// A column that is filled by what is known of a record beside its value.
///
/// | name | what it holds | types of the column |
/// |---|---|---|
/// | `_key` | the record's key; empty, or NULL, where it has none | String |
/// | `_timestamp` | when it was produced, or appended to the log, as the topic is set; 1970-01-01, or NULL, where the record has no timestamp | DateTime64, DateTime, Int64 and UInt64 (milliseconds since 1970-01-01 UTC) |
/// | `_partition` | the partition's number | Int32, UInt32, Int64, UInt64, UInt16 |
/// | `_offset` | its offset in the partition | Int64, UInt64 |
/// | `_topic` | the topic's name | String |
/// | `_header_keys` | the names of its headers | Array(String) |
/// | `_header_values` | their values, in the same order; empty, or NULL, where a header has none | Array(String) |
/// | `_raw_message` | the record's value, byte for byte; empty, or NULL, where it has none | String |
///
/// Wherever a type stands here, Nullable and LowCardinality of it may stand as well, and of the String in an Array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Virtual {
    /// `_key`
    Key,
    /// `_timestamp`
    Timestamp,
    /// `_partition`
    Partition,
    /// `_offset`
    Offset,
    /// `_topic`
    Topic,
    /// `_header_keys`
    HeaderKeys,
    /// `_header_values`
    HeaderValues,
    /// `_raw_message`
    RawMessage,
}

impl Virtual {
    /// All of them.
    pub const ALL: [Virtual; 8] = [
        Virtual::Key,
        Virtual::Timestamp,
        Virtual::Partition,
        Virtual::Offset,
        Virtual::Topic,
        Virtual::HeaderKeys,
        Virtual::HeaderValues,
        Virtual::RawMessage,
    ];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Virtual::Key => "_key",
            Virtual::Timestamp => "_timestamp",
            Virtual::Partition => "_partition",
            Virtual::Offset => "_offset",
            Virtual::Topic => "_topic",
            Virtual::HeaderKeys => "_header_keys",
            Virtual::HeaderValues => "_header_values",
            Virtual::RawMessage => "_raw_message",
        }
    }
}

impl fmt::Display for Virtual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Virtual {
    type Err = UnknownVirtual;

    fn from_str(text: &str) -> Result<Virtual, UnknownVirtual> {
        Virtual::ALL.into_iter().find(|known| known.as_str() == text).ok_or(UnknownVirtual)
    }
}

/// A text is the name of no virtual column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "no such virtual column; there are _key, _timestamp, _partition, _offset, _topic, _header_keys, _header_values and \
     _raw_message"
)]
pub struct UnknownVirtual;

/// What [`Envelope::each_header`] calls: with the name of a header, and its value where it has one.
pub type EachHeader<'e> = dyn FnMut(&[u8], Option<&[u8]>) + 'e;

/// What is known of a record beside its value; asked only for what the plan has columns for.
pub trait Envelope {
    /// The topic's name.
    fn topic(&self) -> &str;
    /// The partition's number.
    fn partition(&self) -> i32;
    /// The offset in the partition.
    fn offset(&self) -> i64;
    /// Its timestamp in milliseconds since 1970-01-01 UTC: when it was produced, or appended to the log, as the topic is set.
    fn timestamp_ms(&self) -> Option<i64>;
    /// The key.
    fn key(&self) -> Option<&[u8]>;
    /// The value as the broker has it, with what may frame the document; none of a tombstone.
    fn raw_message(&self) -> Option<&[u8]>;
    /// Calls `each` with the name and the value of every header, in their order.
    fn each_header(&self, each: &mut EachHeader<'_>);
}

/// Nothing is known: virtual columns are empty, 0 or NULL.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NoEnvelope;

impl Envelope for NoEnvelope {
    fn topic(&self) -> &str {
        ""
    }

    fn partition(&self) -> i32 {
        0
    }

    fn offset(&self) -> i64 {
        0
    }

    fn timestamp_ms(&self) -> Option<i64> {
        None
    }

    fn key(&self) -> Option<&[u8]> {
        None
    }

    fn raw_message(&self) -> Option<&[u8]> {
        None
    }

    fn each_header(&self, _each: &mut EachHeader<'_>) {}
}
