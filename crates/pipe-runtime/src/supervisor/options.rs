//! How a supervisor runs its pipes.

use std::time::Duration;

use crate::pipe::RunOptions;

/// How a supervisor runs its pipes.
#[derive(Debug, Clone)]
pub struct SupervisorOptions {
    /// Memory for records and batches of all pipes together, in bytes. It is divided among those that run.
    pub memory_bytes_max: usize,
    /// How long there has to be four times as much memory for a pipe as it has, until it starts anew with that.
    pub left_over_after: Duration,
    /// How each of them runs. Its memory is the most that one pipe gets of the whole. [`RunOptions::until_caught_up`] is no use here: a pipe
    /// that has ended by itself is started again.
    pub pipe: RunOptions,
    /// Pipes that begin to start at the same time, at most; the others wait. Of those that were refused before, or whose ends
    /// have not answered another one, half as many. One whose ends do not answer within a second goes on, and lets the next one begin.
    pub starts_at_once_max: usize,
    /// Events that are kept for a receiver that does not take them.
    pub events_kept: usize,
}

impl Default for SupervisorOptions {
    fn default() -> Self {
        SupervisorOptions {
            memory_bytes_max: 1 << 30,
            left_over_after: Duration::from_secs(300),
            pipe: RunOptions::default(),
            starts_at_once_max: 8,
            events_kept: 1_024,
        }
    }
}
