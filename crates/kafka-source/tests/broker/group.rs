//! Members that come and go lose nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use housepipe_kafka_source::seed::TopicAdmin;
use housepipe_kafka_source::{
    CommitOutcome, Committed, Offset, PartitionCommit, PartitionId, Source, StartOffset, group_committed,
};

use crate::harness::{Journal, Member, PATIENCE, fill, topic};

#[test]
fn a_group_goes_on_where_it_committed() {
    let config = topic(2);
    fill(&config, 2, 0..100);
    let mut first = Member::join(&config);
    first.until("both ends", |member| member.ends.len() == 2);
    let half = [(PartitionId(0), Offset(40)), (PartitionId(1), Offset(60))];
    first.source.commit(&half).unwrap();
    first.until("an acknowledged commit", |member| member.source.commit_counts().acknowledged == 1);
    assert_eq!(
        first.source.committed(PATIENCE).unwrap(),
        half.map(|(partition, offset)| (partition, Some(offset))).to_vec()
    );
    // Nothing to commit on the way out: the commit above is the last word.
    first.journal.positions.lock().unwrap().clear();
    first.source.close();

    let mut second = Member::join(&config);
    second.until("both ends", |member| member.ends.len() == 2);
    assert_eq!(second.offsets(0), (40..100).collect::<Vec<_>>());
    assert_eq!(second.offsets(1), (60..100).collect::<Vec<_>>());
}

#[test]
fn leaving_commits_what_revoked_returns() {
    let config = topic(2);
    fill(&config, 2, 0..50);
    let mut member = Member::join(&config);
    member.until("both ends", |member| member.ends.len() == 2);
    let before = group_committed(&config, PATIENCE).unwrap();
    assert_eq!(before, vec![(PartitionId(0), None), (PartitionId(1), None)]);
    let journal = member.journal.clone();
    member.source.close();
    assert_eq!(journal.revoked.lock().unwrap().len(), 2);
    let after = group_committed(&config, PATIENCE).unwrap();
    assert_eq!(after, vec![(PartitionId(0), Some(Offset(50))), (PartitionId(1), Some(Offset(50)))]);
}

#[test]
fn a_second_member_takes_over_without_a_gap_or_a_repetition() {
    let config = topic(4);
    fill(&config, 4, 0..1_000);
    let mut first = Member::join(&config);
    first.until("some records of each partition", |member| member.positions().len() == 4);
    let mut second = Member::join(&config);
    let deadline = Instant::now() + PATIENCE;
    while first.count() + second.count() < 4_000 || second.journal.readers.lock().unwrap().len() != 2 {
        assert!(Instant::now() < deadline, "{} + {}", first.count(), second.count());
        first.turn();
        second.turn();
    }
    fill(&config, 4, 1_000..1_200);
    while first.count() + second.count() < 4_800 {
        assert!(Instant::now() < deadline, "{} + {}", first.count(), second.count());
        first.turn();
        second.turn();
    }
    assert_eq!(first.journal.revoked.lock().unwrap().len(), 2);
    for partition in 0..4 {
        let mut offsets = first.offsets(partition);
        offsets.extend(second.offsets(partition));
        let wrong = offsets.iter().zip(0..).position(|(offset, expected)| *offset != expected);
        assert_eq!((offsets.len(), wrong), (1_200, None), "partition {partition}");
    }
    // A reader that somebody kept takes nothing from the new owner's records, nor anything else.
    for reader in first.journal.stale.lock().unwrap().iter_mut() {
        assert_eq!(reader.read(100).unwrap().len(), 0);
    }
    // The first comes back for all of them when the second leaves.
    second.source.close();
    first.until("all four partitions again", |member| member.journal.readers.lock().unwrap().len() == 4);
    fill(&config, 4, 1_200..1_300);
    let before = first.count();
    first.until("the last records", |member| member.count() == before + 400);
}

#[test]
fn what_stands_with_a_commit_is_told_to_the_next_owner() {
    let config = topic(2);
    fill(&config, 2, 0..100);
    let mut first = Member::join(&config);
    first.until("both ends", |member| member.ends.len() == 2);
    let committer = first.source.committer();
    let commit = |partition, offset, metadata: &str| PartitionCommit {
        partition: PartitionId(partition),
        offset: Offset(offset),
        metadata: metadata.to_owned(),
    };
    let commits = [commit(0, 40, "a range, such as [40, 60)"), commit(1, 60, "")];
    let outcomes = std::thread::spawn(move || committer.commit(&commits, PATIENCE)).join().unwrap();
    assert_eq!(outcomes, [CommitOutcome::Acknowledged, CommitOutcome::Acknowledged]);
    first.journal.positions.lock().unwrap().clear();
    let committer = first.source.committer();
    first.source.close();
    // Who has left the group commits no more.
    let late = committer.commit(&[commit(0, 99, "")], PATIENCE);
    assert!(!matches!(late[..], [CommitOutcome::Acknowledged]), "{late:?}");
    drop(committer);

    let mut second = Member::join(&config);
    second.until("both ends", |member| member.ends.len() == 2);
    let mut told: Vec<(PartitionId, Committed)> = (second.journal.readers.lock().unwrap().iter())
        .map(|reader| (reader.partition(), reader.committed().cloned().unwrap()))
        .collect();
    told.sort_by_key(|(partition, _)| *partition);
    let committed =
        |offset, text: &str| Committed { offset: Offset(offset), metadata: text.into(), is_marked: true };
    assert_eq!(
        told,
        [(PartitionId(0), committed(40, "a range, such as [40, 60)")), (PartitionId(1), committed(60, ""))]
    );
    assert_eq!(second.offsets(0), (40..100).collect::<Vec<_>>());
}

/// librdkafka has a limit of memory for each partition, and none that can be changed.
#[test]
fn a_member_of_a_topic_that_grows_is_outgrown_and_the_next_one_is_not() {
    let mut config = topic(1);
    config.start = StartOffset::Latest;
    let mut first = Member::join(&config);
    first.until("its partition", |member| member.source.assigned().len() == 1);
    assert!(!first.source.is_outgrown());
    TopicAdmin::grow_topic(&config, 4).unwrap();
    fill(&config, 4, 0..10);
    first.until("all partitions", |member| member.source.assigned().len() == 4);
    assert!(first.source.is_outgrown());
    // It ends without having stored anything.
    let known = first.source.known_partitions();
    first.journal.positions.lock().unwrap().clear();
    first.source.close();

    let journal = Arc::new(Journal::default());
    let source = Source::open_again(&config, journal.clone(), known).unwrap();
    let mut next = Member { source, journal, seen: BTreeMap::new(), ends: BTreeMap::new() };
    next.until("what was written since the first member came", |member| member.count() == 40);
    assert!(!next.source.is_outgrown());
    assert_eq!(next.source.known_partitions(), known);
}
