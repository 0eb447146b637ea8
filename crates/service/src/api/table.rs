//! The destination of a pipe that is in the making: the statements that would create it, and what fills a table that is there.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use housepipe_runtime::{
    Document, Filling, MappedColumn, Mapping, Need, PipeError, Statement, TopicField, infer_lines,
    propose_mapping, statements,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::Api;
use super::auth::{Actor, Operator};
use super::extract::Body;
use super::problem::{Problem, ProblemCode};
use super::work::{Waits, answer, begin};
use crate::service::{Drafted, explain};
use crate::work::WorkKind;

/// Samples of one call, at most.
const SAMPLES_MAX: usize = 10_000;
/// Columns of one call, at most.
const COLUMNS_MAX: usize = 10_000;

/// A pipe whose statements are wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Planned {
    /// The pipe file. Its secrets are not looked at, and may be references.
    #[schema(value_type = Object)]
    pipe: Document,
}

/// What creating a pipe would run.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Statements {
    /// The statements, in their order.
    statements: Vec<StatementView>,
}

/// A statement for ClickHouse.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StatementView {
    /// What it is for.
    purpose: String,
    /// Who runs it.
    user: String,
    /// The statement, without secrets.
    sql: String,
}

/// A pipe into a table that is there, and what its topic has.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToMap {
    /// The pipe file as far as there is one: `destination` is enough. Without it, that of the pipe `of`.
    #[schema(value_type = Option<Object>)]
    pipe: Option<Document>,
    /// The id of a pipe. Its secrets stand for `${secret:…}` in `pipe`, where they go to the same addresses and logins as in that pipe.
    of: Option<String>,
    /// Documents of the topic; either these or `columns`.
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    samples: Vec<Box<RawValue>>,
    /// Columns that were inferred of the topic.
    #[serde(default)]
    columns: Vec<InferredColumn>,
}

/// A column that was inferred.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct InferredColumn {
    /// The key of the field.
    name: String,
    /// Its type, as ClickHouse writes it.
    #[serde(rename = "type")]
    data_type: String,
}

/// What is proposed for a table.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MappingView {
    /// The table's name.
    table: String,
    /// Its engine.
    engine: String,
    /// Its columns, in their order.
    columns: Vec<MappedColumnView>,
    /// Fields that fill no column.
    left_over: Vec<String>,
}

/// A column of the table, and what is proposed for it.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct MappedColumnView {
    /// Its name.
    name: String,
    /// Its type, as ClickHouse writes it.
    #[serde(rename = "type")]
    data_type: String,
    /// What fills it: a `field`; something `virtual` that is known of each record; the server by a `default`; the `server` alone, which takes
    /// no values for it; `nothing`, as it is not stored; or the `type_default`.
    filled_by: &'static str,
    /// As `from` of a pipe file names what fills it.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    /// How the field's name is like the column's: `exact`, `letter_case`, `words` or `path`.
    #[serde(skip_serializing_if = "Option::is_none")]
    likeness: Option<&'static str>,
    /// Whether the field's values go into the column.
    #[serde(skip_serializing_if = "Option::is_none")]
    fit: Option<FitView>,
    /// The expression by which the server fills it.
    #[serde(skip_serializing_if = "Option::is_none")]
    expression: Option<String>,
}

/// Whether the values of a field go into a column, as far as types tell.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FitView {
    /// Of all values `yes`, of `some`, or `no`.
    verdict: &'static str,
    /// Which do not, or become something else.
    #[serde(skip_serializing_if = "str::is_empty")]
    note: &'static str,
}

impl From<MappedColumn> for MappedColumnView {
    fn from(MappedColumn { name, data_type, filling }: MappedColumn) -> MappedColumnView {
        let view = MappedColumnView { name, data_type, ..MappedColumnView::default() };
        match filling {
            Filling::Field { from, likeness, fit } => MappedColumnView {
                filled_by: "field",
                from: Some(from),
                likeness: Some(likeness.as_str()),
                fit: Some(FitView { verdict: fit.verdict.as_str(), note: fit.note }),
                ..view
            },
            Filling::Virtual { from } => MappedColumnView { filled_by: "virtual", from: Some(from), ..view },
            Filling::Default { expression } => {
                MappedColumnView { filled_by: "default", expression: Some(expression), ..view }
            }
            Filling::Server { expression } => {
                MappedColumnView { filled_by: "server", expression: Some(expression), ..view }
            }
            Filling::Nothing => MappedColumnView { filled_by: "nothing", ..view },
            Filling::TypeDefault => MappedColumnView { filled_by: "type_default", ..view },
        }
    }
}

