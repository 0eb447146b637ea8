//! The REST API. What it may answer is described in OpenAPI 3.1, made from these files and served at `/api/v1/openapi.json`.

mod audit;
mod auth;
mod catalog;
mod count;
mod docs;
mod errors;
mod events;
mod extract;
mod fault;
mod health;
mod if_match;
mod masked;
mod now_and_then;
mod numbered;
mod origin;
mod pipe_schema;
mod pipes;
mod problem;
mod refusals;
mod replayed;
mod samples;
mod strangers;
mod table;
#[cfg(test)]
mod tests;
mod tokens;
mod view;
mod wizard;
mod work;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, middleware};
use serde_json::Value;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use now_and_then::NowAndThen;
use refusals::Refusals;
use strangers::Strangers;

pub use problem::{KeyProblem, Problem, ProblemCode};
pub(crate) use view::moment;
pub(crate) use work::WorkResult;

use crate::service::Service;
use crate::work::{Places, Slots, Works};

/// A body may have this many bytes, at most: a pipe file's, and what JSON adds to it.
const BODY_BYTES_MAX: usize = 8 << 20;
/// Time for a call until its answer begins, in seconds.
const CALL_S_MAX: u64 = 30;

/// Streams of events at once, for all and for one token.
const STREAMS: Places = Places { what: "streams of events", of_all: 256, of_actor: 32 };

/// Calls that may change something at once, for all and for one token: each goes on where its caller has hung up, with a body of
/// [`BODY_BYTES_MAX`] at most. With those below they are 128, so that their bodies have 1 GiB at most.
const CHANGES: Places = Places { what: "calls that may change something", of_all: 80, of_actor: 32 };
/// Further ones of admins: those whose token makes trouble are locked out, however many of the others they hold.
const CHANGES_OF_ADMINS: Places = Places { what: "calls of an admin", of_all: 16, of_actor: 4 };
/// Calls with a body that look, and change nothing.
const LOOKS_ASKED: Places = Places { what: "calls that look", of_all: 32, of_actor: 8 };

/// Names of this machine under which the service may always be called.
const HOSTS_HERE: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// What the calls work with. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    service: Arc<Service>,
    hosts: Arc<[String]>,
    strangers: Arc<Strangers>,
    /// Places for those who listen to events.
    streams: Slots,
    /// Places for calls that may change something.
    changes: Slots,
    /// Those that are left to admins.
    changes_of_admins: Slots,
    /// Places for calls with a body that look.
    looks_asked: Slots,
    refusals: Arc<Refusals>,
    /// Entries of the audit that could not be written.
    unwritten: Arc<NowAndThen>,
    works: Works,
}

impl Api {
    fn new(service: Arc<Service>, hosts: Vec<String>) -> Api {
        Api {
            service,
            hosts: hosts.into(),
            strangers: Arc::default(),
            works: Works::default(),
            streams: Slots::new(STREAMS),
            changes: Slots::new(CHANGES),
            changes_of_admins: Slots::new(CHANGES_OF_ADMINS),
            looks_asked: Slots::new(LOOKS_ASKED),
            refusals: Arc::default(),
            unwritten: Arc::default(),
        }
    }

    /// Whether `host`, with or without a port, is a name of the service.
    fn is_known_host(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        HOSTS_HERE
            .into_iter()
            .chain(self.hosts.iter().map(String::as_str))
            .any(|known| known.eq_ignore_ascii_case(name))
    }
}

