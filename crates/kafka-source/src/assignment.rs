//! The group's decisions, told to whoever reads the partitions.

use crate::{Offset, PartitionId, PartitionReader};

/// Told which partitions this member owns.
///
/// Every method runs on the thread that called [`Source::poll`] (or that closes the source), most of them inside librdkafka's
/// rebalance callback. While one runs, the group waits: return well before the session timeout.
///
/// [`Source::poll`]: crate::Source::poll
pub trait Assignment: Send + Sync + 'static {
    /// These partitions are read here from now on; their readers are positioned where the group left off.
    fn assigned(&self, readers: Vec<PartitionReader>);

    /// These partitions go to another member after this call. Stop reading, finish what is worth finishing within a
    /// budget of time, and return what is stored and may be committed: it is committed before the group moves on.
    fn revoked(&self, partitions: &[PartitionId]) -> Vec<(PartitionId, Offset)>;

    /// These partitions are gone already: another member may be reading them. Drop what is under way; nothing may be
    /// committed.
    fn lost(&self, partitions: &[PartitionId]);

    /// The log does not have `from`, the position of the group, any more, and reading goes on at `to`, its earliest record. Told
    /// under [`GonePolicy::Earliest`](crate::GonePolicy::Earliest) alone; nothing has to be done about it.
    fn skipped(&self, partition: PartitionId, from: Offset, to: Offset) {
        let _ = (partition, from, to);
    }

    /// The log ends before `from`, up to which it was read: a broker has lost the end of it. Reading goes on at `to`, its earliest
    /// record. Told under [`GonePolicy::Earliest`](crate::GonePolicy::Earliest) alone; nothing has to be done about it.
    fn truncated(&self, partition: PartitionId, from: Offset, to: Offset) {
        let _ = (partition, from, to);
    }
}
