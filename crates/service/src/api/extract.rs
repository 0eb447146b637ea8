//! What requests carry, with problem details where it is not as it should be.

use std::ops::RangeInclusive;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use super::problem::{Problem, ProblemCode};

/// A body of JSON.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Body<T>, Problem> {
        let Json(value) =
            Json::<T>::from_request(request, state).await.map_err(|r: JsonRejection| Problem::from(r))?;
        Ok(Body(value))
    }
}

/// The query of an address.
#[derive(Debug)]
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Params<T>, Problem> {
        let Query(value) = Query::<T>::from_request_parts(parts, state)
            .await
            .map_err(|r: QueryRejection| Problem::from(r))?;
        Ok(Params(value))
    }
}

/// The names in a path.
#[derive(Debug)]
pub(crate) struct At<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for At<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<At<T>, Problem> {
        let Path(value) =
            Path::<T>::from_request_parts(parts, state).await.map_err(|r: PathRejection| Problem::from(r))?;
        Ok(At(value))
    }
}

/// The number at `key`, or `default` where there is none.
pub(crate) fn bounded(
    key: &str,
    number: Option<u32>,
    default: u32,
    range: RangeInclusive<u32>,
) -> Result<u32, Problem> {
    let number = number.unwrap_or(default);
    if range.contains(&number) {
        return Ok(number);
    }
    let detail = format!("`{key}` is from {} to {}", range.start(), range.end());
    Err(Problem::new(ProblemCode::InvalidRequest, detail))
}

/// Which pipe.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct PipePath {
    /// The pipe's id.
    pub(crate) id: String,
}
