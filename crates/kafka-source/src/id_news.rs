//! The moment in which librdkafka hears that the topic has another id.
//!
//! librdkafka fetches by the topic's id where the brokers can (Fetch version 13, Kafka 3.1 and later), so that nothing of a topic
//! that was made anew comes before it has taken over the new id from the brokers' metadata. It goes on at the old position then,
//! and tells of that in its log alone (read in librdkafka 2.12.1, `rd_kafka_topic_metadata_update`), in this line:
//!
//! ```text
//! [thrd:main]: Topic orders changed id from AAAAAAAAAAAAAAAAAAAAAA to 6Zt0dEcrTNmHxmXzNqbKbg
//! ```
//!
//! The line is in the log before the id is taken over: whoever reads the log *after* records were taken out of a queue knows of
//! them whether they may be of another topic. Where the line does not come (older brokers, another version of
//! librdkafka), [`TopicWatch`](crate::topic_watch::TopicWatch) notices some seconds later.

use crate::topic_mark::TopicId;

/// What librdkafka has to be told for the line to be written.
pub(crate) const DEBUG_CONTEXT: &str = "metadata";

/// The facility of the line.
pub(crate) const FACILITY: &str = "METADATA";

/// The id that `topic` has from now on, where the line says that.
pub(crate) fn told_id(line: &str, topic: &str) -> Option<TopicId> {
    let (_, change) = line.split_once("Topic ")?;
    let (_, id) = change.strip_prefix(topic)?.strip_prefix(" changed id from ")?.split_once(" to ")?;
    TopicId::from_base64(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_read_out_of_the_line() {
        let line =
            "[thrd:main]: Topic orders changed id from AAAAAAAAAAAAAAAAAAAAAA to ASNFZ4mrze/////////+/g";
        let id = TopicId::from_bits(0x0123_4567_89ab_cdef, -258);
        assert!(id.is_some());
        assert_eq!(told_id(line, "orders"), id);
        for (line, topic) in [
            (line, "order"),
            (line, "orders2"),
            ("[thrd:main]: Topic orders partition 0 Leader 1", "orders"),
            (
                "[thrd:main]: Topic orders changed id from ASNFZ4mrze/////////+/g to AAAAAAAAAAAAAAAAAAAAAA",
                "orders",
            ),
            ("[thrd:main]: Topic orders changed id from ASNFZ4mrze/////////+/g to (null)", "orders"),
        ] {
            assert_eq!(told_id(line, topic), None, "{topic} in {line}");
        }
    }
}
