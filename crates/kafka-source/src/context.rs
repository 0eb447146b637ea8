//! What librdkafka tells a member of the group: rebalances, commits, errors, logs, statistics.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::statistics::Statistics;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;

use crate::commit::{CommitOutcome, outcome};
use crate::ends::ToldRange;
use crate::gone::Gone;
use crate::health::HealthTracker;
use crate::queue::{LogQueue, PartitionQueue, commit_later, commit_now};
use crate::start;
use crate::topic_mark::{TopicId, marked};
use crate::topic_watch::KnownTopicId;
use crate::{
    Assignment, KnownPartitions, Offset, PartitionId, PartitionReader, SourceConfig, SourceError, id_news,
};

pub(crate) type GroupConsumer = BaseConsumer<GroupContext>;

/// The last words of librdkafka, for errors whose code says little.
#[derive(Default)]
pub(crate) struct LastWords {
    pub(crate) error: Option<(Code, String)>,
    pub(crate) log: String,
}

/// A position that must be set anew before the partition is read on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reposition {
    pub(crate) partition: PartitionId,
    pub(crate) to: Destination,
}

/// Where a position is set to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Destination {
    /// This offset.
    Offset(Offset),
    /// The earliest record, since the log does not have the position any more.
    Earliest(Gone),
}

pub(crate) struct GroupContext {
    config: SourceConfig,
    assignment: Arc<dyn Assignment>,
    /// Partitions whose beginning may be older than what is to be read: those above were added while the group read.
    known_partitions: usize,
    /// The highest number of a partition that was assigned, and one more.
    seen_partitions: AtomicUsize,
    /// The consumer that owns this context. Weak, or neither would ever be dropped.
    consumer: OnceLock<Weak<GroupConsumer>>,
    /// Where the log comes from, for the queues; weak for the same reason.
    log: OnceLock<Weak<LogQueue>>,
    /// The queues of the present assignment; each is kept alive by its reader.
    queues: Mutex<HashMap<PartitionId, Weak<PartitionQueue>>>,
    /// What the last statistics told of the logs of these partitions.
    told: Mutex<HashMap<PartitionId, ToldRange>>,
    /// Partitions that are assigned and not started, because their committed offsets could not be asked for.
    waiting: Mutex<Vec<PartitionId>>,
    /// Positions to be set anew by the thread that polls.
    repositions: Mutex<Vec<Reposition>>,
    last_words: Mutex<LastWords>,
    pub(crate) topic_id: KnownTopicId,
    pub(crate) health: HealthTracker,
    pub(crate) commits_acknowledged: AtomicU64,
    pub(crate) commits_failed: AtomicU64,
    /// Why the last commit was refused, where no further one will be taken either until somebody has mended that.
    not_allowed: Mutex<Option<String>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl GroupContext {
    pub(crate) fn new(
        config: &SourceConfig,
        assignment: Arc<dyn Assignment>,
        known_partitions: usize,
    ) -> Self {
        GroupContext {
            config: config.clone(),
            assignment,
            known_partitions,
            seen_partitions: AtomicUsize::new(0),
            consumer: OnceLock::new(),
            log: OnceLock::new(),
            queues: Mutex::default(),
            told: Mutex::default(),
            waiting: Mutex::default(),
            repositions: Mutex::default(),
            last_words: Mutex::default(),
            topic_id: KnownTopicId::default(),
            health: HealthTracker::default(),
            commits_acknowledged: AtomicU64::new(0),
            commits_failed: AtomicU64::new(0),
            not_allowed: Mutex::default(),
        }
    }

    /// A commit of this member ended: with `refused` by this code.
    fn commit_ended(&self, refused: Option<Code>) {
        let counter = if refused.is_none() { &self.commits_acknowledged } else { &self.commits_failed };
        counter.fetch_add(1, Ordering::Relaxed);
        *lock(&self.not_allowed) = match refused.map(outcome) {
            Some(CommitOutcome::NotAllowed { reason }) => Some(reason),
            _ => None,
        };
    }

    /// That commits are not allowed, where the last one was refused for that.
    pub(crate) fn commits_not_allowed(&self) -> Option<SourceError> {
        let reason = lock(&self.not_allowed).clone()?;
        Some(SourceError::CommitNotAllowed { group: self.config.group.clone(), reason })
    }

    pub(crate) fn config(&self) -> &SourceConfig {
        &self.config
    }

    /// The id of the topic that this member reads, where the brokers have told it.
    pub(crate) fn topic_id(&self) -> Option<TopicId> {
        self.topic_id.get()
    }

    pub(crate) fn know_consumer(&self, consumer: &Arc<GroupConsumer>) {
        // Set once, right after the consumer is made.
        let _ = self.consumer.set(Arc::downgrade(consumer));
    }

    pub(crate) fn know_log(&self, log: &Arc<LogQueue>) {
        // As above.
        let _ = self.log.set(Arc::downgrade(log));
    }

    /// How many partitions this member reads.
    pub(crate) fn assigned_count(&self) -> usize {
        lock(&self.queues).len()
    }

    pub(crate) fn known_partitions(&self) -> KnownPartitions {
        KnownPartitions { older: self.known_partitions, seen: self.seen_partitions.load(Ordering::Relaxed) }
    }

    pub(crate) fn assigned_partitions(&self) -> Vec<PartitionId> {
        let mut partitions: Vec<_> = lock(&self.queues).keys().copied().collect();
        partitions.sort_unstable();
        partitions
    }

    /// What is known of the log of `partition`, where fetches have told it; no request is made.
    pub(crate) fn told_range(&self, partition: PartitionId) -> ToldRange {
        lock(&self.told).get(&partition).copied().unwrap_or_default()
    }

    /// Asks the thread that polls to set a position anew, unless the partition is gone meanwhile.
    pub(crate) fn ask_reposition(&self, wanted: Reposition) {
        if lock(&self.queues).contains_key(&wanted.partition) {
            lock(&self.repositions).push(wanted);
        }
    }

    /// Whether assigned partitions wait for their committed offsets.
    pub(crate) fn has_waiting(&self) -> bool {
        !lock(&self.waiting).is_empty()
    }

    /// Tells that the log does not have a position any more, and that reading goes on at `to`.
    pub(crate) fn tell_gone(&self, partition: PartitionId, gone: Gone, to: Offset) {
        match gone {
            Gone::Removed(from) => self.assignment.skipped(partition, from, to),
            Gone::Truncated(from) => self.assignment.truncated(partition, from, to),
        }
    }

    pub(crate) fn take_repositions(&self) -> Vec<Reposition> {
        std::mem::take(&mut *lock(&self.repositions))
    }

    /// Lets the reader of `partition` go on.
    pub(crate) fn release(&self, partition: PartitionId) {
        let queue = lock(&self.queues).get(&partition).and_then(Weak::upgrade);
        if let Some(queue) = queue {
            queue.release();
        }
    }

    /// The reason of the error that was just served, or the last one from the log.
    pub(crate) fn reason_of(&self, code: Code) -> String {
        let mut words = lock(&self.last_words);
        match words.error.take() {
            Some((told, reason)) if told == code && code != Code::AllBrokersDown => reason,
            _ => words.log.clone(),
        }
    }

    pub(crate) fn list(&self, partitions: &[PartitionId]) -> TopicPartitionList {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            list.add_partition(&self.config.topic, partition.0);
        }
        list
    }

