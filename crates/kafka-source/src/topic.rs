//! Finding the topic, with a clear error for each reason why it cannot be found.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::metadata::{Metadata, MetadataTopic};
use rdkafka::statistics::Statistics;

use crate::certificate::diagnose;
use crate::connections::{BrokerId, Connections};
use crate::context::{log_line, tells_a_cause};
use crate::reason::{classify, is_damage, is_decisive, is_out_of_range, meaning, meaning_to_member, of_call};
use crate::token::{TokenKeeper, passing_refusal};
use crate::words::{Words, is_of_connection, without_thread};
use crate::{PartitionId, SourceConfig, SourceError, client};

/// The first wait for an answer, in milliseconds; doubled each time, so that a slow broker is heard too.
const FIRST_WAIT_MS: u64 = 250;

/// Time that a passing trouble (a broker that restarts, a topic just created) is given, in milliseconds.
const PATIENCE_MS: u64 = 2_000;

/// A topic, as the brokers describe it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicInfo {
    /// Its partitions.
    pub partitions: usize,
    /// Brokers of the cluster.
    pub brokers: usize,
}

/// Asks the brokers for the topic. Nothing is joined or written.
///
/// # Errors
/// One variant of [`SourceError`] for each cause, at the latest after `timeout`; wrong credentials, names and
/// certificates much earlier.
pub fn describe_topic(config: &SourceConfig, timeout: Duration) -> Result<TopicInfo, SourceError> {
    let started = Instant::now();
    let probe = Probe::connect(config)?;
    probe.describe(timeout.saturating_sub(started.elapsed()))
}

/// A topic, and who leads its partitions.
pub(crate) struct Found {
    pub(crate) info: TopicInfo,
    /// The partitions of each leader, in order; those of none have none at the moment.
    pub(crate) leaders: BTreeMap<Option<BrokerId>, Vec<PartitionId>>,
}

impl Found {
    fn of(metadata: &Metadata, topic: &MetadataTopic) -> Found {
        let info = TopicInfo { partitions: topic.partitions().len(), brokers: metadata.brokers().len() };
        let mut leaders: BTreeMap<_, Vec<PartitionId>> = BTreeMap::new();
        for partition in topic.partitions() {
            let leader = (partition.leader() >= 0).then(|| BrokerId(partition.leader()));
            leaders.entry(leader).or_default().push(PartitionId(partition.id()));
        }
        leaders.values_mut().for_each(|partitions| partitions.sort_unstable());
        Found { info, leaders }
    }
}

/// A client without a group.
pub(crate) struct Probe<'a> {
    pub(crate) consumer: Arc<BaseConsumer<ProbeContext>>,
    pub(crate) config: &'a SourceConfig,
    /// So that a long look does not outlive its token.
    tokens: Option<TokenKeeper>,
}

