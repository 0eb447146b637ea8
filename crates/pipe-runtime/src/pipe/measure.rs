//! How a running pipe stands, for metrics.

use std::collections::BTreeMap;

use super::PipeHandle;
use super::progress::PartitionProgress;
use super::shared::Shared;
use super::tally::Totals;
use crate::metrics::PipeMetrics;
use crate::supervisor::Stage;

/// How a run of a pipe stands at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct RunMetrics {
    /// The partitions that this process reads.
    pub partitions: Vec<PartitionProgress>,
    /// Of these, those that have stopped for a reason that a person must look at.
    pub partitions_stopped: u64,
    /// Seconds since the last acknowledged batch; absent before the first.
    pub last_insert_age_seconds: Option<f64>,
    /// In exactly-once mode, how long the tables remember tokens.
    pub horizon: Option<Horizon>,
}

/// For how long the tables of an exactly-once pipe remember the tokens of inserts, and how much of that is used.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct Horizon {
    /// Blocks that the table with the smallest window remembers; absent where no window counts blocks, or none can be seen.
    pub blocks: Option<u64>,
    /// Seconds that the table with the smallest window remembers; absent where only blocks count.
    pub seconds: Option<u64>,
    /// Seconds since the oldest range that is not known to be stored was prepared; 0 where there is none.
    pub pending_age_seconds: u64,
    /// How much of what is believed of the windows that range has used up; at 1 and more its token is not believed any more.
    pub used_ratio: f64,
}

impl PipeHandle {
    /// This run in numbers, by the pipe's name; see [`metrics::write`](crate::metrics::write()).
    pub fn pipe_metrics(&self) -> BTreeMap<String, PipeMetrics> {
        let (totals, run) = self.metrics();
        let stage = Stage::of_run(&self.state());
        let memory_bytes = self.memory_bytes_max as u64;
        let metrics = PipeMetrics { stage, totals, memory_bytes, run: Some(run) };
        BTreeMap::from([(self.name.clone(), metrics)])
    }

    /// Everything that was counted, as of one moment, and how the run stands.
    pub(crate) fn metrics(&self) -> (Totals, RunMetrics) {
        // Before the counters: whoever holds its lock may wait for theirs.
        let horizon = horizon(&self.shared);
        let progress = self.shared.progress.lock();
        let run = RunMetrics {
            partitions: progress.partitions(),
            partitions_stopped: progress.halted.len() as u64,
            last_insert_age_seconds: progress.last_insert.map(|at| at.elapsed().as_secs_f64()),
            horizon,
        };
        (progress.totals(), run)
    }

    /// Everything that was counted, as of one moment.
    pub(crate) fn totals(&self) -> Totals {
        self.shared.progress.lock().totals()
    }
}

fn horizon(shared: &Shared) -> Option<Horizon> {
    let pending = shared.deliveries.as_ref()?.pending_since();
    let (now, windows) = (shared.now(), shared.windows());
    let used = pending.iter().flat_map(|since| {
        let seconds = now.seconds_to(*since);
        let blocks = now.blocks.zip(since.blocks);
        windows.all.iter().map(move |window| {
            let counted = blocks.filter(|_| window.is_counted()).and_then(|(now, then)| {
                if window.is_of_errors { now.others_since(then) } else { now.rows_since(then) }
            });
            window.used(counted, seconds)
        })
    });
    Some(Horizon {
        blocks: windows.all.iter().filter_map(|window| window.blocks).min(),
        seconds: windows.all.iter().filter_map(|window| window.seconds).min(),
        pending_age_seconds: pending.iter().map(|since| now.seconds_to(*since)).max().unwrap_or(0),
        used_ratio: used.fold(0.0, f64::max),
    })
}
