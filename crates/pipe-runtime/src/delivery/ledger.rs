//! What was read, what is in flight and what is settled, per partition.

use std::collections::{BTreeMap, VecDeque};

use housepipe_kafka_source::{Offset, PartitionId};

/// A sealed batch of this process, numbered in the order of sealing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId(pub u64);

/// One assignment of one partition to this process.
///
/// A partition that was revoked and came back has a new epoch, so an insert that was sealed in the earlier life
/// can never move offsets of the later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(u64);

/// The part of one partition that a batch holds: the half-open range `[start, end)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The partition.
    pub partition: PartitionId,
    /// The assignment under which it was read.
    pub epoch: Epoch,
    /// Offset of the first record.
    pub start: Offset,
    /// The reader's position behind the last record; gaps of compacted or transactional logs lie inside.
    pub end: Offset,
}

/// Tracks every partition that this process owns and says what may be committed.
///
/// Batches may be acknowledged in any order; offsets advance only over an unbroken run of acknowledged batches.
///
/// ```
/// use housepipe_kafka_source::{Offset, PartitionId};
/// use housepipe_runtime::delivery::{BatchId, Ledger, Span};
///
/// let mut ledger = Ledger::default();
/// let partition = PartitionId(0);
/// let epoch = ledger.assign(partition);
/// let span = |start, end| Span { partition, epoch, start: Offset(start), end: Offset(end) };
/// ledger.read(partition, epoch, Offset(20));
/// ledger.seal(BatchId(0), &[span(0, 10)]);
/// ledger.seal(BatchId(1), &[span(10, 20)]);
///
/// ledger.acknowledge(BatchId(1));
/// assert_eq!(ledger.take_commits(), []); // batch 0 is still in flight
/// ledger.acknowledge(BatchId(0));
/// assert_eq!(ledger.take_commits(), [(partition, Offset(20))]);
/// assert!(ledger.is_drained(partition));
/// ```
#[derive(Debug, Default)]
pub struct Ledger {
    partitions: BTreeMap<PartitionId, Owned>,
    epochs: u64,
}

#[derive(Debug)]
struct Owned {
    epoch: Epoch,
    /// Sealed batches that are not settled, in the order of the partition.
    open: VecDeque<Open>,
    /// The reader's position, once it has read.
    read_to: Option<Offset>,
    /// Everything below is stored.
    settled: Option<Offset>,
    /// The last offset that [`Ledger::take_commits`] gave out.
    given_out: Option<Offset>,
}

#[derive(Debug)]
struct Open {
    batch: BatchId,
    end: Offset,
    acknowledged: bool,
}

impl Ledger {
    /// The group gave `partition` to this process.
    pub fn assign(&mut self, partition: PartitionId) -> Epoch {
        self.epochs += 1;
        let epoch = Epoch(self.epochs);
        let owned = Owned { epoch, open: VecDeque::new(), read_to: None, settled: None, given_out: None };
        self.partitions.insert(partition, owned);
        epoch
    }

    /// Records up to `position` (exclusive) were read, into a batch that is not sealed yet.
    pub fn read(&mut self, partition: PartitionId, epoch: Epoch, position: Offset) {
        if let Some(owned) = self.current(partition, epoch) {
            owned.read_to = Some(position);
        }
    }

    /// A batch was closed; its spans follow those of earlier batches of the same partition.
    ///
    /// Spans of an assignment that has ended meanwhile are ignored: their offsets belong to another owner now. A span
    /// may start below its predecessor where the broker truncated the log; the commits go back with it.
    pub fn seal(&mut self, batch: BatchId, spans: &[Span]) {
        for span in spans {
            if let Some(owned) = self.current(span.partition, span.epoch) {
                owned.open.push_back(Open { batch, end: span.end, acknowledged: false });
            }
        }
    }

    /// Every row and every reject of `batch` is stored.
    pub fn acknowledge(&mut self, batch: BatchId) {
        for owned in self.partitions.values_mut() {
            for open in owned.open.iter_mut().filter(|open| open.batch == batch) {
                open.acknowledged = true;
            }
            while let Some(open) = owned.open.pop_front_if(|open| open.acknowledged) {
                owned.settled = Some(open.end);
            }
        }
    }

    /// The offsets that may be committed and were not given out before.
    pub fn take_commits(&mut self) -> Vec<(PartitionId, Offset)> {
        let mut commits = Vec::new();
        for (partition, owned) in &mut self.partitions {
            if let Some(settled) = owned.settled
                && owned.given_out != Some(settled)
            {
                owned.given_out = Some(settled);
                commits.push((*partition, settled));
            }
        }
        commits
    }

    /// Gives out every offset again: a commit was refused.
    pub fn forget_given_out(&mut self) {
        for owned in self.partitions.values_mut() {
            owned.given_out = None;
        }
    }

    /// The partition goes away. What it may commit as its last act: everything settled, given out before or not,
    /// since an earlier commit may have been lost.
    pub fn revoke(&mut self, partition: PartitionId) -> Option<Offset> {
        self.partitions.remove(&partition).and_then(|owned| owned.settled)
    }

    /// Batches of `partition` that are sealed and not settled: those that are stored behind one that is not are among them.
    pub fn unsettled(&self, partition: PartitionId) -> usize {
        self.partitions.get(&partition).map_or(0, |owned| owned.open.len())
    }

