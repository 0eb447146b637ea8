//! The membership thread: the one that polls the consumer, hands partitions to workers and commits.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use housepipe_kafka_source::{
    Assignment, KnownPartitions, Offset, PartitionId, PartitionReader, Source, SourceError,
};

use super::committer;
use super::exactly_once::Deliveries;
use super::position::Position;
use super::progress::{Progress, now_unix_ms};
use super::shared::Shared;
use super::state::{Phase, PipeState};
use super::system_log::SystemCode;
use super::worker::Share;
use crate::error::{PipeError, explain};
use crate::failpoint::failpoint;

/// Longest wait for an event of the group, in milliseconds; acknowledgements are committed in between.
const POLL_MS_MAX: u64 = 50;

/// Time a revoked partition may take to drain, in milliseconds. The whole group waits meanwhile, so it is short; librdkafka
/// goes on with its heartbeats.
const REVOKE_DRAIN_MS_MAX: u64 = 6_000;

/// Time after which a refused commit is sent again, in milliseconds.
const COMMIT_AGAIN_MS: u64 = 5_000;

/// Pause between two tries to join the group anew, in milliseconds.
const JOIN_AGAIN_MS: u64 = 1_000;

/// Gives partitions to workers and takes them back.
pub(super) struct Dispatcher {
    shared: Arc<Shared>,
}

impl Dispatcher {
    pub(super) fn new(shared: Arc<Shared>) -> Arc<Dispatcher> {
        Arc::new(Dispatcher { shared })
    }
}

impl Assignment for Dispatcher {
    fn assigned(&self, readers: Vec<PartitionReader>) {
        let shared = &self.shared;
        let numbers: Vec<i32> = readers.iter().map(|reader| reader.partition().0).collect();
        tracing::info!(partitions = ?numbers, "partitions assigned");
        for reader in readers {
            let partition = reader.partition();
            let mut progress = shared.progress.lock();
            let epoch = progress.ledger.assign(partition);
            progress.positions.insert(partition, Position::from(reader.begins()));
            progress.halted.remove(&partition);
            progress.tally.moves.assigned += 1;
            drop(progress);
            match &shared.deliveries {
                Some(deliveries) => deliveries.assign(shared, reader, epoch),
                None => shared.orders.take(Share { reader, epoch, replay: None }),
            }
        }
        if shared.state.get() == PipeState::Joining && !numbers.is_empty() {
            shared.state.set(PipeState::Running);
        }
    }

    fn revoked(&self, partitions: &[PartitionId]) -> Vec<(PartitionId, Offset)> {
        self.shared.orders.release(partitions);
        if let Some(deliveries) = &self.shared.deliveries {
            // What is stored is committed on the way.
            deliveries.revoke(&self.shared, partitions, Duration::from_millis(REVOKE_DRAIN_MS_MAX));
            // A recovery that ended meanwhile may have given them to a worker.
            self.shared.orders.release(partitions);
            self.forget(partitions);
            self.shared.progress.lock().tally.moves.revoked += partitions.len() as u64;
            tracing::info!(partitions = ?numbers(partitions), "partitions revoked");
            return Vec::new();
        }
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
        progress.tally.moves.revoked += partitions.len() as u64;
        drop(progress);
        let numbers = numbers(partitions);
        if drained {
            tracing::info!(partitions = ?numbers, "partitions revoked");
        } else {
            tracing::warn!(partitions = ?numbers, "partitions revoked before everything was stored; the next owner reads it again, and it may be loaded twice");
        }
        commits
    }

