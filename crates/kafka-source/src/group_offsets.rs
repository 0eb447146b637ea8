//! The offsets of a group, looked at and set from outside: without joining it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rdkafka::Offset as Raw;
use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::topic_partition_list::TopicPartitionList;

use crate::commit::offsets_list;
use crate::log::{self, LogRange};
use crate::queue::{ask_topic_id, commit_answered, describe_group, metadata};
use crate::reading::Event;
use crate::reason::{classify, of_call, of_code};
use crate::start;
use crate::topic::Probe;
use crate::topic_mark::{self, TopicId};
use crate::{
    Committed, GroupInfo, Offset, PartitionCommit, PartitionId, SourceConfig, SourceError, StartOffset,
};

/// Time for one question, and for the answer to a commit, in milliseconds.
const ANSWER_MS_MAX: u64 = 10_000;

/// Time for the topic's id, in milliseconds. The topic has been described by then.
const TOPIC_ID_MS_MAX: u64 = 5_000;

/// What is asked for, in words.
pub(crate) const GROUP_REQUEST: &str = "a question for the members of the group";

fn answer_max() -> Duration {
    Duration::from_millis(ANSWER_MS_MAX)
}

/// A group beside its members.
///
/// Every call asks the brokers anew and blocks until they answer, for up to 10 s.
///
/// ```no_run
/// use std::time::Duration;
/// use housepipe_kafka_source::{GroupOffsets, SourceConfig};
///
/// # fn main() -> Result<(), housepipe_kafka_source::SourceError> {
/// let config = SourceConfig::new("localhost:9092", "orders", "orders-loader");
/// let group = GroupOffsets::open(&config, Duration::from_secs(8))?;
/// println!("{} member(s)", group.group()?.members.len());
/// for position in group.positions()? {
///     let committed = position.committed.map_or(position.log.start, |committed| committed.offset);
///     println!("partition {}: {} behind", position.partition, position.log.end.0 - committed.0);
/// }
/// # Ok(()) }
/// ```
pub struct GroupOffsets<'a> {
    probe: Probe<'a>,
    partitions: Vec<PartitionId>,
    /// None where the brokers do not tell it.
    topic: Option<TopicId>,
}

/// Where a group stands in one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupPosition {
    /// The partition.
    pub partition: PartitionId,
    /// What the group has committed; none where it has nothing.
    pub committed: Option<Committed>,
    /// It was committed for a former topic of the same name, and says nothing about this one.
    pub is_of_former_topic: bool,
    /// What the log has.
    pub log: LogRange,
}

impl<'a> GroupOffsets<'a> {
    /// Finds the topic. Nothing is joined or written.
    ///
    /// # Errors
    /// As [`describe_topic`](crate::describe_topic), within `timeout`.
    pub fn open(config: &'a SourceConfig, timeout: Duration) -> Result<GroupOffsets<'a>, SourceError> {
        let probe = Probe::with_group(config)?;
        let info = probe.begin(timeout)?;
        let partitions = (0_i32..).take(info.partitions).map(PartitionId).collect();
        let topic =
            ask_topic_id(&probe.consumer, &config.topic, Duration::from_millis(TOPIC_ID_MS_MAX)).flatten();
        Ok(GroupOffsets { probe, partitions, topic })
    }

    /// The partitions of the topic.
    pub fn partitions(&self) -> &[PartitionId] {
        &self.partitions
    }

    /// Who is in the group.
    ///
    /// # Errors
    /// [`SourceError::GroupDenied`], or [`SourceError::Request`] where the coordinator does not answer.
    pub fn group(&self) -> Result<GroupInfo, SourceError> {
        let config = self.probe.config;
        let deadline = Instant::now() + answer_max();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match describe_group(&self.probe.consumer, &config.group, &config.topic, left) {
                Ok(group) => return Ok(group),
                // A coordinator that has just been chosen, as of a group that is asked for the first time.
                Err(
                    Code::CoordinatorLoadInProgress | Code::CoordinatorNotAvailable | Code::NotCoordinator,
                ) if !left.is_zero() => self.probe.pause(),
                Err(code) => return Err(of_code(config, code, GROUP_REQUEST)),
            }
        }
    }

