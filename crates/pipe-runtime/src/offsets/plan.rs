//! Setting offsets: what would be set, and then setting it.

use std::collections::{BTreeMap, BTreeSet};

use housepipe_kafka_source::{
    GroupOffsets, GroupPosition, Offset, PartitionCommit, PartitionId, SourceConfig, SourceError,
};
use serde::Serialize;

use super::consequence::{needs_a_word, warnings};
use super::error::OffsetsError;
use super::facts::{Facts, config_of, with_group};
use super::place::{Counts, Place, Reads, counts, resolve};
use super::show::GroupReport;
use super::stored::Stored;
use super::target::OffsetTarget;
use crate::delivery::Metadata;
use crate::pipe::fresh_lineage;
use crate::pipe_file::{DeliveryMode, PipeFile};
use crate::shown::shown;

/// Characters that are shown of what other clients call themselves, at most.
const WHO_WIDTH: usize = 400;

/// Which offsets are to be set, and where to.
#[derive(Debug, Clone)]
pub struct OffsetsRequest {
    /// Where to.
    pub to: OffsetTarget,
    /// The partitions that are meant; all where it is empty.
    pub partitions: BTreeSet<i32>,
    /// Also where a range may be loaded or not.
    pub forget_pending: bool,
}

/// What setting would do. Nothing is written yet.
#[derive(Debug, Clone, Serialize)]
pub struct OffsetsPlan {
    /// The pipe's name.
    pub pipe: String,
    /// Its topic.
    pub topic: String,
    /// The pipe's delivery mode.
    pub delivery: DeliveryMode,
    /// The group, which must have no members.
    pub group: GroupReport,
    /// Where to, as it was asked for.
    pub to: OffsetTarget,
    /// One for each partition that has a new offset.
    pub moves: Vec<OffsetMove>,
    /// What follows from it.
    pub warnings: Vec<String>,
    /// Why nothing is written, with the mend; empty where it may be written.
    pub refusals: Vec<String>,
    #[serde(skip)]
    config: SourceConfig,
    /// What the group had when the plan was made, for the partitions that are moved.
    #[serde(skip)]
    seen: Vec<GroupPosition>,
}

/// The new offset of one partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OffsetMove {
    /// The partition.
    pub partition: i32,
    /// The committed offset; absent where the group has none.
    pub from: Option<i64>,
    /// Without a committed offset: where the pipe file lets the partition start.
    pub starts_at: Option<i64>,
    /// The new offset.
    pub to: i64,
    /// The first offset of the log.
    pub log_start: i64,
    /// Where the next record of the log will be.
    pub log_end: i64,
    /// Records that are left out, at most: offsets without a record count.
    pub skipped: u64,
    /// Records that are read once more, at most.
    pub read_again: u64,
    /// What stands with the committed offset.
    pub stored: Option<Stored>,
}

/// Reckons what setting offsets would do. Writes nothing; what stands in the way is in [`OffsetsPlan::refusals`].
///
/// # Errors
/// [`OffsetsError::Source`] where the topic, the group or a broker does not answer.
pub async fn plan_offsets(file: &PipeFile, request: OffsetsRequest) -> Result<OffsetsPlan, OffsetsError> {
    let config = config_of(file);
    let group_name = file.source.consumer_group.clone();
    let (delivery, to) = (file.delivery, request.to);
    let (group, refusals, moves, seen) = with_group(config.clone(), move |offsets| {
        let Facts { group, positions } = Facts::ask(offsets)?;
        let mut refusals = Vec::new();
        if group.is_active() {
            // What other clients call themselves is theirs to choose.
            let who = shown(&group.who(), WHO_WIDTH);
            refusals.push(SourceError::GroupActive { group: group_name, who }.to_string());
        }
        let chosen = choose(&request, positions, &mut refusals);
        let (moves, seen) = reckon(offsets, &request, chosen, &mut refusals)?;
        if !request.forget_pending {
            refusals.extend(moves.iter().filter_map(|moved| needs_a_word(moved, delivery)));
        }
        Ok((group, refusals, moves, seen))
    })
    .await?;
    Ok(OffsetsPlan {
        pipe: file.name.to_string(),
        topic: file.source.topic.clone(),
        delivery,
        group: GroupReport::of(&file.source.consumer_group, &group),
        to,
        warnings: warnings(&moves, delivery),
        moves,
        refusals,
        config,
        seen,
    })
}

/// The positions of the partitions that are meant.
fn choose(
    request: &OffsetsRequest,
    positions: Vec<GroupPosition>,
    refusals: &mut Vec<String>,
) -> Vec<GroupPosition> {
    let count = positions.len();
    for partition in &request.partitions {
        if !usize::try_from(*partition).is_ok_and(|number| number < count) {
            refusals.push(format!("the topic has no partition {partition}: it has {count}, numbered from 0"));
        }
    }
    let is_meant = |position: &GroupPosition| {
        request.partitions.is_empty() || request.partitions.contains(&position.partition.0)
    };
    positions.into_iter().filter(is_meant).collect()
}