    /// Starts what was assigned while the coordinator did not tell the committed offsets. The group waits for that.
    pub(crate) fn retry_assign(&self, consumer: &GroupConsumer) -> Result<(), SourceError> {
        let waiting = std::mem::take(&mut *lock(&self.waiting));
        if waiting.is_empty() { Ok(()) } else { self.assign(consumer, &waiting) }
    }

    fn assign(&self, consumer: &GroupConsumer, partitions: &[PartitionId]) -> Result<(), SourceError> {
        // None only while the consumer is being dropped.
        let Some(owner) = self.consumer.get().and_then(Weak::upgrade) else { return Ok(()) };
        let mut positions = match start::positions(consumer, &self.config, partitions, self.known_partitions)
        {
            Ok(positions) => positions,
            Err(error) => {
                lock(&self.waiting).extend_from_slice(partitions);
                return Err(error);
            }
        };
        let highest = partitions.iter().filter_map(|partition| usize::try_from(partition.0).ok()).max();
        self.seen_partitions.fetch_max(highest.map_or(0, |number| number + 1), Ordering::Relaxed);
        let log = self.log.get().and_then(Weak::upgrade);
        let mut readers = Vec::with_capacity(partitions.len());
        let mut queues = lock(&self.queues);
        for partition in partitions {
            // Before the assign: see `queue.rs`.
            match PartitionQueue::split(Arc::clone(&owner), log.clone(), &self.config.topic, *partition) {
                Some(queue) => {
                    let queue = Arc::new(queue);
                    queues.insert(*partition, Arc::downgrade(&queue));
                    let committed = positions.committed.remove(partition);
                    let begins = positions.begins.remove(partition);
                    let refused = positions.refused.remove(partition);
                    readers.push(PartitionReader::new(queue, committed, begins, refused));
                }
                None => tracing::error!(partition = partition.0, "librdkafka has no queue for a partition"),
            }
        }
        drop(queues);
        if let Err(error) = self.change(consumer, &positions.list, true) {
            // The group waits for an answer to its assignment, so it is given again by the next poll.
            lock(&self.waiting).extend_from_slice(partitions);
            return Err(error);
        }
        self.assignment.assigned(readers);
        Ok(())
    }

