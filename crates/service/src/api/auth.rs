//! Who calls, and whether she may.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use secrecy::{ExposeSecret, SecretString};

use super::Api;
use super::problem::{Problem, ProblemCode};
pub(crate) use crate::store::Role;
use crate::store::{StoreError, TokenOwner};

/// How often it is looked whether the token of a call that goes on is still there, in milliseconds.
const TOKEN_LOOK_MS: u64 = if cfg!(test) { 50 } else { 10_000 };

/// Whoever sent the request, by its token.
#[derive(Debug, Clone)]
pub(crate) struct Actor {
    owner: TokenOwner,
    token: SecretString,
}

/// What was found of whoever sent a request, where that was looked for before.
#[derive(Debug, Clone)]
pub(super) struct Found(pub(super) Result<Actor, Problem>);

impl Actor {
    /// Who has sent a request with this head.
    pub(super) async fn find(parts: &Parts, api: &Api) -> Result<Actor, Problem> {
        let unknown = |detail: &str| Problem::new(ProblemCode::Unauthenticated, detail);
        let token = bearer(&parts.headers).ok_or_else(|| {
            unknown("send `Authorization: Bearer` with a token; the first one was printed at the first start")
        })?;
        let Some(owner) = api.service.store().token_owner(token).await? else {
            api.strangers.came(parts.extensions.get());
            return Err(unknown("the token is not known"));
        };
        Ok(Actor { owner, token: token.into() })
    }

    pub(crate) fn name(&self) -> &str {
        &self.owner.name
    }

    pub(crate) fn role(&self) -> Role {
        self.owner.role
    }

    /// The token itself, for whoever judges it within the transaction of a change.
    pub(super) fn token(&self) -> &SecretString {
        &self.token
    }

    /// Refuses where the token opens nothing any more: it was judged by the head of the call, and may have been forgotten while the body was waited for.
    pub(super) fn judge_again(&self, api: &Api) -> impl Future<Output = Result<(), Problem>> + Send + use<> {
        let (service, actor) = (Arc::clone(&api.service), self.clone());
        async move {
            match service.store().token_owner(actor.token.expose_secret()).await? {
                Some(owner) if owner == actor.owner => Ok(()),
                _ => Err(StoreError::Forgotten.into()),
            }
        }
    }

    /// Returns once the token opens nothing any more, also where another process has forgotten it: what goes on for longer than a call ends
    /// with it. Where the store does not answer, nobody knows, and it is looked at again.
    pub(crate) fn forgotten(&self, api: &Api) -> impl Future<Output = ()> + Send + use<> {
        let (service, token) = (Arc::clone(&api.service), self.token.clone());
        async move {
            loop {
                tokio::time::sleep(Duration::from_millis(TOKEN_LOOK_MS)).await;
                if let Ok(None) = service.store().token_owner(token.expose_secret()).await {
                    return;
                }
            }
        }
    }

    /// Refuses whoever has a lesser role.
    fn needs(self, role: Role) -> Result<Actor, Problem> {
        if self.owner.role >= role {
            return Ok(self);
        }
        let detail = format!(
            "it takes the role `{}`, and the token `{}` has `{}`",
            role.as_str(),
            self.owner.name,
            self.owner.role.as_str()
        );
        Err(Problem::new(ProblemCode::Forbidden, detail))
    }
}

impl FromRequestParts<Api> for Actor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Actor, Problem> {
        match parts.extensions.get() {
            Some(Found(found)) => found.clone(),
            None => Actor::find(parts, api).await,
        }
    }
}

/// An actor who may define and change pipes. It is looked at before the body is read.
#[derive(Debug)]
pub(crate) struct Operator(pub(crate) Actor);

impl FromRequestParts<Api> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Operator, Problem> {
        Actor::from_request_parts(parts, api).await?.needs(Role::Operator).map(Operator)
    }
}

/// An actor who may say who may do what.
#[derive(Debug)]
pub(crate) struct Admin(pub(crate) Actor);

impl FromRequestParts<Api> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Admin, Problem> {
        Actor::from_request_parts(parts, api).await?.needs(Role::Admin).map(Admin)
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
