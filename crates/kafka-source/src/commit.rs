//! Commits of single partitions, with metadata, and with an outcome that tells what is sure.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::topic_partition_list::TopicPartitionList;

use crate::context::GroupConsumer;
use crate::queue::commit_answered;
use crate::topic_mark::{TopicId, marked};
use crate::{Offset, PartitionId, SourceConfig};

/// An offset to commit, and what stands with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionCommit {
    /// The partition.
    pub partition: PartitionId,
    /// The record to be read next by whoever owns the partition then.
    pub offset: Offset,
    /// Kept with the offset, and told to the next owner; up to some 4,000 bytes by the broker's default.
    pub metadata: String,
}

/// What is sure of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommitOutcome {
    /// The coordinator has it.
    Acknowledged,
    /// The coordinator did not take it, or it was never sent. (A first try whose answer was lost inside of librdkafka
    /// may have been taken all the same; it had the same content.)
    Refused {
        /// Kafka's words.
        reason: String,
    },
    /// The same, until somebody has mended something: a right that is missing, a limit of the broker.
    NotAllowed {
        /// Kafka's words.
        reason: String,
    },
    /// It may have been taken, or be taken later.
    Unknown {
        /// Kafka's words.
        reason: String,
    },
}

/// Commits as a member of the group, from any thread.
///
/// It keeps the client alive; drop it once its [`Source`](crate::Source) is closed.
pub struct Committer {
    consumer: Arc<GroupConsumer>,
}

impl Committer {
    pub(crate) fn new(consumer: Arc<GroupConsumer>) -> Committer {
        Committer { consumer }
    }

    /// Sends all of `commits` in one request, and waits for the answer for up to `timeout`. Returns an outcome for each,
    /// in their order.
    pub fn commit(&self, commits: &[PartitionCommit], timeout: Duration) -> Vec<CommitOutcome> {
        let outcomes = self.outcomes(commits, timeout);
        let context = self.consumer.context();
        for outcome in &outcomes {
            let counter = match outcome {
                CommitOutcome::Acknowledged => &context.commits_acknowledged,
                CommitOutcome::Refused { .. }
                | CommitOutcome::NotAllowed { .. }
                | CommitOutcome::Unknown { .. } => &context.commits_failed,
            };
            counter.fetch_add(1, Ordering::Relaxed);
        }
        outcomes
    }

    fn outcomes(&self, commits: &[PartitionCommit], timeout: Duration) -> Vec<CommitOutcome> {
        let for_all = |outcome: CommitOutcome| vec![outcome; commits.len()];
        let context = self.consumer.context();
        let list = match offsets_list(context.config(), commits, context.topic_id()) {
            Ok(list) => list,
            Err(reason) => return for_all(CommitOutcome::Refused { reason }),
        };
        let answer = match commit_answered(&self.consumer, &list, timeout) {
            Ok(Some(answer)) => answer,
            Ok(None) => {
                let reason = format!("no answer came within {timeout:?}");
                return for_all(CommitOutcome::Unknown { reason });
            }
            // It was not handed to librdkafka.
            Err(code) => return for_all(CommitOutcome::Refused { reason: code.to_string() }),
        };
        let of = |commit: &PartitionCommit| {
            let told = answer.partitions.iter().find(|(partition, _)| *partition == commit.partition);
            match told {
                Some((_, Some(code))) => outcome(*code),
                _ => answer.all.map_or(CommitOutcome::Acknowledged, outcome),
            }
        };
        commits.iter().map(of).collect()
    }
}

/// What to send: each offset with its text, marked with the topic that it is of.
pub(crate) fn offsets_list(
    config: &SourceConfig,
    commits: &[PartitionCommit],
    topic: Option<TopicId>,
) -> Result<TopicPartitionList, String> {
    let mut list = TopicPartitionList::with_capacity(commits.len());
    for commit in commits {
        let mut element = list.add_partition(&config.topic, commit.partition.0);
        element.set_offset(rdkafka::Offset::Offset(commit.offset.0)).map_err(|error| error.to_string())?;
        element.set_metadata(marked(&commit.metadata, topic, commit.offset));
    }
    Ok(list)
}

/// What a code says. A coordinator that moves, or that waits for its replicas, answers with an error although the commit
/// may be in its log: only what is decided before the log is written counts as refused.
pub(crate) fn outcome(code: Code) -> CommitOutcome {
    let reason = code.to_string();
    match code {
        Code::IllegalGeneration
        | Code::UnknownMemberId
        | Code::FencedInstanceId
        | Code::StaleMemberEpoch
        | Code::FencedMemberEpoch
        | Code::RebalanceInProgress
        | Code::CoordinatorLoadInProgress => CommitOutcome::Refused { reason },
        Code::OffsetMetadataTooLarge
        | Code::InvalidCommitOffsetSize
        | Code::InvalidGroupId
        | Code::GroupAuthorizationFailed
        | Code::TopicAuthorizationFailed => CommitOutcome::NotAllowed { reason },
        _ => CommitOutcome::Unknown { reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_decided_before_the_log_counts_as_refused() {
        for code in [Code::IllegalGeneration, Code::UnknownMemberId, Code::RebalanceInProgress] {
            assert!(matches!(outcome(code), CommitOutcome::Refused { .. }), "{code:?}");
        }
        for code in [Code::GroupAuthorizationFailed, Code::OffsetMetadataTooLarge] {
            assert!(matches!(outcome(code), CommitOutcome::NotAllowed { .. }), "{code:?}");
        }
        for code in [
            Code::RequestTimedOut,
            Code::OperationTimedOut,
            Code::CoordinatorNotAvailable,
            Code::NotCoordinator,
            Code::BrokerTransportFailure,
            Code::Unknown,
        ] {
            assert!(matches!(outcome(code), CommitOutcome::Unknown { .. }), "{code:?}");
        }
    }
}
