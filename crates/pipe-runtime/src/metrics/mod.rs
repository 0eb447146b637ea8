//! Metrics of pipes and of the process, for Prometheus and whatever reads its formats.
//!
//! Nothing is registered anywhere: what was counted is taken from the pipes at the moment in which somebody asks, all of one pipe under
//! one lock, and written by two tables of [families](Family), which the reference in `docs/metrics.md` is made from as well.
//!
//! ```
//! use std::collections::BTreeMap;
//! use housepipe_runtime::metrics::{Exposition, Format, PipeMetrics, ProcessMetrics, write};
//!
//! let pipes = BTreeMap::from([("clicks".to_owned(), PipeMetrics::default())]);
//! let mut exposition = Exposition::new(Format::Text);
//! write(&pipes, &ProcessMetrics::now(), &mut exposition);
//! assert!(exposition.finish().contains("housepipe_pipe_stage{pipe=\"clicks\",stage=\"paused\"} 1\n"));
//! ```

mod exposition;
mod family;
mod histogram;
mod of_pipe;
mod of_process;

use std::collections::BTreeMap;
use std::time::SystemTime;

pub use exposition::{Exposition, Format, Number, Samples};
pub use family::{Family, Kind};
pub use histogram::{Histogram, INSERT_ROWS, INSERT_US, LATENCY_MS, Scale};

pub use crate::pipe::{Horizon, Latency, Moves, RunMetrics, Tally, Totals};
use crate::supervisor::Stage;

/// How one pipe stands, in numbers that agree with each other.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PipeMetrics {
    /// How far it has come.
    pub stage: Stage,
    /// What was counted over all its runs in this process, none of which ever goes down.
    pub totals: Totals,
    /// Memory for records and batches that it may use at this moment, in bytes.
    pub memory_bytes: u64,
    /// How it runs; absent where it does not.
    pub run: Option<RunMetrics>,
}

impl Default for PipeMetrics {
    /// A pipe that rests, and has done nothing yet.
    fn default() -> PipeMetrics {
        PipeMetrics { stage: Stage::Paused, totals: Totals::default(), memory_bytes: 0, run: None }
    }
}

/// How the process stands.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct ProcessMetrics {
    /// When it was started.
    pub started: SystemTime,
    /// CPU time of all threads, in seconds.
    pub cpu_seconds: f64,
    /// Memory that it holds, in bytes; absent where the system does not tell.
    pub resident_bytes: Option<u64>,
    /// Memory for records and batches of all pipes together, in bytes; absent where nothing says so.
    pub memory_bytes: Option<u64>,
}

impl ProcessMetrics {
    /// This process at this moment.
    pub fn now() -> ProcessMetrics {
        ProcessMetrics {
            started: crate::usage::started(),
            cpu_seconds: crate::usage::of_this_process().cpu_seconds,
            resident_bytes: crate::usage::resident_bytes(),
            memory_bytes: None,
        }
    }
}

/// Writes the metrics of pipes, by their names, and of the process.
pub fn write(pipes: &BTreeMap<String, PipeMetrics>, process: &ProcessMetrics, exposition: &mut Exposition) {
    of_process::write(pipes, process, exposition);
    of_pipe::write(pipes, exposition);
}

/// All families that [`write()`] writes, in its order.
pub fn families() -> impl Iterator<Item = &'static Family> {
    of_process::families().chain(of_pipe::families())
}

#[cfg(test)]
mod tests;
