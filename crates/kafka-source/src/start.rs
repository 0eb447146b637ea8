//! Where a partition starts when it is assigned, and what happens to a position that the log no longer has.

use std::collections::HashMap;
use std::time::Duration;

use rdkafka::Offset as Raw;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::TopicPartitionList;

use crate::context::{Destination, GroupConsumer, Reposition, commit};
use crate::gone::Gone;
use crate::log::{self, LogRange};
use crate::queue::metadata;
use crate::reason::of_call;
use crate::topic_mark;
use crate::{Committed, GonePolicy, Offset, PartitionId, SourceConfig, SourceError, StartOffset};

/// Time for one question about offsets, in milliseconds. The group waits meanwhile.
const OFFSETS_TIMEOUT_MS: u64 = 10_000;

fn timeout() -> Duration {
    Duration::from_millis(OFFSETS_TIMEOUT_MS)
}

/// Where partitions are read from.
pub(crate) struct Positions {
    /// For librdkafka.
    pub(crate) list: TopicPartitionList,
    /// What the group had committed.
    pub(crate) committed: HashMap<PartitionId, Committed>,
    /// The offsets from which partitions are read; those that are read from the beginning of their logs are not among them.
    pub(crate) begins: HashMap<PartitionId, Offset>,
    /// Partitions that may not be read, and why.
    pub(crate) refused: HashMap<PartitionId, SourceError>,
}

/// The positions of newly assigned partitions: the committed offset, else where the configuration says.
///
/// A start other than the earliest record depends on the moment or on the configuration, so it is resolved to an offset and
/// committed at once: a member that ends before its first commit would otherwise start later the next time, and skip records.
/// An offset that was committed for a former topic of the same name says nothing about this one: [`GonePolicy`] decides.
/// A partition that was added to the topic after this member opened starts at its first record whatever the
/// configuration says: all of it was written "from now on".
pub(crate) fn positions(
    consumer: &GroupConsumer,
    config: &SourceConfig,
    partitions: &[PartitionId],
    known_partitions: usize,
) -> Result<Positions, SourceError> {
    let context = consumer.context();
    let mut list = consumer
        .committed_offsets(context.list(partitions), timeout())
        .map_err(|error| of_call(config, &error, "a question for the committed offsets"))?;
    let texts: HashMap<PartitionId, Vec<u8>> = metadata(&list).into_iter().collect();
    let mut committed = HashMap::new();
    let mut begins = HashMap::new();
    let mut refused = HashMap::new();
    let mut absent = Vec::new();
    let mut anew = Vec::new();
    for element in list.elements() {
        // An error is no answer: taking it for "no commit" would start somewhere else.
        element.error().map_err(|error| of_call(config, &error, "a question for the committed offsets"))?;
        let partition = PartitionId(element.partition());
        match element.offset() {
            Raw::Offset(offset) => {
                let (metadata, of) =
                    topic_mark::split(texts.get(&partition).cloned().unwrap_or_default(), Offset(offset));
                if of.zip(context.topic_id()).is_some_and(|(of, now)| of != now) {
                    if config.gone == GonePolicy::Earliest {
                        anew.push((partition, offset));
                        continue;
                    }
                    // Nothing of this topic is read, and so nothing of it is behind that offset.
                    refused.insert(partition, made_anew(config));
                } else {
                    begins.insert(partition, Offset(offset));
                }
                let is_marked = of.is_some();
                committed.insert(partition, Committed { offset: Offset(offset), metadata, is_marked });
            }
            _ => absent.push(partition),
        }
    }
    for (partition, offset) in anew {
        tracing::warn!(
            partition = partition.0,
            position = offset,
            "the topic was deleted and created anew; the new one is read from its beginning"
        );
        list.set_partition_offset(&config.topic, partition.0, Raw::Beginning)
            .map_err(|error| SourceError::Internal { reason: error.to_string() })?;
    }
    let mut pinned = Vec::new();
    for partition in absent {
        let is_new = usize::try_from(partition.0).is_ok_and(|number| number >= known_partitions);
        let configured = config.start_for(partition);
        let start = if is_new { StartOffset::Earliest } else { configured };
        // Without a commit the next member would take a new partition for an old one.
        let is_lasting = start == StartOffset::Earliest && configured == StartOffset::Earliest;
        let raw = if is_lasting {
            Raw::Beginning
        } else {
            let offset = resolve(consumer, config, partition, start)?;
            pinned.push((partition, offset));
            begins.insert(partition, offset);
            Raw::Offset(offset.0)
        };
        list.set_partition_offset(&config.topic, partition.0, raw)
            .map_err(|error| SourceError::Internal { reason: error.to_string() })?;
    }
    if !pinned.is_empty() {
        commit(consumer, config, &pinned, CommitMode::Sync)?;
    }
    Ok(Positions { list, committed, begins, refused })
}

