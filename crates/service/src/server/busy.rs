//! Whether a connection is used: calls that are under way, until the last byte of their answers is handed over.
//!
//! The timeouts of HTTP begin with the first byte of a request, and a connection that sends none would be kept for ever.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use hyper::body::{Frame, SizeHint};
use tokio::time::Instant;

/// The calls of one connection.
#[derive(Debug)]
pub(super) struct Calls(Mutex<Since>);

#[derive(Debug)]
struct Since {
    under_way: usize,
    /// When the last one ended; at first, when the connection began.
    quiet: Instant,
}

/// A call that is under way for as long as this lives.
#[derive(Debug)]
pub(super) struct Busy(Arc<Calls>);

impl Calls {
    pub(super) fn new() -> Arc<Calls> {
        Arc::new(Calls(Mutex::new(Since { under_way: 0, quiet: Instant::now() })))
    }

    pub(super) fn begin(self: &Arc<Self>) -> Busy {
        self.lock().under_way += 1;
        Busy(Arc::clone(self))
    }

    /// Returns once no call has been under way for so long.
    pub(super) async fn idle_for(&self, time: Duration) {
        loop {
            let left = {
                let since = self.lock();
                let quiet = if since.under_way == 0 { since.quiet.elapsed() } else { Duration::ZERO };
                time.saturating_sub(quiet)
            };
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Since> {
        // Each change is of numbers, and whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut since = self.0.lock();
        since.under_way -= 1;
        since.quiet = Instant::now();
    }
}

impl Busy {
    /// The same body, with which the call ends.
    pub(super) fn until_sent(self, body: Body) -> Body {
        Body::new(Sent { body, _busy: self })
    }
}

/// A body, and the call that it is of.
struct Sent {
    body: Body,
    _busy: Busy,
}

impl hyper::body::Body for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
