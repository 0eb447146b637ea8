//! The audit: each call of a known caller that may change something is written down, and admins read it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use utoipa::{IntoParams, ToSchema};

use super::auth::{Actor, Admin, Found, Role};
use super::count::Count;
use super::extract::Params;
use super::numbered::{Begin, Order, begin};
use super::problem::{Problem, ProblemCode};
use super::refusals::{Refused, is_refused};
use super::view::moment_of_ms;
use super::{Api, late, masked, panicked};
use crate::server::Peer;
use crate::service::explain;
use crate::store::{AUDIT_AT_ONCE_MAX, Asked, AuditEntry};
use crate::work::Slot;

/// Entries of one page unless the query says otherwise.
const PAGE: i64 = 100;
/// Time for a call that may change something, in seconds, also where its caller does not wait for so long: a body may never come.
const CHANGE_S_MAX: u64 = if cfg!(test) { 5 } else { 60 };
/// Time to write an entry, in seconds: the caller waits for it.
const NOTE_S_MAX: u64 = 10;
/// Letters of a path that are kept, at most.
const PATH_LENGTH_MAX: usize = 512;

/// Calls that look, and change nothing, though what they look at is in a body. Each of them is a `POST`.
pub(super) const LOOKS: [&str; 12] = [
    "/api/v1/connections/test",
    "/api/v1/topics",
    "/api/v1/databases",
    "/api/v1/tables",
    "/api/v1/roles",
    "/api/v1/samples/source",
    "/api/v1/samples/destination",
    "/api/v1/infer",
    "/api/v1/preview",
    "/api/v1/check",
    "/api/v1/ddl",
    "/api/v1/mapping",
];

/// What a call was about, where its path does not say it. Whoever has done it leaves it at the answer.
#[derive(Debug, Clone)]
pub(super) struct Detail(pub(super) String);

/// What a call asked for may have come about, in part at least, whatever its status says. Whoever has begun it leaves this at the answer, which has
/// an entry of its own then.
#[derive(Debug, Clone)]
pub(super) struct MayHaveActed;

