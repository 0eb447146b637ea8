//! Records of a topic, and rows of a table, side by side.

use axum::extract::State;
use axum::response::Response;
use housepipe_runtime::{
    Document, FieldFilter, Need, SampleFilter, SamplePage, SamplePlace, SampleQuery, Samples, TableRows,
    sample_page, table_rows,
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::auth::{Actor, Operator};
use super::extract::{At, Body, Object, Params, PipePath, bounded};
use super::problem::{Problem, ProblemCode};
use super::work::{Waits, answer, begin};
use crate::service::Drafted;
use crate::work::WorkKind;

/// Samples of one page unless the call says otherwise, and at most.
const SAMPLES: u32 = 10;
const SAMPLES_MAX: u32 = 200;

/// Records among which a filter looks unless the call says otherwise, and at most.
const LOOKED_AT: u32 = 1_000;
const LOOKED_AT_MAX: u32 = 10_000;

/// Texts and fields of a filter, at most.
const FILTERS_MAX: usize = 16;
/// Letters of one of them, or of a key, at most.
const FILTER_LETTERS_MAX: usize = 1_024;

/// Bytes of samples that one call holds, at most (16 MiB); twice as many while they are read.
const BYTES_MAX: usize = 16 << 20;
/// Time to fetch samples, at most, in milliseconds.
const FETCH_MS_MAX: u64 = 20_000;

/// Bytes of a value that are shown, at most (64 KiB).
const VALUE_BYTES_MAX: usize = 64 << 10;
/// Bytes of rows that are shown, at most (8 MiB).
const ROWS_BYTES_MAX: usize = 8 << 20;

/// So many of the newest records, within what one call may hold.
pub(crate) fn within(count: u32) -> Samples {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    Samples { count, bytes_max: BYTES_MAX, timeout_ms: FETCH_MS_MAX }
}

/// Which records: those that are as every part says.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = SampleFilter)]
pub(crate) struct Filter {
    /// The partition.
    #[schema(minimum = 0)]
    partition: Option<i32>,
    /// The whole key.
    #[schema(max_length = 1024)]
    key: Option<String>,
    /// Texts of which each stands in the key, the value, or a header.
    #[schema(max_items = 16)]
    contains: Vec<String>,
    /// Values at places inside of records that are JSON, such as `user.id=7`.
    #[schema(max_items = 16)]
    fields: Vec<String>,
}

/// Which samples of the topic.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "pipe": { "source": { "type": "kafka", "brokers": "localhost:9092", "topic": "clicks" } },
    "limit": 10, "filter": { "fields": ["user.id=7"] }
}))]
pub(crate) struct SourceWanted {
    /// The pipe file as far as there is one: `source` is enough. Without it, that of the pipe `of`.
    #[schema(value_type = Option<Object>)]
    pipe: Option<Document>,
    /// The id of a pipe. Its secrets stand for `${secret:…}` in `pipe`, where they go to the same addresses and logins as in that pipe.
    of: Option<String>,
    /// Which records.
    #[schema(value_type = Option<Filter>)]
    filter: Option<Object<Filter>>,
    /// Among how many records a filter looks for them.
    #[schema(minimum = 1, maximum = 10000, default = 1000)]
    look_at: Option<u32>,
    /// Records of the page, at most.
    #[schema(minimum = 1, maximum = 200, default = 10)]
    limit: Option<u32>,
    /// What the page before has as `next`.
    before: Option<String>,
}

/// Shows the newest records of a topic over all partitions, and page by page those before them. The consumer group is not joined.
#[utoipa::path(
    post, path = "/api/v1/samples/source", tag = "wizard", operation_id = "sample_source", request_body = SourceWanted,
    responses((status = 200, body = SamplePage), Waits, super::docs::Failures)
)]
pub(crate) async fn source(
    State(api): State<Api>,
    Operator(actor): Operator,
    Body(wanted): Body<SourceWanted>,
) -> Result<Response, Problem> {
    let query = SampleQuery {
        count: count(bounded("limit", wanted.limit, SAMPLES, 1..=SAMPLES_MAX)?),
        filter: filter(wanted.filter.map(|Object(filter)| filter).unwrap_or_default())?,
        samples: within(bounded("look_at", wanted.look_at, LOOKED_AT, 1..=LOOKED_AT_MAX)?),
        before: place(wanted.before)?,
        value_bytes_max: VALUE_BYTES_MAX,
    };
    let drafted = api.service.draft(wanted.pipe, wanted.of.as_deref(), Need::Topic).await?;
    of_source(&api, &actor, drafted, query).await
}

/// Which samples of a pipe's topic.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SourceQuery {
    /// Records of the page, at most.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// What the page before has as `next`.
    before: Option<String>,
}

