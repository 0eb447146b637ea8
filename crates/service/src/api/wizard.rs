//! Looks at the ends of a pipe that is to be, step by step as somebody sets it up. Nothing is written, joined or committed.

use axum::extract::State;
use axum::response::Response;
use housepipe_runtime::{
    CheckReport, ConnectionReport, Document, InferReport, Need, PipeDraft, PreviewReport, TopicOrder,
    TopicPage, TopicQuery, check_telling, infer_documents, infer_topic, preview, preview_pasted,
    test_connections, topics,
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::Api;
use super::auth::Operator;
use super::extract::{Body, bounded, part_of_name};
use super::problem::{Problem, ProblemCode};
use super::samples::within;
use super::work::{Waits, answer, begin};
use crate::service::Drafted;
use crate::work::WorkKind;

/// Topics of one page unless the call says otherwise, and at most.
const TOPICS: u32 = 100;
const TOPICS_MAX: u32 = 1_000;
/// Topics that are left out before a page, at most.
const SKIP_MAX: u32 = 100_000;

/// Letters of a part of a topic's name, at most: a whole name has no more.
const NAME_LETTERS_MAX: usize = 249;

/// Samples that columns are inferred from unless the call says otherwise, and at most.
const SAMPLES: u32 = 1_000;
const SAMPLES_MAX: u32 = 10_000;

/// Records of a preview unless the call says otherwise, and at most.
const PREVIEWED: u32 = 20;
const PREVIEWED_MAX: u32 = 1_000;

/// Bytes of documents that are pasted, at most (4 MiB).
const DOCUMENTS_BYTES_MAX: usize = 4 << 20;

/// A pipe that is, or is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "pipe": { "source": { "type": "kafka", "brokers": "localhost:9092" } } }))]
pub(crate) struct Draft {
    /// The pipe file as far as there is one. Without it, that of the pipe `of`.
    #[schema(value_type = Option<Object>)]
    pipe: Option<Document>,
    /// The id of a pipe. Its secrets stand for `${secret:…}` in `pipe`, where they go to the same addresses and logins as in that pipe.
    of: Option<String>,
}

/// Tries to connect to each end that `pipe` names: the brokers (`source`), the registry (`schema_registry`), ClickHouse (`destination`).
///
/// What fails is no problem of the call: each end is told with its cause, and how to mend it.
#[utoipa::path(
    post, path = "/api/v1/connections/test", tag = "wizard", operation_id = "test_connections", request_body = Draft,
    responses((status = 200, body = ConnectionReport), Waits, super::docs::Failures)
)]
pub(crate) async fn connections(
    State(api): State<Api>,
    Operator(actor): Operator,
    Body(draft): Body<Draft>,
) -> Result<Response, Problem> {
    let Drafted { file, ends, subject } =
        api.service.draft(draft.pipe, draft.of.as_deref(), Need::Connections).await?;
    if ends.is_empty() {
        let detail = "it names no end; give `source`, `schema_registry` or `destination`";
        return Err(Problem::new(ProblemCode::InvalidRequest, detail));
    }
    let begun =
        begin(&api, &actor, (WorkKind::TestConnections, subject), "the ends to answer", |_| async move {
            Ok(test_connections(&file, &ends).await)
        })?;
    answer(begun).await
}

/// Which topics.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "pipe": { "source": { "type": "kafka", "brokers": "localhost:9092" } }, "name_contains": "click", "order": "rate", "limit": 20
}))]
pub(crate) struct TopicsWanted {
    /// The pipe file as far as there is one: `source` without its topic is enough. Without it, that of the pipe `of`.
    #[schema(value_type = Option<Object>)]
    pipe: Option<Document>,
    /// The id of a pipe. Its secrets stand for `${secret:…}` in `pipe`, where they go to the same addresses and logins as in that pipe.
    of: Option<String>,
    /// A part of the topic's name; small and capital letters are the same.
    #[schema(min_length = 1, max_length = 249)]
    name_contains: Option<String>,
    /// Also those that Kafka keeps for itself.
    #[serde(default)]
    #[schema(default = false)]
    with_internal: bool,
    /// What they are sorted by.
    #[serde(default)]
    order: TopicOrder,
    /// How many to leave out before the page.
    #[schema(minimum = 0, maximum = 100000, default = 0)]
    skip: Option<u32>,
    /// Topics of the page, at most.
    #[schema(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
}