    /// Where the group stands in every partition, in their order.
    ///
    /// # Errors
    /// [`SourceError::GroupDenied`], or [`SourceError::Request`] where the coordinator or a leader does not answer.
    pub fn positions(&self) -> Result<Vec<GroupPosition>, SourceError> {
        let ranges = log::ranges(&self.probe.consumer, self.probe.config, &self.partitions, answer_max())?;
        let mut committed = self.committed(&self.partitions)?;
        let position = |(partition, log)| {
            let (committed, of) = committed.remove(&partition).unzip();
            let of: Option<TopicId> = of.flatten();
            let is_of_former_topic = of.zip(self.topic).is_some_and(|(of, now)| of != now);
            GroupPosition { partition, committed, is_of_former_topic, log }
        };
        Ok(ranges.into_iter().map(position).collect())
    }

    /// Where a member would start in each of `positions` that has no committed offset. An error of one partition says that
    /// no member can start there.
    ///
    /// # Errors
    /// As [`GroupOffsets::positions`].
    pub fn starts(
        &self,
        positions: &[GroupPosition],
    ) -> Result<BTreeMap<PartitionId, Result<Offset, SourceError>>, SourceError> {
        let config = self.probe.config;
        let mut starts = BTreeMap::new();
        let mut by_time: BTreeMap<i64, Vec<PartitionId>> = BTreeMap::new();
        for GroupPosition { partition, log, .. } in
            positions.iter().filter(|position| position.committed.is_none())
        {
            let start = match config.start_for(*partition) {
                StartOffset::Earliest => Ok(log.start),
                StartOffset::Latest => Ok(log.end),
                StartOffset::At(offset) => start::within(config, *partition, offset, *log),
                StartOffset::Timestamp { unix_ms } => {
                    by_time.entry(unix_ms).or_default().push(*partition);
                    // Where no record is as late.
                    Ok(log.end)
                }
            };
            starts.insert(*partition, start);
        }
        for (unix_ms, partitions) in by_time {
            for (partition, offset) in self.at_time(&partitions, unix_ms)? {
                if let Some(offset) = offset {
                    starts.insert(partition, Ok(offset));
                }
            }
        }
        Ok(starts)
    }

    /// Whether a member can start as the configuration says: in every partition for which a start is given, and which has no
    /// committed offset. Tells where, for those.
    ///
    /// # Errors
    /// [`SourceError::StartOfUnknownPartition`], [`SourceError::StartOutOfRange`], or as [`GroupOffsets::positions`].
    pub fn check_starts(&self) -> Result<BTreeMap<PartitionId, Offset>, SourceError> {
        let config = self.probe.config;
        start::check_names(config, self.partitions.len())?;
        let mut positions = self.positions()?;
        positions.retain(|position| config.start_of.contains_key(&position.partition));
        self.starts(&positions)?.into_iter().map(|(partition, start)| Ok((partition, start?))).collect()
    }

    /// The first offset of each of `partitions` whose record is as late as `unix_ms` or later; none where no record is.
    ///
    /// # Errors
    /// [`SourceError::Request`] where a leader does not answer.
    pub fn at_time(
        &self,
        partitions: &[PartitionId],
        unix_ms: i64,
    ) -> Result<Vec<(PartitionId, Option<Offset>)>, SourceError> {
        log::at_time(&self.probe.consumer, self.probe.config, partitions, unix_ms, answer_max())
    }

    /// The timestamps of the first records at or behind `places`, in milliseconds since 1970. Those that do not come within
    /// `timeout`, or have none, are left out.
    ///
    /// # Errors
    /// What a person must mend, such as [`SourceError::TopicDenied`].
    pub fn timestamps(
        &self,
        places: &[(PartitionId, Offset)],
        timeout: Duration,
    ) -> Result<BTreeMap<PartitionId, i64>, SourceError> {
        let mut found = BTreeMap::new();
        if places.is_empty() {
            return Ok(found);
        }
        let deadline = Instant::now() + timeout;
        let mut open: BTreeSet<PartitionId> = places.iter().map(|(partition, _)| *partition).collect();
        self.probe.start(places)?;
        while !open.is_empty() {
            match self.probe.next(deadline) {
                Ok(Event::Record(record)) => {
                    if open.remove(&record.partition)
                        && let Some(timestamp_ms) = record.timestamp_ms
                    {
                        found.insert(record.partition, timestamp_ms);
                    }
                }
                Ok(Event::End(partition)) => {
                    open.remove(&partition);
                }
                // Those of other partitions may come all the same.
                Ok(Event::OutOfRange(_) | Event::Damaged(_)) => {}
                // Brokers that are not reached, or the deadline.
                Err(error) if error.retryable() => break,
                Err(error) => return Err(error),
            }
        }
        // Nothing is fetched any more.
        self.probe.start(&[])?;
        Ok(found)
    }