    fn lost(&self, partitions: &[PartitionId]) {
        self.shared.orders.release(partitions);
        if let Some(deliveries) = &self.shared.deliveries {
            deliveries.lose(&self.shared, partitions);
            // A recovery that ended meanwhile may have given them to a worker.
            self.shared.orders.release(partitions);
        }
        // What could still be committed for them belongs to other owners already.
        self.forget(partitions);
        self.shared.progress.lock().tally.moves.lost += partitions.len() as u64;
        let numbers = numbers(partitions);
        if self.shared.is_exactly_once() {
            tracing::warn!(partitions = ?numbers, "partitions lost without a hand-over; their next owners finish what was in flight");
        } else {
            tracing::warn!(partitions = ?numbers, "partitions lost without a hand-over; what was in flight may be loaded twice");
        }
    }

    fn skipped(&self, partition: PartitionId, from: Offset, to: Offset) {
        let gone = to.0.saturating_sub(from.0).max(0);
        let message = format!(
            "the position of the group is not in the log any more; reading goes on at the earliest record that is left: \
             from offset {from} to offset {to}, at most {gone} records are gone"
        );
        self.shared.system_log.tell_of(SystemCode::RecordsSkipped, partition, from, &message);
    }

    fn truncated(&self, partition: PartitionId, from: Offset, to: Offset) {
        let message = format!(
            "a broker has lost the end of the log: it ends before offset {from}, up to which it was read; reading goes on at its \
             earliest record, offset {to}, and what is left of it is loaded again"
        );
        self.shared.system_log.tell_of(SystemCode::LogTruncated, partition, from, &message);
    }
}

impl Dispatcher {
    fn forget(&self, partitions: &[PartitionId]) {
        let mut progress = self.shared.progress.lock();
        for partition in partitions {
            let _ = progress.ledger.revoke(*partition);
            progress.positions.remove(partition);
            progress.halted.remove(partition);
        }
    }
}

fn numbers(partitions: &[PartitionId]) -> Vec<i32> {
    partitions.iter().map(|partition| partition.0).collect()
}

/// Drives the consumer until the pipe stops, then settles, commits and leaves the group.
pub(super) fn run(
    shared: &Arc<Shared>,
    first: Source,
    dispatcher: &Arc<Dispatcher>,
    workers: Vec<JoinHandle<()>>,
) {
    let mut source = Some(first);
    let mut halted = BTreeMap::new();
    while let Some(member) = source.take() {
        let committer = shared.deliveries.is_some().then(|| committer::spawn(shared, member.committer()));
        let committer = committer.transpose().unwrap_or_else(|error| {
            shared.fail(error);
            None
        });
        let end = serve(shared, &member);
        if end == End::Pipe {
            settle(shared, &member, &workers);
        }
        // Also where a membership is to follow: the pipe may be told to end before that comes about.
        halted.clone_from(&shared.progress.lock().halted);
        let known = member.known_partitions();
        // Leaving the group revokes every partition, which commits once more what is settled.
        let refused = member.close().filter(|_| end == End::Pipe && shared.setup.until_caught_up);
        if let Some(error) = refused {
            // Whoever waits for the end must not take for done what the next run loads again.
            shared.fail(error.into());
        }
        // Whatever has asked for it on the way out has it.
        let _ = shared.takes_leave();
        if let Some(deliveries) = &shared.deliveries {
            deliveries.set_committer(None);
        }
        if committer.is_some_and(|committer| committer.join().is_err()) {
            shared.fail(PipeError::WorkerPanicked);
        }
        source = match end {
            End::Pipe => None,
            End::Membership | End::Outgrown => join_again(shared, dispatcher, known),
            End::TopicMadeAnew => {
                let message =
                    "the topic was deleted and created anew; the group is joined again to read the new one";
                tracing::warn!("{message}");
                shared.system_log.tell(SystemCode::TopicMadeAnew, message);
                join_again(shared, dispatcher, KnownPartitions::of_topic_made_anew())
            }
        };
    }
    shared.orders.end();
    for worker in workers {
        worker.thread().unpark();
        if worker.join().is_err() {
            shared.fail(PipeError::WorkerPanicked);
        }
    }
    if let Some((partition, reason)) = halted.into_iter().next() {
        shared.fail(PipeError::Halted { partition: partition.0, reason });
    }
}