    /// Tells librdkafka to start or stop fetching.
    fn change(
        &self,
        consumer: &GroupConsumer,
        list: &TopicPartitionList,
        start: bool,
    ) -> Result<(), SourceError> {
        match (consumer.rebalance_protocol(), start) {
            (RebalanceProtocol::Cooperative, true) => consumer.incremental_assign(list),
            (RebalanceProtocol::Cooperative, false) => consumer.incremental_unassign(list),
            (_, true) => consumer.assign(list),
            (_, false) => consumer.unassign(),
        }
        .map_err(|error| SourceError::Internal { reason: format!("an assignment was refused: {error}") })
    }

    /// Notes where logs begin and end, and tells readers that they have caught up.
    fn look_for_ends(&self, statistics: &Statistics) {
        let Some(topic) = statistics.topics.get(&self.config.topic) else { return };
        let assigned = lock(&self.queues);
        // Also of a partition whose reader is gone: the pipe stops, and the log goes on.
        let ranges = assigned.keys().filter_map(|partition| {
            let told = topic.partitions.get(&partition.0)?;
            Some((*partition, ToldRange::of(told.lo_offset, told.ls_offset)))
        });
        *lock(&self.told) = ranges.collect();
        let queues: Vec<_> = assigned.values().filter_map(Weak::upgrade).collect();
        drop(assigned);
        for queue in queues {
            // `eof_offset` is where the last fetch found nothing more, open transactions left out; the queue was
            // counted later, so an empty one means that all before it was taken.
            if let Some(partition) = topic.partitions.get(&queue.partition().0)
                && partition.fetch_state == "active"
                && partition.fetchq_cnt == 0
                && partition.eof_offset >= 0
                && partition.eof_offset == partition.next_offset
            {
                queue.set_caught_up(Offset(partition.eof_offset));
            }
        }
    }

    /// Shuts the readers of `partitions`.
    fn close(&self, partitions: &[PartitionId]) -> Vec<Arc<PartitionQueue>> {
        let mut queues = lock(&self.queues);
        let closed: Vec<_> =
            partitions.iter().filter_map(|partition| queues.remove(partition)?.upgrade()).collect();
        drop(queues);
        lock(&self.told).retain(|partition, _| !partitions.contains(partition));
        for queue in &closed {
            queue.close();
        }
        lock(&self.repositions).retain(|wanted| !partitions.contains(&wanted.partition));
        closed
    }

    fn unassign(&self, consumer: &GroupConsumer, partitions: &[PartitionId], list: &TopicPartitionList) {
        let closed = if consumer.assignment_lost() {
            let closed = self.close(partitions);
            self.assignment.lost(partitions);
            closed
        } else {
            let offsets = self.assignment.revoked(partitions);
            let closed = self.close(partitions);
            self.commit_revoked(consumer, partitions, &offsets);
            closed
        };
        if let Err(error) = self.change(consumer, list, false) {
            tracing::error!(error = %error, "a revoked partition could not be given back");
        }
        for queue in closed {
            queue.purge();
        }
    }

    fn commit_revoked(
        &self,
        consumer: &GroupConsumer,
        partitions: &[PartitionId],
        offsets: &[(PartitionId, Offset)],
    ) {
        let own: Vec<_> =
            offsets.iter().filter(|(partition, _)| partitions.contains(partition)).copied().collect();
        if own.is_empty() {
            return;
        }
        if let Err(error) = commit(consumer, &self.config, &own, CommitMode::Sync) {
            tracing::warn!(error = %error, "offsets were not committed at a hand-over; the next owner reads some records again");
        }
    }
}

