//! What a source reads, and how much it may hold.

use std::collections::BTreeMap;

use crate::{Offset, PartitionId, RawSettings, Security};

/// Where to read, as whom, and how much may be held in memory.
///
/// ```
/// use housepipe_kafka_source::{SourceConfig, StartOffset};
/// let mut config = SourceConfig::new("localhost:9092", "orders", "orders-loader");
/// config.start = StartOffset::Latest;
/// assert_eq!(config.prefetch_bytes_max, 64 << 20);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SourceConfig {
    /// Bootstrap brokers: `host:port`, separated by commas.
    pub brokers: String,
    /// The topic.
    pub topic: String,
    /// The consumer group.
    pub group: String,
    /// Where a partition without a committed offset starts.
    pub start: StartOffset,
    /// Partitions for which that is elsewhere. The topic must have each of them.
    pub start_of: BTreeMap<PartitionId, StartOffset>,
    /// What happens where the log does not have the group's position any more.
    pub gone: GonePolicy,
    /// Encryption and credentials.
    pub security: Security,
    /// Fetched ahead and not yet read, in bytes, over all partitions of this consumer. Records of one fetch may
    /// exceed it where a single record, or a batch that compressed well, is larger than its share.
    pub prefetch_bytes_max: usize,
    /// How this program calls itself to the broker.
    pub client_id: String,
    /// Time without a heartbeat after which the group gives the partitions to others, in milliseconds.
    pub session_timeout_ms: u32,
    /// Time between two calls of [`Source::poll`](crate::Source::poll) after which this member leaves the group by
    /// itself, in milliseconds; at least the session timeout.
    pub poll_interval_max_ms: u32,
    /// Time that the broker may hold a fetch back until enough has gathered, in milliseconds. It bounds how late a
    /// lonely record arrives.
    pub fetch_wait_max_ms: u32,
    /// Settings of librdkafka by name, for what has no option here.
    pub raw: RawSettings,
}

impl SourceConfig {
    /// Reads `topic` from its beginning as `group`, over a connection without encryption.
    pub fn new(
        brokers: impl Into<String>,
        topic: impl Into<String>,
        group: impl Into<String>,
    ) -> SourceConfig {
        SourceConfig {
            brokers: brokers.into(),
            topic: topic.into(),
            group: group.into(),
            start: StartOffset::Earliest,
            start_of: BTreeMap::new(),
            gone: GonePolicy::Earliest,
            security: Security::Plaintext,
            prefetch_bytes_max: 64 << 20,
            client_id: "housepipe".to_owned(),
            session_timeout_ms: 45_000,
            poll_interval_max_ms: 300_000,
            fetch_wait_max_ms: 250,
            raw: RawSettings::default(),
        }
    }

    /// Where `partition` starts while the group has no committed offset for it.
    pub(crate) fn start_for(&self, partition: PartitionId) -> StartOffset {
        self.start_of.get(&partition).copied().unwrap_or(self.start)
    }
}

/// Where a partition starts for which the group has no committed offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StartOffset {
    /// The oldest record that the broker still has.
    #[default]
    Earliest,
    /// What is written from now on.
    Latest,
    /// The first record whose timestamp is this or later; where there is none, what is written from now on.
    Timestamp {
        /// Milliseconds since 1970-01-01 UTC.
        unix_ms: i64,
    },
    /// This very offset, which the log must have: from its first record up to its end, which is where the next record
    /// will be. Offsets of different partitions have nothing to do with each other, so it is meant for one of them.
    At(Offset),
}

/// What happens where the log does not have a position any more: retention overtook the group, the topic was made anew,
/// or a broker lost the end of its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GonePolicy {
    /// Go on at the earliest record that is left, and say so: records may be read again, none that exists is skipped.
    #[default]
    Earliest,
    /// End the partition's reading with [`SourceError::PositionGone`](crate::SourceError::PositionGone), or
    /// [`SourceError::LogTruncated`](crate::SourceError::LogTruncated).
    Fail,
}
