//! A member of the consumer group.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use crate::certificate::diagnose;
use crate::context::{GroupConsumer, GroupContext, commit};
use crate::ends::EndWatch;
use crate::queue::LogQueue;
use crate::reason::{meaning_to_member, of_call};
use crate::token::{TokenKeeper, passing_refusal};
use crate::topic_watch::TopicWatch;
use crate::{
    Assignment, Committer, KnownPartitions, Offset, PartitionId, SourceConfig, SourceError, SourceHealth,
};
use crate::{client, start, topic};

/// Time in which the topic must be found when a source opens, in milliseconds.
const OPEN_TIMEOUT_MS: u64 = 8_000;

/// The same passing error is told again after this time, in milliseconds; librdkafka repeats some 20 times a second.
const REPEAT_ERROR_MS: u64 = 10_000;

/// Time to leave the group, in milliseconds; after it the broker finds out by the session timeout.
const CLOSE_MS_MAX: u64 = 20_000;

/// A member of a consumer group that reads one topic.
///
/// One thread calls [`Source::poll`] again and again; it is what keeps the membership alive. Everything else may be
/// called from any thread.
pub struct Source {
    consumer: Arc<GroupConsumer>,
    told: Mutex<Option<(std::mem::Discriminant<SourceError>, Instant)>>,
    /// None where the configuration has no tokens.
    tokens: Option<TokenKeeper>,
    /// None where nothing can be asked.
    watch: Option<TopicWatch>,
    log: Option<Arc<LogQueue>>,
    ends: EndWatch,
    /// Partitions among which the memory for what is fetched ahead was divided: librdkafka has limits for each partition, and they
    /// cannot be changed any more.
    sized_for: usize,
}

/// Outcomes of commits since the source was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CommitCounts {
    /// Commits that the group's coordinator acknowledged.
    pub acknowledged: u64,
    /// Commits that were refused, or whose outcome is unknown.
    pub failed: u64,
}

impl Source {
    /// Checks that the topic is there and asks to join the group. Partitions come through `assignment` while
    /// [`Source::poll`] is called.
    ///
    /// # Errors
    /// Within 10 seconds, one error for each cause: see [`SourceError`].
    pub fn open(config: &SourceConfig, assignment: Arc<dyn Assignment>) -> Result<Source, SourceError> {
        Source::open_with(config, assignment, None)
    }

    /// The same after another membership of this process has ended, which told what is `known`: a partition that was added
    /// meanwhile is read from its beginning where it has no committed offset, whatever the configuration says, since all of it was
    /// written while the group was reading.
    ///
    /// # Errors
    /// As [`Source::open`].
    pub fn open_again(
        config: &SourceConfig,
        assignment: Arc<dyn Assignment>,
        known: KnownPartitions,
    ) -> Result<Source, SourceError> {
        Source::open_with(config, assignment, Some(known))
    }

    fn open_with(
        config: &SourceConfig,
        assignment: Arc<dyn Assignment>,
        known: Option<KnownPartitions>,
    ) -> Result<Source, SourceError> {
        let info = topic::describe_topic(config, Duration::from_millis(OPEN_TIMEOUT_MS))?;
        let sized_for = info.partitions.max(known.map_or(0, |known| known.seen));
        // In a topic that was made anew every partition is read from its beginning, and it may have fewer.
        if known.is_none_or(|known| known.older > 0) {
            start::check_names(config, info.partitions)?;
        }
        let settings = client::member(config, sized_for)?;
        let known_partitions = known.map_or(info.partitions, |known| known.older);
        let context = GroupContext::new(config, assignment, known_partitions);
        let consumer: GroupConsumer = BaseConsumer::from_config_and_context(&settings, context)
            .map_err(|error| of_call(config, &error, "the set-up of a client"))?;
        let consumer = Arc::new(consumer);
        let tokens = TokenKeeper::begin(config, &consumer)?;
        consumer.context().know_consumer(&consumer);
        let log = LogQueue::new(Arc::clone(&consumer)).map(Arc::new);
        if let Some(log) = &log {
            consumer.context().know_log(log);
        }
        // With the topic's leaders known, fetching starts at once instead of after half a second. A failure here is
        // no harm: the group finds the leaders by itself.
        if let Err(error) = consumer.fetch_metadata(Some(&config.topic), Duration::from_millis(2_000)) {
            tracing::debug!(error = %error, "the topic's leaders are not known yet");
        }
        // Before the group knows of this member: what it commits says which topic it is of.
        let watch = TopicWatch::begin(&consumer, &config.topic);
        consumer.subscribe(&[&config.topic]).map_err(|error| of_call(config, &error, "a subscription"))?;
        let ends = EndWatch::begin();
        Ok(Source { consumer, told: Mutex::new(None), tokens, watch, log, ends, sized_for })
    }

