//! The state of a pipe, as users see it.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use super::system_log::{SystemCode, SystemLog};

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
    /// An insert, or a question to the source or the schema registry, fails for a passing reason and is tried again; nothing is lost
    /// meanwhile.
    Retrying {
        /// What was said last.
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

/// The state behind its lock; changes are logged once, and told to the error table.
#[derive(Debug)]
pub(super) struct StateCell {
    state: Mutex<PipeState>,
    system_log: Arc<SystemLog>,
}

impl StateCell {
    pub(super) fn new(system_log: Arc<SystemLog>) -> StateCell {
        StateCell { state: Mutex::default(), system_log }
    }

    pub(super) fn get(&self) -> PipeState {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets the state; a stopping pipe stays stopping unless something is wrong that a person should know of.
    pub(super) fn set(&self, next: PipeState) {
        if let PipeState::Retrying { reason } = &next {
            self.system_log.destination_fails(reason);
        }
        self.set_beside(next);
    }

    /// The same, for what is not the destination's.
    pub(super) fn set_beside(&self, next: PipeState) {
        if let Some(PipeState::Misconfigured { reason }) = self.show(next) {
            let message = format!("the pipe holds; mend this and it goes on: {reason}");
            self.system_log.tell(SystemCode::PipeHolds, &message);
        }
    }

    /// The same, for what the error table is told otherwise. Returns the state where it is news.
    pub(super) fn show(&self, next: PipeState) -> Option<PipeState> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if *state == next || (*state == PipeState::Stopping && next == PipeState::Running) {
            return None;
        }
        match &next {
            PipeState::Misconfigured { reason } => {
                tracing::error!(reason, "the pipe holds; mend this and it goes on");
            }
            PipeState::Retrying { reason } => tracing::warn!(reason, "something failed and is tried again"),
            other => tracing::info!(state = other.as_str(), "the pipe's state changed"),
        }
        state.clone_from(&next);
        Some(next)
    }
}
