//! A pipe as the API shows it.

use chrono::{DateTime, SecondsFormat, Utc};
use housepipe_runtime::{Counters, Document, PartitionProgress, PipeStatus, Stage};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

use super::pipe_schema::WholePipeFile;
use crate::service;
use crate::store::Wanted;

/// A pipe: what is wanted of it, and how it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PipeView {
    /// Its id, which no other pipe ever has.
    pub(crate) id: String,
    /// Its name.
    pub(crate) name: String,
    /// What is wanted of it.
    pub(crate) wanted: Wanted,
    /// How far it has come.
    #[schema(value_type = Stage)]
    pub(crate) stage: &'static str,
    /// Why, where there is a reason to tell.
    pub(crate) reason: Option<String>,
    /// Since when.
    pub(crate) since: Option<String>,
    /// Counts its changes.
    pub(crate) revision: i64,
    /// Counts its definitions: 1 as it is created, and one more with each edit. A pause or a resume leaves it as it is.
    pub(crate) definition: u64,
    /// The definition that `stage` is of: a lower one until the process that answers has come to an edit, and absent until it has come to the
    /// pipe.
    pub(crate) stage_definition: Option<u64>,
    /// When it was defined.
    pub(crate) created_at: String,
    /// When it was changed last.
    pub(crate) changed_at: String,
    /// Counts over all its runs in this process.
    pub(crate) counters: CountersView,
    /// How it runs; absent where it does not.
    pub(crate) run: Option<RunView>,
    /// The pipe file, with references in place of secrets; absent where it cannot be read as it is stored.
    #[schema(value_type = Option<WholePipeFile>)]
    pub(crate) pipe: Option<Document>,
}

/// Counts of records. `read = loaded + rejected + in_flight + given_back` holds at any moment.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct CountersView {
    /// Records taken from Kafka.
    read: u64,
    /// Rows that ClickHouse acknowledged.
    loaded: u64,
    /// Records that were refused.
    rejected: u64,
    /// Records read and not yet acknowledged.
    in_flight: u64,
    /// Records read and dropped, which are read again.
    given_back: u64,
    /// Inserts that ClickHouse acknowledged.
    inserts: u64,
    /// Inserts, and questions before them, that failed and were tried again.
    retries: u64,
    /// Payload bytes taken from Kafka.
    bytes_read: u64,
    /// Encoded bytes of acknowledged rows.
    bytes_loaded: u64,
}

/// How a pipe runs in this process.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RunView {
    /// Seconds since it started.
    seconds: f64,
    /// Rejected records of this run by their code.
    rejected_by_code: BTreeMap<String, u64>,
    /// The partitions that this process reads.
    partitions: Vec<PartitionView>,
    /// Seconds since the last acknowledged batch.
    last_insert_age_seconds: Option<f64>,
}

/// Where one partition stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PartitionView {
    /// Its number.
    partition: i32,
    /// Offset of the next record to read.
    position: Option<i64>,
    /// End of the partition's log as last seen.
    end: Option<i64>,
    /// Records that are not stored yet; null until the end of the log is known.
    lag_records: Option<u64>,
    /// Age of the oldest record that is not stored yet, in seconds, as far as it is known; 0 where all are.
    lag_seconds: Option<f64>,
}

impl From<service::PipeView> for PipeView {
    fn from(view: service::PipeView) -> PipeView {
        let service::PipeView { stored, status, problem } = view;
        let (stage, reason) = match (&problem, &status) {
            // What is told of one that goes is what it waits for.
            (problem, _) if stored.wanted == Wanted::Removed => ("stopping", problem.clone()),
            (Some(problem), _) => ("misconfigured", Some(problem.clone())),
            (None, Some(status)) => (status.stage.as_str(), status.reason.clone()),
            // The supervisor is about to be told.
            (None, None) => ("provisioning", None),
        };
        PipeView {
            id: stored.id,
            name: stored.name,
            wanted: stored.wanted,
            stage,
            reason,
            since: status.as_ref().map(|status| moment(DateTime::<Utc>::from(status.since))),
            revision: stored.revision,
            definition: stored.generation.definition,
            stage_definition: status.as_ref().map(|status| status.definition),
            created_at: moment_of_ms(stored.created_ms),
            changed_at: moment_of_ms(stored.changed_ms),
            counters: status.as_ref().map(|status| CountersView::from(status.counters)).unwrap_or_default(),
            run: status.and_then(run),
            pipe: stored.document.ok(),
        }
    }
}

impl From<Counters> for CountersView {
    fn from(counters: Counters) -> CountersView {
        CountersView {
            read: counters.read,
            loaded: counters.loaded,
            rejected: counters.rejected,
            in_flight: counters.in_flight,
            given_back: counters.given_back,
            inserts: counters.inserts,
            retries: counters.retries,
            bytes_read: counters.bytes_read,
            bytes_loaded: counters.bytes_loaded,
        }
    }
}

fn run(status: PipeStatus) -> Option<RunView> {
    let run = status.run?;
    let partition = |progress: PartitionProgress| PartitionView {
        partition: progress.partition,
        position: progress.position,
        end: progress.end,
        lag_records: progress.lag_records,
        lag_seconds: progress.lag_seconds,
    };
    Some(RunView {
        seconds: run.wall_seconds,
        rejected_by_code: run.rejected_by_code,
        partitions: run.partitions.into_iter().map(partition).collect(),
        last_insert_age_seconds: run.last_insert_age_seconds,
    })
}

/// A moment as RFC 3339 has it, in UTC.
pub(crate) fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The same of milliseconds since 1970.
pub(crate) fn moment_of_ms(at_ms: i64) -> String {
    DateTime::<Utc>::from_timestamp_millis(at_ms).map(moment).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use housepipe_runtime::Generation;

    use super::*;
    use crate::store::{CleanUp, StoredPipe};

    #[test]
    fn a_pipe_that_goes_is_stopping_and_says_what_it_waits_for() {
        let view = |wanted, problem: Option<&str>| {
            let stored = StoredPipe {
                id: "p1".to_owned(),
                name: "clicks".to_owned(),
                document: Err("unreadable".to_owned()),
                wanted,
                clean_up: CleanUp::default(),
                generation: Generation::of(1),
                revision: 1,
                created_ms: 0,
                changed_ms: 0,
            };
            let view = service::PipeView { stored, status: None, problem: problem.map(str::to_owned) };
            let PipeView { stage, reason, .. } = view.into();
            (stage, reason)
        };
        let why = Some("another process has not ended it yet");
        assert_eq!(view(Wanted::Removed, why), ("stopping", why.map(str::to_owned)));
        assert_eq!(view(Wanted::Removed, None), ("stopping", None));
        assert_eq!(view(Wanted::Running, why), ("misconfigured", why.map(str::to_owned)));
        assert_eq!(view(Wanted::Running, None), ("provisioning", None));
    }
}