/// A new membership, once Kafka answers; none where the pipe ends first.
fn join_again(shared: &Arc<Shared>, dispatcher: &Arc<Dispatcher>, known: KnownPartitions) -> Option<Source> {
    let since = Instant::now();
    while !shared.is_stopping() {
        let assignment = Arc::clone(dispatcher) as Arc<dyn Assignment>;
        let error = match Source::open_again(&shared.setup.source, assignment, known) {
            Ok(source) => {
                tracing::info!("joining the consumer group as a new member");
                return Some(source);
            }
            Err(error) => error,
        };
        if since.elapsed() >= Duration::from_millis(shared.live().deadlines.source_ms) {
            shared.fail(PipeError::SourceUnreachable { after: since.elapsed(), last: explain(&error) });
            return None;
        }
        tracing::warn!(error = explain(&error), "the group cannot be joined yet");
        shared.system_log.source_fails(since.elapsed(), &explain(&error));
        #[expect(clippy::disallowed_methods, reason = "a broker that was away is not asked without a pause")]
        std::thread::sleep(Duration::from_millis(JOIN_AGAIN_MS));
    }
    None
}

/// Why a membership ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The pipe stops.
    Pipe,
    /// It has to be begun anew.
    Membership,
    /// The same, since memory has to be divided among more partitions.
    Outgrown,
    /// The same, and the topic is another one.
    TopicMadeAnew,
}

/// Drives the consumer until the pipe stops, or until the membership has to end.
fn serve(shared: &Shared, source: &Source) -> End {
    let mut commits = Commits::default();
    while !shared.is_stopping() {
        if let Some(end) = poll(shared, source, Duration::from_millis(POLL_MS_MAX)) {
            return end;
        }
        if shared.takes_leave() {
            shared.progress.lock().counters.recoveries.memberships_renewed += 1;
            return End::Membership;
        }
        if source.is_outgrown() {
            tracing::info!(
                partitions = source.assigned().len(),
                "the topic has more partitions than memory was divided among; the group is joined again to divide it anew"
            );
            let end = hand_in(shared, source, &mut commits);
            if !shared.is_stopping() {
                return end;
            }
        }
        commits.send(shared, source);
        look_at_ends(shared, source);
        look_at_brokers(shared, source);
        if shared.setup.until_caught_up && !source.is_starting() && is_caught_up(shared) {
            shared.advance(Phase::Stopping);
        }
    }
    End::Pipe
}

/// Polls, and tells why the membership has to end, where it has to.
fn poll(shared: &Shared, source: &Source, timeout: Duration) -> Option<End> {
    let error = source.poll(timeout).err()?;
    if matches!(error, SourceError::TopicMadeAnew { .. }) && !shared.is_exactly_once() {
        return Some(End::TopicMadeAnew);
    }
    if !error.retryable() {
        shared.fail(match (&shared.deliveries, error) {
            (Some(deliveries), source @ SourceError::TopicMadeAnew { .. }) => {
                PipeError::TopicMadeAnew { standing: deliveries.standing(), source }
            }
            (_, error) => error.into(),
        });
        return Some(End::Pipe);
    }
    tracing::warn!(error = explain(&error), "the source reports an error");
    None
}

/// Reads no more, and waits until what was read is stored and committed, or the pipe stops: a membership that ends by our own
/// choice should have nothing loaded twice. Exactly once that is so anyway, since the next owner finds what was prepared.
///
/// The membership goes on meanwhile, for as long as ClickHouse takes, and nothing is fetched ahead.
fn hand_in(shared: &Shared, source: &Source, commits: &mut Commits) -> End {
    while !shared.is_exactly_once() && !shared.is_stopping() {
        let partitions = source.assigned();
        if let Err(error) = source.stop_fetching() {
            tracing::warn!(error = explain(&error), "partitions are fetched although they are not read");
        }
        shared.orders.release(&partitions);
        let is_drained = shared.progress.wait_until(Duration::from_millis(POLL_MS_MAX), |progress| {
            partitions.iter().all(|partition| progress.ledger.is_drained(*partition))
        });
        commits.send(shared, source);
        if is_drained {
            break;
        }
        if let Some(end) = poll(shared, source, Duration::ZERO) {
            return end;
        }
        look_at_all_ends(shared, source);
        look_at_brokers(shared, source);
    }
    End::Outgrown
}

