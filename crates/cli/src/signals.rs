//! Ctrl-C and SIGTERM.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

/// Counts the wishes to end: the first asks for a graceful stop, the second for an end at once.
#[derive(Clone)]
pub(crate) struct Stops {
    count: Arc<AtomicU32>,
    changed: Arc<Notify>,
}

impl Stops {
    /// Listens for SIGINT and SIGTERM from now on.
    pub(crate) fn listen() -> std::io::Result<Stops> {
        let stops = Stops { count: Arc::default(), changed: Arc::default() };
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let heard = stops.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                heard.count.fetch_add(1, Ordering::AcqRel);
                heard.changed.notify_waiters();
            }
        });
        Ok(stops)
    }

    /// Waits until `times` wishes were heard since the start.
    pub(crate) async fn heard(&self, times: u32) {
        loop {
            let changed = self.changed.notified();
            if self.count.load(Ordering::Acquire) >= times {
                return;
            }
            changed.await;
        }
    }
}
