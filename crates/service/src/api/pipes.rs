//! Pipes as the API shows them, and the calls on them.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use housepipe_runtime::Document;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::audit::Detail;
use super::auth::{Actor, Operator};
use super::extract::{At, Body, Params, PipePath};
use super::if_match::IfMatch;
use super::problem::{Problem, ProblemCode};
use super::view::PipeView;
use crate::store::{CleanUp, StoreError};

/// Letters of an idempotency key, at most.
const KEY_LENGTH_MAX: usize = 200;

/// Pipes of one page unless the query says otherwise, and at most.
const PAGE: i64 = 100;
const PAGE_MAX: i64 = 1_000;

/// A pipe that is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "pipe": {
        "name": "clicks",
        "source": { "type": "kafka", "brokers": "localhost:9092", "topic": "clicks" },
        "destination": {
            "url": "http://localhost:8123", "table": "clicks", "managed_table": { "order_by": ["id"] },
            "columns": [{ "name": "id", "type": "UInt64" }]
        }
    }
}))]
pub(crate) struct NewPipe {
    /// The pipe file, a `PipeFile`; what is wrong with it is answered with 422, key by key. A secret may stand in it; it is kept apart and never shown again.
    #[schema(value_type = Object)]
    pipe: Document,
    /// Whether it runs at once.
    #[serde(default = "yes")]
    #[schema(default = true)]
    run: bool,
}

fn yes() -> bool {
    true
}

/// A pipe as it is to be from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EditedPipe {
    /// The whole pipe file, a `PipeFile`. What it shows as `${secret:…}` stays as it is kept; another text there replaces it.
    #[schema(value_type = Object)]
    pipe: Document,
}

/// A page of pipes.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PipePage {
    /// The pipes, by name.
    pipes: Vec<PipeView>,
    /// The value of `after` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// The name behind which the page begins.
    #[serde(default)]
    after: String,
    /// Pipes on the page, at most; fewer where their pipe files have more than 16 MiB together.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<i64>,
}

/// What goes with a pipe.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RemoveQuery {
    /// Also the consumer group with its offsets, once all members have left it. The table stays in any case.
    #[serde(default)]
    consumer_group: bool,
    /// Also the ClickHouse user that was made for the pipe, where `destination.access` asked for one.
    #[serde(default)]
    user: bool,
}

/// Lists pipes by name.
#[utoipa::path(
    get, path = "/api/v1/pipes", tag = "pipes", operation_id = "list_pipes", params(PageQuery),
    responses((status = 200, body = PipePage), super::docs::Failures)
)]
pub(crate) async fn list(
    State(api): State<Api>,
    _: Actor,
    Params(page): Params<PageQuery>,
) -> Result<Json<PipePage>, Problem> {
    let limit = page.limit.unwrap_or(PAGE);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(Problem::new(ProblemCode::InvalidRequest, format!("`limit` is from 1 to {PAGE_MAX}")));
    }
    if page.after.contains('\0') {
        return Err(Problem::new(ProblemCode::InvalidRequest, "`after` is the name of a pipe"));
    }
    let (size, _) = api.service.store().page(&page.after, limit).await?;
    // Somebody may have defined one since then: whether there are more is seen by the pipes that are shown, and one behind them.
    let mut pipes: Vec<PipeView> =
        api.service.pipes(&page.after, size + 1).await?.into_iter().map(PipeView::from).collect();
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let has_more = pipes.len() > size;
    pipes.truncate(size);
    let next = pipes.last().filter(|_| has_more).map(|pipe| pipe.name.clone());
    Ok(Json(PipePage { pipes, next }))
}