/// The offsets are of a former topic.
pub(crate) fn made_anew(config: &SourceConfig) -> SourceError {
    SourceError::TopicMadeAnew { topic: config.topic.clone(), group: config.group.clone() }
}

/// The offset of a start, in a log that is asked for it.
fn resolve(
    consumer: &GroupConsumer,
    config: &SourceConfig,
    partition: PartitionId,
    start: StartOffset,
) -> Result<Offset, SourceError> {
    if let StartOffset::Timestamp { unix_ms } = start {
        let told = log::at_time(consumer, config, &[partition], unix_ms, timeout())?;
        if let Some(offset) = told.first().and_then(|(_, offset)| *offset) {
            return Ok(offset);
        }
    }
    let range = log::range(consumer, config, partition, timeout())?;
    match start {
        StartOffset::Earliest => Ok(range.start),
        // No record is as late as the timestamp.
        StartOffset::Latest | StartOffset::Timestamp { .. } => Ok(range.end),
        StartOffset::At(offset) => within(config, partition, offset, range),
    }
}

/// `offset`, where the log has it.
pub(crate) fn within(
    config: &SourceConfig,
    partition: PartitionId,
    offset: Offset,
    range: LogRange,
) -> Result<Offset, SourceError> {
    if range.holds(offset) {
        return Ok(offset);
    }
    Err(SourceError::StartOutOfRange {
        topic: config.topic.clone(),
        partition,
        start: offset,
        log_start: range.start,
        log_end: range.end,
    })
}

/// Whether the topic, which has `partitions`, has every partition for which a start is given.
pub(crate) fn check_names(config: &SourceConfig, partitions: usize) -> Result<(), SourceError> {
    let is_there =
        |partition: &PartitionId| usize::try_from(partition.0).is_ok_and(|number| number < partitions);
    match config.start_of.keys().find(|partition| !is_there(partition)) {
        None => Ok(()),
        Some(partition) => Err(SourceError::StartOfUnknownPartition {
            topic: config.topic.clone(),
            partition: *partition,
            partitions,
        }),
    }
}

/// Sets the position of a partition anew, because an error has moved or ended it.
pub(crate) fn reposition(
    consumer: &GroupConsumer,
    config: &SourceConfig,
    wanted: Reposition,
) -> Result<(), SourceError> {
    let Reposition { partition, to } = wanted;
    let (to, gone) = match to {
        Destination::Offset(offset) => (offset, None),
        Destination::Earliest(gone) => (earliest(consumer, config, partition, gone)?, Some(gone)),
    };
    let internal = |error: KafkaError| SourceError::Internal { reason: error.to_string() };
    let mut list = TopicPartitionList::with_capacity(1);
    list.add_partition_offset(&config.topic, partition.0, Raw::Offset(to.0)).map_err(internal)?;
    // A partition whose fetcher gave up cannot be sought, only assigned anew. Its queue stays the same.
    consumer
        .incremental_unassign(&list)
        .and_then(|()| consumer.incremental_assign(&list))
        .map_err(internal)?;
    if let Some(gone) = gone {
        consumer.context().tell_gone(partition, gone, to);
    }
    Ok(())
}

/// Where to go on when a position is gone: the *earliest-available policy*.
///
/// A position is gone where retention overtook the group, where the topic was created anew, or where a broker lost
/// the end of its log. Starting at the earliest record may read records again, and never skips one that still exists;
/// what was deleted is lost to any reader, so this is said loudly, with both offsets.
fn earliest(
    consumer: &GroupConsumer,
    config: &SourceConfig,
    partition: PartitionId,
    gone: Gone,
) -> Result<Offset, SourceError> {
    let LogRange { start, end } = log::range(consumer, config, partition, timeout())?;
    let position = gone.position().0;
    match gone {
        Gone::Removed(_) => tracing::warn!(
            partition = partition.0,
            position,
            earliest = start.0,
            end = end.0,
            deleted_records_max = start.0.saturating_sub(position).max(0),
            "the position of the group is not in the log any more; reading goes on at the earliest record that is left"
        ),
        Gone::Truncated(_) => tracing::warn!(
            partition = partition.0,
            position,
            earliest = start.0,
            end = end.0,
            "a broker has lost the end of the log; reading goes on at the earliest record, and loads again what is left"
        ),
    }
    Ok(start)
}
