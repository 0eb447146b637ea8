//! Listens for those who scrape: few connections, one request each, all of it in a bounded time.

use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::{Watched, router};

/// Connections at the same time, at most; others wait to be accepted.
const CONNECTIONS_MAX: usize = 32;

/// Time for the head of a request, in milliseconds.
const HEAD_MS_MAX: u64 = 5_000;

/// Time for a connection as a whole, in milliseconds: a reader that takes nothing must not hold its place.
const CONNECTION_MS_MAX: u64 = 30_000;

/// Bytes of the head of a request, at most.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// Pause after a connection could not be accepted, in milliseconds: such as while the process has no file descriptor left.
const ACCEPT_AGAIN_MS: u64 = 100;

/// The bounds of a listener.
#[derive(Debug, Clone, Copy)]
struct Limits {
    connections: usize,
    head_ms: u64,
    connection_ms: u64,
}

const LIMITS: Limits =
    Limits { connections: CONNECTIONS_MAX, head_ms: HEAD_MS_MAX, connection_ms: CONNECTION_MS_MAX };

/// Answers those who scrape `watched`, until it is dropped.
pub async fn serve_metrics<W: Watched>(listener: TcpListener, watched: Arc<W>) {
    serve_within(LIMITS, listener, watched).await;
}

async fn serve_within<W: Watched>(limits: Limits, listener: TcpListener, watched: Arc<W>) {
    let answers = TowerToHyperService::new(router(watched));
    let places = Arc::new(Semaphore::new(limits.connections));
    loop {
        // The semaphore is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::debug!(%error, "a connection for metrics could not be accepted");
                tokio::time::sleep(Duration::from_millis(ACCEPT_AGAIN_MS)).await;
                continue;
            }
        };
        let answers = answers.clone();
        tokio::spawn(async move {
            let answered = answer(limits, stream, answers);
            if tokio::time::timeout(Duration::from_millis(limits.connection_ms), answered).await.is_err() {
                tracing::debug!("a connection for metrics took too long");
            }
            drop(place);
        });
    }
}

async fn answer(limits: Limits, stream: TcpStream, answers: TowerToHyperService<axum::Router>) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(limits.head_ms))
        .max_buf_size(HEAD_BYTES_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), answers);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection for metrics ended early");
    }
}

#[cfg(test)]
mod tests;
