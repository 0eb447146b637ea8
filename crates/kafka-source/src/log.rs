//! What the log of a partition has, as the brokers tell it.

use std::time::{Duration, Instant};

use rdkafka::Offset as Raw;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
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
    let ends = asked(consumer, config, partitions, Raw::End, timeout)?;
    let left = timeout.saturating_sub(started.elapsed());
    let starts = asked(consumer, config, partitions, Raw::Beginning, left)?;
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
    asked(consumer, config, partitions, Raw::Offset(unix_ms.max(0)), timeout)
}

/// Asks for one place of each partition. In the request, as Kafka has it, a place stands in the field of the time: -1 for the
/// end, -2 for the beginning.
fn asked<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    config: &SourceConfig,
    partitions: &[PartitionId],
    place: Raw,
    timeout: Duration,
) -> Result<Vec<(PartitionId, Option<Offset>)>, SourceError> {
    const REQUEST: &str = "a question for offsets";
    if partitions.is_empty() {
        return Ok(Vec::new());
    }
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for partition in partitions {
        list.add_partition_offset(&config.topic, partition.0, place)
            .map_err(|error| SourceError::Internal { reason: error.to_string() })?;
    }
    let list = consumer.offsets_for_times(list, timeout).map_err(|error| of_call(config, &error, REQUEST))?;
    let mut told = Vec::with_capacity(partitions.len());
    for element in list.elements() {
        element.error().map_err(|error| of_call(config, &error, REQUEST))?;
        let offset = match element.offset() {
            Raw::Offset(offset) => Some(Offset(offset)),
            _ => None,
        };
        told.push((PartitionId(element.partition()), offset));
    }
    Ok(told)
}
