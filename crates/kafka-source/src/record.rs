//! One record of the topic.

use crate::queue::RawMessage;
use crate::{Offset, PartitionId};

/// A record, borrowed from librdkafka's buffers; valid until its [`Fetched`](crate::Fetched) is dropped.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    /// Its place in the partition.
    pub offset: Offset,
    /// Milliseconds since 1970-01-01 UTC, as the producer or the broker set it.
    pub timestamp_ms: Option<i64>,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is a tombstone.
    pub payload: Option<&'a [u8]>,
    pub(crate) headers: HeaderSource<'a>,
}

#[derive(Clone, Copy)]
pub(crate) enum HeaderSource<'a> {
    Native(&'a RawMessage),
    Owned(&'a [(String, Option<Vec<u8>>)]),
}

impl<'a> Record<'a> {
    /// The headers in their order: name and value. A name that is not UTF-8 is shown as `\u{FFFD}`.
    pub fn headers(&self) -> Headers<'a> {
        Headers { source: self.headers, next: 0 }
    }

    /// A copy that outlives the batch.
    pub fn to_owned(&self, partition: PartitionId) -> OwnedRecord {
        OwnedRecord {
            partition,
            offset: self.offset,
            timestamp_ms: self.timestamp_ms,
            key: self.key.map(<[u8]>::to_vec),
            payload: self.payload.map(<[u8]>::to_vec),
            headers: self
                .headers()
                .map(|(name, value)| (name.to_owned(), value.map(<[u8]>::to_vec)))
                .collect(),
        }
    }
}

impl std::fmt::Debug for Record<'_> {
    /// Sizes, not contents: records are private to their owner, and logs are not.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Record")
            .field("offset", &self.offset.0)
            .field("timestamp_ms", &self.timestamp_ms)
            .field("key_bytes", &self.key.map(<[u8]>::len))
            .field("payload_bytes", &self.payload.map(<[u8]>::len))
            .finish_non_exhaustive()
    }
}

/// Headers of a record, in their order.
pub struct Headers<'a> {
    source: HeaderSource<'a>,
    next: usize,
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a str, Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        let header = match self.source {
            HeaderSource::Native(message) => message.header(self.next),
            HeaderSource::Owned(headers) => {
                headers.get(self.next).map(|(name, value)| (name.as_str(), value.as_deref()))
            }
        };
        self.next += 1;
        header
    }
}

/// A record with its own memory.
#[derive(Clone, PartialEq, Eq)]
pub struct OwnedRecord {
    /// The partition that it is in.
    pub partition: PartitionId,
    /// Its place there.
    pub offset: Offset,
    /// Milliseconds since 1970-01-01 UTC.
    pub timestamp_ms: Option<i64>,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value; `None` is a tombstone.
    pub payload: Option<Vec<u8>>,
    /// Header names and values, in their order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl OwnedRecord {
    /// The same record, borrowed.
    pub fn as_record(&self) -> Record<'_> {
        Record {
            offset: self.offset,
            timestamp_ms: self.timestamp_ms,
            key: self.key.as_deref(),
            payload: self.payload.as_deref(),
            headers: HeaderSource::Owned(&self.headers),
        }
    }
}

impl std::fmt::Debug for OwnedRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:", self.partition)?;
        self.as_record().fmt(f)
    }
}