    fn context(&self) -> &GroupContext {
        self.consumer.context()
    }

    fn config(&self) -> &SourceConfig {
        self.context().config()
    }

    /// Drives the membership: serves rebalances (calling the [`Assignment`]), commits' outcomes and errors, for up
    /// to `timeout`. Records never come out of it; they are with the readers.
    ///
    /// # Errors
    /// What librdkafka reports. Passing errors ([`SourceError::retryable`]) are told once in ten seconds each, and
    /// librdkafka goes on trying; after the others the source is of no use. [`SourceError::TopicMadeAnew`] comes within
    /// seconds after a topic was deleted and created anew: a source that is opened again then reads the new one.
    pub fn poll(&self, timeout: Duration) -> Result<(), SourceError> {
        let polled = self.consumer.poll(timeout);
        // The words of an error stand in the log.
        if let Some(log) = &self.log {
            log.serve();
        }
        let outcome = match polled {
            None | Some(Err(KafkaError::PartitionEOF(_))) => Ok(()),
            Some(Ok(record)) => {
                use rdkafka::Message;
                // Cannot be, see `queue.rs`. Losing it in silence would be the worst answer.
                Err(SourceError::Internal {
                    reason: format!(
                        "offset {} of partition {} came by a wrong way",
                        record.offset(),
                        record.partition()
                    ),
                })
            }
            Some(Err(error)) => self.judge(&error),
        };
        let assigned = self.context().retry_assign(&self.consumer);
        let repositioned = self.reposition();
        if let Some(watch) = &self.watch {
            watch.look(&self.consumer, Duration::ZERO);
        }
        if self.context().topic_id.is_another() {
            return Err(start::made_anew(self.config()));
        }
        outcome.and(assigned).and(repositioned)
    }

    /// Sets every position anew that a reader asked for. What fails is tried again by the next poll, and holds up no
    /// other partition.
    fn reposition(&self) -> Result<(), SourceError> {
        let mut outcome = Ok(());
        for wanted in self.context().take_repositions() {
            match start::reposition(&self.consumer, self.config(), wanted) {
                Ok(()) => self.context().release(wanted.partition),
                Err(error) => {
                    self.context().ask_reposition(wanted);
                    outcome = outcome.and(Err(error));
                }
            }
        }
        outcome
    }

    /// The error that librdkafka just reported, unless it is a repetition.
    fn judge(&self, error: &KafkaError) -> Result<(), SourceError> {
        let Some(code) = error.rdkafka_error_code() else {
            return Err(of_call(self.config(), error, "a poll"));
        };
        let reason = self.context().reason_of(code);
        let error = match (error, code) {
            (KafkaError::MessageConsumptionFatal(_), _) => {
                SourceError::Fatal { brokers: self.config().brokers.clone(), reason }
            }
            (_, Code::PollExceeded) => {
                tracing::warn!("the source was not polled for too long; it leaves the group and joins again");
                return Ok(());
            }
            _ => {
                let known = meaning_to_member(self.config(), code, &reason);
                // A token that could not be renewed is refused in the end, and that is not why.
                passing_refusal(self.tokens.as_ref(), self.config(), &known)
                    .unwrap_or_else(|| diagnose(self.config(), known))
            }
        };
        if error.retryable() && self.was_told(&error) {
            return Ok(());
        }
        Err(error)
    }

    /// Whether an error of this kind was told a moment ago; remembers it where not.
    fn was_told(&self, error: &SourceError) -> bool {
        let kind = std::mem::discriminant(error);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((last, at)) = *told
            && last == kind
            && at.elapsed() < Duration::from_millis(REPEAT_ERROR_MS)
        {
            return true;
        }
        *told = Some((kind, Instant::now()));
        false
    }

    /// Sends a commit of `offsets` (each names the record to be read next) and does not wait for the answer. The
    /// outcome is counted in [`Source::commit_counts`], and a refusal is logged.
    ///
    /// # Errors
    /// [`SourceError::Commit`] where it could not be sent.
    pub fn commit(&self, offsets: &[(PartitionId, Offset)]) -> Result<(), SourceError> {
        if offsets.is_empty() {
            return Ok(());
        }
        commit(&self.consumer, self.config(), offsets, CommitMode::Async)
    }

    /// Commits `offsets` and waits for the answer, for up to 10 seconds.
    ///
    /// # Errors
    /// [`SourceError::Commit`] where it was refused, or the outcome is unknown.
    pub fn commit_sync(&self, offsets: &[(PartitionId, Offset)]) -> Result<(), SourceError> {
        if offsets.is_empty() {
            return Ok(());
        }
        commit(&self.consumer, self.config(), offsets, CommitMode::Sync)
    }

    /// A way to commit from another thread, with metadata and with an outcome for each partition.
    pub fn committer(&self) -> Committer {
        Committer::new(Arc::clone(&self.consumer))
    }

