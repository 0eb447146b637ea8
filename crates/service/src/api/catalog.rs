//! What there is at the destination to choose among: databases, tables and roles. Nothing is written.

use axum::extract::State;
use axum::response::Response;
use housepipe_runtime::{
    DatabaseList, Document, Need, RoleList, TablePage, TableQuery, databases, roles, tables,
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::Api;
use super::auth::Operator;
use super::extract::{Body, bounded, part_of_name};
use super::problem::Problem;
use super::work::{Waits, answer, begin};
use crate::service::Drafted;
use crate::work::WorkKind;

/// Tables of one page unless the call says otherwise, and at most.
const TABLES: u32 = 100;
const TABLES_MAX: u32 = 1_000;
/// Tables that are left out before a page, at most.
const SKIP_MAX: u32 = 100_000;

/// Letters of a part of a table's name, at most.
const NAME_LETTERS_MAX: usize = 255;

/// A ClickHouse, and who asks it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "pipe": { "destination": { "url": "http://localhost:8123" } } }))]
pub(crate) struct Destination {
    /// The pipe file as far as there is one: `destination` without its table is enough. Without it, that of the pipe `of`.
    #[schema(value_type = Option<Object>)]
    pipe: Option<Document>,
    /// The id of a pipe. Its secrets stand for `${secret:…}` in `pipe`, where they go to the same addresses and logins as in that pipe.
    of: Option<String>,
}

impl Destination {
    async fn drafted(self, api: &Api) -> Result<Drafted, Problem> {
        Ok(api.service.draft(self.pipe, self.of.as_deref(), Need::Destination).await?)
    }
}

/// Lists the databases that the user of the pipe may see; where the pipe has a `setup`, its user.
#[utoipa::path(
    post, path = "/api/v1/databases", tag = "wizard", operation_id = "list_databases", request_body = Destination,
    responses((status = 200, body = DatabaseList), Waits, super::docs::Failures)
)]
pub(crate) async fn list_databases(
    State(api): State<Api>,
    Operator(actor): Operator,
    Body(destination): Body<Destination>,
) -> Result<Response, Problem> {
    let Drafted { file, subject, .. } = destination.drafted(&api).await?;
    let begun = begin(
        &api,
        &actor,
        (WorkKind::ListDatabases, subject),
        "clickhouse to tell its databases",
        |_| async move { Ok(databases(&file).await?) },
    )?;
    answer(begun).await
}

/// Which tables.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "pipe": { "destination": { "url": "http://localhost:8123", "database": "default" } }, "name_contains": "click", "limit": 20
}))]
pub(crate) struct TablesWanted {
    /// The pipe file as far as there is one: `destination` without its table is enough. Without it, that of the pipe `of`.
    #[schema(value_type = Option<Object>)]
    pipe: Option<Document>,
    /// The id of a pipe. Its secrets stand for `${secret:…}` in `pipe`, where they go to the same addresses and logins as in that pipe.
    of: Option<String>,
    /// A part of the table's name; small and capital letters are the same.
    #[schema(min_length = 1, max_length = 255)]
    name_contains: Option<String>,
    /// How many to leave out before the page.
    #[schema(minimum = 0, maximum = 100000, default = 0)]
    skip: Option<u32>,
    /// Tables of the page, at most.
    #[schema(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
}

/// Lists tables of the database by name, with their engines and how much is in them. `/api/v1/mapping` tells the columns of one.
#[utoipa::path(
    post, path = "/api/v1/tables", tag = "wizard", operation_id = "list_tables", request_body = TablesWanted,
    responses((status = 200, body = TablePage), Waits, super::docs::Failures)
)]
pub(crate) async fn list_tables(
    State(api): State<Api>,
    Operator(actor): Operator,
    Body(wanted): Body<TablesWanted>,
) -> Result<Response, Problem> {
    let TablesWanted { pipe, of, name_contains, skip, limit } = wanted;
    let query = TableQuery {
        name_contains: part_of_name(name_contains, NAME_LETTERS_MAX)?,
        skip: bounded("skip", skip, 0, 0..=SKIP_MAX)?,
        limit: bounded("limit", limit, TABLES, 1..=TABLES_MAX)?,
    };
    let Drafted { file, subject, .. } = Destination { pipe, of }.drafted(&api).await?;
    let waits_for = format!("the tables of `{}`", file.destination.database);
    let begun = begin(&api, &actor, (WorkKind::ListTables, subject), waits_for, |_| async move {
        Ok(tables(&file, &query).await?)
    })?;
    answer(begun).await
}

/// Lists roles that a user of the pipe's own could be given: those of the server, or of whoever asks where it may not see them.
#[utoipa::path(
    post, path = "/api/v1/roles", tag = "wizard", operation_id = "list_roles", request_body = Destination,
    responses((status = 200, body = RoleList), Waits, super::docs::Failures)
)]
pub(crate) async fn list_roles(
    State(api): State<Api>,
    Operator(actor): Operator,
    Body(destination): Body<Destination>,
) -> Result<Response, Problem> {
    let Drafted { file, subject, .. } = destination.drafted(&api).await?;
    let begun = begin(
        &api,
        &actor,
        (WorkKind::ListRoles, subject),
        "clickhouse to tell its roles",
        |_| async move { Ok(roles(&file).await?) },
    )?;
    answer(begun).await
}
