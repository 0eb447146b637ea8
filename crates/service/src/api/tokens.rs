//! Who may call: tokens and their roles.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::audit::Detail;
use super::auth::{Actor, Admin, Role};
use super::extract::{At, Body};
use super::problem::{Problem, ProblemCode};
use super::view::moment_of_ms;
use super::{Api, masked};

/// Letters of a token's name, at most.
const NAME_LENGTH_MAX: usize = 63;

/// A token without itself.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenView {
    /// Its name.
    name: String,
    /// What its holder may do.
    role: Role,
    /// When it was made.
    created_at: String,
}

/// All tokens.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenList {
    /// By name.
    tokens: Vec<TokenView>,
}

/// A token that is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewToken {
    /// Its name, by which events tell who did something: up to 63 of a-z, 0-9, `_` and `-`, without `hpt_`, as tokens begin.
    #[schema(min_length = 1, max_length = 63, pattern = "^[a-z0-9_-]+$")]
    name: String,
    /// What its holder may do.
    role: Role,
}

/// A token, told once.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MadeToken {
    /// Its name.
    name: String,
    /// What its holder may do.
    role: Role,
    /// What is sent behind `Authorization: Bearer`. It is not kept and not told again.
    token: String,
}

/// Which token.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct TokenPath {
    /// The token's name.
    name: String,
}

/// Whoever calls.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Whoami {
    /// The name of the token.
    name: String,
    /// What its holder may do.
    role: Role,
}

/// Tells whose token it is that came with the call, and what its holder may do.
#[utoipa::path(
    get, path = "/api/v1/whoami", tag = "tokens", operation_id = "whoami",
    responses((status = 200, body = Whoami), super::docs::Failures)
)]
pub(crate) async fn whoami(actor: Actor) -> Json<Whoami> {
    Json(Whoami { name: actor.name().to_owned(), role: actor.role() })
}

/// Lists tokens.
#[utoipa::path(
    get, path = "/api/v1/tokens", tag = "tokens", operation_id = "list_tokens",
    responses((status = 200, body = TokenList), super::docs::Failures)
)]
pub(crate) async fn list(State(api): State<Api>, _: Admin) -> Result<Json<TokenList>, Problem> {
    let view = |token: crate::store::StoredToken| TokenView {
        name: token.name,
        role: token.role,
        created_at: moment_of_ms(token.created_ms),
    };
    let tokens = api.service.store().tokens().await?.into_iter().map(view).collect();
    Ok(Json(TokenList { tokens }))
}

/// Makes a token, which the answer tells and nobody afterwards.
#[utoipa::path(
    post, path = "/api/v1/tokens", tag = "tokens", operation_id = "create_token", request_body = NewToken,
    responses((status = 201, body = MadeToken), super::docs::Failures)
)]
pub(crate) async fn create(
    State(api): State<Api>,
    Admin(actor): Admin,
    Body(new): Body<NewToken>,
) -> Result<Response, Problem> {
    let is_legal =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-';
    if !(1..=NAME_LENGTH_MAX).contains(&new.name.len()) || !new.name.bytes().all(is_legal) {
        let detail = format!("a token's name is up to {NAME_LENGTH_MAX} of a-z, 0-9, `_` and `-`");
        return Err(Problem::new(ProblemCode::InvalidRequest, detail));
    }
    let token = api.service.store().new_token_by(actor.token(), &new.name, new.role).await?;
    tracing::info!(actor = actor.name(), token = new.name, role = new.role.as_str(), "a token was made");
    let detail = Detail(format!("the token {} of the role {}", new.name, new.role.as_str()));
    let made = MadeToken { name: new.name, role: new.role, token: token.expose_secret().to_owned() };
    let mut response =
        (StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(made)).into_response();
    response.extensions_mut().insert(detail);
    Ok(response)
}

/// Forgets a token: it opens nothing any more, its streams of events end, and so does its work.
#[utoipa::path(
    delete, path = "/api/v1/tokens/{name}", tag = "tokens", operation_id = "remove_token", params(TokenPath),
    responses((status = 204), super::docs::Failures)
)]
pub(crate) async fn remove(
    State(api): State<Api>,
    Admin(actor): Admin,
    At(path): At<TokenPath>,
) -> Result<Response, Problem> {
    api.service.store().forget_token_by(actor.token(), &path.name).await?;
    api.works.forget_of(&path.name);
    let mut response = StatusCode::NO_CONTENT.into_response();
    // Of a name that was given before such names were refused, the path that is written down has its beginning alone.
    if masked::sentence(&path.name) != path.name {
        response.extensions_mut().insert(Detail(format!("the token {}", path.name)));
    }
    tracing::info!(actor = actor.name(), token = path.name, "a token was forgotten");
    Ok(response)
}
