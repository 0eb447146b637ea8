//! The preflight: everything that a pipe needs, looked at before it runs. Nothing is written.

pub(crate) mod deduplication;
pub(crate) mod exactly_once;
mod registry;

use std::collections::BTreeMap;
use std::time::Duration;

use housepipe_ch_sink::Sink;
use housepipe_kafka_source::{GroupOffsets, Offset, PartitionId, Security, SourceError};
use housepipe_transform::TimeZone;
use serde::Serialize;

use crate::error::{PipeError, explain};
use crate::pipe::provision::{compile, create_table, error_table, match_columns, spec_columns};
use crate::pipe::{RunOptions, sink_config, source_config, starts};
use crate::pipe_file::{DeliveryMode, PipeFile, Vendor};

/// Time to ask for the topic, at most, in milliseconds.
const TOPIC_TIMEOUT_MS: u64 = 8_000;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It works, and there is something to know.
    Warning,
    /// The pipe would not run.
    Failed,
    /// Could not be looked at because an earlier check failed.
    Skipped,
}

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// What was looked at, in a word.
    pub name: &'static str,
    /// How it ended.
    pub verdict: Verdict,
    /// What was seen; for a failure, the cause and how to mend it.
    pub detail: String,
}

/// Every check of a pipe, in the order in which they were made.
#[derive(Debug, Clone, Serialize)]
pub struct CheckReport {
    /// The pipe's name.
    pub pipe: String,
    /// Whether no check failed.
    pub passed: bool,
    /// The checks.
    pub checks: Vec<Check>,
}

/// Looks at both ends of the pipe. Nothing is written, the consumer group is not joined.
pub async fn check(file: &PipeFile) -> CheckReport {
    let config = source_config(file, &RunOptions::default());
    let topic =
        tokio::spawn(async move { starts::check(&config, Duration::from_millis(TOPIC_TIMEOUT_MS)).await });
    let mut checks = Checks(Vec::new());
    let destination = destination(file, &mut checks).await;
    let mut all = Checks(Vec::new());
    preset(file, &mut all);
    let mut partitions = None;
    match topic.await {
        Ok(Ok(found)) => {
            partitions = Some(found.partitions);
            all.ok("broker", format!("{} broker(s) answer at {}", found.brokers, file.source.brokers));
            all.ok("topic", format!("`{}` has {} partition(s)", file.source.topic, found.partitions));
            if !file.source.starts.partitions.is_empty() {
                all.ok("offsets", words_of_starts(&found.starts));
            }
            match group(file).await {
                Ok(words) => all.ok("group", words),
                // A coordinator that is slow to come is no reason against a pipe that waits for it.
                Err(PipeError::Source(error)) if error.retryable() => {
                    all.add("group", Verdict::Warning, error.to_string());
                }
                Err(error) => all.add("group", Verdict::Failed, explain(&error)),
            }
        }
        Ok(Err(error)) => {
            let is_of_start = matches!(
                &error,
                PipeError::Source(
                    SourceError::StartOfUnknownPartition { .. } | SourceError::StartOutOfRange { .. }
                )
            );
            let name = if is_of_start { "offsets" } else { "broker and topic" };
            all.add(name, Verdict::Failed, explain(&error));
        }
        Err(panicked) => all.add("broker and topic", Verdict::Failed, panicked.to_string()),
    }
    security(file, &mut all);
    if let Some(spec) = &file.schema_registry {
        all.0.push(registry::look(spec, file.delivery).await);
    }
    all.0.extend(checks.0);
    match (destination, partitions) {
        (None, _) => all.add("table", Verdict::Skipped, "clickhouse did not answer".to_owned()),
        (Some(sink), Some(partitions)) => all.0.extend(repetitions(&sink, file, partitions).await),
        (Some(_), None) => {}
    }
    let passed = all.0.iter().all(|check| check.verdict != Verdict::Failed);
    CheckReport { pipe: file.name.to_string(), passed, checks: all.0 }
}

/// Whether the user may use the consumer group, and who is in it.
async fn group(file: &PipeFile) -> Result<String, PipeError> {
    let config = source_config(file, &RunOptions::default());
    let looked = tokio::task::spawn_blocking(move || {
        GroupOffsets::open(&config, Duration::from_millis(TOPIC_TIMEOUT_MS))?.group()
    });
    let group = looked.await.map_err(|_| PipeError::WorkerPanicked)??;
    let name = &file.source.consumer_group;
    Ok(if group.is_active() {
        format!("`{name}` has {}: partitions are shared with them", group.who())
    } else {
        format!("`{name}` may be joined, and nobody is in it")
    })
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

/// What the preset of the vendor has set, and what it doubts.
fn preset(file: &PipeFile, checks: &mut Checks) {
    let preset = &file.source.preset;
    if preset.vendor != Vendor::Kafka {
        let name = preset.vendor.as_str();
        let sets = if preset.sets.is_empty() {
            format!("`{name}` sets nothing: the file says it all")
        } else {
            format!("`{name}` sets {}", preset.sets.join(", and "))
        };
        checks.ok("preset", sets);
    }
    for doubt in &preset.doubts {
        checks.add("preset", Verdict::Warning, doubt.clone());
    }
    let raw: Vec<&str> = file.source.unsafe_librdkafka.names().collect();
    if !raw.is_empty() {
        let detail =
            format!("`unsafe_librdkafka` sets {}, and nobody has tested what that does", raw.join(", "));
        checks.add("client", Verdict::Warning, detail);
    }
}

fn security(file: &PipeFile, checks: &mut Checks) {
    if let Some(plain) = unencrypted(&file.source.security) {
        checks.add("encryption", Verdict::Warning, format!("{plain}; add `tls:` to the source"));
    }
}

/// What everybody on the way can read or change, in words; none where the connection to kafka is encrypted.
pub(crate) fn unencrypted(security: &Security) -> Option<&'static str> {
    match security {
        Security::Plaintext => Some(
            "the connection to kafka has neither encryption nor credentials: whoever is on the way reads and changes records",
        ),
        Security::Sasl { tls: None, .. } => Some(
            "the connection to kafka has a password without encryption: whoever is on the way reads the password and the records",
        ),
        Security::Token { tls: None, .. } => Some(
            "the connection to kafka has a token without encryption: whoever is on the way reads the token and the records",
        ),
        Security::Tls(_) | Security::Sasl { tls: Some(_), .. } | Security::Token { tls: Some(_), .. } => None,
    }
}

