//! How a running pipe stands, for metrics.

use std::collections::BTreeMap;

use super::PipeHandle;
use super::progress::PartitionProgress;
use super::shared::Shared;
use super::tally::Totals;
use super::windows::{TokenWindow, Windows};
use crate::delivery::{Moment, Pending};
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
    /// How much of what is believed of the windows a range has used up, at most; at 1 and more its token is not believed any more.
    /// Absent where that depends on blocks that are not known, as after a table was made anew.
    pub used_ratio: Option<f64>,
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
    let pending = shared.deliveries.as_ref()?.pending();
    let (now, windows) = (shared.now(), shared.windows());
    let used: Vec<Option<f64>> = pending.iter().flat_map(|pending| used(&windows, now, pending)).collect();
    Some(Horizon {
        blocks: windows.all.iter().filter_map(|window| window.blocks).min(),
        seconds: windows.all.iter().filter_map(|window| window.seconds).min(),
        pending_age_seconds: pending
            .iter()
            .map(|pending| now.seconds_to(pending.prepared))
            .max()
            .unwrap_or(0),
        used_ratio: highest(&used),
    })
}

/// How much of each window that a range depends on is used up, where it is known.
fn used(windows: &Windows, now: Moment, pending: &Pending) -> Vec<Option<f64>> {
    let since = pending.prepared;
    let (seconds, blocks) = (now.seconds_to(since), now.blocks.zip(since.blocks));
    let then = windows.changed_since(since.windows);
    // One without rejects puts nothing into the error table.
    let of_range = windows.all.iter().filter(|window| pending.rejects > 0 || !window.is_of_errors);
    let used = |window: &TokenWindow| {
        let counted = blocks.filter(|_| window.is_counted()).and_then(|(now, then)| {
            if window.is_of_errors { now.others_since(then) } else { now.rows_since(then) }
        });
        window.used(counted, seconds, then)
    };
    of_range.map(used).collect()
}

/// The highest of them. Where one is not known it may be higher than all others, so that only one that is used up says enough.
fn highest(used: &[Option<f64>]) -> Option<f64> {
    let highest = used.iter().flatten().copied().fold(0.0, f64::max);
    (highest >= 1.0 || used.iter().all(Option::is_some)).then_some(highest)
}

#[cfg(test)]
mod tests {
    use housepipe_ch_sink::{BlockMark, TableName, TablesMark};

    use housepipe_kafka_source::Offset;

    use super::*;
    use crate::delivery::Cut;

    #[test]
    fn a_range_uses_up_the_windows_that_it_depends_on() {
        let window = |table: &str, is_of_errors| TokenWindow {
            table: TableName { database: "d".to_owned(), table: table.to_owned() },
            blocks: Some(100),
            seconds: None,
            is_of_errors,
        };
        let windows = Windows { all: vec![window("t", false), window("e", true)], feeds_others: false };
        let mark = |number| Some(BlockMark::new(TablesMark { tables: 1, number }, None));
        let prepared = Moment { unix_s: 100, blocks: mark(7), windows: windows.mark(), ..Moment::default() };
        let range = |rejects, prepared| Pending {
            end: Offset(9),
            rows: 9,
            rejects,
            plan: 1,
            cut: Cut::Size,
            attempt: 0,
            prepared,
            renewed_unix_s: None,
        };
        let now = Moment { unix_s: 160, blocks: mark(32), ..Moment::default() };
        assert_eq!(
            used(&windows, now, &range(0, prepared)),
            [Some(0.5)],
            "the error table gets nothing of it"
        );
        assert_eq!(used(&windows, now, &range(1, prepared)), [Some(0.5), Some(0.5)]);
        let unknown = Moment { blocks: None, ..prepared };
        assert_eq!(used(&windows, now, &range(0, unknown)), [None]);
        let smaller = Windows {
            all: vec![TokenWindow { blocks: Some(25), ..window("t", false) }],
            feeds_others: false,
        };
        let prepared = Moment { windows: smaller.mark(), ..prepared };
        assert_eq!(used(&windows, now, &range(0, prepared)), [Some(25.0 / 12.0)], "as large as it was then");
    }

    #[test]
    fn what_is_not_known_is_not_taken_for_nothing() {
        assert_eq!(highest(&[]), Some(0.0), "no range is pending");
        assert_eq!(highest(&[Some(0.2), Some(0.5)]), Some(0.5));
        assert_eq!(highest(&[Some(0.2), None]), None);
        assert_eq!(highest(&[Some(1.5), None]), Some(1.5));
    }
}
