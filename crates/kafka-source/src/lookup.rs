//! Looking at single records and at a group's offsets, without joining the group.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::{Message, Offset as Raw};

use crate::queue::RawMessage;
use crate::reason::of_call;
use crate::topic::Probe;
use crate::{Offset, OwnedRecord, PartitionId, SourceConfig, SourceError};

/// Longest wait for one event, so that the deadline is looked at, in milliseconds.
const POLL_MS: u64 = 100;

/// Two wanted offsets this close are read in one go instead of with a seek in between: what lies between them comes in about as
/// many answers as a seek takes.
const SEEK_DISTANCE: i64 = 100;

/// Reads the records at `offsets` of one partition again, in the order of their offsets. Offsets whose records are
/// gone (retention, compaction) are left out. Joins no group and commits nothing.
///
/// # Errors
/// [`SourceError::Request`] where not all of them came within `timeout`; else what [`describe_topic`] tells.
///
/// [`describe_topic`]: crate::describe_topic
pub fn fetch(
    config: &SourceConfig,
    partition: PartitionId,
    offsets: &[Offset],
    timeout: Duration,
) -> Result<Vec<OwnedRecord>, SourceError> {
    let wanted: BTreeSet<Offset> = offsets.iter().copied().collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let deadline = Instant::now() + timeout;
    let probe = Probe::with_group(config)?;
    probe.describe(timeout)?;
    let (low, high) = probe.watermarks(partition, deadline)?;
    let mut left = wanted.into_iter().filter(|offset| (low..high).contains(&offset.0)).peekable();
    let mut found = Vec::new();
    let mut position = None;
    while let Some(next) = left.peek().copied() {
        if position.is_none_or(|at: i64| next.0 < at || next.0 - at > SEEK_DISTANCE) {
            probe.start(&[(partition, next)])?;
        }
        let (at, record) = match probe.next(deadline)? {
            Event::End(..) => (Offset(high), None),
            Event::Record(record) => (record.offset, Some(record)),
        };
        // What lies before it and has not come is gone.
        while left.next_if(|offset| *offset < at).is_some() {}
        position = Some(at.0);
        if let Some(record) = record {
            position = Some(at.0.saturating_add(1));
            if left.next_if_eq(&at).is_some() {
                found.push(record);
            }
        }
    }
    Ok(found)
}

/// The offsets that the group of `config` has committed, for every partition of the topic; `None` where it has none.
/// Joins nothing.
///
/// # Errors
/// As [`describe_topic`](crate::describe_topic), and [`SourceError::Request`] where the group's coordinator does not
/// answer within `timeout`.
pub fn group_committed(
    config: &SourceConfig,
    timeout: Duration,
) -> Result<Vec<(PartitionId, Option<Offset>)>, SourceError> {
    let started = Instant::now();
    let info = Probe::connect(config)?.describe(timeout)?;
    let probe = Probe::with_group(config)?;
    let mut list = TopicPartitionList::with_capacity(info.partitions);
    for number in (0_i32..).take(info.partitions) {
        list.add_partition(&config.topic, number);
    }
    let list = probe
        .consumer
        .committed_offsets(list, timeout.saturating_sub(started.elapsed()))
        .map_err(|error| of_call(config, &error, "a question for the committed offsets"))?;
    Ok(offsets_of(&list))
}

pub(crate) fn offsets_of(list: &TopicPartitionList) -> Vec<(PartitionId, Option<Offset>)> {
    let offset = |raw| match raw {
        Raw::Offset(offset) => Some(Offset(offset)),
        _ => None,
    };
    list.elements()
        .iter()
        .map(|element| (PartitionId(element.partition()), offset(element.offset())))
        .collect()
}

/// What a probe that reads comes across.
pub(crate) enum Event {
    Record(OwnedRecord),
    /// The end of a partition.
    End(PartitionId),
}

impl Probe<'_> {
    pub(crate) fn watermarks(
        &self,
        partition: PartitionId,
        deadline: Instant,
    ) -> Result<(i64, i64), SourceError> {
        self.consumer
            .fetch_watermarks(
                &self.config.topic,
                partition.0,
                deadline.saturating_duration_since(Instant::now()),
            )
            .map_err(|error| of_call(self.config, &error, "a question for the end of a partition"))
    }

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

    pub(crate) fn next(&self, deadline: Instant) -> Result<Event, SourceError> {
        loop {
            if Instant::now() >= deadline {
                return Err(SourceError::Request {
                    brokers: self.config.brokers.clone(),
                    request: "a fetch of records",
                    reason: "it took too long".to_owned(),
                });
            }
            match self.consumer.poll(Duration::from_millis(POLL_MS)) {
                None => {}
                Some(Ok(message)) => return Ok(Event::Record(owned(message))),
                Some(Err(KafkaError::PartitionEOF(number))) => return Ok(Event::End(PartitionId(number))),
                Some(Err(error)) => {
                    let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
                    let known = self.of_record(code);
                    if !known.retryable() {
                        return Err(known);
                    }
                }
            }
        }
    }
}

/// A copy of what a consumer has given out.
fn owned(mut message: BorrowedMessage<'_>) -> OwnedRecord {
    let partition = PartitionId(message.partition());
    RawMessage::of(&mut message).record().to_owned(partition)
}