    /// How commits ended so far. Asynchronous ones are counted while [`Source::poll`] runs.
    pub fn commit_counts(&self) -> CommitCounts {
        CommitCounts {
            acknowledged: self.context().commits_acknowledged.load(Ordering::Relaxed),
            failed: self.context().commits_failed.load(Ordering::Relaxed),
        }
    }

    /// The end of `partition` as the last fetch told it, or as it was asked for by [`Source::look_at_ends`]; no request is made. `None`
    /// before the first of them. Open transactions are behind it, as in [`LogRange`](crate::LogRange). What fetches tell is known within half
    /// a second, while [`Source::poll`] is called.
    pub fn end_offset(&self, partition: PartitionId) -> Option<Offset> {
        self.ends.end(partition, self.fetched_end(partition))
    }

    /// The first offset that is left of `partition`, where a fetch has told it, or it was asked for by [`Source::look_at_ends`].
    pub fn start_offset(&self, partition: PartitionId) -> Option<Offset> {
        self.context().told_range(partition).start.or_else(|| self.ends.start(partition))
    }

    /// Has the brokers asked where the logs of `behind` end, which are not read to their ends, and where those of `unread` begin, of which
    /// nothing was read yet. To be called again and again: asked is every ten seconds, and for no end that fetches have told anew by then.
    /// It does not wait for the answers.
    pub fn look_at_ends(&self, behind: &[PartitionId], unread: &[PartitionId]) {
        self.ends.look(&self.consumer, behind, unread, |partition| self.fetched_end(partition));
    }

    fn fetched_end(&self, partition: PartitionId) -> Option<Offset> {
        self.context().told_range(partition).end
    }

    /// The partitions that this member owns, in order.
    pub fn assigned(&self) -> Vec<PartitionId> {
        self.context().assigned_partitions()
    }

    /// Whether this member has more partitions than its memory was divided among, since some were added to the topic: it fetches
    /// more ahead than [`SourceConfig::prefetch_bytes_max`] then. [`Source::open_again`] divides it anew.
    pub fn is_outgrown(&self) -> bool {
        self.context().assigned_count() > self.sized_for
    }

    /// What the next membership has to know of the topic.
    pub fn known_partitions(&self) -> KnownPartitions {
        let KnownPartitions { older, seen } = self.context().known_partitions();
        KnownPartitions { older, seen: seen.max(self.sized_for) }
    }

    /// Fetches nothing more for the partitions that are assigned at the moment. What was fetched can be read.
    ///
    /// # Errors
    /// [`SourceError::Internal`] where librdkafka refuses.
    pub fn stop_fetching(&self) -> Result<(), SourceError> {
        let list = self.context().list(&self.assigned());
        self.consumer.pause(&list).map_err(|error| SourceError::Internal { reason: error.to_string() })
    }

    /// Whether partitions were assigned that are not read yet, because the group did not tell where to start.
    pub fn is_starting(&self) -> bool {
        self.context().has_waiting()
    }

    /// What the group has committed for the partitions that this member owns.
    ///
    /// # Errors
    /// [`SourceError::Request`] where the coordinator does not answer within `timeout`.
    pub fn committed(&self, timeout: Duration) -> Result<Vec<(PartitionId, Option<Offset>)>, SourceError> {
        let list = self.context().list(&self.assigned());
        let list = self
            .consumer
            .committed_offsets(list, timeout)
            .map_err(|error| of_call(self.config(), &error, "a question for the committed offsets"))?;
        Ok(crate::lookup::offsets_of(&list))
    }

    /// How the connection to the brokers stands; refreshed twice a second while [`Source::poll`] is called.
    pub fn health(&self) -> SourceHealth {
        self.context().health.get()
    }

    /// Leaves the group: the partitions are revoked as in a rebalance, and what [`Assignment::revoked`] returns is
    /// committed. Dropping the source does the same.
    ///
    /// Returns [`SourceError::CommitNotAllowed`] where the last commit was refused for something that a person must mend.
    pub fn close(self) -> Option<SourceError> {
        let consumer = Arc::clone(&self.consumer);
        drop(self);
        consumer.context().commits_not_allowed()
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        if self.consumer.close_queue().is_err() {
            // Already closed by a fatal error: there is no group to leave.
            return;
        }
        let deadline = Instant::now() + Duration::from_millis(CLOSE_MS_MAX);
        while !self.consumer.closed() {
            if Instant::now() >= deadline {
                tracing::warn!(
                    "leaving the group takes too long; the broker finds out by the session timeout"
                );
                // The drop of the client would wait for the same thing again, without a bound: it is left to the end
                // of the process.
                std::mem::forget(Arc::clone(&self.consumer));
                return;
            }
            // Errors on the way out change nothing any more.
            drop(self.consumer.poll(Duration::from_millis(50)));
        }
    }
}
