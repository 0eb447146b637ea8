//! What is looked at on Kafka's side: the brokers, the topic, where partitions start, the group.

use std::collections::BTreeMap;
use std::time::Duration;

use housepipe_kafka_source::{
    GroupInfo, GroupOffsets, Offset, PartitionId, Preflight, SourceConfig, SourceError, preflight,
};

use super::grant::grant;
use super::{Checks, Verdict};
use crate::pipe_file::PipeFile;
use crate::shown::shown;

/// Time to find the topic, at most, in milliseconds. What is tried then has the rest of it, and two seconds at least.
const TOPIC_TIMEOUT_MS: u64 = 8_000;

/// Characters that are shown of what other clients call themselves, at most.
const WHO_WIDTH: usize = 400;

/// Characters that are shown of an error, at most: addresses, and other words of brokers, are part of it.
const ERROR_WIDTH: usize = 2_000;

/// What was tried.
pub(super) struct Tried {
    found: Preflight,
    /// Where the partitions start that the file names; none where it names none, or whoever would tell does not answer.
    starts: Option<Result<BTreeMap<PartitionId, Offset>, SourceError>>,
}

impl Tried {
    /// Blocks until everybody has answered, for up to about ten seconds where somebody does not.
    pub(super) fn by(config: &SourceConfig) -> Result<Tried, SourceError> {
        let timeout = Duration::from_millis(TOPIC_TIMEOUT_MS);
        let found = preflight(config, timeout)?;
        let may_ask = found.reading.is_empty() && found.group.is_ok();
        let starts = (may_ask && !config.start_of.is_empty())
            .then(|| GroupOffsets::open(config, timeout)?.check_starts());
        Ok(Tried { found, starts })
    }

    /// The partitions of the topic.
    pub(super) fn partitions(&self) -> usize {
        self.found.topic.partitions
    }

    pub(super) fn verdicts(&self, file: &PipeFile, checks: &mut Checks) {
        let Preflight { topic, reading, group, .. } = &self.found;
        let source = &file.source;
        checks.ok("broker", format!("{} broker(s) answer at {}", topic.brokers, source.brokers));
        if reading.is_empty() {
            checks.ok("topic", format!("`{}` has {} partition(s)", source.topic, topic.partitions));
        }
        for error in reading {
            checks.add("topic", verdict(error), told(file, error));
        }
        match &self.starts {
            Some(Ok(starts)) => checks.ok("offsets", words_of_starts(starts)),
            Some(Err(error)) => checks.add("offsets", verdict(error), told(file, error)),
            None if source.starts.partitions.is_empty() => {}
            None => {
                let detail = "the topic cannot be read, or the group not be asked".to_owned();
                checks.add("offsets", Verdict::Skipped, detail);
            }
        }
        match group {
            Ok(group) => checks.ok("group", words_of_group(&source.consumer_group, group)),
            Err(error) => checks.add("group", verdict(error), told(file, error)),
        }
    }
}

/// A broker that is reached and slow to come, such as a coordinator that is loading, is no reason against a pipe that waits for it.
/// An address that leads nowhere is: waiting does not mend it.
fn verdict(error: &SourceError) -> Verdict {
    match error {
        SourceError::AdvertisedUnreachable { .. } => Verdict::Failed,
        passing if passing.retryable() => Verdict::Warning,
        _ => Verdict::Failed,
    }
}

/// The error, and what gives a right that is missing.
pub(super) fn told(file: &PipeFile, error: &SourceError) -> String {
    let error_text = shown(&error.to_string(), ERROR_WIDTH);
    match grant(&file.source, error) {
        Some(mend) => format!("{error_text}: {mend}"),
        None => error_text,
    }
}

fn words_of_group(name: &str, group: &GroupInfo) -> String {
    if group.is_active() {
        return format!("`{name}` has {}: partitions are shared with them", shown(&group.who(), WHO_WIDTH));
    }
    match group.may_read {
        // One that may not is an error.
        Some(_) => format!("`{name}` may be joined, and nobody is in it"),
        None => format!("nobody is in `{name}`; whether this user may join it, the broker does not tell"),
    }
}

/// Where partitions start that the pipe file names.
fn words_of_starts(starts: &BTreeMap<PartitionId, Offset>) -> String {
    if starts.is_empty() {
        return "the group has offsets for the partitions that the file names, and goes on there".to_owned();
    }
    let starts: Vec<String> = starts
        .iter()
        .map(|(partition, offset)| format!("partition {partition} at offset {offset}"))
        .collect();
    format!("without an offset of the group, so that they start as the file says: {}", starts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_leads_nowhere_fails_and_who_is_slow_warns() {
        let brokers = || "kafka:9092".to_owned();
        let reason = || "reason".to_owned();
        let nowhere = SourceError::AdvertisedUnreachable {
            brokers: brokers(),
            address: "broker-1:9092".to_owned(),
            role: "the coordinator of the group `g`".to_owned(),
            reason: reason(),
        };
        let slow = SourceError::Request { brokers: brokers(), request: "a question", reason: reason() };
        let denied = SourceError::GroupDenied { brokers: brokers(), group: "g".to_owned() };
        let verdicts = [&nowhere, &slow, &denied].map(verdict);
        assert_eq!(verdicts, [Verdict::Failed, Verdict::Warning, Verdict::Failed]);
    }
}
