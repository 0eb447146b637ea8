//! Whether a connection is used: calls that are under way, where it is the service's turn.
//!
//! The timeouts of HTTP begin with the first byte of a request, and a connection that sends none would be kept for ever. So would one that takes
//! nothing of an answer: HTTP/2 asks for the body once the peer has room for it, and a peer may say that it never has. So a call is the service's until
//! it hands something over, and then the peer's until something is asked for again.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use hyper::body::{Frame, SizeHint};
use tokio::time::Instant;

/// Bytes of an answer that are handed over at once, at most (64 KiB): whoever takes a large one slowly is seen to take it.
const PIECE_BYTES_MAX: usize = 64 << 10;

/// The calls of one connection.
#[derive(Debug)]
pub(super) struct Calls(Mutex<Since>);

#[derive(Debug)]
struct Since {
    /// Calls in which it is the service's turn.
    under_way: usize,
    /// When the peer's turn began, or the last call ended; at first, when the connection began.
    quiet: Instant,
}

/// A call for as long as this lives.
#[derive(Debug)]
pub(super) struct Busy {
    calls: Arc<Calls>,
    /// Whether it is the service's turn.
    is_ours: bool,
}

impl Calls {
    pub(super) fn new() -> Arc<Calls> {
        Arc::new(Calls(Mutex::new(Since { under_way: 0, quiet: Instant::now() })))
    }

    pub(super) fn begin(self: &Arc<Self>) -> Busy {
        self.lock().under_way += 1;
        Busy { calls: Arc::clone(self), is_ours: true }
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

impl Busy {
    /// The same body, with which the call ends.
    pub(super) fn until_sent(mut self, body: Body) -> Body {
        self.turn_to_peer();
        Body::new(Sent { body, rest: Bytes::new(), busy: self })
    }

    fn turn_to_peer(&mut self) {
        if std::mem::take(&mut self.is_ours) {
            let mut since = self.calls.lock();
            since.under_way -= 1;
            since.quiet = Instant::now();
        }
    }

    fn turn_to_us(&mut self) {
        if !std::mem::replace(&mut self.is_ours, true) {
            self.calls.lock().under_way += 1;
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.turn_to_peer();
        self.calls.lock().quiet = Instant::now();
    }
}

/// A body, and the call that it is of.
struct Sent {
    body: Body,
    /// What is left of a large piece of it.
    rest: Bytes,
    busy: Busy,
}

impl hyper::body::Body for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.busy.turn_to_us();
        if self.rest.is_empty() {
            match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(other) => {
                        self.busy.turn_to_peer();
                        return Poll::Ready(Some(Ok(other)));
                    }
                },
                Poll::Ready(end) => {
                    self.busy.turn_to_peer();
                    return Poll::Ready(end);
                }
            }
        }
        self.busy.turn_to_peer();
        let length = self.rest.len().min(PIECE_BYTES_MAX);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, of_body) = (self.rest.len() as u64, self.body.size_hint());
        let mut hint = SizeHint::new();
        if let Some(upper) = of_body.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(of_body.lower() + rest);
        hint
    }
}
