//! The consumer group of a pipe, as an operator or another program changes it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use housepipe_kafka_source::seed::TopicAdmin;
use housepipe_kafka_source::{
    Assignment, CommitOutcome, Offset, PartitionCommit, PartitionId, PartitionReader, Source, SourceConfig,
    group_committed,
};
use housepipe_local_stack::Stack;

use crate::wait_until;

/// Time for an answer of the group.
const ANSWER_MAX: Duration = Duration::from_secs(30);

#[derive(Default)]
struct Readers(Mutex<Vec<PartitionReader>>);

impl Readers {
    fn set(&self, readers: Vec<PartitionReader>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = readers;
    }

    fn are_none(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

impl Assignment for Readers {
    fn assigned(&self, readers: Vec<PartitionReader>) {
        self.set(readers);
    }

    fn revoked(&self, partitions: &[PartitionId]) -> Vec<(PartitionId, Offset)> {
        self.lost(partitions);
        Vec::new()
    }

    fn lost(&self, _: &[PartitionId]) {
        self.set(Vec::new());
    }
}

fn config(stack: &Stack, topic: &str) -> SourceConfig {
    SourceConfig::new(stack.kafka.bootstrap(), topic, group_of(topic))
}

/// The group of the pipe of `topic`.
pub fn group_of(topic: &str) -> String {
    format!("housepipe-{}", topic.replace('_', "-"))
}

/// Commits for partition 0 in the group of the pipe of `topic`, which does not run, as a member of the group would.
///
/// # Panics
/// Where the group does not take it.
pub fn commit(stack: &Stack, topic: &str, offset: i64, metadata: &str) {
    commit_late(stack, topic, offset, metadata, || {});
}

/// Sets the same offset as a tool does, with nothing behind it.
///
/// # Panics
/// Where the group does not take it.
pub fn set_offset(stack: &Stack, topic: &str, offset: i64) {
    TopicAdmin::set_offset(&config(stack, topic), PartitionId(0), Offset(offset))
        .unwrap_or_else(|error| panic!("{error}"));
}

/// The same, where something happens between the beginning of the membership and the commit.
///
/// # Panics
/// Where the group does not take it.
pub fn commit_late(stack: &Stack, topic: &str, offset: i64, metadata: &str, meanwhile: impl FnOnce()) {
    let readers = Arc::new(Readers::default());
    let source = Source::open(&config(stack, topic), Arc::<Readers>::clone(&readers))
        .unwrap_or_else(|error| panic!("{error}"));
    wait_until("an assignment", || {
        // What passes by itself is waited for.
        let _ = source.poll(Duration::from_millis(20));
        !readers.are_none()
    });
    meanwhile();
    let (partition, offset) = (PartitionId(0), Offset(offset));
    let commit = PartitionCommit { partition, offset, metadata: metadata.to_owned() };
    let outcomes = source.committer().commit(&[commit], ANSWER_MAX);
    assert_eq!(outcomes, [CommitOutcome::Acknowledged]);
    source.close();
}

/// What the group of the pipe of `topic` has committed for partition 0.
///
/// # Panics
/// Where the group does not answer.
pub fn committed(stack: &Stack, topic: &str) -> Option<i64> {
    let offsets =
        group_committed(&config(stack, topic), ANSWER_MAX).unwrap_or_else(|error| panic!("{error}"));
    let first = offsets.into_iter().find(|(partition, _)| *partition == PartitionId(0));
    first.and_then(|(_, offset)| offset).map(|offset| offset.0)
}
