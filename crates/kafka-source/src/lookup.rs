//! Looking at single records and at a group's offsets, without joining the group.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rdkafka::Offset as Raw;
use rdkafka::consumer::Consumer;
use rdkafka::topic_partition_list::TopicPartitionList;

use crate::reading::Event;
use crate::reason::of_call;
use crate::topic::Probe;
use crate::{Offset, OwnedRecord, PartitionId, SourceConfig, SourceError};

/// Two wanted offsets this close are read in one go instead of with a seek in between: what lies between them comes in about as
/// many answers as a seek takes.
const SEEK_DISTANCE: i64 = 100;

/// Reads the records at `offsets` of one partition again, in the order of their offsets. Offsets whose records are
/// gone (retention, compaction) are left out. Joins no group and commits nothing.
///
/// # Errors
/// [`SourceError::Request`] where not all of them came within `timeout`, [`SourceError::DamagedRecords`]; else what
/// [`describe_topic`] tells, also of the broker that leads the partition, within ten seconds.
///
/// [`describe_topic`]: crate::describe_topic
pub fn fetch(
    config: &SourceConfig,
    partition: PartitionId,
    offsets: &[Offset],
    timeout: Duration,
) -> Result<Vec<OwnedRecord>, SourceError> {
    let mut left: BTreeSet<Offset> = offsets.iter().copied().collect();
    if left.is_empty() {
        return Ok(Vec::new());
    }
    let deadline = Instant::now() + timeout;
    let probe = Probe::with_group(config)?;
    probe.begin(timeout)?;
    let log = probe.range(partition, deadline)?;
    left.retain(|offset| log.start <= *offset && *offset < log.end);
    let mut found = Vec::new();
    let mut position = None;
    while let Some(next) = left.first().copied() {
        if position.is_none_or(|at: i64| next.0 < at || next.0 - at > SEEK_DISTANCE) {
            probe.start(&[(partition, next)])?;
            position = Some(next.0);
        }
        match probe.next(deadline)? {
            // What lies before it and has not come is gone.
            Event::Record(record) => {
                let at = record.offset;
                position = Some(at.0.saturating_add(1));
                left = left.split_off(&at);
                if left.remove(&at) {
                    found.push(record);
                }
            }
            // All of it was before the end.
            Event::End(..) => break,
            Event::OutOfRange(words) => {
                // Retention has passed it since the log was asked for.
                let (log, before) = (probe.range(partition, deadline)?, left.len());
                left.retain(|offset| log.start <= *offset && *offset < log.end);
                if left.len() == before {
                    return Err(probe.no_records(words));
                }
                position = None;
            }
            Event::Damaged(reason) => {
                let offset = position.map_or(next, Offset);
                return Err(SourceError::DamagedRecords { partition, offset, reason });
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
