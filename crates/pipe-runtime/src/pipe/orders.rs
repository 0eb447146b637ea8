//! The way from the membership thread, and from the delivery of a partition, to the workers.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use housepipe_kafka_source::PartitionId;

use super::worker::{Order, Share};

/// Time a worker may take to answer an order, in milliseconds.
const ORDER_ANSWER_MS_MAX: u64 = 2_000;

/// Which worker reads which partition, and how to tell it.
#[derive(Default)]
pub(super) struct Orders {
    workers: Mutex<Vec<(Sender<Order>, Thread)>>,
    owners: Mutex<BTreeMap<PartitionId, usize>>,
}

impl Orders {
    /// Adds a worker.
    pub(super) fn add(&self, orders: Sender<Order>, thread: Thread) {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).push((orders, thread));
    }

    /// Tells no worker anything any more: each ends once it has sealed what it has read.
    pub(super) fn end(&self) {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Gives a partition to the worker that has the fewest.
    pub(super) fn take(&self, share: Share) {
        let partition = share.reader.partition();
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        let workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner).len();
        let load = |index: usize| owners.values().filter(|owner| **owner == index).count();
        let worker = (0..workers).min_by_key(|index| load(*index)).unwrap_or(0);
        owners.insert(partition, worker);
        drop(owners);
        self.send(worker, Order::Take(vec![share]));
    }

    /// A worker that is gone has ended with the pipe; the order is void then.
    fn send(&self, worker: usize, order: Order) {
        let workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((orders, thread)) = workers.get(worker)
            && orders.send(order).is_ok()
        {
            thread.unpark();
        }
    }

    /// Stops the reading of `partitions`, and comes back once their workers said so.
    pub(super) fn release(&self, partitions: &[PartitionId]) {
        let by_worker = self.forget(partitions);
        let (done, answers) = bounded(by_worker.len());
        for (worker, partitions) in by_worker {
            self.send(worker, Order::Release(partitions, done.clone()));
        }
        drop(done);
        let deadline = Instant::now() + Duration::from_millis(ORDER_ANSWER_MS_MAX);
        loop {
            match answers.recv_deadline(deadline) {
                Ok(()) => {}
                // Every worker has answered or is gone.
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    tracing::warn!("a worker did not release its partitions in time");
                    return;
                }
            }
        }
    }

    /// Stops the reading of a partition, soon.
    pub(super) fn release_later(&self, partition: PartitionId) {
        let (done, _) = bounded(1);
        for (worker, partitions) in self.forget(&[partition]) {
            self.send(worker, Order::Release(partitions, done.clone()));
        }
    }

    fn forget(&self, partitions: &[PartitionId]) -> BTreeMap<usize, Vec<PartitionId>> {
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        let mut by_worker: BTreeMap<usize, Vec<PartitionId>> = BTreeMap::new();
        for partition in partitions {
            if let Some(worker) = owners.remove(partition) {
                by_worker.entry(worker).or_default().push(*partition);
            }
        }
        by_worker
    }
}
