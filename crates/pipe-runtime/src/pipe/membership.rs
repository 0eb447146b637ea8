//! The membership thread: the one that polls the consumer, hands partitions to workers and commits.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use housepipe_kafka_source::{Assignment, Offset, PartitionId, PartitionReader, Source};

use super::progress::{Position, Progress};
use super::shared::Shared;
use super::state::{Phase, PipeState};
use super::worker::Order;
use crate::error::{PipeError, explain};

/// Longest wait for an event of the group, in milliseconds; acknowledgements are committed in between.
const POLL_MS_MAX: u64 = 50;

/// Time a revoked partition may take to drain, in milliseconds. The whole group waits meanwhile, so it is short; librdkafka
/// goes on with its heartbeats.
const REVOKE_DRAIN_MS_MAX: u64 = 6_000;

/// Time after which a refused commit is sent again, in milliseconds.
const COMMIT_AGAIN_MS: u64 = 5_000;

/// Time a worker may take to answer an order, in milliseconds.
const ORDER_ANSWER_MS_MAX: u64 = 2_000;

/// A worker thread and how to reach it.
pub(super) struct WorkerHandle {
    pub(super) orders: Sender<Order>,
    pub(super) thread: Thread,
    pub(super) join: JoinHandle<()>,
}

/// Gives partitions to workers and takes them back.
pub(super) struct Dispatcher {
    shared: Arc<Shared>,
    workers: Vec<(Sender<Order>, Thread)>,
    owners: Mutex<BTreeMap<PartitionId, usize>>,
}

impl Dispatcher {
    pub(super) fn new(shared: Arc<Shared>, workers: &[WorkerHandle]) -> Arc<Dispatcher> {
        let workers = workers.iter().map(|worker| (worker.orders.clone(), worker.thread.clone())).collect();
        Arc::new(Dispatcher { shared, workers, owners: Mutex::default() })
    }

    /// A worker that is gone has ended with the pipe; the order is void then.
    fn order(&self, worker: usize, order: Order) {
        let (orders, thread) = &self.workers[worker];
        if orders.send(order).is_ok() {
            thread.unpark();
        }
    }