/// Shows the newest records of a pipe's topic, and page by page those before them.
#[utoipa::path(
    get, path = "/api/v1/pipes/{id}/samples/source", tag = "pipes", operation_id = "sample_pipe_source", params(PipePath, SourceQuery),
    responses((status = 200, body = SamplePage), Waits, super::docs::Failures)
)]
pub(crate) async fn source_of_pipe(
    State(api): State<Api>,
    Operator(actor): Operator,
    At(path): At<PipePath>,
    Params(query): Params<SourceQuery>,
) -> Result<Response, Problem> {
    let query = SampleQuery {
        count: count(bounded("limit", query.limit, SAMPLES, 1..=SAMPLES_MAX)?),
        filter: SampleFilter::default(),
        samples: within(LOOKED_AT),
        before: place(query.before)?,
        value_bytes_max: VALUE_BYTES_MAX,
    };
    let drafted = api.service.draft(None, Some(&path.id), Need::Topic).await?;
    of_source(&api, &actor, drafted, query).await
}

async fn of_source(
    api: &Api,
    actor: &Actor,
    Drafted { file, subject, .. }: Drafted,
    query: SampleQuery,
) -> Result<Response, Problem> {
    let waits_for = format!("the newest records of `{}`", file.source.topic);
    let begun = begin(api, actor, (WorkKind::SampleSource, subject), waits_for, |_| async move {
        Ok(sample_page(&file, &query).await?)
    })?;
    answer(begun).await
}

/// Which rows of the table.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "pipe": { "destination": { "url": "http://localhost:8123", "table": "clicks" } }, "limit": 10 }))]
pub(crate) struct DestinationWanted {
    /// The pipe file as far as there is one: `destination` is enough. Without it, that of the pipe `of`.
    #[schema(value_type = Option<Object>)]
    pipe: Option<Document>,
    /// The id of a pipe. Its secrets stand for `${secret:…}` in `pipe`, where they go to the same addresses and logins as in that pipe.
    of: Option<String>,
    /// Rows, at most.
    #[schema(minimum = 1, maximum = 200, default = 10)]
    limit: Option<u32>,
}

/// Shows rows of the table that were written last, as far as ClickHouse tells: after its merges others may stand among them.
#[utoipa::path(
    post, path = "/api/v1/samples/destination", tag = "wizard", operation_id = "sample_destination", request_body = DestinationWanted,
    responses((status = 200, body = TableRows), Waits, super::docs::Failures)
)]
pub(crate) async fn destination(
    State(api): State<Api>,
    Operator(actor): Operator,
    Body(wanted): Body<DestinationWanted>,
) -> Result<Response, Problem> {
    let limit = bounded("limit", wanted.limit, SAMPLES, 1..=SAMPLES_MAX)?;
    let drafted = api.service.draft(wanted.pipe, wanted.of.as_deref(), Need::Table).await?;
    of_destination(&api, &actor, drafted, limit).await
}

/// How many rows of a pipe's table.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DestinationQuery {
    /// Rows, at most.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// Shows rows of a pipe's table that were written last, as far as ClickHouse tells.
#[utoipa::path(
    get, path = "/api/v1/pipes/{id}/samples/destination", tag = "pipes", operation_id = "sample_pipe_destination",
    params(PipePath, DestinationQuery),
    responses((status = 200, body = TableRows), Waits, super::docs::Failures)
)]
pub(crate) async fn destination_of_pipe(
    State(api): State<Api>,
    Operator(actor): Operator,
    At(path): At<PipePath>,
    Params(query): Params<DestinationQuery>,
) -> Result<Response, Problem> {
    let limit = bounded("limit", query.limit, SAMPLES, 1..=SAMPLES_MAX)?;
    let drafted = api.service.draft(None, Some(&path.id), Need::Table).await?;
    of_destination(&api, &actor, drafted, limit).await
}

async fn of_destination(
    api: &Api,
    actor: &Actor,
    Drafted { file, subject, .. }: Drafted,
    limit: u32,
) -> Result<Response, Problem> {
    let waits_for = format!("rows of `{}`", file.destination.table);
    let begun = begin(api, actor, (WorkKind::SampleDestination, subject), waits_for, |_| async move {
        Ok(table_rows(&file, limit, ROWS_BYTES_MAX).await?)
    })?;
    answer(begun).await
}

fn filter(filter: Filter) -> Result<SampleFilter, Problem> {
    let Filter { partition, key, contains, fields } = filter;
    let refuse = |detail: String| Problem::new(ProblemCode::InvalidRequest, detail);
    if contains.len() > FILTERS_MAX || fields.len() > FILTERS_MAX {
        return Err(refuse(format!("`contains` and `fields` have up to {FILTERS_MAX} each")));
    }
    if contains.iter().chain(&fields).chain(&key).any(|text| text.chars().count() > FILTER_LETTERS_MAX) {
        return Err(refuse(format!("a text of a filter has up to {FILTER_LETTERS_MAX} letters")));
    }
    if partition.is_some_and(|partition| partition < 0) {
        return Err(refuse("`partition` is 0 or more".to_owned()));
    }
    let parse =
        |field: &String| field.parse::<FieldFilter>().map_err(|why| refuse(format!("`fields`: {why}")));
    let fields = fields.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    Ok(SampleFilter { partition, key, contains, fields })
}

fn place(before: Option<String>) -> Result<Option<SamplePlace>, Problem> {
    let parse = |text: String| {
        text.parse().map_err(|why| Problem::new(ProblemCode::InvalidRequest, format!("`before`: {why}")))
    };
    before.map(parse).transpose()
}

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
