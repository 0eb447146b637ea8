//! Whether a connection is used: calls that are under way, where it is the service's turn.
//!
//! The timeouts of HTTP begin with the first byte of a request, and a connection that sends none would be kept for ever. So would one that takes
//! nothing of an answer: HTTP/2 sends the body once the peer has room for it, and a peer may say that it never has. So a call is the service's
//! until it hands something over, and then the peer's until all of that has gone into the connection and more is asked for. Each answer has a time
//! of its own, since a peer that takes one of them may leave the others.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use hyper::body::{Frame, SizeHint};
use tokio::time::Instant;

/// Bytes of an answer that are handed over at once, at most (16 KiB): less than what the system takes where it takes more at all, so that whoever takes
/// a large one slowly is seen to take it.
const PIECE_BYTES_MAX: usize = 16 << 10;

/// The calls of one connection.
#[derive(Debug)]
pub(super) struct Calls(Mutex<Since>);

#[derive(Debug)]
struct Since {
    /// Those that are under way, by their number.
    under_way: HashMap<u64, Turn>,
    /// The number of the next one.
    next: u64,
    /// When the last of them ended; at first, when the connection began.
    quiet: Instant,
}

/// Whose turn it is in one call.
#[derive(Debug)]
struct Turn {
    /// The call is being answered, or was asked for more of its answer and has none yet.
    is_asked: bool,
    /// Pieces that were handed over, and have not gone into the connection.
    pieces: usize,
    /// Nothing more is handed over.
    has_ended: bool,
    /// When the peer's turn began, or it took a piece last.
    taken: Instant,
}

impl Turn {
    fn is_peers(&self) -> bool {
        self.pieces > 0 || !self.is_asked
    }
}

/// A call for as long as this lives.
#[derive(Debug)]
pub(super) struct Busy {
    calls: Arc<Calls>,
    number: u64,
}

impl Calls {
    pub(super) fn new() -> Arc<Calls> {
        Arc::new(Calls(Mutex::new(Since { under_way: HashMap::new(), next: 0, quiet: Instant::now() })))
    }

    pub(super) fn begin(self: &Arc<Self>) -> Busy {
        let mut since = self.lock();
        let number = since.next;
        since.next += 1;
        let turn = Turn { is_asked: true, pieces: 0, has_ended: false, taken: Instant::now() };
        since.under_way.insert(number, turn);
        Busy { calls: Arc::clone(self), number }
    }

    /// Returns once no call has been under way for so long, or nothing was taken of an answer.
    pub(super) async fn idle_for(&self, time: Duration) {
        loop {
            let idle = {
                let since = self.lock();
                let waits = since.under_way.values().filter(|turn| turn.is_peers()).map(|turn| turn.taken);
                let nobody = since.under_way.is_empty().then_some(since.quiet);
                waits.chain(nobody).min().map_or(Duration::ZERO, |first| first.elapsed())
            };
            let left = time.saturating_sub(idle);
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left).await;
        }
    }

    /// Changes whose turn it is in a call, which ends where nothing is left of it.
    fn turn(&self, number: u64, change: impl FnOnce(&mut Turn)) {
        let mut since = self.lock();
        let Some(turn) = since.under_way.get_mut(&number) else { return };
        let (was_peers, pieces) = (turn.is_peers(), turn.pieces);
        change(turn);
        if !was_peers || turn.pieces < pieces {
            turn.taken = Instant::now();
        }
        if turn.has_ended && turn.pieces == 0 {
            since.under_way.remove(&number);
            since.quiet = Instant::now();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Since> {
        // Nothing that panics is done with the lock held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Busy {
    /// The same body, with which the call ends.
    pub(super) fn until_sent(self, body: Body) -> Body {
        self.turn(|turn| turn.is_asked = false);
        Body::new(Sent { body, rest: Bytes::new(), busy: self })
    }

    /// `data` as a piece that is the peer's until it is dropped, as HTTP does once the connection has taken it.
    fn piece(&self, data: Bytes) -> Bytes {
        self.turn(|turn| {
            turn.is_asked = false;
            turn.pieces += 1;
        });
        Bytes::from_owner(Piece { data, calls: Arc::clone(&self.calls), number: self.number })
    }

    fn turn(&self, change: impl FnOnce(&mut Turn)) {
        self.calls.turn(self.number, change);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.turn(|turn| {
            turn.is_asked = false;
            turn.has_ended = true;
        });
    }
}

/// A part of an answer that was handed over.
struct Piece {
    data: Bytes,
    calls: Arc<Calls>,
    number: u64,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.calls.turn(self.number, |turn| turn.pieces -= 1);
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
        self.busy.turn(|turn| turn.is_asked = true);
        if self.rest.is_empty() {
            match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(other) => {
                        self.busy.turn(|turn| turn.is_asked = false);
                        return Poll::Ready(Some(Ok(other)));
                    }
                },
                Poll::Ready(end) => {
                    self.busy.turn(|turn| turn.is_asked = false);
                    return Poll::Ready(end);
                }
            }
        }
        let length = self.rest.len().min(PIECE_BYTES_MAX);
        let piece = self.rest.split_to(length);
        Poll::Ready(Some(Ok(Frame::data(self.busy.piece(piece)))))
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
