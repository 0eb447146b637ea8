//! What the log of a partition has, as the brokers tell it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rdkafka::Offset as Raw;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;

use crate::reason::of_call;
use crate::{Offset, PartitionId, SourceConfig, SourceError};

/// The offsets of a log, half-open. Open transactions are behind its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogRange {
    /// The first offset that is left.
    pub start: Offset,
    /// Where the next record will be.
    pub end: Offset,
}

impl LogRange {
    /// Whether reading may begin at `offset`: at one that the log has, or at its end.
    ///
    /// ```
    /// use housepipe_kafka_source::{LogRange, Offset};
    /// let range = LogRange { start: Offset(5), end: Offset(9) };
    /// assert!(range.holds(Offset(5)) && range.holds(Offset(9)));
    /// assert!(!range.holds(Offset(4)) && !range.holds(Offset(10)));
    /// ```
    pub fn holds(&self, offset: Offset) -> bool {
        self.start <= offset && offset <= self.end
    }
}

/// The range of one partition.
pub(crate) fn range<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    config: &SourceConfig,
    partition: PartitionId,
    timeout: Duration,
) -> Result<LogRange, SourceError> {
    let (low, high) = consumer
        .fetch_watermarks(&config.topic, partition.0, timeout)
        .map_err(|error| of_call(config, &error, "a question for the ends of a partition"))?;
    Ok(LogRange { start: Offset(low), end: Offset(high) })
}

/// The ranges of many partitions, with two requests to each broker, one behind the other; `timeout` is for both.
pub(crate) fn ranges<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    config: &SourceConfig,
    partitions: &[PartitionId],
    timeout: Duration,
) -> Result<Vec<(PartitionId, LogRange)>, SourceError> {
    let started = Instant::now();
    let ends = asked(consumer, config, partitions, Place::End, timeout)?;
    let left = timeout.saturating_sub(started.elapsed());
    let starts = asked(consumer, config, partitions, Place::Start, left)?;
    let mut ranges = Vec::with_capacity(partitions.len());
    for ((partition, end), (_, start)) in ends.into_iter().zip(starts) {
        let (Some(start), Some(end)) = (start, end) else {
            return Err(SourceError::Request {
                brokers: config.brokers.clone(),
                request: "a question for the ends of a partition",
                reason: format!("nothing was told about partition {partition}"),
            });
        };
        // Retention may have come between the two answers.
        ranges.push((partition, LogRange { start, end: end.max(start) }));
    }
    Ok(ranges)
}

/// The first offset of each partition whose record is as late as `unix_ms` or later; none where no record is.
pub(crate) fn at_time<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    config: &SourceConfig,
    partitions: &[PartitionId],
    unix_ms: i64,
    timeout: Duration,
) -> Result<Vec<(PartitionId, Option<Offset>)>, SourceError> {
    asked(consumer, config, partitions, Place::Time { unix_ms }, timeout)
}

/// A place in a partition.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place {
    /// The first offset that is left.
    Start,
    /// Where the next record will be.
    End,
    /// The first record that is as late or later.
    Time { unix_ms: i64 },
}

impl Place {
    /// In the request, as Kafka has it, a place stands in the field of the time: -1 for the end, -2 for the beginning.
    fn raw(self) -> Raw {
        match self {
            Place::Start => Raw::Beginning,
            Place::End => Raw::End,
            Place::Time { unix_ms } => Raw::Offset(unix_ms.max(0)),
        }
    }
}

/// Words for the request.
const REQUEST: &str = "a question for offsets";

/// Asks for one place of each partition of the topic.
fn asked<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    config: &SourceConfig,
    partitions: &[PartitionId],
    place: Place,
    timeout: Duration,
) -> Result<Vec<(PartitionId, Option<Offset>)>, SourceError> {
    let places: Vec<(&str, i32)> =
        partitions.iter().map(|partition| (config.topic.as_str(), partition.0)).collect();
    let told = asked_of_topics(consumer, config, &places, place, timeout)?;
    let offset = |(partition, told): (&PartitionId, Result<Option<i64>, RDKafkaErrorCode>)| match told {
        Ok(offset) => Ok((*partition, offset.map(Offset))),
        Err(code) => Err(of_call(config, &KafkaError::OffsetFetch(code), REQUEST)),
    };
    partitions.iter().zip(told).map(offset).collect()
}

/// Asks for one place of each of `partitions`, of any topics, with one request to each broker; the answers are in the order of the questions.
pub(crate) fn asked_of_topics<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    config: &SourceConfig,
    partitions: &[(&str, i32)],
    place: Place,
    timeout: Duration,
) -> Result<Vec<Result<Option<i64>, RDKafkaErrorCode>>, SourceError> {
    if partitions.is_empty() {
        return Ok(Vec::new());
    }
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for (topic, partition) in partitions {
        list.add_partition_offset(topic, *partition, place.raw())
            .map_err(|error| SourceError::Internal { reason: error.to_string() })?;
    }
    let list = consumer.offsets_for_times(list, timeout).map_err(|error| of_call(config, &error, REQUEST))?;
    let elements = list.elements();
    let told: HashMap<(&str, i32), Result<Option<i64>, RDKafkaErrorCode>> = elements
        .iter()
        .map(|element| {
            let offset = match (element.error(), element.offset()) {
                (Err(error), _) => Err(error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown)),
                (Ok(()), Raw::Offset(offset)) => Ok(Some(offset)),
                (Ok(()), _) => Ok(None),
            };
            ((element.topic(), element.partition()), offset)
        })
        .collect();
    let of =
        |place: &(&str, i32)| told.get(place).copied().unwrap_or(Err(RDKafkaErrorCode::UnknownPartition));
    Ok(partitions.iter().map(of).collect())
}