/// Lists topics with how much is in them and how fast they grow, over the last minute by their records' timestamps.
#[utoipa::path(
    post, path = "/api/v1/topics", tag = "wizard", operation_id = "list_topics", request_body = TopicsWanted,
    responses((status = 200, body = TopicPage), Waits, super::docs::Failures)
)]
pub(crate) async fn list_topics(
    State(api): State<Api>,
    Operator(actor): Operator,
    Body(wanted): Body<TopicsWanted>,
) -> Result<Response, Problem> {
    let (skip, limit) = (
        bounded("skip", wanted.skip, 0, 0..=SKIP_MAX)?,
        bounded("limit", wanted.limit, TOPICS, 1..=TOPICS_MAX)?,
    );
    let query = TopicQuery {
        name_contains: part_of_name(wanted.name_contains, NAME_LETTERS_MAX)?,
        with_internal: wanted.with_internal,
        order: wanted.order,
        skip: usize::try_from(skip).unwrap_or(usize::MAX),
        limit: usize::try_from(limit).unwrap_or(usize::MAX),
    };
    let Drafted { file, subject, .. } =
        api.service.draft(wanted.pipe, wanted.of.as_deref(), Need::Brokers).await?;
    let begun = begin(
        &api,
        &actor,
        (WorkKind::ListTopics, subject),
        "the brokers to tell their topics",
        |_| async move { Ok(topics(&file, &query).await?) },
    )?;
    answer(begun).await
}

/// What columns are inferred of.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "pipe": { "source": { "topic": "clicks" } }, "documents": "{\"id\": 1}\n{\"id\": 2}" }))]
pub(crate) struct InferWanted {
    /// The pipe file as far as there is one: `source`, and of `destination` what it says of the table. Without it, that of the pipe `of`.
    #[schema(value_type = Option<Object>)]
    pipe: Option<Document>,
    /// The id of a pipe. Its secrets stand for `${secret:…}` in `pipe`, where they go to the same addresses and logins as in that pipe.
    of: Option<String>,
    /// Documents in place of the topic's records: JSON objects one a line, over several lines each, or in an array. Up to 4 MiB.
    #[schema(max_length = 4194304)]
    documents: Option<String>,
    /// Samples that are looked at, at most.
    #[schema(minimum = 1, maximum = 10000, default = 1000)]
    samples: Option<u32>,
}

/// Infers columns of the newest records of the topic, or of documents: types with how sure they are and which sample decided, and the statement
/// that would create the table.
#[utoipa::path(
    post, path = "/api/v1/infer", tag = "wizard", operation_id = "infer_columns", request_body = InferWanted,
    responses((status = 200, body = InferReport), Waits, super::docs::Failures)
)]
pub(crate) async fn infer(
    State(api): State<Api>,
    Operator(actor): Operator,
    Body(wanted): Body<InferWanted>,
) -> Result<Response, Problem> {
    let samples = bounded("samples", wanted.samples, SAMPLES, 1..=SAMPLES_MAX)?;
    let documents = pasted(wanted.documents)?;
    let need = if documents.is_some() { Need::NewTableAlone } else { Need::NewTable };
    let pipe = match (wanted.pipe, &wanted.of, &documents) {
        // Documents say enough by themselves.
        (None, None, Some(_)) => Some(nothing()?),
        (pipe, ..) => pipe,
    };
    let Drafted { file, subject, .. } = api.service.draft(pipe, wanted.of.as_deref(), need).await?;
    let draft = PipeDraft::from(file);
    let waits_for = match &documents {
        Some(_) => "the columns of the documents".to_owned(),
        None => format!("the newest records of `{}`", draft.topic()),
    };
    let begun = begin(&api, &actor, (WorkKind::Infer, subject), waits_for, |_| async move {
        Ok(match documents {
            Some(documents) => infer_documents(&draft, documents, count(samples)).await?,
            None => infer_topic(&draft, within(samples)).await?,
        })
    })?;
    answer(begun).await
}

