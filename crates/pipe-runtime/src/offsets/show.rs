//! Where the group of a pipe stands.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use housepipe_kafka_source::{
    GroupInfo, GroupPosition, GroupProtocol, GroupState, Offset, PartitionId, SourceError,
};
use serde::Serialize;

use super::error::OffsetsError;
use super::facts::{Facts, config_of, with_group};
use super::stored::Stored;
use crate::error::explain;
use crate::pipe_file::{DeliveryMode, PipeFile};

/// Time for the next record of each partition, at most, in milliseconds. What does not come is not told.
const TIMESTAMPS_MS_MAX: u64 = 3_000;

/// Where a pipe's group stands.
#[derive(Debug, Clone, Serialize)]
pub struct OffsetsReport {
    /// The pipe's name.
    pub pipe: String,
    /// Its topic.
    pub topic: String,
    /// The pipe's delivery mode.
    pub delivery: DeliveryMode,
    /// Who reads.
    pub group: GroupReport,
    /// Records that are not loaded yet, over all partitions, at most: offsets without a record count.
    pub lag: u64,
    /// Every partition of the topic, in their order.
    pub partitions: Vec<PartitionOffsets>,
}

/// A consumer group.
#[derive(Debug, Clone, Serialize)]
pub struct GroupReport {
    /// Its name.
    pub name: String,
    /// `absent`, `empty`, `rebalancing`, `stable` or `unknown`.
    pub state: &'static str,
    /// `classic`, or `consumer` for that of KIP-848; absent where it is not told.
    pub protocol: Option<&'static str>,
    /// The processes that read.
    pub members: Vec<MemberReport>,
}

/// A member of a group.
#[derive(Debug, Clone, Serialize)]
pub struct MemberReport {
    /// How the program calls itself.
    pub client_id: String,
    /// Where it runs, as the broker sees it.
    pub host: String,
    /// The partitions that it reads.
    pub partitions: Vec<i32>,
}

/// Where a group stands in one partition.
#[derive(Debug, Clone, Serialize)]
pub struct PartitionOffsets {
    /// The partition.
    pub partition: i32,
    /// The committed offset: the record to be read next. Absent where the group has none.
    pub committed: Option<i64>,
    /// Without a committed offset: where the pipe file lets the partition start.
    pub starts_at: Option<i64>,
    /// The first offset of the log.
    pub log_start: i64,
    /// Where the next record of the log will be.
    pub log_end: i64,
    /// Records that are not loaded yet, at most; absent where the pipe could not start there.
    pub lag: Option<u64>,
    /// Age of the oldest of them by its timestamp; absent where it was not told.
    pub lag_seconds: Option<f64>,
    /// What stands with the committed offset.
    pub stored: Option<Stored>,
    /// What is wrong with the position, where something is.
    pub problem: Option<String>,
}

/// Looks at the group of a pipe. Joins nothing, writes nothing.
///
/// # Errors
/// [`OffsetsError::Source`] where the topic, the group or a broker does not answer.
pub async fn show_offsets(file: &PipeFile) -> Result<OffsetsReport, OffsetsError> {
    let is_exactly_once = file.delivery == DeliveryMode::ExactlyOnce;
    let (group, partitions) = with_group(config_of(file), move |offsets| {
        let Facts { group, positions } = Facts::ask(offsets)?;
        let starts = offsets.starts(&positions)?;
        let mut partitions: Vec<PartitionOffsets> =
            positions.iter().map(|position| partition(position, &starts, is_exactly_once)).collect();
        let behind: Vec<(PartitionId, Offset)> = positions
            .iter()
            .zip(&partitions)
            .filter(|(_, shown)| shown.lag.is_some_and(|lag| lag > 0))
            .filter_map(|(position, shown)| Some((position.partition, next(position, shown.starts_at)?)))
            .collect();
        let timestamps = offsets.timestamps(&behind, Duration::from_millis(TIMESTAMPS_MS_MAX))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        for shown in &mut partitions {
            let timestamp_ms = timestamps.get(&PartitionId(shown.partition));
            shown.lag_seconds = match shown.lag {
                Some(0) => Some(0.0),
                _ => timestamp_ms.map(|timestamp_ms| age_seconds(now, *timestamp_ms)),
            };
        }
        Ok((group, partitions))
    })
    .await?;
    Ok(OffsetsReport {
        pipe: file.name.to_string(),
        topic: file.source.topic.clone(),
        delivery: file.delivery,
        group: GroupReport::of(&file.source.consumer_group, &group),
        lag: partitions.iter().filter_map(|shown| shown.lag).sum(),
        partitions,
    })
}

