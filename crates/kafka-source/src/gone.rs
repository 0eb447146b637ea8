//! How the log came to have a position no more.

use crate::{Offset, PartitionId, SourceConfig, SourceError};

/// A position that the log does not have any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gone {
    /// Retention passed it, or the topic is another one.
    Removed(Offset),
    /// A broker has lost the end of the log up to somewhere below it.
    Truncated(Offset),
}

impl Gone {
    /// What librdkafka tells by `RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET` at the offset `told`, with its `words`; `own` is
    /// where the reader stands.
    ///
    /// A log that was truncated is told with no offset where the broker knows the epoch of the position, and with the
    /// position where it does not (read in librdkafka 2.12.1, `rd_kafka_toppar_handle_OffsetForLeaderEpoch`); the words
    /// name it in both cases.
    pub(crate) fn told(told: Offset, words: &str, own: Option<Offset>) -> Gone {
        let position = match told.0 {
            // Nothing was read and nothing committed: the reading has begun at the first record.
            ..0 => own.unwrap_or(Offset(0)),
            _ => told,
        };
        if told.0 < 0 || words.contains("truncation") {
            Gone::Truncated(position)
        } else {
            Gone::Removed(position)
        }
    }

    /// The position.
    pub(crate) fn position(self) -> Offset {
        match self {
            Gone::Removed(position) | Gone::Truncated(position) => position,
        }
    }

    /// For whoever may not choose another position.
    pub(crate) fn into_error(self, config: &SourceConfig, partition: PartitionId) -> SourceError {
        let topic = config.topic.clone();
        match self {
            Gone::Removed(position) => SourceError::PositionGone { topic, partition, position },
            Gone::Truncated(position) => SourceError::LogTruncated { topic, partition, position },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As librdkafka 2.12.1 writes them.
    const RETENTION: &str = "fetch failed due to requested offset not available on the broker: Broker: Offset out of range (broker 1)";
    const TRUNCATED: &str = "Partition log truncation detected at offset 5000 (leader epoch 3): broker end offset is 4200 \
                             (offset leader epoch 3). Reset to INVALID.: Local: Partition log truncation detected (broker 1)";
    const NO_EPOCH: &str = "No epoch found less or equal to offset 5000 (leader epoch 3): broker end offset is -1 (offset \
                            leader epoch -1). Reset using configured policy.: Local: Partition log truncation detected (broker 1)";

    #[test]
    fn a_truncated_log_is_told_by_where_the_reader_stands() {
        let own = Some(Offset(5_000));
        for (told, words, own, expected) in [
            (1_000, RETENTION, own, Gone::Removed(Offset(1_000))),
            (1_000, RETENTION, None, Gone::Removed(Offset(1_000))),
            (-1_001, TRUNCATED, own, Gone::Truncated(Offset(5_000))),
            (-1_001, TRUNCATED, None, Gone::Truncated(Offset(0))),
            (-1_001, "", own, Gone::Truncated(Offset(5_000))),
            (5_000, NO_EPOCH, own, Gone::Truncated(Offset(5_000))),
        ] {
            assert_eq!(Gone::told(Offset(told), words, own), expected, "{told}: {words}");
        }
    }

    #[test]
    fn its_message_names_no_offset_that_cannot_be() {
        let config = SourceConfig::new("localhost:9092", "orders", "loader");
        let gone = Gone::told(Offset(-1_001), TRUNCATED, Some(Offset(5_000)));
        let text = gone.into_error(&config, PartitionId(3)).to_string();
        assert!(text.contains("partition 3 of `orders` ends before offset 5000"), "{text}");
        assert!(!text.contains("-1001"), "{text}");
    }
}