/// Defines a pipe, which runs at once unless the request says otherwise.
#[utoipa::path(
    post, path = "/api/v1/pipes", tag = "pipes", operation_id = "create_pipe",
    params(("Idempotency-Key" = Option<String>, Header, description = "A text of your choice, of up to 200 letters: the same call with the same key gives the same pipe, for a day")),
    request_body = NewPipe,
    responses(
        (status = 201, body = PipeView, headers(("etag", description = "The pipe's state"), ("location", description = "Where the pipe is"))),
        super::docs::Failures
    )
)]
pub(crate) async fn create(
    State(api): State<Api>,
    Operator(actor): Operator,
    headers: HeaderMap,
    Body(new): Body<NewPipe>,
) -> Result<Response, Problem> {
    let pipe = api.service.create(new.pipe, new.run, idempotency_key(&headers)?, actor.name()).await?;
    let location = HeaderValue::from_str(&format!("/api/v1/pipes/{}", pipe.stored.id));
    let detail = Detail(format!("the pipe {} with the id {}", pipe.stored.name, pipe.stored.id));
    let mut response = with_etag(StatusCode::CREATED, pipe.into());
    response.extensions_mut().insert(detail);
    if let Ok(location) = location {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Shows a pipe.
#[utoipa::path(
    get, path = "/api/v1/pipes/{id}", tag = "pipes", operation_id = "show_pipe", params(PipePath),
    responses((status = 200, body = PipeView, headers(("etag", description = "The pipe's state"))), super::docs::Failures)
)]
pub(crate) async fn show(
    State(api): State<Api>,
    _: Actor,
    At(path): At<PipePath>,
) -> Result<Response, Problem> {
    Ok(with_etag(StatusCode::OK, api.service.pipe(&path.id).await?.into()))
}

/// Shows the pipe file as YAML, as `housepipe run` takes it, with references in place of secrets.
#[utoipa::path(
    get, path = "/api/v1/pipes/{id}/file", tag = "pipes", operation_id = "show_pipe_file", params(PipePath),
    responses((status = 200, body = Object, content_type = "application/yaml"), super::docs::Failures)
)]
pub(crate) async fn file(
    State(api): State<Api>,
    _: Actor,
    At(path): At<PipePath>,
) -> Result<Response, Problem> {
    let pipe = api.service.pipe(&path.id).await?;
    let document = pipe.stored.document.map_err(|why| {
        tracing::error!(pipe = pipe.stored.name, why, "a stored pipe file cannot be read");
        Problem::new(
            ProblemCode::Internal,
            "the stored pipe file cannot be read; the service's log says more",
        )
    })?;
    Ok(([(header::CONTENT_TYPE, "application/yaml")], document.to_yaml()).into_response())
}

/// Replaces the definition of a pipe. One that runs goes on as it is edited: at once where nothing changes but `description`, `batch.max_rows`,
/// `batch.max_wait`, the ratios of `error_table` and `deadlines`, and otherwise once it has stored what it has read and started anew.
#[utoipa::path(
    put, path = "/api/v1/pipes/{id}", tag = "pipes", operation_id = "edit_pipe",
    params(PipePath, ("If-Match" = String, Header, description = "The pipe's `ETag`: the state that is edited")),
    request_body = EditedPipe,
    responses((status = 200, body = PipeView, headers(("etag", description = "The pipe's state"))), super::docs::Failures)
)]
pub(crate) async fn edit(
    State(api): State<Api>,
    Operator(actor): Operator,
    At(path): At<PipePath>,
    headers: HeaderMap,
    Body(edited): Body<EditedPipe>,
) -> Result<Response, Problem> {
    let revision = match IfMatch::of(&headers)? {
        IfMatch::Absent => {
            return Err(Problem::new(
                ProblemCode::IfMatchRequired,
                "send `If-Match` with the `ETag` of the pipe that was shown, so that nobody else's edit is lost",
            ));
        }
        IfMatch::Any => api.service.pipe(&path.id).await?.stored.revision,
        IfMatch::These(revisions) => one_of(&api, &path.id, &revisions).await?,
    };
    let pipe = api.service.edit(&path.id, revision, edited.pipe, actor.name()).await?;
    Ok(with_etag(StatusCode::OK, pipe.into()))
}

