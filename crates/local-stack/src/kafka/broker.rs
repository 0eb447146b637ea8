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
pub(super) const STOP_MAX: Duration = Duration::from_secs(20);

/// A broker of our own, one of those of a [`Kafka`](super::Kafka). Dropping it kills the process and removes its folder.
#[derive(Debug)]
pub struct Broker {
    id: u16,
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
        id: u16,
        run: RunFolder,
        python: &Path,
        launch: Launch,
        port: u16,
        cluster_id: String,
    ) -> Result<Self> {
        let mut keeper = Keeper::new(SERVER, python, run, &[])?;
        keeper.start(&launch)?;
        Ok(Self { id, keeper: Mutex::new(keeper), launch, port, cluster_id })
    }

    fn keeper(&self) -> MutexGuard<'_, Keeper> {
        // A panic elsewhere leaves the keeper as usable as before.
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its number in the cluster, from 1.
    #[must_use]
    pub fn id(&self) -> u16 {
        self.id
    }

    /// The port of its plain listener.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Process id; `None` where it does not run.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
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

    /// Waits until it answers, and not another one that took its port, and is one of its cluster again, where every
    /// partition has a leader.
    ///
    /// # Errors
    /// [`StackError::Ended`] where it has ended, [`StackError::NotReady`] at the deadline.
    pub fn wait_ready(&self, deadline: Instant) -> Result<()> {
        let began = Instant::now();
        let mut last = String::new();
        let ready = wait::until(deadline, || {
            match wire::check_ready(self.port, self.id, &self.cluster_id) {
                Ok(()) => return Some(Ok(())),
                Err(reason) => last = reason.to_string(),
            }
            self.keeper().check_alive().err().map(Err)
        });
        ready.unwrap_or_else(|| {
            Err(StackError::NotReady { server: SERVER, waited: began.elapsed(), last, tail: self.log_tail() })
        })
    }

    /// SIGTERM: it hands over what it leads and ends; SIGKILL where it does not in time. Its folder stays.
    ///
    /// # Errors
    /// [`StackError::Keeper`] where it cannot be ended.
    pub fn stop(&self) -> Result<()> {
        self.terminate();
        self.wait_end(Instant::now() + STOP_MAX).map(drop)
    }

    /// SIGTERM. Where that cannot be sent, [`Broker::wait_end`] ends it by other means.
    pub(super) fn terminate(&self) {
        let mut keeper = self.keeper();
        if keeper.pid().is_some() {
            let _ = keeper.signal(Signal::Terminate);
        }
    }

    /// Waits for the end of a broker that was told to, and kills it at the deadline; whether it ended by itself.
    pub(super) fn wait_end(&self, deadline: Instant) -> Result<bool> {
        let mut keeper = self.keeper();
        let ended = keeper.wait_exit(deadline);
        keeper.kill()?;
        Ok(ended)
    }

    /// SIGKILL, and wait until the process is gone. Its folder stays.
    ///
    /// # Errors
    /// [`StackError::Keeper`] where it cannot be ended.
    pub fn kill(&self) -> Result<()> {
        self.keeper().kill()
    }

    /// Kills it where it runs, starts it again on the same data and ports, and waits until it is ready: after a kill
    /// four to five seconds, since its old session has to end first.
    ///
    /// # Errors
    /// As [`Broker::wait_ready`]; [`StackError::Keeper`] where it cannot be started.
    pub fn restart(&self) -> Result<()> {
        self.start_again()?;
        self.wait_ready(Instant::now() + READY_MAX)
    }

    /// As [`Broker::restart`], and does not wait.
    pub(super) fn start_again(&self) -> Result<()> {
        let mut keeper = self.keeper();
        keeper.kill()?;
        keeper.start(&self.launch).map(drop)
    }

    /// SIGSTOP: it keeps its ports and answers nothing.
    ///
    /// # Errors
    /// [`StackError::Keeper`] where it does not run.
    pub fn freeze(&self) -> Result<()> {
        self.keeper().signal(Signal::Stop)
    }

    /// SIGCONT: undoes [`Broker::freeze`].
    ///
    /// # Errors
    /// As [`Broker::freeze`].
    pub fn thaw(&self) -> Result<()> {
        self.keeper().signal(Signal::Continue)
    }
}