/// Whether a repeated insert is dropped; nothing where there is no table to look at, which has failed already.
async fn repetitions(sink: &Sink, file: &PipeFile, partitions: usize) -> Option<Check> {
    let is_exactly_once = file.delivery == DeliveryMode::ExactlyOnce;
    match deduplication::look(sink, file, partitions).await {
        Ok(Some(judged)) => Some(deduplication::verdict(&judged, &file.batch, partitions, is_exactly_once)),
        Ok(None) => None,
        Err(error) => Some(deduplication::unknown(&explain(&error))),
    }
}

/// Checks of ClickHouse; the sink, or none where the server did not answer.
async fn destination(file: &PipeFile, checks: &mut Checks) -> Option<Sink> {
    let sink = match Sink::new(&sink_config(file)) {
        Ok(sink) => sink,
        Err(error) => {
            checks.add("clickhouse", Verdict::Failed, explain(&error));
            return None;
        }
    };
    let server = match sink.server().await {
        Ok(server) => server,
        Err(error) => {
            checks.add("clickhouse", Verdict::Failed, explain(&error));
            return None;
        }
    };
    checks.ok("clickhouse", format!("version {}, time zone {}", server.version, server.timezone));
    let Ok(zone) = server.timezone.parse::<TimeZone>() else {
        checks.add(
            "time zone",
            Verdict::Failed,
            format!("the server's zone `{}` is unknown", server.timezone),
        );
        return Some(sink);
    };
    let table = &file.destination.table;
    let (engine, columns, known) = match sink.describe(table).await {
        Err(error) => {
            checks.add("table", Verdict::Failed, explain(&error));
            return Some(sink);
        }
        Ok(Some(info)) => {
            checks.ok("table", format!("`{table}` exists ({}, {} columns)", info.engine, info.columns.len()));
            match match_columns(file, &info.columns, zone) {
                Ok(columns) => (info.engine, columns, info.columns),
                Err(error) => {
                    checks.add("columns", Verdict::Failed, explain(&error));
                    return Some(sink);
                }
            }
        }
        Ok(None) => match create_table(&file.destination) {
            Some(create) => {
                if let Err(error) = create.check() {
                    checks.add("table", Verdict::Failed, explain(&error));
                    return Some(sink);
                }
                checks.ok("table", format!("`{table}` is missing and will be created: {}", create.sql()));
                (create.engine, spec_columns(&file.destination.columns), Vec::new())
            }
            None => {
                let detail =
                    format!("`{table}` does not exist; create it, or add `managed_table:` and `columns:`");
                checks.add("table", Verdict::Failed, detail);
                return Some(sink);
            }
        },
    };
    match compile(file, &columns, zone) {
        Ok(_) => checks.ok("columns", format!("{} column(s) can be filled from JSON", columns.len())),
        Err(error) => checks.add("columns", Verdict::Failed, explain(&error)),
    }
    grants(file, &sink, checks).await;
    if file.delivery == DeliveryMode::ExactlyOnce {
        // A planned engine may have arguments.
        let engine = engine.split('(').next().unwrap_or_default().trim();
        let found = exactly_once::obstacles(&sink, file, engine, &columns, &known).await;
        checks.0.extend(exactly_once::verdicts(found));
    }
    Some(sink)
}

async fn grants(file: &PipeFile, sink: &Sink, checks: &mut Checks) {
    let errors = file.error_table.enabled.then(|| error_table(file));
    match sink.grants_check(&file.destination.table, errors.as_ref()).await {
        Ok(problems) if problems.is_empty() => {
            checks.ok("grants", format!("`{}` may insert", file.destination.username));
        }
        Ok(problems) => {
            for problem in problems {
                checks.add("grants", Verdict::Failed, problem.to_string());
            }
        }
        Err(error) => checks.add("grants", Verdict::Failed, explain(&error)),
    }
}

struct Checks(Vec<Check>);

impl Checks {
    fn add(&mut self, name: &'static str, verdict: Verdict, detail: String) {
        self.0.push(Check { name, verdict, detail });
    }

    fn ok(&mut self, name: &'static str, detail: String) {
        self.add(name, Verdict::Ok, detail);
    }
}