    /// Whether `partition` is owned by the assignment `epoch`.
    pub fn is_current(&self, partition: PartitionId, epoch: Epoch) -> bool {
        self.partitions.get(&partition).is_some_and(|owned| owned.epoch == epoch)
    }

    /// Whether everything that was read of `partition` is settled; true for a partition that is not owned.
    pub fn is_drained(&self, partition: PartitionId) -> bool {
        self.partitions.get(&partition).is_none_or(|owned| {
            owned.open.is_empty() && owned.read_to.is_none_or(|read_to| owned.settled == Some(read_to))
        })
    }

    /// The partitions that this process owns.
    pub fn partitions(&self) -> impl Iterator<Item = PartitionId> + '_ {
        self.partitions.keys().copied()
    }

    fn current(&mut self, partition: PartitionId, epoch: Epoch) -> Option<&mut Owned> {
        self.partitions.get_mut(&partition).filter(|owned| owned.epoch == epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const P: PartitionId = PartitionId(3);

    fn span(epoch: Epoch, start: i64, end: i64) -> Span {
        Span { partition: P, epoch, start: Offset(start), end: Offset(end) }
    }

    #[test]
    fn an_open_batch_holds_back_its_successors() {
        let mut ledger = Ledger::default();
        let epoch = ledger.assign(P);
        ledger.read(P, epoch, Offset(15));
        ledger.seal(BatchId(1), &[span(epoch, 0, 5)]);
        ledger.seal(BatchId(2), &[span(epoch, 5, 15)]);
        ledger.acknowledge(BatchId(2));
        assert_eq!(ledger.take_commits(), []);
        assert!(!ledger.is_drained(P));
        ledger.acknowledge(BatchId(1));
        assert_eq!(ledger.take_commits(), [(P, Offset(15))]);
        assert_eq!(ledger.take_commits(), [], "given out once");
        ledger.forget_given_out();
        assert_eq!(ledger.take_commits(), [(P, Offset(15))]);
        assert!(ledger.is_drained(P));
        assert_eq!(ledger.revoke(P), Some(Offset(15)), "the last commit is repeated");
    }

    #[test]
    fn a_truncated_log_takes_the_commits_back_with_it() {
        let mut ledger = Ledger::default();
        let epoch = ledger.assign(P);
        ledger.read(P, epoch, Offset(100));
        ledger.seal(BatchId(1), &[span(epoch, 0, 100)]);
        ledger.acknowledge(BatchId(1));
        assert_eq!(ledger.take_commits(), [(P, Offset(100))]);
        ledger.read(P, epoch, Offset(3));
        assert!(!ledger.is_drained(P));
        ledger.seal(BatchId(2), &[span(epoch, 0, 3)]);
        ledger.acknowledge(BatchId(2));
        assert_eq!(ledger.take_commits(), [(P, Offset(3))]);
        assert!(ledger.is_drained(P));
    }

    #[test]
    fn what_was_read_and_not_sealed_is_not_drained() {
        let mut ledger = Ledger::default();
        let epoch = ledger.assign(P);
        assert!(ledger.is_drained(P));
        ledger.read(P, epoch, Offset(1));
        assert!(!ledger.is_drained(P));
    }

    #[test]
    fn a_late_acknowledgement_of_an_earlier_life_moves_nothing() {
        let mut ledger = Ledger::default();
        let earlier = ledger.assign(P);
        ledger.seal(BatchId(1), &[span(earlier, 0, 100)]);
        assert_eq!(ledger.revoke(P), None);
        let later = ledger.assign(P);
        ledger.acknowledge(BatchId(1));
        ledger.seal(BatchId(2), &[span(earlier, 100, 200)]);
        ledger.acknowledge(BatchId(2));
        ledger.read(P, earlier, Offset(200));
        assert_eq!(ledger.take_commits(), []);
        assert!(ledger.is_drained(P));
        ledger.seal(BatchId(3), &[span(later, 0, 7)]);
        ledger.acknowledge(BatchId(3));
        assert_eq!(ledger.take_commits(), [(P, Offset(7))]);
    }

    proptest! {
        /// In whatever order batches are acknowledged, a commit never passes a batch that is still open, and once
        /// all are acknowledged everything is committed.
        #[test]
        fn commits_never_pass_an_open_batch(
            lengths in prop::collection::vec(1i64..20, 1..12),
            seed in any::<u64>(),
        ) {
            let mut ledger = Ledger::default();
            let epoch = ledger.assign(P);
            let mut start = 0;
            let mut ends = Vec::new();
            for (index, length) in (0u64..).zip(&lengths) {
                ledger.seal(BatchId(index), &[span(epoch, start, start + length)]);
                start += length;
                ends.push(start);
            }
            ledger.read(P, epoch, Offset(start));
            let mut waiting: Vec<usize> = (0..lengths.len()).collect();
            let mut state = seed;
            let mut committed = 0;
            while !waiting.is_empty() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let pick = usize::try_from(state >> 33).unwrap() % waiting.len();
                ledger.acknowledge(BatchId(waiting.swap_remove(pick) as u64));
                if let [(_, Offset(offset))] = ledger.take_commits()[..] {
                    prop_assert!(offset > committed);
                    committed = offset;
                }
                let first_open = waiting.iter().min().map_or(start, |open| if *open == 0 { 0 } else { ends[open - 1] });
                prop_assert_eq!(committed, first_open);
            }
            prop_assert!(ledger.is_drained(P));
        }
    }
}
