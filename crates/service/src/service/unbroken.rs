//! What goes on where nobody waits for it any more, and what the end of the process waits for.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

/// Time that the end of a service gives them, in seconds.
const END_S_MAX: u64 = 5;

/// Tasks of a service that use its store.
#[derive(Debug)]
pub(crate) struct Unbroken {
    /// None once the service has ended.
    tasks: Mutex<Option<JoinSet<()>>>,
    ends: watch::Sender<bool>,
}

impl Unbroken {
    pub(super) fn new() -> Unbroken {
        Unbroken { tasks: Mutex::new(Some(JoinSet::new())), ends: watch::Sender::new(false) }
    }

    /// Begins `task`; whether it did, which it does not once the service ends. Must be called within a tokio runtime.
    pub(crate) fn begin(&self, task: impl Future<Output = ()> + Send + 'static) -> bool {
        let mut tasks = self.lock();
        let Some(tasks) = tasks.as_mut() else { return false };
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
        true
    }

    /// Returns once the service ends: what waits for a moment has to do it now.
    pub(crate) fn ending(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut ends = self.ends.subscribe();
        async move {
            // Where the sender is gone, so is the service.
            let _ = ends.wait_for(|ends| *ends).await;
        }
    }

    /// Begins no further ones, and waits for those that there are; what takes too long is cut off.
    pub(super) async fn end(&self) {
        self.ends.send_replace(true);
        let Some(mut tasks) = self.lock().take() else { return };
        let all = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(Duration::from_secs(END_S_MAX), all).await.is_err() {
            tracing::warn!(calls = tasks.len(), "calls did not end within {END_S_MAX} s, and are cut off");
            tasks.shutdown().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<JoinSet<()>>> {
        // Nothing that panics is done with the lock held.
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_end_waits_for_what_ends_and_not_for_what_does_not() {
        for (task_s, end_s) in [(1, 1), (END_S_MAX - 1, END_S_MAX - 1), (3_600, END_S_MAX)] {
            let (unbroken, begun) = (Unbroken::new(), Instant::now());
            assert!(unbroken.begin(tokio::time::sleep(Duration::from_secs(task_s))));
            unbroken.end().await;
            assert_eq!(begun.elapsed().as_secs(), end_s);
            assert!(!unbroken.begin(async {}), "it has ended");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_for_a_moment_hears_of_the_end() {
        let (unbroken, begun) = (Unbroken::new(), Instant::now());
        let ending = unbroken.ending();
        unbroken.begin(async move {
            tokio::select! {
                () = ending => {}
                () = tokio::time::sleep(Duration::from_secs(3)) => {}
            }
        });
        unbroken.end().await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}