/// Composes the statements that creating a pipe would run, without running one.
#[utoipa::path(
    post, path = "/api/v1/ddl", tag = "table", operation_id = "compose_ddl", request_body = Planned,
    responses((status = 200, body = Statements), super::docs::Failures)
)]
pub(crate) async fn compose(
    State(api): State<Api>,
    _: Actor,
    Body(planned): Body<Planned>,
) -> Result<Json<Statements>, Problem> {
    let file = api.service.read_without_secrets(planned.pipe)?;
    let refused = |error: PipeError| Problem::new(ProblemCode::InvalidPipe, explain(&error));
    let statements = statements(&file).map_err(refused)?;
    let view = |Statement { purpose, user, sql }| StatementView { purpose, user, sql };
    Ok(Json(Statements { statements: statements.into_iter().map(view).collect() }))
}

/// Proposes which fields of a topic fill the columns of a table that is there.
#[utoipa::path(
    post, path = "/api/v1/mapping", tag = "table", operation_id = "propose_mapping", request_body = ToMap,
    responses((status = 200, body = MappingView), Waits, super::docs::Failures)
)]
pub(crate) async fn map(
    State(api): State<Api>,
    Operator(actor): Operator,
    Body(wanted): Body<ToMap>,
) -> Result<Response, Problem> {
    let ToMap { pipe, of, samples, columns } = wanted;
    if !samples.is_empty() && !columns.is_empty() {
        let detail = "send either `samples` or `columns`";
        return Err(Problem::new(ProblemCode::InvalidRequest, detail));
    }
    if samples.len() > SAMPLES_MAX {
        let detail = format!("`samples` has more than {SAMPLES_MAX}");
        return Err(Problem::new(ProblemCode::InvalidRequest, detail));
    }
    let of_columns = fields_of_columns(&columns)?;
    let Drafted { file, subject, .. } = api.service.draft(pipe, of.as_deref(), Need::Table).await?;
    let waits_for = format!("the columns of `{}`", file.destination.table);
    let begun = begin(&api, &actor, (WorkKind::Map, subject), waits_for, |_| async move {
        let fields = if samples.is_empty() { of_columns } else { fields_of_samples(samples).await? };
        let Mapping { table, engine, columns, left_over } = propose_mapping(&file, &fields).await?;
        let columns = columns.into_iter().map(MappedColumnView::from).collect();
        Ok(MappingView { table, engine, columns, left_over })
    })?;
    answer(begun).await
}

fn fields_of_columns(columns: &[InferredColumn]) -> Result<Vec<TopicField>, Problem> {
    if columns.len() > COLUMNS_MAX {
        let detail = format!("`columns` has more than {COLUMNS_MAX}");
        return Err(Problem::new(ProblemCode::InvalidRequest, detail));
    }
    let field = |InferredColumn { name, data_type }: &InferredColumn| {
        let parsed = data_type.parse().map_err(|error| {
            let detail = format!("the type of the column `{name}` cannot be used: {error}");
            Problem::new(ProblemCode::InvalidRequest, detail)
        });
        parsed.map(|data_type| TopicField { name: name.clone(), data_type })
    };
    columns.iter().map(field).collect()
}

async fn fields_of_samples(samples: Vec<Box<RawValue>>) -> Result<Vec<TopicField>, Problem> {
    // A line each: within a document a line ends only where white space may stand.
    let lines: String = samples.iter().map(|it| it.get().replace(['\n', '\r'], " ") + "\n").collect();
    let infer = move || infer_lines(lines.as_bytes(), "`samples`", None, "samples", SAMPLES_MAX);
    let inferred = tokio::task::spawn_blocking(infer).await.map_err(|error| {
        tracing::error!(%error, "inference ended early");
        Problem::new(ProblemCode::Internal, "the service's log says more")
    })?;
    Ok(inferred?.columns.iter().filter_map(TopicField::of).collect())
}
