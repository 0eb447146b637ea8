//! The audit: each call of a known caller that may change something is written down, and admins read it.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt as _;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::auth::{Admin, Role};
use super::extract::Params;
use super::numbered::{Begin, Order, begin};
use super::problem::{Problem, ProblemCode};
use super::view::moment_of_ms;
use super::{Api, masked, panicked};
use crate::server::Peer;
use crate::service::explain;
use crate::store::{AUDIT_AT_ONCE_MAX, Asked, AuditEntry, TokenOwner};

/// Entries of one page unless the query says otherwise.
const PAGE: i64 = 100;
/// Time to write an entry, in seconds: the caller waits for it.
const NOTE_S_MAX: u64 = 10;
/// Letters of a path that are kept, at most.
const PATH_LENGTH_MAX: usize = 512;

/// Who was found to be calling. Whoever looks at the token leaves it here.
#[derive(Debug, Clone, Default)]
pub(super) struct Caller(Arc<OnceLock<TokenOwner>>);

impl Caller {
    /// Notes who it is, once.
    pub(super) fn is(&self, owner: &TokenOwner) {
        // A second look at the same request finds the same.
        let _ = self.0.set(owner.clone());
    }
}

/// What a call was about, where its path does not say it. Whoever has done it leaves it at the answer.
#[derive(Debug, Clone)]
pub(super) struct Detail(pub(super) String);

/// Writes down what a known caller asks for, once it is answered. Looking is not written down, and neither is who is not known: the log
/// tells of those, and whoever likes could fill the store with them.
///
/// What may change something goes on to its end, and is written down, also where the caller has hung up meanwhile, or it has panicked.
pub(super) async fn note(State(api): State<Api>, request: Request, next: Next) -> Response {
    if [Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method()) {
        return next.run(request).await;
    }
    // A future that the connection holds ends with the connection.
    tokio::spawn(answer_and_note(api, request, next)).await.unwrap_or_else(|_| panicked())
}

async fn answer_and_note(api: Api, mut request: Request, next: Next) -> Response {
    let caller = Caller::default();
    request.extensions_mut().insert(caller.clone());
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0.ip().to_string());
    let method = request.method().as_str().to_owned();
    let path: String = masked::path(request.uri().path()).chars().take(PATH_LENGTH_MAX).collect();
    let response = AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(|_| panicked());
    if let Some(TokenOwner { name, role }) = caller.0.get().cloned() {
        let status = response.status().as_u16();
        let detail = response.extensions().get::<Detail>().map(|detail| detail.0.clone());
        let asked = Asked { actor: name, role, peer, method, path, status, detail };
        // It was answered, and has happened.
        let limit = Duration::from_secs(NOTE_S_MAX);
        match tokio::time::timeout(limit, api.service.store().note(&asked)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::error!(?asked, error = explain(&error), "the audit cannot be written");
            }
            Err(_) => tracing::error!(?asked, "the audit was not written within {NOTE_S_MAX} s"),
        }
    }
    response
}

/// A call that was written down.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditView {
    /// Counted from 1.
    number: i64,
    /// When it was answered.
    at: String,
    /// The name of the token.
    actor: String,
    /// Its role at that time.
    role: Role,
    /// The address that the call came from, as the service saw it: that of a proxy where there is one.
    peer: Option<String>,
    /// The method.
    method: String,
    /// The path, without its query.
    path: String,
    /// The status of the answer.
    status: u16,
    /// What it was about, where the path does not say it and it was done: the pipe or the token that was made, and what goes with a pipe that
    /// is removed.
    detail: Option<String>,
}

impl From<AuditEntry> for AuditView {
    fn from(entry: AuditEntry) -> AuditView {
        let AuditEntry { number, at_ms, asked } = entry;
        let Asked { actor, role, peer, method, path, status, detail } = asked;
        AuditView { number, at: moment_of_ms(at_ms), actor, role, peer, method, path, status, detail }
    }
}

/// A page of the audit.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditPage {
    /// In the order of their numbers, or the newest first.
    entries: Vec<AuditView>,
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditQuery {
    /// Entries behind this number.
    #[param(minimum = 0)]
    after: Option<i64>,
    /// Entries before this number, where the newest come first.
    #[param(minimum = 1)]
    before: Option<i64>,
    /// Which come first: `oldest`, as unless it says otherwise, or `newest`.
    #[serde(default)]
    #[param(inline)]
    order: Order,
    /// Entries on the page, at most.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<i64>,
}

/// Lists who asked for which change, and how it was answered. The last 100,000 are kept.
#[utoipa::path(
    get, path = "/api/v1/audit", tag = "tokens", operation_id = "list_audit", params(AuditQuery),
    responses((status = 200, body = AuditPage), super::docs::Failures)
)]
pub(crate) async fn list(
    State(api): State<Api>,
    _: Admin,
    Params(query): Params<AuditQuery>,
) -> Result<Json<AuditPage>, Problem> {
    let limit = query.limit.unwrap_or(PAGE);
    if !(1..=AUDIT_AT_ONCE_MAX).contains(&limit) {
        let detail = format!("`limit` is from 1 to {AUDIT_AT_ONCE_MAX}");
        return Err(Problem::new(ProblemCode::InvalidRequest, detail));
    }
    let store = api.service.store();
    let entries = match begin(query.order, query.after, query.before)? {
        Begin::After(after) => store.audit(after, limit).await?,
        Begin::Before(before) => store.audit_before(before, limit).await?,
    };
    Ok(Json(AuditPage { entries: entries.into_iter().map(AuditView::from).collect() }))
}
