//! What a listener for metrics answers: `/metrics`, `/healthz`, `/readyz`. It has no secrets and changes nothing, so it asks for no token.

mod calls;
mod of_service;
#[cfg(test)]
mod tests;

use std::future::pending;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use housepipe_runtime::metrics::{self, Exposition, Family, Format};
use tokio::net::TcpListener;

pub(crate) use calls::Calls;

use crate::server::{Limits, serve_within};

/// Few connections, one request each, all of it in a bounded time: a reader that takes nothing must not hold its place.
const LIMITS: Limits = Limits {
    connections: 32,
    // Scrapers and probes may all come through one proxy.
    connections_of_peer: 32,
    idle_ms: 5_000,
    head_bytes: 16 << 10,
    connection_ms: Some(30_000),
    has_one_call: true,
};

/// What is watched through a listener for metrics.
pub trait Watched: Send + Sync + 'static {
    /// Writes its metrics, as they are at this moment.
    fn write(&self, exposition: &mut Exposition) -> impl Future<Output = ()> + Send;

    /// Why it cannot do its work at this moment; none where it can.
    fn unready(&self) -> impl Future<Output = Option<String>> + Send;
}

/// All families that a service writes, in their order; a single pipe writes those of the runtime.
pub fn metric_families() -> impl Iterator<Item = &'static Family> {
    metrics::families().chain(of_service::families()).chain(calls::families())
}

/// Answers those who scrape `watched`, until it is dropped.
pub async fn serve_metrics<W: Watched>(listener: TcpListener, watched: Arc<W>) {
    serve_within(LIMITS, listener, router(watched), None, pending()).await;
}

fn router<W: Watched>(watched: Arc<W>) -> Router {
    Router::new()
        .route("/metrics", get(scrape::<W>))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready::<W>))
        .with_state(watched)
}

async fn scrape<W: Watched>(State(watched): State<Arc<W>>, headers: HeaderMap) -> impl IntoResponse {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let format = Format::accepted(accept.unwrap_or_default());
    let mut exposition = Exposition::new(format);
    watched.write(&mut exposition).await;
    ([(header::CONTENT_TYPE, format.content_type())], exposition.finish())
}

async fn ready<W: Watched>(State(watched): State<Arc<W>>) -> (StatusCode, String) {
    match watched.unready().await {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}