/// The API of `service`, which is called under the names of this machine, and under these `hosts`.
pub fn router(service: Arc<Service>, hosts: Vec<String>) -> Router {
    let api = Api::new(service, hosts);
    let (calls, _) = described().split_for_parts();
    let streams = Router::new().route("/api/v1/events/stream", get(events::stream));
    let description = Bytes::from(openapi().to_string());
    // Whoever likes may ask, and need not take the answer: all of them have the same bytes.
    let describe = move || async move { ([(header::CONTENT_TYPE, "application/json")], description) };
    calls
        .route("/api/v1/openapi.json", get(describe))
        .merge(streams)
        .fallback(|| async {
            Problem::new(ProblemCode::NoSuchPath, "the description at /api/v1/openapi.json has all paths")
        })
        .method_not_allowed_fallback(|| async {
            Problem::new(ProblemCode::MethodNotAllowed, "`Allow` has those that it knows")
        })
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn(small_enough))
        .layer(middleware::from_fn_with_state(api.clone(), audit::note))
        // Around the audit as well, which may have to wait for the store.
        .layer(middleware::from_fn(in_time))
        .layer(middleware::from_fn_with_state(api.clone(), origin::known_origin))
        .layer(CatchPanicLayer::custom(|_| panicked()))
        .layer(middleware::from_fn_with_state(api.clone(), count::counted))
        .with_state(api)
}

/// The description of the API.
pub fn openapi() -> Value {
    let mut described = described().into_openapi();
    let streams: OpenApiRouter<Api> = OpenApiRouter::new().routes(routes!(events::stream));
    described.merge(streams.into_openapi());
    docs::narrow(&mut described);
    // Texts and numbers: that cannot fail.
    let mut description = serde_json::to_value(&described).unwrap_or_default();
    pipe_schema::put_into(&mut description);
    description
}

fn described() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(docs::Described::openapi())
        .routes(routes!(pipes::list, pipes::create))
        .routes(routes!(pipes::show, pipes::edit, pipes::remove))
        .routes(routes!(pipes::file))
        .routes(routes!(pipes::pause))
        .routes(routes!(pipes::resume))
        .routes(routes!(samples::source_of_pipe))
        .routes(routes!(samples::destination_of_pipe))
        .routes(routes!(errors::list))
        .routes(routes!(errors::summary))
        .routes(routes!(errors::replay))
        .routes(routes!(wizard::connections))
        .routes(routes!(wizard::list_topics))
        .routes(routes!(catalog::list_databases))
        .routes(routes!(catalog::list_tables))
        .routes(routes!(catalog::list_roles))
        .routes(routes!(samples::source))
        .routes(routes!(samples::destination))
        .routes(routes!(wizard::infer))
        .routes(routes!(wizard::preview_rows))
        .routes(routes!(wizard::check))
        .routes(routes!(work::list))
        .routes(routes!(work::show, work::cancel))
        .routes(routes!(table::compose))
        .routes(routes!(table::map))
        .routes(routes!(events::list))
        .routes(routes!(events::of_pipe))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::remove))
        .routes(routes!(tokens::whoami))
        .routes(routes!(audit::list))
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
}

/// What is answered where the code that answers has panicked.
fn panicked() -> Response {
    Problem::new(ProblemCode::Internal, "the service's log says more").into_response()
}

/// What is answered where there was no answer within so many seconds.
fn late(limit_s: u64) -> Response {
    let detail = format!("no answer within {limit_s} s; what was asked for may come about all the same");
    Problem::new(ProblemCode::TimedOut, detail).into_response()
}

/// Refuses a body that says it is too large before it is waited for.
async fn small_enough(request: axum::extract::Request, next: middleware::Next) -> Response {
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    match length.and_then(|length| length.parse::<usize>().ok()) {
        Some(length) if length > BODY_BYTES_MAX => {
            let detail = format!("a body has {BODY_BYTES_MAX} bytes at most, and this one says {length}");
            Problem::new(ProblemCode::BodyTooLarge, detail).into_response()
        }
        _ => next.run(request).await,
    }
}

/// Ends a call that takes too long to be answered; a stream is answered with its head.
async fn in_time(request: axum::extract::Request, next: middleware::Next) -> Response {
    match tokio::time::timeout(Duration::from_secs(CALL_S_MAX), next.run(request)).await {
        Ok(response) => response,
        Err(_) => late(CALL_S_MAX),
    }
}
