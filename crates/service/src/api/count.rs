//! Counts calls, for metrics.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;

use super::Api;

/// Counts the call by its route, its method, and how it was answered.
pub(crate) async fn counted(
    State(api): State<Api>,
    route: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let (begun, method) = (Instant::now(), request.method().clone());
    let response = next.run(request).await;
    let route = route.as_ref().map(MatchedPath::as_str);
    api.service.calls().answered(route, &method, response.status(), begun.elapsed());
    response
}