/// Commits `offsets`. `Async` reports its outcome to [`GroupContext::commit_callback`]; `Sync` waits a bounded time. Either
/// counts it.
pub(crate) fn commit(
    consumer: &GroupConsumer,
    config: &SourceConfig,
    offsets: &[(PartitionId, Offset)],
    mode: CommitMode,
) -> Result<(), SourceError> {
    let group = || config.group.clone();
    let failed = |reason: String| SourceError::Commit { group: group(), reason };
    let mut list = TopicPartitionList::with_capacity(offsets.len());
    let topic = consumer.context().topic_id();
    for (partition, offset) in offsets {
        let mut element = list.add_partition(&config.topic, partition.0);
        element.set_offset(rdkafka::Offset::Offset(offset.0)).map_err(|error| failed(error.to_string()))?;
        element.set_metadata(marked("", topic, *offset));
    }
    let done = match mode {
        CommitMode::Async => commit_later(consumer, &list),
        CommitMode::Sync => {
            let done = commit_now(consumer, &list, Duration::from_millis(COMMIT_TIMEOUT_MS));
            consumer.context().commit_ended(done.err());
            done
        }
    };
    done.map_err(|code| match outcome(code) {
        CommitOutcome::NotAllowed { reason } => SourceError::CommitNotAllowed { group: group(), reason },
        _ => failed(code.to_string()),
    })
}

/// Longest wait for the answer to a commit, in milliseconds; after it the outcome is unknown.
const COMMIT_TIMEOUT_MS: u64 = 10_000;

fn partition_ids(list: &TopicPartitionList) -> Vec<PartitionId> {
    list.elements().iter().map(|element| PartitionId(element.partition())).collect()
}

impl ConsumerContext for GroupContext {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, code: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let partitions = partition_ids(list);
        if code == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            if let Err(error) = self.assign(consumer, &partitions) {
                tracing::warn!(error = %error, "assigned partitions are not started yet");
            }
        } else {
            lock(&self.waiting).retain(|partition| !partitions.contains(partition));
            self.unassign(consumer, &partitions, list);
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, offsets: &TopicPartitionList) {
        let refused = offsets.elements().iter().find_map(|element| element.error().err());
        // Every error of a commit has a code.
        let refused =
            result.err().or(refused).map(|error| error.rdkafka_error_code().unwrap_or(Code::Unknown));
        self.commit_ended(refused);
        if let Some(code) = refused {
            tracing::warn!(reason = %code, partitions = offsets.count(), "a commit was refused");
        }
    }
}

impl ClientContext for GroupContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if matches!(level, RDKafkaLogLevel::Debug) && facility == id_news::FACILITY {
            // Some lines every few seconds, of which one is of use.
            if let Some(id) = id_news::told_id(message, &self.config.topic) {
                self.topic_id.hear(id);
            }
            return;
        }
        log_line(level, facility, message);
        if tells_a_cause(level, facility) {
            self.health.failed(message);
            message.clone_into(&mut lock(&self.last_words).log);
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let Some(code) = error.rdkafka_error_code() else { return };
        tracing::debug!(code = ?code, reason, "librdkafka reports an error");
        self.health.failed(reason);
        let mut words = lock(&self.last_words);
        if code == Code::AllBrokersDown {
            self.health.set_reachable(false);
        } else {
            reason.clone_into(&mut words.log);
        }
        words.error = Some((code, reason.to_owned()));
    }

    fn stats(&self, statistics: Statistics) {
        self.look_for_ends(&statistics);
        let up = statistics.brokers.values().any(|broker| broker.state == "UP");
        if self.health.set_reachable(up) {
            if up {
                tracing::info!("kafka is reachable again");
            } else {
                tracing::warn!(last_error = self.health.get().last_error(), "no kafka broker is connected");
            }
        }
    }
}

/// librdkafka's log, one level quieter: most of its lines are about attempts that it repeats by itself.
pub(crate) fn log_line(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            tracing::error!(target: "librdkafka", facility, "{message}");
        }
        // A young broker is still loading the coordinator of producer ids; librdkafka asks again by itself.
        RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning if facility == "GETPID" => {
            tracing::debug!(target: "librdkafka", facility, "{message}");
        }
        RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => {
            tracing::warn!(target: "librdkafka", facility, "{message}");
        }
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
            tracing::debug!(target: "librdkafka", facility, "{message}");
        }
    }
}

/// Whether a log line says why a connection failed.
pub(crate) fn tells_a_cause(level: RDKafkaLogLevel, facility: &str) -> bool {
    let loud = !matches!(level, RDKafkaLogLevel::Debug);
    loud && matches!(facility, "FAIL" | "ERROR" | "SSL" | "SASL" | "APIVERSION" | "REQTMOUT" | "BRKMAIN")
}
