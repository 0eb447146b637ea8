//! Counts calls, for metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

use super::Api;
use crate::service::Service;

/// A call that is counted once, by whoever knows first how it is answered: its caller may have hung up by then.
#[derive(Debug, Clone)]
pub(super) struct Count(Arc<Counting>);

#[derive(Debug)]
struct Counting {
    service: Arc<Service>,
    route: Option<MatchedPath>,
    method: Method,
    begun: Instant,
    is_counted: AtomicBool,
}

impl Count {
    /// The call was answered so.
    pub(super) fn answered(&self, status: StatusCode) {
        let Counting { service, route, method, begun, is_counted } = &*self.0;
        if !is_counted.swap(true, Ordering::Relaxed) {
            let route = route.as_ref().map(MatchedPath::as_str);
            service.calls().answered(route, method, status, begun.elapsed());
        }
    }
}

/// Counts the call by its route, its method, and how it was answered.
pub(crate) async fn counted(
    State(api): State<Api>,
    route: Option<MatchedPath>,
    mut request: Request,
    next: Next,
) -> Response {
    let (service, method) = (api.service, request.method().clone());
    let (begun, is_counted) = (Instant::now(), AtomicBool::new(false));
    let count = Count(Arc::new(Counting { service, route, method, begun, is_counted }));
    request.extensions_mut().insert(count.clone());
    let response = next.run(request).await;
    count.answered(response.status());
    response
}
