//! Questions about a topic that was found: their answers, or what keeps these away.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;

use crate::certificate::diagnose;
use crate::client::CONNECT_MS_MAX;
use crate::log::{self, LogRange};
use crate::reason::is_decisive;
use crate::topic::{Probe, TopicInfo};
use crate::words::address_in;
use crate::{PartitionId, SourceConfig, SourceError};

/// Longest wait for an answer, in milliseconds: so much longer than the set-up of a connection that its failure is heard, and with the
/// search for the topic shorter than the ten seconds within which causes are told.
const ANSWER_MS_MAX: u64 = CONNECT_MS_MAX as u64 + 250;

/// Longest wait for the answer to one try, in milliseconds; also the time that a broker is given which is not reached.
const TRY_MS_MAX: u64 = 5_000;

/// Time that any other cause is given which may pass, in milliseconds.
const PATIENCE_MS: u64 = 2_000;

/// Time for the events that piled up before the topic was found, in milliseconds: they are at hand.
const EVENTS_MS: u64 = 5;

/// What a broker is that keeps records away.
const LEADER: &str = "a leader of the topic";

impl Probe<'_> {
    /// Finds the topic, to read it then. What was said until it is found counts no more.
    pub(crate) fn begin(&self, timeout: Duration) -> Result<TopicInfo, SourceError> {
        let info = self.describe(timeout.min(Duration::from_millis(ANSWER_MS_MAX)))?;
        self.serve(Duration::from_millis(EVENTS_MS));
        self.consumer.context().words().answered();
        Ok(info)
    }

    /// The log of one partition.
    pub(crate) fn range(&self, partition: PartitionId, deadline: Instant) -> Result<LogRange, SourceError> {
        self.ask(deadline, |timeout| log::range(&self.consumer, self.config, partition, timeout))
    }

    /// The logs of many partitions, in as many round trips as of one.
    pub(crate) fn ranges(
        &self,
        partitions: &[PartitionId],
        deadline: Instant,
    ) -> Result<Vec<(PartitionId, LogRange)>, SourceError> {
        self.ask(deadline, |timeout| log::ranges(&self.consumer, self.config, partitions, timeout))
    }

    /// Asks until there is an answer, or it is known what keeps it away. Nothing may be read meanwhile: events are served.
    fn ask<T>(
        &self,
        deadline: Instant,
        question: impl Fn(Duration) -> Result<T, SourceError>,
    ) -> Result<T, SourceError> {
        let started = Instant::now();
        let deadline = deadline.min(started + Duration::from_millis(ANSWER_MS_MAX));
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let told = match question(left.min(Duration::from_millis(TRY_MS_MAX))) {
                Ok(answer) => return Ok(answer),
                Err(told) => told,
            };
            self.pause();
            let trouble = self.cause(told);
            let is_settled = is_decisive(&trouble) || started.elapsed() >= patience(&trouble);
            if is_settled || Instant::now() >= deadline {
                return Err(self.explained(trouble));
            }
        }
    }

    /// What a broker has answered, or else what was heard of the connections; `told` is what the call says.
    fn cause(&self, told: SourceError) -> SourceError {
        match told {
            SourceError::UnknownTopic { .. }
            | SourceError::TopicDenied { .. }
            | SourceError::Internal { .. } => told,
            told => self.heard().unwrap_or(told),
        }
    }

    /// What stands behind the silence of brokers that were asked for records.
    pub(crate) fn cause_of_silence(&self) -> SourceError {
        let heard = self.heard();
        self.explained(heard.unwrap_or_else(|| self.no_records("it took too long".to_owned())))
    }

    /// The same error, and what more can be said of it.
    pub(crate) fn explained(&self, error: SourceError) -> SourceError {
        as_advertised(self.config, diagnose(self.config, error))
    }
}

/// How long a trouble may last before it is taken for the cause.
fn patience(trouble: &SourceError) -> Duration {
    Duration::from_millis(match trouble {
        // No more is known than that no answer comes.
        SourceError::Request { .. } => ANSWER_MS_MAX,
        SourceError::Unreachable { .. } => TRY_MS_MAX,
        _ => PATIENCE_MS,
    })
}

/// A broker that is not reached at an address which the others name and the user has not given.
fn as_advertised(config: &SourceConfig, error: SourceError) -> SourceError {
    let (SourceError::Unreachable { reason, .. } | SourceError::NameResolution { reason, .. }) = &error
    else {
        return error;
    };
    match address_in(reason) {
        Some((address, said)) if !config.brokers.split(',').any(|given| given.trim() == address) => {
            SourceError::AdvertisedUnreachable {
                brokers: config.brokers.clone(),
                address: address.to_owned(),
                role: LEADER.to_owned(),
                reason: said.to_owned(),
            }
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_the_brokers_name_is_told_as_theirs() {
        let config = SourceConfig::new("a:9092, b:9092", "clicks", "g");
        let unreachable = |reason: &str| SourceError::Unreachable {
            brokers: "a:9092".to_owned(),
            reason: reason.to_owned(),
        };
        let unresolved = |reason: &str| SourceError::NameResolution {
            brokers: "a:9092".to_owned(),
            reason: reason.to_owned(),
        };
        for error in [
            unreachable("c:9092/3: Connect to ipv4#10.0.0.3:9092 failed: Connection refused"),
            unresolved("ssl://kafka-3.internal:9092/3: Failed to resolve 'kafka-3.internal:9092': not known"),
        ] {
            let told = as_advertised(&config, error);
            assert!(matches!(told, SourceError::AdvertisedUnreachable { .. }), "{told:?}");
            assert!(told.to_string().contains(":9092 as a leader of the topic"), "{told}");
        }
        for error in [
            unreachable("b:9092/2: Connect to ipv4#10.0.0.2:9092 failed: Connection refused"),
            unreachable("Local: Broker transport failure"),
            unresolved("Local: Host resolution failure"),
            SourceError::TopicDenied { brokers: "a:9092".to_owned(), topic: "c:9092: x".to_owned() },
        ] {
            assert_eq!(as_advertised(&config, error.clone()), error);
        }
    }
}
