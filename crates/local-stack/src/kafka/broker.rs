//! One broker: a process of Kafka, with a keeper and a folder of its own.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{SERVER, wire};
use crate::error::{Result, StackError};
use crate::keeper::{Keeper, Launch, Signal};
use crate::run_folder::RunFolder;
use crate::wait;

/// A start takes about a second, one after a kill five; a machine under load gets this long.
pub(super) const READY_MAX: Duration = Duration::from_secs(90);
/// A stop in order takes about a second; then the broker is killed, which it survives without loss.
const STOP_MAX: Duration = Duration::from_secs(20);

/// A broker of our own. Dropping it kills the process and removes its folder.
#[derive(Debug)]
pub(super) struct Broker {
    keeper: Mutex<Keeper>,
    launch: Launch,
    /// Of the plain listener.
    port: u16,
    /// The id of the cluster, which the broker tells everyone who asks for metadata.
    cluster_id: String,
}

impl Broker {
    /// Starts the process in `run`, whose files are written; [`Broker::wait_ready`] waits for it.
    pub(super) fn start(
        run: RunFolder,
        python: &Path,
        launch: Launch,
        port: u16,
        cluster_id: String,
    ) -> Result<Self> {
        let mut keeper = Keeper::new(SERVER, python, run, &[])?;
        keeper.start(&launch)?;
        Ok(Self { keeper: Mutex::new(keeper), launch, port, cluster_id })
    }

    fn keeper(&self) -> MutexGuard<'_, Keeper> {
        // A panic elsewhere leaves the keeper as usable as before.
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The port of its plain listener.
    #[cfg(test)]
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Process id; `None` where it does not run.
    pub(super) fn pid(&self) -> Option<u32> {
        self.keeper().pid()
    }

    /// The last lines of its log.
    pub(super) fn log_tail(&self) -> String {
        self.keeper().log_tail()
    }

    /// Tells a port that was taken from other reasons of a start that failed.
    pub(super) fn explain(&self, error: StackError) -> StackError {
        self.keeper().explain(error)
    }

    /// Waits until it answers, and not another one that took its port, and every partition has a leader.
    pub(super) fn wait_ready(&self, deadline: Instant) -> Result<()> {
        let began = Instant::now();
        let mut last = String::new();
        let ready = wait::until(deadline, || {
            match wire::ask(self.port, &self.cluster_id) {
                Ok(()) => return Some(Ok(())),
                Err(reason) => last = reason.to_string(),
            }
            self.keeper().check_alive().err().map(Err)
        });
        ready.unwrap_or_else(|| {
            Err(StackError::NotReady { server: SERVER, waited: began.elapsed(), last, tail: self.log_tail() })
        })
    }

    /// SIGTERM, and SIGKILL where that does not end it in time. Its folder stays.
    pub(super) fn stop(&self) -> Result<()> {
        self.stop_until(Instant::now() + STOP_MAX).map(drop)
    }

    /// Whether it ended by itself, and had not to be killed.
    pub(super) fn stop_until(&self, deadline: Instant) -> Result<bool> {
        let mut keeper = self.keeper();
        if keeper.pid().is_none() {
            return Ok(true);
        }
        if keeper.signal(Signal::Terminate).is_err() || !keeper.wait_exit(deadline) {
            keeper.kill()?;
            return Ok(false);
        }
        Ok(true)
    }

    /// SIGKILL, and wait until the process is gone. Its folder stays.
    pub(super) fn kill(&self) -> Result<()> {
        self.keeper().kill()
    }

    /// Kills it where it runs, and starts it again on the same data and ports; does not wait until it is ready.
    pub(super) fn start_again(&self) -> Result<()> {
        let mut keeper = self.keeper();
        keeper.kill()?;
        keeper.start(&self.launch).map(drop)
    }

    /// SIGSTOP: it keeps its ports and answers nothing.
    pub(super) fn freeze(&self) -> Result<()> {
        self.keeper().signal(Signal::Stop)
    }

    /// SIGCONT: undoes [`Broker::freeze`].
    pub(super) fn thaw(&self) -> Result<()> {
        self.keeper().signal(Signal::Continue)
    }
}
