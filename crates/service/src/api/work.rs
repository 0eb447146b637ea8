//! The calls on work, and the answer of a call that begins some.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use housepipe_runtime::{
    CheckReport, ConnectionReport, DatabaseList, ErrorSummary, InferReport, PreviewReport, ReplayReport,
    RoleList, SamplePage, TablePage, TableRows, TopicPage,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, IntoResponses, ToSchema};

use super::Api;
use super::auth::{Actor, Operator};
use super::errors::ErrorPage;
use super::extract::{At, Params, bounded};
use super::problem::Problem;
use super::table::MappingView;
use crate::work::{About, Begun, Line, Progress, State as Work, WAIT_MS_MAX};

/// What the work of each kind comes to.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is a description")]
pub(crate) enum WorkResult {
    Connections(ConnectionReport),
    Topics(TopicPage),
    Databases(DatabaseList),
    Tables(TablePage),
    Roles(RoleList),
    SourceSamples(SamplePage),
    DestinationSamples(TableRows),
    Columns(InferReport),
    Preview(PreviewReport),
    Checks(CheckReport),
    Mapping(MappingView),
    Errors(ErrorPage),
    ErrorSummary(ErrorSummary),
    Replay(ReplayReport),
}

/// What a call answers whose result does not come at once.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it is a description")]
pub(crate) enum Waits {
    /// It takes longer, and goes on. `Location` says where its result will be.
    #[response(status = 202, headers(("location", description = "Where to look for the result")))]
    UnderWay(Work),
}

/// Begins `work` for `actor`, whose token is judged once more when the work can be found: forgotten before, nothing is done for it, and forgotten
/// afterwards, the work ends with it.
///
/// # Errors
/// As [`crate::work::Works::begin`].
pub(crate) fn begin<T, F>(
    api: &Api,
    actor: &Actor,
    about: impl Into<About>,
    waits_for: impl Into<String>,
    work: impl FnOnce(Progress) -> F,
) -> Result<Begun, Problem>
where
    T: Serialize,
    F: Future<Output = Result<T, Problem>> + Send + 'static,
{
    let judged = actor.judge_again(api);
    api.works.begin(actor.name(), about, waits_for, |progress| {
        let work = work(progress);
        async move {
            judged.await?;
            work.await
        }
    })
}

/// The result, or where to look for it.
pub(crate) async fn answer(begun: Begun) -> Result<Response, Problem> {
    match begun.wait().await? {
        Ok(result) => Ok((
            [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")],
            result.get().to_owned(),
        )
            .into_response()),
        Err(state) => {
            let location = HeaderValue::from_str(&format!("/api/v1/work/{}", state.id));
            let mut response = (StatusCode::ACCEPTED, Json(state)).into_response();
            if let Ok(location) = location {
                response.headers_mut().insert(header::LOCATION, location);
            }
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            Ok(response)
        }
    }
}

/// Which piece of work.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct WorkPath {
    /// The id that the call told which began it.
    id: String,
}

/// How long to wait.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WaitQuery {
    /// How long to wait for its end before it is shown, in milliseconds.
    #[param(minimum = 0, maximum = 2500)]
    wait_ms: Option<u32>,
}

/// Pieces of work.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WorkList {
    /// One by one, the newest first.
    work: Vec<Line>,
}

/// Lists the work that the token has begun in this process, also where the answer that told its id was lost. What has ended is kept for 300 s.
#[utoipa::path(
    get, path = "/api/v1/work", tag = "work", operation_id = "list_work",
    responses((status = 200, body = WorkList), super::docs::Failures)
)]
pub(crate) async fn list(State(api): State<Api>, Operator(actor): Operator) -> Response {
    let work = api.works.of(actor.name());
    ([(header::CACHE_CONTROL, "no-store")], Json(WorkList { work })).into_response()
}

/// Shows a piece of work, and its result once that is there. It is of the token that has begun it, and of this process.
#[utoipa::path(
    get, path = "/api/v1/work/{id}", tag = "work", operation_id = "show_work", params(WorkPath, WaitQuery),
    responses((status = 200, body = Work), super::docs::Failures)
)]
pub(crate) async fn show(
    State(api): State<Api>,
    Operator(actor): Operator,
    At(path): At<WorkPath>,
    Params(query): Params<WaitQuery>,
) -> Result<Response, Problem> {
    let most = u32::try_from(WAIT_MS_MAX).unwrap_or(u32::MAX);
    let wait_ms = bounded("wait_ms", query.wait_ms, 0, 0..=most)?;
    api.works.wait(&path.id, actor.name(), u64::from(wait_ms)).await?;
    let state = api.works.state(&path.id, actor.name())?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(state)).into_response())
}

/// Cancels a piece of work, and forgets its result. What a replay has loaded stays loaded.
#[utoipa::path(
    delete, path = "/api/v1/work/{id}", tag = "work", operation_id = "cancel_work", params(WorkPath),
    responses((status = 204), super::docs::Failures)
)]
pub(crate) async fn cancel(
    State(api): State<Api>,
    Operator(actor): Operator,
    At(path): At<WorkPath>,
) -> Result<StatusCode, Problem> {
    api.works.cancel(&path.id, actor.name())?;
    Ok(StatusCode::NO_CONTENT)
}