/// Seconds from a record's timestamp to now; a clock that is behind makes none of them.
#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 have fewer bits than a double")]
fn age_seconds(now: f64, timestamp_ms: i64) -> f64 {
    ((now - timestamp_ms as f64 / 1_000.0).max(0.0) * 1_000.0).round() / 1_000.0
}

/// The first offset that is not loaded yet, as far as the log has it.
fn next(position: &GroupPosition, starts_at: Option<i64>) -> Option<Offset> {
    let log = position.log;
    match &position.committed {
        // A position of a former topic says nothing of this one's records, nor does one that the log has not come to: it lost its end.
        Some(committed) if position.is_of_former_topic || committed.offset > log.end => Some(log.start),
        Some(committed) => Some(committed.offset.max(log.start)),
        None => starts_at.map(|offset| Offset(offset).max(log.start)),
    }
}

fn partition(
    position: &GroupPosition,
    starts: &BTreeMap<PartitionId, Result<Offset, SourceError>>,
    is_exactly_once: bool,
) -> PartitionOffsets {
    let log = position.log;
    let committed = position.committed.as_ref().map(|committed| committed.offset);
    let start = if committed.is_none() { starts.get(&position.partition) } else { None };
    let starts_at = start.and_then(|start| start.as_ref().ok()).copied();
    let problem = match (committed, start) {
        (Some(_), _) if position.is_of_former_topic => {
            let then = if is_exactly_once {
                "the pipe stops until the offset is set"
            } else {
                "the pipe reads the new topic from its beginning"
            };
            Some(format!("the topic was deleted and created anew; {then}"))
        }
        (Some(offset), _) if !log.holds(offset) => {
            let then = if is_exactly_once {
                "the partition stops until the offset is set"
            } else {
                "reading goes on at the first record that is left"
            };
            Some(format!("the log does not have the committed offset any more; {then}"))
        }
        (None, Some(Err(error))) => Some(explain(error)),
        _ => None,
    };
    let starts_at = starts_at.map(|offset| offset.0);
    PartitionOffsets {
        partition: position.partition.0,
        committed: committed.map(|offset| offset.0),
        starts_at,
        log_start: log.start.0,
        log_end: log.end.0,
        lag: next(position, starts_at).map(|from| log.end.0.saturating_sub(from.0).max(0).unsigned_abs()),
        lag_seconds: None,
        stored: Stored::of(position),
        problem,
    }
}

impl GroupReport {
    pub(super) fn of(name: &str, group: &GroupInfo) -> GroupReport {
        GroupReport {
            name: name.to_owned(),
            state: match group.state {
                GroupState::Absent => "absent",
                GroupState::Empty => "empty",
                GroupState::Rebalancing => "rebalancing",
                GroupState::Stable => "stable",
                GroupState::Unknown => "unknown",
            },
            protocol: match group.protocol {
                GroupProtocol::Classic => Some("classic"),
                GroupProtocol::Consumer => Some("consumer"),
                GroupProtocol::Unknown => None,
            },
            members: group
                .members
                .iter()
                .map(|member| MemberReport {
                    client_id: member.client_id.clone(),
                    host: member.host.clone(),
                    partitions: member.partitions.iter().map(|partition| partition.0).collect(),
                })
                .collect(),
        }
    }
}
