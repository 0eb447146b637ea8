//! How a supervised pipe stands, in the words that users see.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Serialize, Serializer};

use super::lifecycle::Generation;
use crate::pipe::{Counters, PipeState};
use crate::summary::Snapshot;

/// The id of a supervised pipe, of its caller's choice.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PipeId(Arc<str>);

impl PipeId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for PipeId {
    fn from(id: &str) -> PipeId {
        PipeId(id.into())
    }
}

impl fmt::Display for PipeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for PipeId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// How far a pipe has come in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Rests, since that is wanted.
    Paused,
    /// Looks at both ends and creates what is missing; or waits for memory that other pipes hold, which the reason says.
    Provisioning,
    /// Is in the consumer group, reads and inserts. With a reason where something fails for a passing cause and is tried again.
    Running,
    /// Stores what it has read, to rest or to go on as it was edited.
    Stopping,
    /// A person must mend something; it holds what it has, or has not started, and tries again by itself.
    Misconfigured,
    /// Has ended with its offsets kept, and stays so until somebody resumes it.
    Failed,
}

impl Stage {
    /// All of them.
    pub const ALL: [Stage; 6] = [
        Stage::Provisioning,
        Stage::Running,
        Stage::Stopping,
        Stage::Paused,
        Stage::Misconfigured,
        Stage::Failed,
    ];

    /// The stage of a pipe that has started.
    pub(crate) fn of_run(state: &PipeState) -> Stage {
        match state {
            PipeState::Misconfigured { .. } => Stage::Misconfigured,
            PipeState::Stopping => Stage::Stopping,
            PipeState::Joining | PipeState::Running | PipeState::Retrying { .. } => Stage::Running,
        }
    }

    /// The stage in a word, as it is serialised.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Paused => "paused",
            Stage::Provisioning => "provisioning",
            Stage::Running => "running",
            Stage::Stopping => "stopping",
            Stage::Misconfigured => "misconfigured",
            Stage::Failed => "failed",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a pipe stands at one moment.
#[derive(Debug, Clone, Serialize)]
pub struct PipeStatus {
    /// How far it has come.
    pub stage: Stage,
    /// Why, where there is a reason to tell.
    pub reason: Option<String>,
    /// Since when it is in this stage, for this reason.
    #[serde(skip)]
    pub since: SystemTime,
    /// Which definition is wanted of it at this moment.
    pub definition: u64,
    /// Starts that were refused in a row.
    pub tries: u32,
    /// Counts over all its runs in this process.
    pub counters: Counters,
    /// How it runs; absent where it does not.
    pub run: Option<Snapshot>,
}

/// Something that happened to a pipe.
#[derive(Debug, Clone)]
pub struct PipeEvent {
    /// Which pipe.
    pub pipe: PipeId,
    /// When.
    pub at: SystemTime,
    /// How far it has come by it.
    pub stage: Stage,
    /// Why, where there is a reason to tell.
    pub reason: Option<String>,
    /// The generation that is wanted at that moment.
    pub generation: Generation,
}
