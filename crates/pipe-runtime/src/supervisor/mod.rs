//! Many pipes in one process: each runs as is wanted of it, fails alone, and takes its share of memory.
//!
//! ```text
//! what is wanted ──► Lifecycle (lifecycle.rs, sans-IO) ──► start, stop, wait ──► Pipe ──► started, refused, ended ──┐
//!                        ▲                                (drive.rs)                                               │
//!                        └────────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! A supervisor is told what is wanted, again and again if need be, and keeps nothing: what has to outlive the process is kept by whoever
//! tells it. A pipe that rests is an entry in a map; tasks, threads and connections belong to those that run.

mod division;
mod drive;
mod entry;
mod lifecycle;
mod options;
mod starts;
mod status;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::broadcast;

pub use lifecycle::Generation;
pub use options::SupervisorOptions;
pub use status::{PipeEvent, PipeId, PipeStatus, Stage};

use crate::metrics::PipeMetrics;
use crate::pipe_file::PipeFile;
use drive::Inner;

/// What is wanted of a pipe.
#[derive(Debug, Clone)]
pub enum Intent {
    /// It runs, as the file says.
    Run(Arc<PipeFile>),
    /// It rests: what it has read is stored, and nothing more is read.
    Rest,
}

/// Runs pipes until it is told otherwise.
///
/// Each has an id of the caller's choice, and a [`Generation`] that the caller counts up: with each new definition, and with each wish to try
/// again. A running pipe goes on with a new definition at once where it [can](PipeFile::can_become), and otherwise once it has stored what it
/// has read. A pipe that cannot start is tried again by itself, after 1 s at first
/// and after a minute at most; one that has failed while it ran stays so until a higher generation is wanted.
///
/// ```no_run
/// use housepipe_runtime::{Generation, PipeFile, PipeId, Supervisor, SupervisorOptions};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let supervisor = Supervisor::new(SupervisorOptions::default());
/// let mut events = supervisor.events();
/// let clicks = PipeId::from("clicks");
/// supervisor.run(&clicks, Generation::of(1), PipeFile::read("clicks.yaml".as_ref())?);
/// while let Ok(event) = events.recv().await {
///     println!("{}: {}", event.pipe, event.stage);
/// }
/// supervisor.end().await;
/// # Ok(()) }
/// ```
///
/// One that is dropped tells its pipes to stop and does not wait for it; [`Supervisor::end`] does.
#[derive(Debug)]
pub struct Supervisor {
    inner: Arc<Inner>,
}

impl Supervisor {
    /// One without pipes. Must be called within a tokio runtime with time and IO, on which its pipes run as well.
    pub fn new(options: SupervisorOptions) -> Supervisor {
        let inner = Inner::new(options);
        drive::watch_states(&inner);
        Supervisor { inner }
    }

    /// Has the pipe run as `file` says. Of an earlier generation than was told before it is ignored.
    pub fn run(&self, pipe: &PipeId, generation: Generation, file: PipeFile) {
        self.apply([(pipe.clone(), generation, Intent::Run(Arc::new(file)))]);
    }

    /// Has the pipe rest. Of an earlier generation than was told before it is ignored.
    pub fn rest(&self, pipe: &PipeId, generation: Generation) {
        self.apply([(pipe.clone(), generation, Intent::Rest)]);
    }

    /// Tells what is wanted of several pipes at once, so that they start with the shares that they can keep.
    pub fn apply(&self, intents: impl IntoIterator<Item = (PipeId, Generation, Intent)>) {
        self.inner.apply(intents);
    }

    /// Has the pipe rest, waits until it does, and forgets it. One that is not known is forgotten already.
    pub async fn remove(&self, pipe: &PipeId) {
        self.inner.remove(pipe).await;
    }

    /// How a pipe stands.
    pub fn status(&self, pipe: &PipeId) -> Option<PipeStatus> {
        self.inner.lock().pipes.get(pipe).map(entry::Entry::status)
    }

    /// How all of them stand.
    pub fn statuses(&self) -> BTreeMap<PipeId, PipeStatus> {
        let state = self.inner.lock();
        state.pipes.iter().map(|(pipe, entry)| (pipe.clone(), entry.status())).collect()
    }

    /// All of them in numbers; see [`metrics::write`](crate::metrics::write()).
    pub fn metrics(&self) -> BTreeMap<PipeId, PipeMetrics> {
        let state = self.inner.lock();
        state.pipes.iter().map(|(pipe, entry)| (pipe.clone(), entry.metrics())).collect()
    }

    /// Memory for records and batches of all pipes together, in bytes.
    pub fn memory_bytes_max(&self) -> usize {
        self.inner.memory_bytes_max()
    }

    /// What happens to the pipes from now on. A receiver that falls behind by more than [`SupervisorOptions::events_kept`] is told so, and
    /// looks at [`Supervisor::statuses`].
    pub fn events(&self) -> broadcast::Receiver<PipeEvent> {
        self.inner.events.subscribe()
    }

    /// Has all pipes rest, and waits until they do: as long as [`RunOptions::stop_deadline_ms`](crate::RunOptions::stop_deadline_ms) says.
    /// Those that are about to start do not. What is wanted afterwards is ignored.
    pub async fn end(&self) {
        self.inner.end().await;
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.inner.tell_all_to_rest();
    }
}
