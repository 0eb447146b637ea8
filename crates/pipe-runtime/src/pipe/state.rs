//! The state of a pipe, as users see it.

use std::sync::{Mutex, PoisonError};

use serde::Serialize;

/// How far a pipe has come in its life; it only moves forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Reads and inserts.
    Running,
    /// Reads no more, settles what was read.
    Stopping,
    /// Drops what is not settled.
    Aborted,
}

/// What a pipe is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum PipeState {
    /// Waits for the consumer group to give it partitions.
    #[default]
    Joining,
    /// Reads and inserts.
    Running,
    /// An insert fails for a passing reason and is tried again; nothing is lost meanwhile.
    Retrying {
        /// What ClickHouse or the network said last.
        reason: String,
    },
    /// Something must be mended by a person; the pipe holds its records and tries again by itself.
    Misconfigured {
        /// What to mend.
        reason: String,
    },
    /// Settles what was read, then ends.
    Stopping,
}

impl PipeState {
    /// The state's name in a word.
    pub fn as_str(&self) -> &'static str {
        match self {
            PipeState::Joining => "joining",
            PipeState::Running => "running",
            PipeState::Retrying { .. } => "retrying",
            PipeState::Misconfigured { .. } => "misconfigured",
            PipeState::Stopping => "stopping",
        }
    }

    /// Why it is in this state, where there is a reason to tell.
    pub fn reason(&self) -> Option<&str> {
        match self {
            PipeState::Retrying { reason } | PipeState::Misconfigured { reason } => Some(reason),
            _ => None,
        }
    }
}

/// The state behind its lock; changes are logged once.
#[derive(Debug, Default)]
pub(super) struct StateCell(Mutex<PipeState>);

impl StateCell {
    pub(super) fn get(&self) -> PipeState {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets the state; a stopping pipe stays stopping unless something is wrong that a person should know of.
    pub(super) fn set(&self, next: PipeState) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *state == next || (*state == PipeState::Stopping && next == PipeState::Running) {
            return;
        }
        match &next {
            PipeState::Misconfigured { reason } => {
                tracing::error!(reason, "the pipe holds; mend this and it goes on");
            }
            PipeState::Retrying { reason } => tracing::warn!(reason, "an insert failed and is tried again"),
            other => tracing::info!(state = other.as_str(), "the pipe's state changed"),
        }
        *state = next;
    }
}
