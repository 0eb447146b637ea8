//! The REST API. What it may answer is described in OpenAPI 3.1, made from these files and served at `/api/v1/openapi.json`.

mod auth;
mod docs;
mod events;
mod extract;
mod health;
mod pipes;
mod problem;
mod table;
mod tokens;
mod view;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, middleware};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use problem::{KeyProblem, Problem, ProblemCode};

use crate::service::Service;

/// A body may have this many bytes, at most: a pipe file's, and what JSON adds to it.
const BODY_BYTES_MAX: usize = 8 << 20;
/// Time for a call that does not stream, in seconds.
const CALL_S_MAX: u64 = 30;

/// Names of this machine under which the service may always be called.
const HOSTS_HERE: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// What the calls work with. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    service: Arc<Service>,
    hosts: Arc<[String]>,
}

impl Api {
    /// Whether `host`, with or without a port, is a name of the service.
    fn is_known_host(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        HOSTS_HERE.contains(&name) || self.hosts.iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

/// The API of `service`, which is called under the names of this machine, and under these `hosts`.
pub fn router(service: Arc<Service>, hosts: Vec<String>) -> Router {
    let api = Api { service, hosts: hosts.into() };
    let (calls, _) = described().split_for_parts();
    let streams = Router::new().route("/api/v1/events/stream", get(events::stream));
    // Texts and numbers: that cannot fail.
    let description = Arc::<str>::from(serde_json::to_string(&openapi()).unwrap_or_default());
    let describe = move || async move {
        ([(header::CONTENT_TYPE, "application/json")], description.to_string()).into_response()
    };
    calls
        .route("/api/v1/openapi.json", get(describe))
        .layer(middleware::from_fn(in_time))
        .merge(streams)
        .fallback(|| async {
            Problem::new(ProblemCode::NoSuchPath, "the description at /api/v1/openapi.json has all paths")
        })
        .method_not_allowed_fallback(|| async {
            Problem::new(ProblemCode::MethodNotAllowed, "`Allow` has those that it knows")
        })
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(api.clone(), auth::known_origin))
        .layer(CatchPanicLayer::custom(|_| {
            Problem::new(ProblemCode::Internal, "the service's log says more").into_response()
        }))
        .with_state(api)
}

/// The description of the API.
pub fn openapi() -> OpenApi {
    let mut described = described().into_openapi();
    let streams: OpenApiRouter<Api> = OpenApiRouter::new().routes(routes!(events::stream));
    described.merge(streams.into_openapi());
    described
}

fn described() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(docs::Described::openapi())
        .routes(routes!(pipes::list, pipes::create))
        .routes(routes!(pipes::show, pipes::edit, pipes::remove))
        .routes(routes!(pipes::file))
        .routes(routes!(pipes::pause))
        .routes(routes!(pipes::resume))
        .routes(routes!(table::compose))
        .routes(routes!(table::map))
        .routes(routes!(events::list))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::remove))
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
}

/// Ends a call that takes too long.
async fn in_time(request: axum::extract::Request, next: middleware::Next) -> Response {
    match tokio::time::timeout(Duration::from_secs(CALL_S_MAX), next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let detail =
                format!("no answer within {CALL_S_MAX} s; what was asked for may come about all the same");
            Problem::new(ProblemCode::TimedOut, detail).into_response()
        }
    }
}