/// Writes down what a known caller asks for, once it is answered. Looking is not written down but where it was not allowed, and neither is who is
/// not known: the log tells of those, and whoever likes could fill the store with them.
///
/// What may change something has a place of a bounded number. From then on it is answered and written down also where its caller has hung up
/// meanwhile, it has panicked, or took too long; the end of the process waits for it, and cuts off what takes longer than that, which the log tells.
pub(super) async fn note(State(api): State<Api>, request: Request, next: Next) -> Response {
    if [Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method()) {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let found = Actor::find(&parts, &api).await;
    parts.extensions.insert(Found(found.clone()));
    let request = Request::from_parts(parts, body);
    // Nothing goes on for somebody who is not known.
    let Ok(actor) = found else { return next.run(request).await };
    let call = Call::of(&actor, &request);
    let place = match call.place(&api) {
        Ok(place) => place,
        Err(problem) => {
            let response = problem.into_response();
            if call.matters(response.status()) {
                // There are many of them, so each of them would be too many.
                count_refused(&api, &call.asked(response.status(), None), false);
            }
            return response;
        }
    };
    let (answers, answer) = oneshot::channel();
    let service = Arc::clone(&api.service);
    // A future that the connection holds ends with the connection.
    let goes_on = async move {
        let response = answer_and_note(&api, call, request, next).await;
        // Whoever is answered may call again at once.
        drop(place);
        let _ = answers.send(response);
    };
    if !service.unbroken().begin(goes_on) {
        return Problem::new(ProblemCode::StoreUnavailable, "the service is ending").into_response();
    }
    answer.await.unwrap_or_else(|_| panicked())
}

async fn answer_and_note(api: &Api, call: Call, request: Request, next: Next) -> Response {
    let count = request.extensions().get::<Count>().cloned();
    let under_way = UnderWay(Some(call));
    let limit = Duration::from_secs(CHANGE_S_MAX);
    let response = match tokio::time::timeout(limit, AssertUnwindSafe(next.run(request)).catch_unwind()).await
    {
        Ok(response) => response.unwrap_or_else(|_| panicked()),
        Err(_) => late(CHANGE_S_MAX),
    };
    let detail = response.extensions().get::<Detail>().map(|detail| detail.0.clone());
    if let Some(call) = under_way.0.as_ref().filter(|call| call.matters(response.status())) {
        let asked = call.asked(response.status(), detail);
        let may_have_acted = response.extensions().get::<MayHaveActed>().is_some();
        if may_have_acted || !is_refused(asked.status) || count_refused(api, &asked, true) {
            // It was answered, and has happened.
            write(api, &asked).await;
        }
    }
    under_way.noted();
    if let Some(count) = count {
        count.answered(response.status());
    }
    response
}

/// Counts a refused call; whether it is to be written down by itself. Those that are not are written down together once their time has come.
fn count_refused(api: &Api, asked: &Asked, may_be_alone: bool) -> bool {
    match api.refusals.came(asked, may_be_alone) {
        Refused::OneByOne => return true,
        Refused::Counted => {}
        Refused::FirstCounted(time) => {
            let (api, actor, ending) = (api.clone(), asked.actor.clone(), api.service.unbroken().ending());
            let service = Arc::clone(&api.service);
            // Where the service has ended, it has refused nothing that matters any more.
            service.unbroken().begin(async move {
                let _ = tokio::time::timeout(time, ending).await;
                if let Some((calls, asked)) = api.refusals.left_out(&actor) {
                    tracing::warn!(
                        actor,
                        calls,
                        "refused calls of a token are written down as one entry of the audit"
                    );
                    write(&api, &asked).await;
                }
            });
        }
    }
    false
}

async fn write(api: &Api, asked: &Asked) {
    let written =
        tokio::time::timeout(Duration::from_secs(NOTE_S_MAX), api.service.store().note(asked)).await;
    let why = match written {
        Ok(Ok(())) => return,
        Ok(Err(error)) => explain(&error),
        Err(_) => format!("it took longer than {NOTE_S_MAX} s"),
    };
    // What was done is told each time: nothing else tells of it.
    let is_done = asked.status < 400;
    let calls = if is_done { Some(1) } else { api.unwritten.again() };
    if let Some(calls) = calls {
        tracing::error!(?asked, calls, why, "the audit cannot be written");
    }
}

/// A call, before it is known how it is answered.
#[derive(Debug)]
struct Call {
    actor: String,
    role: Role,
    peer: Option<String>,
    method: String,
    path: String,
    /// Whether it is one of [`LOOKS`].
    looks: bool,
}

impl Call {
    fn of(actor: &Actor, request: &Request) -> Call {
        Call {
            actor: actor.name().to_owned(),
            role: actor.role(),
            peer: request.extensions().get::<Peer>().map(|peer| peer.0.ip().to_string()),
            method: request.method().as_str().to_owned(),
            path: masked::path(request.uri().path()).chars().take(PATH_LENGTH_MAX).collect(),
            looks: looks(request),
        }
    }

    /// Room for it. Those who look take no place of a change, and an admin has some that nobody else has.
    fn place(&self, api: &Api) -> Result<Slot, Problem> {
        if self.looks {
            return api.looks_asked.take(&self.actor);
        }
        api.changes.take(&self.actor).or_else(|problem| match self.role {
            Role::Admin => api.changes_of_admins.take(&self.actor).map_err(|_| problem),
            Role::Viewer | Role::Operator => Err(problem),
        })
    }

    /// Whether it is written down where it is answered so: a look is, where whoever asks may not look.
    fn matters(&self, status: StatusCode) -> bool {
        !self.looks || [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status)
    }

    fn asked(&self, status: StatusCode, detail: Option<String>) -> Asked {
        let Call { actor, role, peer, method, path, looks: _ } = self;
        let (actor, method, path) = (actor.clone(), method.clone(), path.clone());
        Asked { actor, role: *role, peer: peer.clone(), method, path, status: status.as_u16(), detail }
    }
}

fn looks(request: &Request) -> bool {
    let route = request.extensions().get::<MatchedPath>();
    request.method() == Method::POST && route.is_some_and(|route| LOOKS.contains(&route.as_str()))
}

/// A call until it is written down. Where it comes to no end, the log tells.
struct UnderWay(Option<Call>);

impl UnderWay {
    fn noted(mut self) {
        self.0 = None;
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(call) = self.0.as_ref().filter(|call| !call.looks) {
            tracing::error!(
                ?call,
                "a call was cut off before its end; what it asked for may have come about"
            );
        }
    }
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
    /// is removed. Where the entry stands for several refused calls: how many they are, of which it is the last.
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

/// Lists who asked for which change, and how it was answered. The last 100,000 are kept. Looks are not among them. Of a token's refused calls 10 a minute have an entry
/// each, and the others one together.
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
