//! Reading partitions without joining a group: the next thing that comes, or why nothing comes.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::{Message, Offset as Raw};

use crate::queue::RawMessage;
use crate::reason::{is_damage, is_decisive, is_out_of_range, meaning};
use crate::topic::Probe;
use crate::{Offset, OwnedRecord, PartitionId, SourceError};

/// Longest wait for one event, so that the deadline is looked at, in milliseconds.
const POLL_MS: u64 = 100;

/// Time without an event, in milliseconds, after which the trouble that was heard of a connection is taken for the cause.
const SILENCE_MS_MAX: u64 = 5_000;

/// What a probe that reads comes across.
pub(crate) enum Event {
    Record(OwnedRecord),
    /// The end of a partition.
    End(PartitionId),
    /// The log of a partition, it is not told which, does not have the position, and nothing of it is read any more; in Kafka's words.
    OutOfRange(String),
    /// The next records of a partition, it is not told which, are damaged, and it is not read on; in librdkafka's words.
    Damaged(String),
}

impl Probe<'_> {
    /// Reads these partitions from these offsets, and no others.
    pub(crate) fn start(&self, places: &[(PartitionId, Offset)]) -> Result<(), SourceError> {
        let internal = |error: KafkaError| SourceError::Internal { reason: error.to_string() };
        let mut list = TopicPartitionList::with_capacity(places.len());
        for (partition, offset) in places {
            list.add_partition_offset(&self.config.topic, partition.0, Raw::Offset(offset.0))
                .map_err(internal)?;
        }
        self.consumer.assign(&list).map_err(internal)
    }

    /// The next event, waited for until `deadline`, or until it is known why none comes.
    pub(crate) fn next(&self, deadline: Instant) -> Result<Event, SourceError> {
        let patience = Instant::now() + Duration::from_millis(SILENCE_MS_MAX);
        while Instant::now() < deadline {
            match self.consumer.poll(Duration::from_millis(POLL_MS)) {
                None => {}
                Some(Ok(message)) => return Ok(Event::Record(owned(message))),
                Some(Err(KafkaError::PartitionEOF(number))) => return Ok(Event::End(PartitionId(number))),
                Some(Err(error)) => {
                    if let Some(event) = self.of_error(&error)? {
                        return Ok(event);
                    }
                }
            }
            if let Some(heard) = self.heard()
                && (is_decisive(&heard) || Instant::now() >= patience)
            {
                return Err(self.explained(heard));
            }
        }
        Err(self.cause_of_silence())
    }

    /// What an error says of records; none where it is about a connection.
    fn of_error(&self, error: &KafkaError) -> Result<Option<Event>, SourceError> {
        let code = error.rdkafka_error_code().unwrap_or(Code::Fail);
        // The context was told the words before the code is returned.
        let words = self.consumer.context().words().take_of_records();
        match (words, meaning(self.config, code, "")) {
            (Some(words), _) if is_out_of_range(code) => Ok(Some(Event::OutOfRange(words))),
            (Some(words), _) if is_damage(code) => Ok(Some(Event::Damaged(words))),
            (
                _,
                known @ (SourceError::UnknownTopic { .. }
                | SourceError::TopicDenied { .. }
                | SourceError::Fatal { .. }),
            ) => Err(known),
            // What it is about was heard with its words, which say more than the code. librdkafka tries again.
            _ => Ok(None),
        }
    }

    /// That no records come, for a reason in Kafka's words.
    pub(crate) fn no_records(&self, reason: String) -> SourceError {
        SourceError::Request { brokers: self.config.brokers.clone(), request: "a fetch of records", reason }
    }
}

/// A copy of what a consumer has given out.
fn owned(mut message: BorrowedMessage<'_>) -> OwnedRecord {
    let partition = PartitionId(message.partition());
    RawMessage::of(&mut message).record().to_owned(partition)
}
