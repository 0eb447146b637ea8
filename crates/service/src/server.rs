//! Takes connections and has a router answer what comes over them, within limits: whoever is slow, silent or many costs the others nothing.

mod busy;
mod peers;
#[cfg(test)]
mod tests;
mod tls;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tower_service::Service as _;

use busy::Calls;
use peers::Peers;
pub use tls::{Tls, TlsError};

/// What a listener takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Connections at once; further ones wait to be taken.
    pub(crate) connections: usize,
    /// Connections of one address at once; further ones are ended at once.
    pub(crate) connections_of_peer: usize,
    /// Time that a connection may be without a call under way, the head of the next one included, or without being seen to take anything of one of its
    /// answers, in milliseconds.
    pub(crate) idle_ms: u64,
    /// Bytes of a request's head.
    pub(crate) head_bytes: usize,
    /// Time for a connection as a whole, in milliseconds; none where it may go on for as long as it is used.
    pub(crate) connection_ms: Option<u64>,
    /// Whether a connection is for one call alone, over HTTP/1.1.
    pub(crate) has_one_call: bool,
}

/// Those of the API. A head has room for the longest condition that a query may have, each letter of four bytes and as `%F0`, and for the rest.
const API: Limits = Limits {
    connections: 1_024,
    connections_of_peer: 512,
    idle_ms: 30_000,
    head_bytes: 64 << 10,
    connection_ms: None,
    has_one_call: false,
};

/// Calls at once over one connection of HTTP/2.
const STREAMS_MAX: u32 = 64;
/// Time for the handshake of TLS, in seconds.
const HANDSHAKE_S_MAX: u64 = 10;
/// How often a connection of HTTP/2 is asked whether somebody is there, and for how long an answer is waited for, in seconds.
const ALIVE_S: u64 = 30;
/// Bytes that the system holds of what is sent over one connection (64 KiB; Linux takes twice as many). It takes more only once a third of them is gone,
/// and whoever takes a large answer slowly seems to take nothing meanwhile: where it holds as many as it likes, that is megabytes. Over 100 ms to the
/// peer and back an answer comes with 1.3 MB/s.
const SEND_BUFFER_BYTES: usize = 64 << 10;
/// Pause where the system gives no further connection, such as without file descriptors, in milliseconds.
const ACCEPT_AGAIN_MS: u64 = 500;

/// From where a request came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// The request came over TLS to this process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Encrypted;

/// Answers what comes to `listener` until `ended`, and then until the calls under way are answered. Dropped it ends at once, as it has to be
/// where somebody listens to a stream of events.
///
/// At most 1,024 connections are taken at once, of one address half of them. One without a call under way for 30 s is ended, and so is one that is not
/// seen to take anything of an answer for as long, whatever else it does: whoever takes 6 kB/s of each is. The head of a request has 64 KiB at most.
pub async fn serve(listener: TcpListener, router: Router, tls: Option<Tls>, ended: impl Future<Output = ()>) {
    serve_within(API, listener, router, tls, ended).await;
}

/// The same within other limits.
pub(crate) async fn serve_within(
    limits: Limits,
    listener: TcpListener,
    router: Router,
    tls: Option<Tls>,
    ended: impl Future<Output = ()>,
) {
    let free = Arc::new(Semaphore::new(limits.connections));
    let ends = GracefulShutdown::new();
    let peers = Arc::new(Peers::default());
    let mut open = JoinSet::new();
    tokio::pin!(ended);
    loop {
        let next = async {
            // It is never closed.
            let permit = Arc::clone(&free).acquire_owned().await.ok();
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            () = &mut ended => break,
            next = next => next,
            Some(_) = open.join_next() => continue,
        };
        match accepted {
            Ok((stream, peer)) => {
                let Some(of_peer) = peers.open(peer.ip(), limits.connections_of_peer) else {
                    tracing::debug!(%peer, "it has as many connections as one address may have");
                    continue;
                };
                let one = connection(limits, stream, peer, router.clone(), tls.clone(), ends.watcher());
                open.spawn(async move {
                    let longest = limits.connection_ms.map_or(Duration::MAX, Duration::from_millis);
                    if tokio::time::timeout(longest, one).await.is_err() {
                        tracing::debug!(%peer, "a connection took too long");
                    }
                    drop((permit, of_peer));
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be taken");
                tokio::time::sleep(Duration::from_millis(ACCEPT_AGAIN_MS)).await;
            }
        }
    }
    drop(listener);
    ends.shutdown().await;
    while open.join_next().await.is_some() {}
}

/// One connection from its first byte to its last.
async fn connection(
    limits: Limits,
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    tls: Option<Tls>,
    ends: Watcher,
) {
    // Answers are small, and nobody waits for the next one to fill a packet.
    let _ = stream.set_nodelay(true);
    if let Err(error) = SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER_BYTES) {
        tracing::debug!(%peer, %error, "the buffer of a connection stays as the system has it");
    }
    let Some(tls) = tls else { return calls(limits, stream, (peer, None), router, ends).await };
    match tokio::time::timeout(Duration::from_secs(HANDSHAKE_S_MAX), tls.accept(stream)).await {
        Ok(Ok(stream)) => calls(limits, stream, (peer, Some(Encrypted)), router, ends).await,
        Ok(Err(error)) => tracing::debug!(%peer, %error, "the handshake failed"),
        Err(_) => tracing::debug!(%peer, "the handshake took too long"),
    }
}

/// The calls that come over `stream`.
async fn calls<S>(
    limits: Limits,
    stream: S,
    (peer, encrypted): (SocketAddr, Option<Encrypted>),
    router: Router,
    ends: Watcher,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let calls = Calls::new();
    let under_way = Arc::clone(&calls);
    let answer = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        if let Some(encrypted) = encrypted {
            request.extensions_mut().insert(encrypted);
        }
        let (mut router, busy) = (router.clone(), under_way.begin());
        async move {
            let response = unfailing(router.call(request.map(Body::new)).await);
            Ok::<_, Infallible>(response.map(|body| busy.until_sent(body)))
        }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    if limits.has_one_call {
        builder = builder.http1_only();
    }
    builder.http1().max_buf_size(limits.head_bytes).keep_alive(!limits.has_one_call);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
        .keep_alive_interval(Duration::from_secs(ALIVE_S))
        .keep_alive_timeout(Duration::from_secs(ALIVE_S));
    let conversation = ends.watch(builder.serve_connection(TokioIo::new(stream), answer).into_owned());
    tokio::select! {
        ended = conversation => if let Err(error) = ended {
            tracing::debug!(%peer, %error, "a connection ended early");
        },
        () = calls.idle_for(Duration::from_millis(limits.idle_ms)) => {
            tracing::debug!(%peer, "a connection that nobody uses is ended");
        }
    }
}

/// What cannot fail.
fn unfailing<T>(result: Result<T, Infallible>) -> T {
    match result {
        Ok(value) => value,
        Err(never) => match never {},
    }
}
