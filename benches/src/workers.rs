//! Threads that read partitions.

use std::sync::mpsc::SyncSender;

use housepipe_kafka_source::{Assignment, Offset, PartitionId, PartitionReader};

/// Hands each assigned partition to the next worker. Nothing is committed, so that nothing is handed over.
pub struct Workers(pub Vec<SyncSender<PartitionReader>>);

impl Assignment for Workers {
    fn assigned(&self, readers: Vec<PartitionReader>) {
        for (reader, worker) in readers.into_iter().zip(self.0.iter().cycle()) {
            // A worker that is gone has failed, and the run with it.
            let _ = worker.send(reader);
        }
    }

    fn revoked(&self, _: &[PartitionId]) -> Vec<(PartitionId, Offset)> {
        Vec::new()
    }

    fn lost(&self, _: &[PartitionId]) {}
}
