//! Pipes and events, as a service's API shows them. Keys that are not known here are left out, so that a later service may tell more.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A pipe: what is wanted of it, and how it stands.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub(crate) struct PipeView {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) wanted: String,
    pub(crate) stage: String,
    #[serde(default)]
    pub(crate) reason: Option<String>,
    #[serde(default)]
    pub(crate) since: Option<String>,
    #[serde(default)]
    pub(crate) revision: i64,
    /// Counts edits; services of before did not tell it.
    #[serde(default)]
    pub(crate) definition: Option<u64>,
    /// The definition that the stage is of.
    #[serde(default)]
    pub(crate) stage_definition: Option<u64>,
    #[serde(default)]
    pub(crate) created_at: String,
    #[serde(default)]
    pub(crate) changed_at: String,
    #[serde(default)]
    pub(crate) counters: Counters,
    #[serde(default)]
    pub(crate) run: Option<RunView>,
    /// The lag as metrics tell it, which need not tell of each partition.
    #[serde(skip)]
    pub(crate) told_lag_records: Option<u64>,
    #[serde(skip)]
    pub(crate) told_lag_seconds: Option<f64>,
}

/// Counts of records over all runs in the process that answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Counters {
    pub(crate) read: u64,
    pub(crate) loaded: u64,
    pub(crate) rejected: u64,
    pub(crate) in_flight: u64,
    pub(crate) given_back: u64,
    pub(crate) inserts: u64,
    pub(crate) retries: u64,
    pub(crate) bytes_read: u64,
}

/// How a pipe runs.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct RunView {
    pub(crate) seconds: f64,
    pub(crate) rejected_by_code: BTreeMap<String, u64>,
    pub(crate) partitions: Vec<PartitionView>,
    pub(crate) last_insert_age_seconds: Option<f64>,
}

/// Where one partition stands.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct PartitionView {
    pub(crate) partition: i32,
    pub(crate) position: Option<i64>,
    pub(crate) end: Option<i64>,
    pub(crate) lag_records: Option<u64>,
    pub(crate) lag_seconds: Option<f64>,
}

impl PipeView {
    /// Records behind the ends of all partitions; none where it does not run, or one of them is not known.
    pub(crate) fn lag_records(&self) -> Option<u64> {
        let of_partitions = || {
            let partitions = &self.run.as_ref()?.partitions;
            let lags: Option<u64> = partitions.iter().map(|partition| partition.lag_records).sum();
            lags.filter(|_| !partitions.is_empty())
        };
        self.told_lag_records.or_else(of_partitions)
    }

    /// Age of the oldest record that is not stored, in seconds, as far as it is known; 0 only where that is so of every partition.
    pub(crate) fn lag_seconds(&self) -> Option<f64> {
        let of_partitions = || {
            let partitions = &self.run.as_ref()?.partitions;
            let oldest = partitions.iter().filter_map(|partition| partition.lag_seconds).reduce(f64::max);
            let is_whole = partitions.iter().all(|partition| partition.lag_seconds.is_some());
            oldest.filter(|oldest| is_whole || *oldest > 0.0)
        };
        self.told_lag_seconds.or_else(of_partitions)
    }
}

/// Something that has happened.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct EventView {
    pub(crate) number: i64,
    pub(crate) at: String,
    #[serde(default)]
    pub(crate) pipe_name: String,
    #[serde(default)]
    pub(crate) actor: String,
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) reason: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_that_is_not_known_is_not_taken_for_none() {
        for (ages, expected) in [
            (vec![Some(0.0), Some(0.0)], Some(0.0)),
            (vec![Some(0.0), None], None),
            (vec![Some(2.5), None, Some(0.0)], Some(2.5)),
            (vec![], None),
        ] {
            let of_age = |lag_seconds| PartitionView { lag_seconds, ..PartitionView::default() };
            let partitions = ages.into_iter().map(of_age).collect();
            let run = RunView { partitions, ..RunView::default() };
            assert_eq!(PipeView { run: Some(run), ..PipeView::default() }.lag_seconds(), expected);
        }
    }
}