/// What is previewed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "pipe": {
        "source": { "type": "kafka", "brokers": "localhost:9092", "topic": "clicks" },
        "destination": {
            "url": "http://localhost:8123", "table": "clicks", "managed_table": { "order_by": ["id"] },
            "columns": [{ "name": "id", "type": "UInt64" }]
        }
    },
    "limit": 20
}))]
pub(crate) struct PreviewWanted {
    /// The pipe file with its columns as they are to be. Without it, that of the pipe `of`.
    #[schema(value_type = Option<Object>)]
    pipe: Option<Document>,
    /// The id of a pipe. Its secrets stand for `${secret:…}` in `pipe`, where they go to the same addresses and logins as in that pipe.
    of: Option<String>,
    /// Documents in place of the topic's records: JSON objects one a line, over several lines each, or in an array. Up to 4 MiB.
    #[schema(max_length = 4194304)]
    documents: Option<String>,
    /// Records that are looked at, at most.
    #[schema(minimum = 1, maximum = 1000, default = 20)]
    limit: Option<u32>,
}

/// Encodes the newest records of the topic, or documents, as a run would: rows as they would be stored, and records that would be rejected, each
/// with its code, column and reason. Nothing is written.
#[utoipa::path(
    post, path = "/api/v1/preview", tag = "wizard", operation_id = "preview_rows", request_body = PreviewWanted,
    responses((status = 200, body = PreviewReport), Waits, super::docs::Failures)
)]
pub(crate) async fn preview_rows(
    State(api): State<Api>,
    Operator(actor): Operator,
    Body(wanted): Body<PreviewWanted>,
) -> Result<Response, Problem> {
    let limit = bounded("limit", wanted.limit, PREVIEWED, 1..=PREVIEWED_MAX)?;
    let documents = pasted(wanted.documents)?;
    let need = if documents.is_some() { Need::Columns } else { Need::Rows };
    let Drafted { file, subject, .. } = api.service.draft(wanted.pipe, wanted.of.as_deref(), need).await?;
    let waits_for = match &documents {
        Some(_) => "clickhouse, and the rows of the documents".to_owned(),
        None => format!("the newest records of `{}`, and clickhouse", file.source.topic),
    };
    let begun = begin(&api, &actor, (WorkKind::Preview, subject), waits_for, |_| async move {
        Ok(match documents {
            Some(documents) => preview_pasted(&file, &documents, count(limit)).await?,
            None => preview(&file, within(limit)).await?,
        })
    })?;
    answer(begun).await
}

/// Looks at everything that the pipe needs, each with its verdict and how to mend it. Nothing is written.
///
/// A check that fails is no problem of the call.
#[utoipa::path(
    post, path = "/api/v1/check", tag = "wizard", operation_id = "check_pipe", request_body = Draft,
    responses((status = 200, body = CheckReport), Waits, super::docs::Failures)
)]
pub(crate) async fn check(
    State(api): State<Api>,
    Operator(actor): Operator,
    Body(draft): Body<Draft>,
) -> Result<Response, Problem> {
    let Drafted { file, subject, .. } =
        api.service.draft(draft.pipe, draft.of.as_deref(), Need::Whole).await?;
    let begun = begin(&api, &actor, (WorkKind::Check, subject), "both ends", |progress| async move {
        Ok(check_telling(&file, |what| progress.waits_for(what)).await)
    })?;
    answer(begun).await
}

/// Documents that were pasted, where they are not too many.
fn pasted(documents: Option<String>) -> Result<Option<String>, Problem> {
    match documents {
        Some(documents) if documents.len() > DOCUMENTS_BYTES_MAX => {
            let detail = format!("`documents` may have {DOCUMENTS_BYTES_MAX} bytes");
            Err(Problem::new(ProblemCode::BodyTooLarge, detail))
        }
        documents => Ok(documents),
    }
}

/// A draft that says nothing yet.
fn nothing() -> Result<Document, Problem> {
    serde_json::from_str("{}").map_err(|_| Problem::new(ProblemCode::Internal, "the service's log says more"))
}

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