    /// Stops the reading of `partitions` and waits until their workers said so.
    fn release(&self, partitions: &[PartitionId]) {
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        let mut by_worker: BTreeMap<usize, Vec<PartitionId>> = BTreeMap::new();
        for partition in partitions {
            if let Some(worker) = owners.remove(partition) {
                by_worker.entry(worker).or_default().push(*partition);
            }
        }
        drop(owners);
        let (done, answers) = bounded(by_worker.len());
        for (worker, partitions) in by_worker {
            self.order(worker, Order::Release(partitions, done.clone()));
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
}

impl Assignment for Dispatcher {
    fn assigned(&self, readers: Vec<PartitionReader>) {
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        let mut shares: BTreeMap<usize, Vec<_>> = BTreeMap::new();
        let mut load: Vec<usize> = (0..self.workers.len())
            .map(|index| owners.values().filter(|owner| **owner == index).count())
            .collect();
        let numbers: Vec<i32> = readers.iter().map(|reader| reader.partition().0).collect();
        for reader in readers {
            let partition = reader.partition();
            let worker = (0..load.len()).min_by_key(|index| load[*index]).unwrap_or(0);
            load[worker] += 1;
            owners.insert(partition, worker);
            let mut progress = self.shared.progress.lock();
            let epoch = progress.ledger.assign(partition);
            progress.positions.insert(partition, Position::default());
            drop(progress);
            shares.entry(worker).or_default().push((reader, epoch));
        }
        drop(owners);
        tracing::info!(partitions = ?numbers, "partitions assigned");
        for (worker, share) in shares {
            self.order(worker, Order::Take(share));
        }
        if self.shared.state.get() == PipeState::Joining && !numbers.is_empty() {
            self.shared.state.set(PipeState::Running);
        }
    }

    fn revoked(&self, partitions: &[PartitionId]) -> Vec<(PartitionId, Offset)> {
        self.release(partitions);
        let all_drained = |progress: &mut Progress| {
            partitions.iter().all(|partition| progress.ledger.is_drained(*partition))
        };
        self.shared.progress.wait_until(Duration::from_millis(REVOKE_DRAIN_MS_MAX), |progress| {
            all_drained(progress) || self.shared.is_aborted()
        });
        let mut progress = self.shared.progress.lock();
        let drained = all_drained(&mut progress);
        let mut commits = Vec::new();
        for partition in partitions {
            commits.extend(progress.ledger.revoke(*partition).map(|offset| (*partition, offset)));
            progress.positions.remove(partition);
        }
        drop(progress);
        let numbers: Vec<i32> = partitions.iter().map(|partition| partition.0).collect();
        if drained {
            tracing::info!(partitions = ?numbers, "partitions revoked");
        } else {
            tracing::warn!(partitions = ?numbers, "partitions revoked before everything was stored; the next owner reads it again, and it may be loaded twice");
        }
        commits
    }

    fn lost(&self, partitions: &[PartitionId]) {
        self.release(partitions);
        let mut progress = self.shared.progress.lock();
        for partition in partitions {
            // What it could still commit belongs to another owner already.
            let _ = progress.ledger.revoke(*partition);
            progress.positions.remove(partition);
        }
        drop(progress);
        let numbers: Vec<i32> = partitions.iter().map(|partition| partition.0).collect();
        tracing::warn!(partitions = ?numbers, "partitions lost without a hand-over; what was in flight may be loaded twice");
    }
}

/// Drives the consumer until the pipe stops, then settles, commits and leaves the group.
pub(super) fn run(shared: &Arc<Shared>, source: Source, workers: Vec<WorkerHandle>) {
    let mut commits = Commits::default();
    while !shared.is_stopping() {
        if let Err(error) = source.poll(Duration::from_millis(POLL_MS_MAX)) {
            if !error.retryable() {
                shared.fail(error.into());
                break;
            }
            tracing::warn!(error = explain(&error), "the source reports an error");
        }
        commits.send(shared, &source);
        look_at_ends(shared, &source);
        if let Some(down) = source.health().unreachable_for()
            && down >= Duration::from_millis(shared.setup.source_deadline_ms)
        {
            shared.fail(PipeError::SourceUnreachable {
                after: down,
                last: source.health().last_error().to_owned(),
            });
        }
        if shared.setup.until_caught_up && !source.is_starting() && is_caught_up(shared) {
            shared.advance(Phase::Stopping);
        }
    }
    settle(shared, &source, &workers, &mut commits);
    // Leaving the group revokes every partition, which commits once more what is settled.
    source.close();
    for worker in workers {
        drop(worker.orders);
        worker.thread.unpark();
        if worker.join.join().is_err() {
            shared.fail(PipeError::WorkerPanicked);
        }
    }
}

/// Waits until everything that was read is stored; commits on the way.
///
/// The workers end once they have sealed what they read: only then does nothing in flight mean that nothing is left.
fn settle(shared: &Shared, source: &Source, workers: &[WorkerHandle], commits: &mut Commits) {
    loop {
        let done = shared.progress.wait_until(Duration::from_millis(POLL_MS_MAX), |progress| {
            let sealed = workers.iter().all(|worker| worker.join.is_finished());
            (sealed && progress.counters.in_flight == 0) || shared.is_aborted()
        });
        commits.send(shared, source);
        if done {
            return;
        }
        // Keeps the membership alive while ClickHouse takes its time.
        if let Err(error) = source.poll(Duration::ZERO) {
            tracing::warn!(error = explain(&error), "the source reports an error while the pipe stops");
        }
    }
}

/// Sends commits, and sends them again after a refusal.
#[derive(Default)]
struct Commits {
    /// Refusals seen so far.
    refused: u64,
    refused_at: Option<Instant>,
}

impl Commits {
    fn send(&mut self, shared: &Shared, source: &Source) {
        let refused = source.commit_counts().failed;
        if refused > self.refused {
            self.refused = refused;
            self.refused_at.get_or_insert_with(Instant::now);
        }
        let again = Duration::from_millis(COMMIT_AGAIN_MS);
        let mut progress = shared.progress.lock();
        if self.refused_at.is_some_and(|at| at.elapsed() >= again) {
            self.refused_at = None;
            progress.ledger.forget_given_out();
        }
        let offsets = progress.ledger.take_commits();
        drop(progress);
        if offsets.is_empty() {
            return;
        }
        if let Err(error) = source.commit(&offsets) {
            self.refused_at.get_or_insert_with(Instant::now);
            tracing::warn!(error = explain(&error), "a commit could not be sent; it is sent again");
        }
    }
}

fn look_at_ends(shared: &Shared, source: &Source) {
    let mut progress = shared.progress.lock();
    let partitions: Vec<PartitionId> = progress.ledger.partitions().collect();
    for partition in partitions {
        if let Some(end) = source.end_offset(partition) {
            progress.positions.entry(partition).or_default().end = Some(end);
        }
    }
}

/// Every partition was read to its end, and there is at least one.
fn is_caught_up(shared: &Shared) -> bool {
    let progress = shared.progress.lock();
    let mut any = false;
    for partition in progress.ledger.partitions() {
        any = true;
        if !progress.positions.get(&partition).is_some_and(|position| position.reached_end) {
            return false;
        }
    }
    any
}