/// Waits until everything that was read is stored; commits on the way.
///
/// The workers end once they have sealed what they read: only then does nothing in flight mean that nothing is left.
fn settle(shared: &Shared, source: &Source, workers: &[JoinHandle<()>]) {
    let mut commits = Commits::default();
    loop {
        let stored = shared.progress.wait_until(Duration::from_millis(POLL_MS_MAX), |progress| {
            let sealed = workers.iter().all(JoinHandle::is_finished);
            (sealed && progress.counters.in_flight == 0) || shared.is_aborted()
        });
        commits.send(shared, source);
        let committed = shared.deliveries.as_ref().is_none_or(Deliveries::is_idle);
        if stored && (committed || shared.is_aborted() || shared.takes_leave()) {
            return;
        }
        // Keeps the membership alive while ClickHouse takes its time.
        if let Err(error) = source.poll(Duration::ZERO) {
            tracing::warn!(error = explain(&error), "the source reports an error while the pipe stops");
        }
        look_at_ends(shared, source);
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
        if shared.is_exactly_once() {
            // Each commit has its place in the delivery of its partition.
            return;
        }
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
        failpoint("commit_before");
        if let Err(error) = source.commit(&offsets) {
            self.refused_at.get_or_insert_with(Instant::now);
            tracing::warn!(error = explain(&error), "a commit could not be sent; it is sent again");
        }
        failpoint("commit_after");
    }
}

fn look_at_brokers(shared: &Shared, source: &Source) {
    let health = source.health();
    let Some(down) = health.unreachable_for() else {
        shared.system_log.source_works();
        return;
    };
    shared.system_log.source_fails(down, health.last_error());
    if down >= Duration::from_millis(shared.live().deadlines.source_ms) {
        shared.fail(PipeError::SourceUnreachable { after: down, last: health.last_error().to_owned() });
    }
}

/// Of partitions that are read to their ends, the next fetch tells.
fn look_at_ends(shared: &Shared, source: &Source) {
    look_at_ends_of(shared, source, Position::is_behind);
}

/// The same while nothing is fetched.
fn look_at_all_ends(shared: &Shared, source: &Source) {
    look_at_ends_of(shared, source, |_| true);
}

fn look_at_ends_of(shared: &Shared, source: &Source, is_asked_for: impl Fn(&Position) -> bool) {
    let now_ms = now_unix_ms();
    let mut progress = shared.progress.lock();
    let partitions: Vec<PartitionId> = progress.ledger.partitions().collect();
    let (mut asked, mut unread) = (Vec::new(), Vec::new());
    for partition in partitions {
        let position = progress.positions.entry(partition).or_default();
        if let Some(end) = source.end_offset(partition) {
            position.ends_at(end, now_ms);
        }
        if position.lacks_beginning() {
            match source.start_offset(partition) {
                Some(start) => position.begins_at(start),
                None => unread.push(partition),
            }
        }
        if is_asked_for(position) {
            asked.push(partition);
        }
    }
    drop(progress);
    source.look_at_ends(&asked, &unread);
}

/// Every partition was read to its end, and there is at least one.
fn is_caught_up(shared: &Shared) -> bool {
    let progress = shared.progress.lock();
    let mut any = false;
    for partition in progress.ledger.partitions() {
        any = true;
        if progress.halted.contains_key(&partition) {
            continue;
        }
        if !progress.positions.get(&partition).is_some_and(Position::has_reached_end) {
            return false;
        }
    }
    any
}