    /// Sets the offsets of a group without members, and reads them back.
    ///
    /// # Errors
    /// [`SourceError::GroupActive`] where it has members, also where they come in between; nothing is written then.
    /// [`SourceError::OffsetNotKept`] where the group has something else afterwards; [`SourceError::Commit`] where the
    /// coordinator refuses, [`SourceError::GroupDenied`], [`SourceError::Request`].
    pub fn set(&self, commits: &[PartitionCommit]) -> Result<(), SourceError> {
        if commits.is_empty() {
            return Ok(());
        }
        self.must_be_inactive()?;
        let config = self.probe.config;
        let failed = |reason: String| SourceError::Commit { group: config.group.clone(), reason };
        let list = offsets_list(config, commits, self.topic).map_err(failed)?;
        let answer = commit_answered(&self.probe.consumer, &list, answer_max());
        let answer = answer.map_err(|code| failed(code.to_string()))?;
        // Without an answer the outcome is unknown, and what is there tells.
        let refusal = answer.and_then(|answer| {
            answer.all.or_else(|| answer.partitions.into_iter().find_map(|(_, code)| code))
        });
        match refusal {
            None => self.read_back(commits),
            // So the coordinator answers whoever is no member of a group that has members.
            Some(
                Code::UnknownMemberId
                | Code::IllegalGeneration
                | Code::RebalanceInProgress
                | Code::StaleMemberEpoch
                | Code::FencedMemberEpoch
                | Code::FencedInstanceId,
            ) => {
                self.must_be_inactive()?;
                Err(self.active(&GroupInfo::absent()))
            }
            Some(code) => match classify(config, code, "") {
                SourceError::Request { .. } => Err(failed(code.to_string())),
                known => Err(known),
            },
        }
    }

    fn must_be_inactive(&self) -> Result<(), SourceError> {
        let group = self.group()?;
        if group.is_active() { Err(self.active(&group)) } else { Ok(()) }
    }

    fn active(&self, group: &GroupInfo) -> SourceError {
        SourceError::GroupActive { group: self.probe.config.group.clone(), who: group.who() }
    }

    fn read_back(&self, commits: &[PartitionCommit]) -> Result<(), SourceError> {
        let partitions: Vec<PartitionId> = commits.iter().map(|commit| commit.partition).collect();
        let mut stored = self.committed(&partitions)?;
        for commit in commits {
            let (found, of) = stored.remove(&commit.partition).unzip();
            let is_kept = found.as_ref().is_some_and(|found| {
                found.offset == commit.offset && found.metadata == commit.metadata.as_bytes()
            });
            if !is_kept || of.flatten() != self.topic {
                let found = match found {
                    None => "no offset".to_owned(),
                    Some(found) if found.offset == commit.offset => "the same with another text".to_owned(),
                    Some(found) => format!("offset {}", found.offset),
                };
                return Err(SourceError::OffsetNotKept {
                    group: self.probe.config.group.clone(),
                    partition: commit.partition,
                    wanted: commit.offset,
                    found,
                });
            }
        }
        Ok(())
    }

    /// What the group has committed, and the topic that it is of where that is told.
    fn committed(
        &self,
        partitions: &[PartitionId],
    ) -> Result<BTreeMap<PartitionId, (Committed, Option<TopicId>)>, SourceError> {
        const REQUEST: &str = "a question for the committed offsets";
        let config = self.probe.config;
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            list.add_partition(&config.topic, partition.0);
        }
        let list = self
            .probe
            .consumer
            .committed_offsets(list, answer_max())
            .map_err(|error| of_call(config, &error, REQUEST))?;
        let mut texts: BTreeMap<PartitionId, Vec<u8>> = metadata(&list).into_iter().collect();
        let mut committed = BTreeMap::new();
        for element in list.elements() {
            element.error().map_err(|error| of_call(config, &error, REQUEST))?;
            let partition = PartitionId(element.partition());
            if let Raw::Offset(offset) = element.offset() {
                let offset = Offset(offset);
                let (metadata, of) = topic_mark::split(texts.remove(&partition).unwrap_or_default(), offset);
                let is_marked = of.is_some();
                committed.insert(partition, (Committed { offset, metadata, is_marked }, of));
            }
        }
        Ok(committed)
    }
}