impl<'a> Probe<'a> {
    pub(crate) fn connect(config: &'a SourceConfig) -> Result<Probe<'a>, SourceError> {
        let settings = client::probe(config)?;
        Probe::with(config, &settings)
    }

    /// A client that can read records, or ask for the offsets of the group. librdkafka wants the name of a group for
    /// both; a client that never subscribes does not join it.
    pub(crate) fn with_group(config: &'a SourceConfig) -> Result<Probe<'a>, SourceError> {
        let mut settings = client::probe(config)?;
        settings.set("group.id", &config.group);
        Probe::with(config, &settings)
    }

    /// The same for the newest `records`, of which up to `bytes_max` are held.
    pub(crate) fn of_newest(
        config: &'a SourceConfig,
        records: usize,
        bytes_max: usize,
    ) -> Result<Probe<'a>, SourceError> {
        let mut settings = client::probe_of_newest(config, records, bytes_max)?;
        settings.set("group.id", &config.group);
        Probe::with(config, &settings)
    }

    /// The same as [`Probe::with_group`], which knows how its [connections](ProbeContext::connections) stand as well.
    pub(crate) fn watched(config: &'a SourceConfig) -> Result<Probe<'a>, SourceError> {
        let mut settings = client::probe(config)?;
        settings
            .set("group.id", &config.group)
            .set("statistics.interval.ms", client::STATISTICS_MS.to_string());
        Probe::with(config, &settings)
    }

    fn with(config: &'a SourceConfig, settings: &rdkafka::ClientConfig) -> Result<Probe<'a>, SourceError> {
        let context =
            ProbeContext { config: config.clone(), words: Mutex::default(), connections: Mutex::default() };
        let consumer = BaseConsumer::from_config_and_context(settings, context)
            .map_err(|error| of_call(config, &error, "the set-up of a client"))?;
        let consumer = Arc::new(consumer);
        let tokens = TokenKeeper::begin(config, &consumer)?;
        Ok(Probe { consumer, config, tokens })
    }

    pub(crate) fn describe(&self, timeout: Duration) -> Result<TopicInfo, SourceError> {
        self.find(timeout).map(|found| found.info)
    }

    pub(crate) fn find(&self, timeout: Duration) -> Result<Found, SourceError> {
        let started = Instant::now();
        let mut wait = Duration::from_millis(FIRST_WAIT_MS);
        loop {
            let left = timeout.saturating_sub(started.elapsed());
            let trouble = match self.consumer.fetch_metadata(Some(&self.config.topic), wait.min(left)) {
                Ok(metadata) => {
                    let topic = metadata.topics().first();
                    let told = topic.and_then(MetadataTopic::error);
                    match (topic, told) {
                        (Some(topic), None) if !topic.partitions().is_empty() => {
                            return Ok(Found::of(&metadata, topic));
                        }
                        (_, Some(code)) => classify(self.config, code.into(), ""),
                        _ => SourceError::UnknownTopic {
                            brokers: self.config.brokers.clone(),
                            topic: self.config.topic.clone(),
                        },
                    }
                }
                Err(error) => self.why(&error),
            };
            if is_decisive(&trouble) || left.is_zero() || self.is_hopeless(started.elapsed(), &trouble) {
                return Err(diagnose(self.config, trouble));
            }
            wait *= 2;
            self.pause();
        }
    }

    /// Serves the events that piled up, and judges by what says most of what was heard.
    pub(crate) fn why(&self, error: &KafkaError) -> SourceError {
        self.serve(Duration::ZERO);
        let mut words = self.consumer.context().words();
        let said = words.error().cloned().unwrap_or_else(|| {
            match of_call(self.config, error, "a question for the topic") {
                SourceError::Request { brokers, reason, .. } => SourceError::Unreachable { brokers, reason },
                known => known,
            }
        });
        self.unless_it_passes(&mut words, said)
    }

    /// What says most of what was heard; none where nothing was.
    pub(crate) fn heard(&self) -> Option<SourceError> {
        let mut words = self.consumer.context().words();
        let said = words.error().cloned()?;
        Some(self.unless_it_passes(&mut words, said))
    }

    /// `said`, or what stands behind it where it is a refusal that may pass, which is remembered then.
    fn unless_it_passes(&self, words: &mut Words, said: SourceError) -> SourceError {
        match passing_refusal(self.tokens.as_ref(), self.config, &said) {
            // It is of a token that is given up: what the next one is answered counts.
            Some(trouble) => {
                words.passes(trouble.clone());
                trouble
            }
            None => said,
        }
    }

    /// Whether a trouble that might pass has had its time.
    pub(crate) fn is_hopeless(&self, elapsed: Duration, trouble: &SourceError) -> bool {
        elapsed >= Duration::from_millis(PATIENCE_MS) && self.is_settled(trouble)
    }

    fn is_settled(&self, trouble: &SourceError) -> bool {
        let all_down = self.consumer.context().words().all_down;
        match trouble {
            SourceError::UnknownTopic { .. } => true,
            SourceError::Unreachable { .. }
            | SourceError::NameResolution { .. }
            | SourceError::TlsFailed { .. }
            | SourceError::TlsToPlainPort { .. }
            | SourceError::PlainToTlsPort { .. } => all_down,
            _ => false,
        }
    }

    /// A short wait in which events are served.
    pub(crate) fn pause(&self) {
        self.serve(Duration::from_millis(50));
    }

    pub(crate) fn serve(&self, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        // `poll` answers each event with a value; an empty answer at the deadline means that none is left.
        while self.consumer.poll(deadline.saturating_duration_since(Instant::now())).is_some() {}
    }
}

pub(crate) struct ProbeContext {
    config: SourceConfig,
    words: Mutex<Words>,
    connections: Mutex<Connections>,
}

impl ProbeContext {
    pub(crate) fn words(&self) -> MutexGuard<'_, Words> {
        self.words.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`meaning`], or as that to somebody who was connected before.
    fn meaning(&self, words: &Words, code: Code, text: &str) -> SourceError {
        let meaning = if words.has_answered { meaning_to_member } else { meaning };
        meaning(&self.config, code, text)
    }

    /// As they stood last, where the probe is [watched](Probe::watched) and polled.
    pub(crate) fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for ProbeContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line(level, facility, message);
        if tells_a_cause(level, facility) {
            let text = without_thread(message);
            let mut words = self.words();
            let error = self.meaning(&words, Code::AllBrokersDown, text);
            words.logged(error, text);
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let Some(code) = error.rdkafka_error_code() else { return };
        tracing::debug!(code = ?code, reason, "librdkafka reports an error");
        let mut words = self.words();
        // What was told before was another error.
        words.take_of_records();
        let is_of_records = code == Code::PartitionEOF || is_damage(code) || is_out_of_range(code);
        if code == Code::AllBrokersDown {
            words.all_down = true;
        } else if is_of_records && !is_of_connection(reason) {
            words.told_of_records(reason);
        } else {
            let error = self.meaning(&words, code, reason);
            words.reported(error, reason);
        }
    }

    fn stats(&self, statistics: Statistics) {
        *self.connections() = Connections::of(&statistics);
    }
}

impl ConsumerContext for ProbeContext {}
