//! Metrics of each pipe: one table, in the order in which they are written and in which the reference has them.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::exposition::{Exposition, Samples};
use super::family::Family;
use super::{PipeMetrics, RunMetrics};
use crate::pipe::{PartitionProgress, lag};
use crate::supervisor::Stage;

/// Partitions of a pipe whose lag is told one by one, at most; of a pipe with more only the sums are told.
pub(super) const PARTITIONS_SHOWN_MAX: usize = 128;

/// Writes the samples of one pipe; its name stands before them.
type Take = fn(&PipeMetrics, &mut Samples<'_>);

/// Families that every pipe has.
static ALWAYS: [(Family, Take); 2] = [
    (
        Family::gauge(
            "housepipe_pipe_stage",
            &["pipe", "stage"],
            "1 for the stage that the pipe is in: provisioning, running, stopping, paused, misconfigured (somebody must mend something) or \
             failed (ended, until it is resumed).",
        ),
        |pipe, samples| {
            for stage in Stage::ALL {
                samples.value(&[stage.as_str()], pipe.stage == stage);
            }
        },
    ),
    (
        Family::gauge(
            "housepipe_pipe_memory_bytes",
            &["pipe"],
            "Memory for records and batches that the pipe may use at this moment; 0 where it does not run.",
        ),
        |pipe, samples| samples.value(&[], pipe.memory_bytes),
    ),
];

/// Families of pipes that run, or have run in this process: thousands of pipes at rest stay cheap to scrape.
static OF_RUNS: [(Family, Take); 29] = [
    (
        Family::counter("housepipe_records_read_total", &["pipe"], "Records taken from Kafka."),
        |pipe, samples| {
            samples.value(&[], pipe.totals.counters.read);
        },
    ),
    (
        Family::counter("housepipe_records_loaded_total", &["pipe"], "Rows that ClickHouse acknowledged."),
        |pipe, samples| samples.value(&[], pipe.totals.counters.loaded),
    ),
    (
        Family::counter(
            "housepipe_records_rejected_total",
            &["pipe"],
            "Records that were refused, and are in the error table where it is enabled.",
        ),
        |pipe, samples| samples.value(&[], pipe.totals.counters.rejected),
    ),
    (
        Family::counter(
            "housepipe_records_rejected_by_code_total",
            &["pipe", "code"],
            "Rejected records by the code that the error table has.",
        ),
        |pipe, samples| by_code(&pipe.totals.rejected_by_code, samples),
    ),
    (
        Family::gauge("housepipe_records_in_flight", &["pipe"], "Records read and not yet acknowledged."),
        |pipe, samples| samples.value(&[], pipe.totals.counters.in_flight),
    ),
    (
        Family::counter(
            "housepipe_records_given_back_total",
            &["pipe"],
            "Records read and dropped, since their partition went to another process or a run ended before they were stored. They are read \
             again.",
        ),
        |pipe, samples| samples.value(&[], pipe.totals.counters.given_back),
    ),
    (
        Family::gauge(
            "housepipe_identity_difference",
            &["pipe"],
            "Records read, less those loaded, rejected (as counted by code), in flight and given back, of the same moment. Anything but 0 is \
             a defect: records were lost or counted twice.",
        ),
        |pipe, samples| samples.value(&[], pipe.totals.identity_difference()),
    ),
    (
        Family::counter(
            "housepipe_read_bytes_total",
            &["pipe"],
            "Bytes of the values of records taken from Kafka.",
        ),
        |pipe, samples| samples.value(&[], pipe.totals.counters.bytes_read),
    ),
    (
        Family::counter(
            "housepipe_loaded_bytes_total",
            &["pipe"],
            "Bytes of acknowledged rows, as RowBinary.",
        ),
        |pipe, samples| samples.value(&[], pipe.totals.counters.bytes_loaded),
    ),
    (
        Family::histogram(
            "housepipe_end_to_end_latency_seconds",
            &["pipe"],
            "From the timestamp of a record to its acknowledged insert, for each loaded row.",
        ),
        |pipe, samples| samples.histogram(&[], &pipe.totals.tally.latency.times),
    ),
    (
        Family::counter(
            "housepipe_rows_without_latency_total",
            &["pipe", "reason"],
            "Loaded rows that the latency leaves out: no_timestamp, or future_timestamp where the timestamp was still to come. With the \
             latency's count they are all loaded rows.",
        ),
        |pipe, samples| {
            let latency = &pipe.totals.tally.latency;
            samples.value(&["no_timestamp"], latency.without_timestamp);
            samples.value(&["future_timestamp"], latency.of_the_future);
        },
    ),
    (Family::counter("housepipe_batches_total", &["pipe"], "Batches that are stored."), |pipe, samples| {
        samples.value(&[], pipe.totals.counters.batches);
    }),
    (
        Family::counter(
            "housepipe_inserts_total",
            &["pipe"],
            "Inserts that ClickHouse acknowledged, of rows and of rejects.",
        ),
        |pipe, samples| samples.value(&[], pipe.totals.counters.inserts),
    ),
    (
        Family::histogram(
            "housepipe_insert_rows",
            &["pipe"],
            "Rows of each acknowledged insert into the table.",
        ),
        |pipe, samples| samples.histogram(&[], &pipe.totals.tally.insert_rows),
    ),
    (
        Family::histogram(
            "housepipe_insert_duration_seconds",
            &["pipe"],
            "Time of each acknowledged insert into the table, from sending it to the answer.",
        ),
        |pipe, samples| samples.histogram(&[], &pipe.totals.tally.insert_time),
    ),
    (
        Family::counter(
            "housepipe_insert_retries_total",
            &["pipe", "code"],
            "Inserts, and questions before them, that failed and were tried again, by ClickHouse's error code; by http_ and a status, network, timed_out or other where \
             none came.",
        ),
        |pipe, samples| by_code(&pipe.totals.tally.retries_by_code, samples),
    ),
    (
        Family::counter(
            "housepipe_recoveries_total",
            &["pipe", "kind"],
            "What exactly-once delivery did because something had broken: range_replayed, range_prepared_again, range_looked_for or \
             membership_renewed.",
        ),
        |pipe, samples| {
            let recoveries = pipe.totals.counters.recoveries;
            samples.value(&["range_replayed"], recoveries.ranges_replayed);
            samples.value(&["range_prepared_again"], recoveries.ranges_prepared_again);
            samples.value(&["range_looked_for"], recoveries.ranges_looked_for);
            samples.value(&["membership_renewed"], recoveries.memberships_renewed);
        },
    ),
    (
        Family::counter(
            "housepipe_partition_moves_total",
            &["pipe", "move"],
            "Partitions that the consumer group gave to this process (assigned), took back with a hand-over (revoked), or without one \
             (lost).",
        ),
        |pipe, samples| {
            let moves = pipe.totals.tally.moves;
            samples.value(&["assigned"], moves.assigned);
            samples.value(&["revoked"], moves.revoked);
            samples.value(&["lost"], moves.lost);
        },
    ),
    (
        Family::gauge("housepipe_partitions", &["pipe"], "Partitions that this process reads."),
        |pipe, samples| of_run(pipe, |run| samples.value(&[], run.partitions.len() as u64)),
    ),
    (
        Family::gauge(
            "housepipe_partitions_stopped",
            &["pipe"],
            "Partitions of this process that are not read any more until somebody has looked at them.",
        ),
        |pipe, samples| of_run(pipe, |run| samples.value(&[], run.partitions_stopped)),
    ),
    (
        Family::gauge(
            "housepipe_lag_records",
            &["pipe"],
            "Records that are not stored yet, of the partitions that this process reads, together: those that are not read, and those in \
             flight. Absent until each end is known, and where this process has no partition.",
        ),
        |pipe, samples| {
            of_run(pipe, |run| {
                lag::records(&run.partitions).into_iter().for_each(|lag| samples.value(&[], lag));
            });
        },
    ),
    (
        Family::gauge(
            "housepipe_lag_seconds",
            &["pipe"],
            "Age of the oldest record that is not stored yet, of all partitions that this process reads; 0 where all are stored. Absent where \
             that is not known of a partition, and no other tells an age.",
        ),
        |pipe, samples| {
            of_run(pipe, |run| {
                lag::seconds(&run.partitions).into_iter().for_each(|lag| samples.value(&[], lag));
            });
        },
    ),
    (
        Family::gauge(
            "housepipe_partition_lag_records",
            &["pipe", "partition"],
            "Records of the partition that are not stored yet. Of a pipe with more than 128 partitions here, housepipe_lag_records alone is \
             told.",
        ),
        |pipe, samples| {
            each_partition(pipe, |number, partition| {
                partition.lag_records.into_iter().for_each(|lag| samples.value(&[number], lag));
            });
        },
    ),
    (
        Family::gauge(
            "housepipe_partition_lag_seconds",
            &["pipe", "partition"],
            "Age of the oldest record of the partition that is not stored yet; 0 where all are. Of a pipe with more than 128 partitions here, \
             housepipe_lag_seconds alone is told.",
        ),
        |pipe, samples| {
            each_partition(pipe, |number, partition| {
                partition.lag_seconds.into_iter().for_each(|lag| samples.value(&[number], lag));
            });
        },
    ),
    (
        Family::gauge(
            "housepipe_last_insert_timestamp_seconds",
            &["pipe"],
            "When this run of the pipe has stored a batch last, in seconds since 1970; absent before the first.",
        ),
        |pipe, samples| {
            of_run(pipe, |run| {
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                let at = run.last_insert_age_seconds.map(|age| now.as_secs_f64() - age);
                at.into_iter().for_each(|at| samples.value(&[], at));
            });
        },
    ),
    (
        Family::gauge(
            "housepipe_deduplication_window_blocks",
            &["pipe"],
            "Exactly once: blocks whose tokens the table with the smallest window remembers; absent where none can be seen.",
        ),
        |pipe, samples| {
            let blocks = pipe.run.as_ref().and_then(|run| run.horizon?.blocks);
            blocks.into_iter().for_each(|blocks| samples.value(&[], blocks));
        },
    ),
    (
        Family::gauge(
            "housepipe_deduplication_window_seconds",
            &["pipe"],
            "Exactly once: seconds for which the table with the smallest window remembers tokens; absent where only blocks count.",
        ),
        |pipe, samples| {
            let seconds = pipe.run.as_ref().and_then(|run| run.horizon?.seconds);
            seconds.into_iter().for_each(|seconds| samples.value(&[], seconds));
        },
    ),
    (
        Family::gauge(
            "housepipe_pending_age_seconds",
            &["pipe"],
            "Exactly once: seconds since the oldest range that is not known to be stored was prepared; 0 where there is none.",
        ),
        |pipe, samples| {
            let horizon = pipe.run.as_ref().and_then(|run| run.horizon);
            horizon.iter().for_each(|horizon| samples.value(&[], horizon.pending_age_seconds));
        },
    ),
    (
        Family::gauge(
            "housepipe_pending_horizon_used_ratio",
            &["pipe"],
            "Exactly once: how much of what is believed of the deduplication windows (half of each) a pending range has used up, at most, by \
             blocks or by seconds; of a Replicated table by seconds alone. From 1 on its token is not believed, and its partition stops or its \
             rows are looked for. Absent where blocks are not known.",
        ),
        |pipe, samples| {
            let horizon = pipe.run.as_ref().and_then(|run| run.horizon);
            let used = horizon.and_then(|horizon| horizon.used_ratio);
            used.into_iter().for_each(|used| samples.value(&[], used));
        },
    ),
];

fn by_code(counts: &BTreeMap<String, u64>, samples: &mut Samples<'_>) {
    counts.iter().for_each(|(code, count)| samples.value(&[code], *count));
}

fn of_run(pipe: &PipeMetrics, take: impl FnOnce(&RunMetrics)) {
    if let Some(run) = &pipe.run {
        take(run);
    }
}

fn each_partition(pipe: &PipeMetrics, mut take: impl FnMut(&str, &PartitionProgress)) {
    of_run(pipe, |run| {
        if run.partitions.len() <= PARTITIONS_SHOWN_MAX {
            run.partitions.iter().for_each(|partition| take(&partition.partition.to_string(), partition));
        }
    });
}

pub(super) fn families() -> impl Iterator<Item = &'static Family> {
    ALWAYS.iter().chain(&OF_RUNS).map(|(family, _)| family)
}

pub(super) fn write(pipes: &BTreeMap<String, PipeMetrics>, exposition: &mut Exposition) {
    let of =
        |exposition: &mut Exposition, (family, take): &(Family, Take), has_any: fn(&PipeMetrics) -> bool| {
            exposition.family(family, |samples| {
                for (name, pipe) in pipes.iter().filter(|(_, pipe)| has_any(pipe)) {
                    take(pipe, &mut samples.of(&[name.as_str()]));
                }
            });
        };
    ALWAYS.iter().for_each(|family| of(exposition, family, |_| true));
    OF_RUNS.iter().for_each(|family| of(exposition, family, PipeMetrics::has_run));
}

impl PipeMetrics {
    /// Whether it runs, or has run in this process.
    fn has_run(&self) -> bool {
        self.run.is_some() || self.totals != Default::default()
    }
}