/// Has a pipe store what it has read, and rest.
#[utoipa::path(
    post, path = "/api/v1/pipes/{id}/pause", tag = "pipes", operation_id = "pause_pipe",
    params(PipePath, ("If-Match" = Option<String>, Header, description = "The `ETag` of the state that is meant; without it any")),
    responses((status = 200, body = PipeView, headers(("etag", description = "The pipe's state"))), super::docs::Failures)
)]
pub(crate) async fn pause(
    State(api): State<Api>,
    Operator(actor): Operator,
    At(path): At<PipePath>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let revision = revision(&api, &path.id, &headers).await?;
    let pipe = api.service.pause(&path.id, revision, actor.name()).await?;
    Ok(with_etag(StatusCode::OK, pipe.into()))
}

/// Has a pipe run, also one that has failed.
#[utoipa::path(
    post, path = "/api/v1/pipes/{id}/resume", tag = "pipes", operation_id = "resume_pipe",
    params(PipePath, ("If-Match" = Option<String>, Header, description = "The `ETag` of the state that is meant; without it any")),
    responses((status = 200, body = PipeView, headers(("etag", description = "The pipe's state"))), super::docs::Failures)
)]
pub(crate) async fn resume(
    State(api): State<Api>,
    Operator(actor): Operator,
    At(path): At<PipePath>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let revision = revision(&api, &path.id, &headers).await?;
    let pipe = api.service.resume(&path.id, revision, actor.name()).await?;
    Ok(with_etag(StatusCode::OK, pipe.into()))
}

/// Has a pipe end and go, once what was asked for is cleaned up. Its table stays.
#[utoipa::path(
    delete, path = "/api/v1/pipes/{id}", tag = "pipes", operation_id = "remove_pipe",
    params(PipePath, RemoveQuery, ("If-Match" = Option<String>, Header, description = "The `ETag` of the state that is meant; without it any")),
    responses((status = 202, body = PipeView, headers(("etag", description = "The pipe's state"))), super::docs::Failures)
)]
pub(crate) async fn remove(
    State(api): State<Api>,
    Operator(actor): Operator,
    At(path): At<PipePath>,
    Params(query): Params<RemoveQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let clean_up = CleanUp { consumer_group: query.consumer_group, user: query.user };
    let revision = revision(&api, &path.id, &headers).await?;
    let pipe = api.service.remove(&path.id, revision, clean_up, actor.name()).await?;
    let mut response = with_etag(StatusCode::ACCEPTED, pipe.into());
    if let Some(words) = clean_up.words() {
        response.extensions_mut().insert(Detail(words.to_owned()));
    }
    Ok(response)
}

/// The pipe, and its state as an `ETag`.
fn with_etag(status: StatusCode, pipe: PipeView) -> Response {
    let etag = HeaderValue::from_str(&format!("\"{}\"", pipe.revision));
    let mut response = (status, Json(pipe)).into_response();
    if let Ok(etag) = etag {
        response.headers_mut().insert(header::ETAG, etag);
    }
    response
}

/// The key by which a repetition of the call is known.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    match value.to_str() {
        Ok(key) if (1..=KEY_LENGTH_MAX).contains(&key.len()) => Ok(Some(key.to_owned())),
        _ => {
            let detail = format!("`Idempotency-Key` is a text of 1 to {KEY_LENGTH_MAX} letters of ASCII");
            Err(Problem::new(ProblemCode::InvalidRequest, detail))
        }
    }
}

/// The revision that the request is about; none where it is about whichever there is.
async fn revision(api: &Api, id: &str, headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    match IfMatch::of(headers)? {
        IfMatch::Absent | IfMatch::Any => Ok(None),
        IfMatch::These(revisions) => one_of(api, id, &revisions).await.map(Some),
    }
}

/// The one of several revisions that the pipe is at.
async fn one_of(api: &Api, id: &str, revisions: &[i64]) -> Result<i64, Problem> {
    if let [revision] = revisions {
        // Whoever makes the change compares it.
        return Ok(*revision);
    }
    let current = api.service.pipe(id).await?.stored.revision;
    match revisions.contains(&current) {
        true => Ok(current),
        false => Err(StoreError::Changed(current).into()),
    }
}