fn reckon(
    offsets: &GroupOffsets<'_>,
    request: &OffsetsRequest,
    chosen: Vec<GroupPosition>,
    refusals: &mut Vec<String>,
) -> Result<(Vec<OffsetMove>, Vec<GroupPosition>), OffsetsError> {
    let starts = offsets.starts(&chosen)?;
    let partitions: Vec<PartitionId> = chosen.iter().map(|position| position.partition).collect();
    let mut at_time: BTreeMap<PartitionId, Option<Offset>> = match request.to {
        OffsetTarget::Time { unix_ms } => offsets.at_time(&partitions, unix_ms)?.into_iter().collect(),
        _ => BTreeMap::new(),
    };
    let (mut moves, mut seen) = (Vec::new(), Vec::new());
    for position in chosen {
        let partition = position.partition;
        let place = Place {
            committed: position.committed.as_ref().map(|committed| committed.offset),
            is_of_former_topic: position.is_of_former_topic,
            log: position.log,
            at_time: at_time.remove(&partition).flatten(),
        };
        match resolve(request.to, place) {
            Ok(to) => {
                let starts_at = starts.get(&partition).and_then(|start| start.as_ref().ok());
                moves.push(moved(&position, starts_at.copied(), to));
                seen.push(position);
            }
            Err(reason) => refusals.push(format!("partition {partition}: {reason}")),
        }
    }
    Ok((moves, seen))
}

fn moved(position: &GroupPosition, starts_at: Option<Offset>, to: Offset) -> OffsetMove {
    let log = position.log;
    let from = position.committed.as_ref().map(|committed| committed.offset);
    // A position of a former topic says nothing about this one, of which nothing was read.
    let reads = match from {
        Some(_) if position.is_of_former_topic => Reads::Never { starts_at: log.start },
        Some(offset) => Reads::UpTo(offset),
        None => Reads::Never { starts_at: starts_at.unwrap_or(to) },
    };
    let Counts { skipped, read_again } = counts(reads, log, to);
    OffsetMove {
        partition: position.partition.0,
        from: from.map(|offset| offset.0),
        starts_at: starts_at.map(|offset| offset.0),
        to: to.0,
        log_start: log.start.0,
        log_end: log.end.0,
        skipped,
        read_again,
        stored: Stored::of(position),
    }
}

impl OffsetsPlan {
    /// Whether nothing stands in the way.
    pub fn may_be_written(&self) -> bool {
        self.refusals.is_empty()
    }

    /// The same as a result.
    ///
    /// # Errors
    /// [`OffsetsError::Refused`] where something stands in the way.
    pub fn must_be_writable(&self) -> Result<(), OffsetsError> {
        if self.may_be_written() {
            return Ok(());
        }
        Err(OffsetsError::Refused { reasons: self.refusals.clone() })
    }

    /// What stands with a new offset, beside the topic that it is of: what the pipe itself commits where nothing is under way. In
    /// a new lineage, or the tokens of what is read again could be those that the table remembers.
    fn text(&self, moved: &OffsetMove) -> String {
        match self.delivery {
            DeliveryMode::AtLeastOnce => String::new(),
            DeliveryMode::ExactlyOnce => {
                let lineage = fresh_lineage(PartitionId(moved.partition));
                Metadata { lineage, pending: None }.to_text(Offset(moved.to))
            }
        }
    }

    /// Writes the new offsets, all with one request, and reads them back. In exactly-once mode each begins a new lineage.
    ///
    /// # Errors
    /// [`OffsetsError::Refused`] where something stands in the way, [`OffsetsError::Changed`] where an offset is not the
    /// one that was seen, and [`OffsetsError::Source`]: [`SourceError::GroupActive`] where a member has joined since, or what
    /// the coordinator said.
    pub async fn write(&self) -> Result<(), OffsetsError> {
        self.must_be_writable()?;
        let commits: Vec<PartitionCommit> = self
            .moves
            .iter()
            .map(|moved| PartitionCommit {
                partition: PartitionId(moved.partition),
                offset: Offset(moved.to),
                metadata: self.text(moved),
            })
            .collect();
        let seen = self.seen.clone();
        with_group(self.config.clone(), move |offsets| {
            let now = offsets.positions()?;
            for before in &seen {
                let after = now.iter().find(|position| position.partition == before.partition);
                if after.is_none_or(|after| after.committed != before.committed) {
                    return Err(OffsetsError::Changed {
                        partition: before.partition.0,
                        from: words(Some(before)),
                        to: words(after),
                    });
                }
            }
            Ok(offsets.set(&commits)?)
        })
        .await
    }
}

fn words(position: Option<&GroupPosition>) -> String {
    let Some(committed) = position.and_then(|position| position.committed.as_ref()) else {
        return "none".to_owned();
    };
    let stored = position.and_then(Stored::of).map_or_else(String::new, |stored| format!(" ({stored})"));
    format!("{}{stored}", committed.offset)
}
